//! Volumes of the engine.

use iechor_engine::model;
use iechor_engine::{EngineError, ObjectKind};
use wasmtime::component::Resource;

use super::{HostError, has_labels, labels_to_pairs};
use crate::bindings::contract::{self, Error};
use crate::bindings::iechor::driver::volume;
use crate::limits;
use crate::operation::Host;
use crate::ownership::Verdict;

/// One of the node's own volumes.
pub struct VolumeHandle {
    name: String,
}

impl volume::Host for Host {
    async fn list_all(
        &mut self,
        labels: Vec<(String, String)>,
    ) -> Result<Vec<volume::Summary>, HostError> {
        let operation = self.called();
        let found = operation
            .engine()?
            .list_volumes(&operation.owner.filter())
            .await?;
        Ok(found
            .into_iter()
            .filter(|volume| has_labels(&volume.labels, &labels))
            .take(limits::LISTED)
            .map(summary)
            .collect())
    }
}

impl volume::HostVolume for Host {
    async fn create(&mut self, spec: volume::Spec) -> Result<Resource<VolumeHandle>, HostError> {
        let operation = self.called();
        let engine = operation.engine()?;
        operation
            .owner
            .check_name(&spec.name)
            .map_err(HostError::invalid)?;
        if spec.driver.is_some() || !spec.driver_options.is_empty() {
            // The options of the `local` driver can name any directory of the machine.
            operation
                .grants
                .check("container.bind", &format!("volume {}", spec.name))?;
        }
        operation.check_creations()?;
        let name = spec.name.clone();
        // An engine answers the creation of a volume that exists with that volume.
        if let Some(found) = engine.inspect_volume(&name).await? {
            return Err(HostError::Answer(
                match operation.owner.judge(&name, &found.labels) {
                    Verdict::Own => Error::AlreadyExists(contract::ObjectRef {
                        kind: contract::ObjectKind::Volume,
                        name,
                    }),
                    Verdict::Foreign(whose) => {
                        Error::Conflict(format!("volume {name} exists: {whose}"))
                    }
                },
            ));
        }
        let spec = model::VolumeSpec {
            labels: operation.owner.labels(&operation.id, spec.labels),
            name: spec.name,
            driver: spec.driver,
            driver_options: spec.driver_options.into_iter().collect(),
        };
        operation
            .journal
            .create(ObjectKind::Volume, &name, async move {
                engine.create_volume(&spec).await
            })
            .await?;
        Ok(self.table.push(VolumeHandle { name })?)
    }

    async fn find(&mut self, name: String) -> Result<Option<Resource<VolumeHandle>>, HostError> {
        let operation = self.called();
        operation
            .owner
            .check_name(&name)
            .map_err(HostError::invalid)?;
        match operation.engine()?.inspect_volume(&name).await? {
            Some(found) if operation.owner.judge(&name, &found.labels) == Verdict::Own => {
                Ok(Some(self.table.push(VolumeHandle { name })?))
            }
            _ => Ok(None),
        }
    }

    async fn inspect(
        &mut self,
        volume: Resource<VolumeHandle>,
    ) -> Result<volume::Summary, HostError> {
        let operation = self.called();
        let name = self.table.get(&volume)?.name.clone();
        match operation.engine()?.inspect_volume(&name).await? {
            Some(found) => Ok(summary(found)),
            None => Err(EngineError::NotFound {
                kind: ObjectKind::Volume,
                name,
            }
            .into()),
        }
    }

    async fn remove(
        &mut self,
        volume: Resource<VolumeHandle>,
        force: bool,
    ) -> Result<(), HostError> {
        let operation = self.called();
        let name = self.table.get(&volume)?.name.clone();
        Ok(operation.engine()?.remove_volume(&name, force).await?)
    }

    async fn drop(&mut self, volume: Resource<VolumeHandle>) -> wasmtime::Result<()> {
        self.table.delete(volume)?;
        Ok(())
    }
}

fn summary(found: model::Volume) -> volume::Summary {
    volume::Summary {
        name: found.name,
        driver: found.driver,
        labels: labels_to_pairs(found.labels),
    }
}
