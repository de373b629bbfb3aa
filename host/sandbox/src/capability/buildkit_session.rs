//! BuildKit over a connection.

use std::sync::{Arc, PoisonError};

use wasmtime::component::Resource;

use super::Interface;
use super::transport::Connection;
use crate::bindings::HostError;
use crate::bindings::contract::{Error, Platform};
use crate::bindings::iechor::driver::{buildkit_session, transport};
use crate::declaration::{Function, Needs};
use crate::handle::{Handle, Handles};
use crate::limits;
use crate::operation::{Host, Setup};
use crate::report::{BuildKit, BuildKitClient};
use wasmtime::component::HasSelf;

const FUNCTIONS: &[Function] = &[
    Function::new("client.open", Needs::Nothing),
    Function::new("client.version", Needs::Nothing),
    Function::new("client.workers", Needs::Nothing),
    Function::new("session.current", Needs::Nothing),
    Function::new("session.id", Needs::Nothing),
    Function::new("session.headers", Needs::Nothing),
    Function::new("session.attach", Needs::Nothing),
];

/// BuildKit over a connection, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "buildkit-session",
    of_engine: false,
    grants: &[],
    functions: FUNCTIONS,
    kept: &[("client", |entry| entry.is::<Client>())],
    context: |setup, contexts| contexts.add(Context::of(setup)),
    link: buildkit_session::add_to_linker::<Host, HasSelf<Host>>,
};

/// What a client of BuildKit needs of an operation.
struct Context {
    buildkit: Arc<dyn BuildKit>,
}

impl Context {
    fn of(setup: &Setup<'_>) -> Self {
        Self {
            buildkit: Arc::clone(&setup.context.buildkit),
        }
    }
}

/// A BuildKit client that the host runs on one connection.
pub struct Client {
    client: Box<dyn BuildKitClient>,
}

/// The session of a build.
///
/// Builds open their connection through `dial` and carry their session on it themselves, so no
/// operation of a driver has one yet; there is no value of this type.
pub enum Session {}

impl Handle for buildkit_session::Client {
    type State = Client;
}

impl Handle for buildkit_session::Session {
    type State = Session;
}

impl buildkit_session::Host for Host {}

impl buildkit_session::HostClient for Host {
    async fn open(
        &mut self,
        on: Resource<transport::Connection>,
    ) -> Result<Resource<buildkit_session::Client>, HostError> {
        let operation = self.called("client.open");
        let Context { buildkit } = operation.context();
        let Connection {
            stream,
            stderr,
            refusal,
            ..
        } = self.table.release(on)?;
        let connected = in_time(buildkit.connect(stream)).await;
        match connected {
            Ok(client) => Ok(self.table.keep(Client { client })?),
            Err(reason) => {
                // To be turned away is not to be out of reach: later will not differ.
                if let Some(words) = refusal.get() {
                    return Err(HostError::Answer(Error::Other(words.clone())));
                }
                let said = stderr
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                Err(unavailable(if said.is_empty() {
                    reason
                } else {
                    format!("{reason}: {said}")
                }))
            }
        }
    }

    async fn version(
        &mut self,
        client: Resource<buildkit_session::Client>,
    ) -> Result<buildkit_session::Version, HostError> {
        self.called("client.version");
        let client = &self.table.state(&client)?.client;
        let version = in_time(client.version()).await.map_err(unavailable)?;
        self.answered(|| version.version.clone());
        Ok(buildkit_session::Version {
            version: version.version,
            revision: version.revision,
            package: version.package,
        })
    }

    async fn workers(
        &mut self,
        client: Resource<buildkit_session::Client>,
    ) -> Result<Vec<buildkit_session::Worker>, HostError> {
        self.called("client.workers");
        let client = &self.table.state(&client)?.client;
        let workers = in_time(client.workers()).await.map_err(unavailable)?;
        self.answered(|| workers.len().to_string());
        Ok(workers
            .into_iter()
            .map(|worker| buildkit_session::Worker {
                id: worker.id,
                labels: worker.labels,
                platforms: worker.platforms.into_iter().map(Platform::from).collect(),
            })
            .collect())
    }

    async fn drop(&mut self, client: Resource<buildkit_session::Client>) -> wasmtime::Result<()> {
        self.table.release(client)?;
        Ok(())
    }
}

impl buildkit_session::HostSession for Host {
    async fn current(&mut self) -> wasmtime::Result<Option<Resource<buildkit_session::Session>>> {
        self.called("session.current");
        self.answered(|| "none".into());
        Ok(None)
    }

    async fn id(
        &mut self,
        session: Resource<buildkit_session::Session>,
    ) -> wasmtime::Result<String> {
        match *self.table.state(&session)? {}
    }

    async fn headers(
        &mut self,
        session: Resource<buildkit_session::Session>,
    ) -> wasmtime::Result<Vec<(String, String)>> {
        match *self.table.state(&session)? {}
    }

    async fn attach(
        &mut self,
        session: Resource<buildkit_session::Session>,
        _on: Resource<transport::Connection>,
    ) -> Result<(), HostError> {
        match *self.table.state(&session)? {}
    }

    async fn drop(&mut self, session: Resource<buildkit_session::Session>) -> wasmtime::Result<()> {
        match self.table.release(session)? {}
    }
}

/// Waits for an answer as long as BuildKit may take: a driver tries again on a new connection.
async fn in_time<T>(answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(limits::ANSWER, answer)
        .await
        .unwrap_or_else(|_| {
            Err(format!(
                "BuildKit did not answer within {} s",
                limits::ANSWER.as_secs()
            ))
        })
}

fn unavailable(reason: String) -> HostError {
    HostError::Answer(Error::Unavailable(reason))
}
