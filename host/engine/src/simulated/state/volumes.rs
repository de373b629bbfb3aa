//! Volumes.

use super::kept::Kept;
use super::{State, not_found};
use crate::error::{EngineError, ObjectKind};
use crate::model::{MountSource, Volume, VolumeSpec};

impl State {
    pub(in crate::simulated) fn create_volume(
        &mut self,
        spec: &VolumeSpec,
    ) -> Result<Volume, EngineError> {
        if self.volumes.contains_key(&spec.name) {
            return Err(EngineError::AlreadyExists {
                kind: ObjectKind::Volume,
                name: spec.name.clone(),
            });
        }
        let volume = Volume {
            name: spec.name.clone(),
            driver: spec.driver.clone().unwrap_or_else(|| "local".into()),
            driver_options: spec.driver_options.clone(),
            labels: spec.labels.clone(),
        };
        self.volumes.insert(spec.name.clone(), volume.clone());
        Ok(volume)
    }

    pub(in crate::simulated) fn remove_volume(
        &mut self,
        name: &str,
        force: bool,
    ) -> Result<(), EngineError> {
        if !self.volumes.contains_key(name) {
            return if force {
                Ok(())
            } else {
                Err(not_found(ObjectKind::Volume, name))
            };
        }
        let mounts = |kept: &Kept| {
            let mut mounts = kept.seen.mounts.iter();
            mounts.any(|m| matches!(&m.source, MountSource::Volume(v) if v == name))
        };
        let users: Vec<_> = self.containers.iter().filter(|k| mounts(k)).collect();
        if !users.is_empty() {
            let users: Vec<_> = users.iter().map(|k| k.seen.id.as_str()).collect();
            return Err(EngineError::Conflict(format!(
                "remove {name}: volume is in use - [{}]",
                users.join(", ")
            )));
        }
        self.volumes.remove(name);
        Ok(())
    }
}
