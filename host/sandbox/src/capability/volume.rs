//! Volumes of the engine.

use iechor_engine::model;
use iechor_engine::{EngineError, ObjectKind};
use wasmtime::component::{Resource, ResourceTable};

use super::Interface;
use super::{check_texts, has_labels, is_of_node, labels_to_pairs};
use crate::bindings::HostError;
use crate::bindings::contract::{self, Error};
use crate::bindings::iechor::driver::volume;
use crate::declaration::{Function, Needs};
use crate::handle::{Handle, Handles};
use crate::limits;
use crate::operation::Host;
use crate::ownership::Verdict;
use wasmtime::component::HasSelf;

const FUNCTIONS: &[Function] = &[
    Function::new("volume.create", Needs::Creation(&["container.bind"])),
    Function::new("volume.find", Needs::Own),
    Function::new("volume.list-all", Needs::Own),
    Function::new("volume.inspect", Needs::Own),
    Function::new("volume.remove", Needs::Own),
];

/// Volumes of the engine, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "volume",
    of_engine: true,
    grants: &[],
    functions: FUNCTIONS,
    kept: &[("volume", |entry| entry.is::<OwnVolume>())],
    context: |_, _| {},
    link: volume::add_to_linker::<Host, HasSelf<Host>>,
};

/// One of the node's own volumes.
pub struct OwnVolume {
    name: String,
}

impl Handle for volume::Volume {
    type State = OwnVolume;
}

impl volume::Host for Host {
    async fn list_all(
        &mut self,
        labels: Vec<(String, String)>,
    ) -> Result<Vec<volume::Summary>, HostError> {
        let operation = self.called_with("volume.list-all", |line, _| {
            line.pairs("labels", &labels);
        });
        let found = operation
            .engine()?
            .list_volumes(&operation.owner.filter())
            .await?;
        let found: Vec<_> = found
            .into_iter()
            .filter(|found| is_of_node(&operation, &found.name, &found.labels))
            .filter(|volume| has_labels(&volume.labels, &labels))
            .take(limits::LISTED)
            .map(summary)
            .collect();
        self.answered(|| found.len().to_string());
        Ok(found)
    }
}

impl volume::HostVolume for Host {
    async fn create(&mut self, spec: volume::Spec) -> Result<Resource<volume::Volume>, HostError> {
        let operation = self.called_with("volume.create", |line, _| {
            line.word(&spec.name)
                .optional("driver", spec.driver.as_ref())
                .pairs("options", &spec.driver_options)
                .pairs("labels", &spec.labels);
        });
        let engine = operation.engine()?;
        operation
            .owner
            .check_new_name(ObjectKind::Volume, &spec.name)
            .map_err(HostError::invalid)?;
        if spec.driver.is_some() || !spec.driver_options.is_empty() {
            // The options of the `local` driver can name any directory of the machine.
            operation
                .grants
                .check("container.bind", &format!("volume {}", spec.name))?;
        }
        check_texts("volume", &[&spec.labels, &spec.driver_options], &[])?;
        operation.check_creations()?;
        let name = spec.name.clone();
        // An engine answers the creation of a volume that exists with that volume.
        if let Some(found) = engine.inspect_volume(&name).await? {
            return Err(HostError::Answer(
                match operation
                    .owner
                    .judge(ObjectKind::Volume, &name, &found.labels)
                {
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
        let noted = operation.note_creation(ObjectKind::Volume, &name)?;
        operation
            .journal
            .create(noted, async move { engine.create_volume(&spec).await })
            .await?;
        Ok(self.table.keep(OwnVolume { name })?)
    }

    async fn find(&mut self, name: String) -> Result<Option<Resource<volume::Volume>>, HostError> {
        let operation = self.called_with("volume.find", |line, _| {
            line.word(&name);
        });
        operation
            .owner
            .check_name(&name)
            .map_err(HostError::invalid)?;
        match operation.engine()?.inspect_volume(&name).await? {
            Some(found)
                if operation
                    .owner
                    .judge(ObjectKind::Volume, &name, &found.labels)
                    == Verdict::Own =>
            {
                Ok(Some(self.table.keep(OwnVolume { name })?))
            }
            _ => {
                self.answered(|| "none".into());
                Ok(None)
            }
        }
    }

    async fn inspect(
        &mut self,
        volume: Resource<volume::Volume>,
    ) -> Result<volume::Summary, HostError> {
        let operation = self.called_with("volume.inspect", |line, table| {
            line.word(named(table, &volume));
        });
        let name = self.table.state(&volume)?.name.clone();
        match operation.engine()?.inspect_volume(&name).await? {
            // Meanwhile it may be another one, of somebody else.
            Some(found)
                if operation
                    .owner
                    .judge(ObjectKind::Volume, &name, &found.labels)
                    == Verdict::Own =>
            {
                Ok(summary(found))
            }
            _ => Err(EngineError::NotFound {
                kind: ObjectKind::Volume,
                name,
            }
            .into()),
        }
    }

    async fn remove(
        &mut self,
        volume: Resource<volume::Volume>,
        force: bool,
    ) -> Result<(), HostError> {
        let operation = self.called_with("volume.remove", |line, table| {
            line.word(named(table, &volume)).flag("force", force);
        });
        let name = self.table.state(&volume)?.name.clone();
        Ok(operation.engine()?.remove_volume(&name, force).await?)
    }

    async fn drop(&mut self, volume: Resource<volume::Volume>) -> wasmtime::Result<()> {
        self.table.release(volume)?;
        Ok(())
    }
}

fn named<'a>(table: &'a ResourceTable, volume: &Resource<volume::Volume>) -> &'a str {
    table.state(volume).map_or("?", |handle| &handle.name)
}

fn summary(found: model::Volume) -> volume::Summary {
    volume::Summary {
        name: found.name,
        driver: found.driver,
        labels: labels_to_pairs(found.labels),
    }
}
