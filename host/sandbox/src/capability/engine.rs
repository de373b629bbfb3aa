//! The engine as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use iechor_engine::{Engine, Hijack};
use wasmtime::component::Resource;

use super::Interface;
use super::check_texts;
use super::transport::Connection;
use crate::bindings::HostError;
use crate::bindings::iechor::driver::{engine, transport};
use crate::declaration::{Capability, Function, Needs, Subject};
use crate::denial::Denial;
use crate::handle::Handles;
use crate::limits;
use crate::operation::{Host, Operation, Setup};
use wasmtime::component::HasSelf;

const GRANTS: &[Capability] = &[
    Capability {
        name: "engine.open",
        subject: "control or session",
        kind: Subject::Other,
        endpoint: None,
        includes: None,
        high_risk: true,
        means: "the driver can use the engine's own BuildKit: it can see all builds there and run builds of its own",
    },
    Capability {
        name: "engine.load",
        subject: "the image's name",
        kind: Subject::Image,
        endpoint: None,
        includes: None,
        high_risk: false,
        means: "builds without an output are loaded into the engine and replace images with the same names",
    },
];

const FUNCTIONS: &[Function] = &[
    Function::new("engine.inspect", Needs::Nothing),
    Function::new("engine.open", Needs::Grant("engine.open")),
];

/// The engine as a whole, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "engine",
    of_engine: true,
    grants: GRANTS,
    functions: FUNCTIONS,
    kept: &[],
    context: |setup, contexts| contexts.add(Context::of(setup)),
    link: engine::add_to_linker::<Host, HasSelf<Host>>,
};

/// What access to the engine needs of an operation.
struct Context {
    /// `None` in the pure functions, and for a driver that imports nothing of it.
    engine: Option<Arc<dyn Engine>>,
    requests: AtomicU32,
}

impl Context {
    fn of(setup: &Setup<'_>) -> Self {
        Self {
            engine: setup.context.engine.clone(),
            requests: AtomicU32::new(0),
        }
    }
}

impl Operation {
    /// Returns the engine, for one more request.
    pub(super) fn engine(&self) -> Result<Arc<dyn Engine>, HostError> {
        let Context { engine, requests } = self.context();
        let Some(engine) = engine else {
            return Err(Denial::impossible(
                "engine",
                "there is none here: describe, priority and validate reach nothing".into(),
            )
            .into());
        };
        if requests.fetch_add(1, Ordering::Relaxed) >= limits::ENGINE_REQUESTS {
            return Err(HostError::limit(format!(
                "more than {} requests to the engine in one operation",
                limits::ENGINE_REQUESTS
            )));
        }
        Ok(Arc::clone(engine))
    }

    /// Returns whether the engine runs on this machine.
    pub(super) fn has_local_engine(&self) -> bool {
        let Context { engine, .. } = self.context();
        engine
            .as_ref()
            .is_some_and(|engine| engine.endpoint().starts_with("unix://"))
    }
}

impl engine::Host for Host {
    async fn inspect(&mut self) -> Result<engine::Info, HostError> {
        let info = self.called("engine.inspect").engine()?.info().await?;
        Ok(engine::Info {
            name: info.name,
            version: info.version,
            api_version: info.api_version,
            platform: info.platform.into(),
            cgroup_driver: info.cgroup_driver,
            rootless: info.rootless,
            user_namespaces: info.user_namespaces,
            gpu_runtimes: info.gpu_runtimes,
            extra: info
                .run
                .map(|run| ("run".to_owned(), run))
                .into_iter()
                .collect(),
        })
    }

    async fn open(
        &mut self,
        what: engine::Hijack,
    ) -> Result<Resource<transport::Connection>, HostError> {
        let operation = self.called_with("engine.open", |line, _| {
            match &what {
                engine::Hijack::Control => line.word("control"),
                engine::Hijack::Session(headers) => line
                    .word("session")
                    .list("headers", headers.iter().map(|(name, _)| name)),
            };
        });
        let (subject, what) = match what {
            engine::Hijack::Control => ("control", Hijack::Control),
            engine::Hijack::Session(headers) => ("session", Hijack::Session(headers)),
        };
        operation.grants.check("engine.open", subject)?;
        if let Hijack::Session(headers) = &what {
            check_texts("session", &[headers], &[])?;
        }
        let stream = operation.engine()?.hijack(&what).await?;
        let leads_to = format!("engine:{subject}");
        Ok(self.table.keep(Connection::new(stream, leads_to))?)
    }
}
