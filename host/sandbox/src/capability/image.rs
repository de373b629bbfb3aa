//! Images of the engine.

use std::sync::Arc;

use iechor_engine::model::{self, PullEvent};
use iechor_engine::{EngineError, ObjectKind};
use tokio::sync::mpsc;
use wasmtime::component::Resource;

use super::Interface;
use super::check_image;
use crate::bindings::HostError;
use crate::bindings::contract::Platform;
use crate::bindings::iechor::driver::{image, progress};
use crate::declaration::{Capability, Function, Needs, Subject};
use crate::handle::Handles;
use crate::operation::Host;
use wasmtime::component::HasSelf;

const GRANTS: &[Capability] = &[Capability {
    name: "image.pull",
    subject: "the image reference",
    kind: Subject::Image,
    endpoint: None,
    includes: None,
    high_risk: false,
    means: "the engine pulls these images with your credentials, and the driver can list which of them are present",
}];

const FUNCTIONS: &[Function] = &[Function::new("image.resolve", Needs::Grant("image.pull"))];

/// Images of the engine, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "image",
    of_engine: true,
    grants: GRANTS,
    functions: FUNCTIONS,
    kept: &[],
    context: |_, _| {},
    link: image::add_to_linker::<Host, HasSelf<Host>>,
};

impl image::Host for Host {
    async fn resolve(
        &mut self,
        reference: String,
        platform: Option<Platform>,
        pull: image::Pull,
        under: Option<Resource<progress::Task>>,
    ) -> Result<image::Resolved, HostError> {
        let operation = self.called_with("image.resolve", |line, _| {
            let pull = match pull {
                image::Pull::Always => "always",
                image::Pull::IfMissing => "if-missing",
                image::Pull::Never => "never",
            };
            line.word(&reference)
                .optional("platform", platform.as_ref().map(crate::observer::platform))
                .field("pull", pull);
        });
        check_image(&operation, &reference)?;
        operation.grants.check("image.pull", &reference)?;
        let engine = operation.engine()?;
        let wanted = platform.map(model::Platform::from);
        let mut found = match pull {
            image::Pull::Always => None,
            image::Pull::IfMissing | image::Pull::Never => engine.inspect_image(&reference).await?,
        };
        if found.is_none() && pull != image::Pull::Never {
            let (sender, mut events) = mpsc::channel::<PullEvent>(64);
            let task = {
                let engine = Arc::clone(&engine);
                let reference = reference.clone();
                async move { engine.pull_image(&reference, wanted.as_ref(), sender).await }
            };
            let show = async {
                while let Some(event) = events.recv().await {
                    if let Some(step) = &under
                        && event.total.is_some()
                        && !event.id.is_empty()
                        && let Ok(step) = self.table.state_mut(step)
                    {
                        let counter = format!("{} {}", event.id, event.status.to_lowercase());
                        step.count(&operation, &counter, event.current, event.total);
                    }
                }
            };
            let (pulled, ()) = tokio::join!(task, show);
            pulled?;
            found = engine.inspect_image(&reference).await?;
        }
        let Some(found) = found else {
            return Err(EngineError::NotFound {
                kind: ObjectKind::Image,
                name: reference,
            }
            .into());
        };
        Ok(image::Resolved {
            digest: found
                .repo_digests
                .first()
                .and_then(|digest| digest.split_once('@').map(|(_, digest)| digest.to_owned())),
            reference,
            platform: Some(found.platform.into()),
            labels: super::labels_to_pairs(found.labels),
        })
    }
}
