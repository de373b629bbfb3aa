//! BuildKit over a connection.

use std::sync::PoisonError;

use wasmtime::component::Resource;

use super::HostError;
use super::transport::Connection;
use crate::bindings::contract::{Error, Platform};
use crate::bindings::iechor::driver::buildkit_session;
use crate::limits;
use crate::operation::Host;
use crate::report::BuildKitClient;

/// A BuildKit client that the host runs on one connection.
pub struct Client {
    client: Box<dyn BuildKitClient>,
}

/// The session of a build.
///
/// Builds open their connection through `dial` and carry their session on it themselves, so no
/// operation of a driver has one yet; there is no value of this type.
pub enum Session {}

impl buildkit_session::Host for Host {}

impl buildkit_session::HostClient for Host {
    async fn open(&mut self, on: Resource<Connection>) -> Result<Resource<Client>, HostError> {
        let operation = self.called("client.open");
        let Connection {
            stream,
            stderr,
            refusal,
            ..
        } = self.table.delete(on)?;
        let connected = in_time(operation.buildkit.connect(stream)).await;
        match connected {
            Ok(client) => Ok(self.table.push(Client { client })?),
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
        client: Resource<Client>,
    ) -> Result<buildkit_session::Version, HostError> {
        self.called("client.version");
        let client = &self.table.get(&client)?.client;
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
        client: Resource<Client>,
    ) -> Result<Vec<buildkit_session::Worker>, HostError> {
        self.called("client.workers");
        let client = &self.table.get(&client)?.client;
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

    async fn drop(&mut self, client: Resource<Client>) -> wasmtime::Result<()> {
        self.table.delete(client)?;
        Ok(())
    }
}

impl buildkit_session::HostSession for Host {
    async fn current(&mut self) -> wasmtime::Result<Option<Resource<Session>>> {
        self.called("session.current");
        self.answered(|| "none".into());
        Ok(None)
    }

    async fn id(&mut self, session: Resource<Session>) -> wasmtime::Result<String> {
        match *self.table.get(&session)? {}
    }

    async fn headers(
        &mut self,
        session: Resource<Session>,
    ) -> wasmtime::Result<Vec<(String, String)>> {
        match *self.table.get(&session)? {}
    }

    async fn attach(
        &mut self,
        session: Resource<Session>,
        _on: Resource<Connection>,
    ) -> Result<(), HostError> {
        match *self.table.get(&session)? {}
    }

    async fn drop(&mut self, session: Resource<Session>) -> wasmtime::Result<()> {
        match self.table.delete(session)? {}
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
