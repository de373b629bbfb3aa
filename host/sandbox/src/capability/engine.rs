//! The engine as a whole.

use iechor_engine::Hijack;
use wasmtime::component::Resource;

use super::transport::Connection;
use super::{HostError, check_texts};
use crate::bindings::iechor::driver::engine;
use crate::operation::Host;

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

    async fn open(&mut self, what: engine::Hijack) -> Result<Resource<Connection>, HostError> {
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
        Ok(self.table.push(Connection::new(stream, leads_to))?)
    }
}
