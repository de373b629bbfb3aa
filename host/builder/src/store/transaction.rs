//! Changes to the store, under its lock.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use iechor_files::Locked;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::StoreError;
use super::group::NodeGroup;
use super::local_state::{self, LocalState};
use super::state::{Current, StoreState, StoredBuilder};
use super::{ACTIVITY, BUILDER_BYTES, CURRENT, DEFAULTS, INSTANCES, REFERENCES, Store, hash};
use crate::name::Name;

/// The lock of the store, for changes. Other processes wait until it is dropped.
#[derive(Debug)]
pub struct Transaction {
    store: Store,
    files: Locked,
}

impl Transaction {
    pub(super) fn new(store: Store, files: Locked) -> Self {
        Self { store, files }
    }

    /// Returns the locked directory of the store, for other files in it.
    pub fn files(&self) -> &Locked {
        &self.files
    }

    /// Returns everything that is stored, like [`Store::read`].
    pub fn state(&self) -> Result<StoreState, StoreError> {
        self.store.read()
    }

    /// Returns the builder of that name.
    pub fn builder(&self, name: &str) -> Result<Option<StoredBuilder>, StoreError> {
        let name = Name::parse(name)?;
        Ok(self.store.read_builder(&name.file_name())?)
    }

    /// Writes a builder and records that it was active.
    pub fn save(&mut self, group: &NodeGroup) -> Result<(), StoreError> {
        let name = Name::parse(&group.name)?;
        let data = serde_json::to_vec(&group.for_file()).map_err(|source| StoreError::Json {
            name: group.name.clone(),
            source,
        })?;
        if data.len() as u64 > BUILDER_BYTES {
            return Err(StoreError::TooLarge {
                name: group.name.clone(),
                size: data.len() >> 20,
                limit: BUILDER_BYTES >> 20,
            });
        }
        self.touch(name.as_str(), SystemTime::now())?;
        self.write(Path::new(INSTANCES).join(name.file_name()), &data)
    }

    /// Removes a builder and its files, even if it cannot be read.
    pub fn remove(&mut self, name: &str) -> Result<(), StoreError> {
        let name = Name::parse(name)?;
        // The name in the file may differ in case from the given one.
        let written = self
            .store
            .read_builder(&name.file_name())
            .ok()
            .flatten()
            .and_then(|stored| Name::parse(&stored.group.name).ok());
        if !self
            .files
            .remove(Path::new(INSTANCES).join(name.file_name()))?
        {
            return Err(StoreError::NotFound {
                name: name.to_string(),
            });
        }
        for name in [Some(&name), written.as_ref()].into_iter().flatten() {
            for spelling in [name.as_str(), &name.file_name()] {
                self.files.remove(Path::new(ACTIVITY).join(spelling))?;
                self.files
                    .remove_tree(Path::new(REFERENCES).join(spelling))?;
            }
        }
        Ok(())
    }

    /// Removes the local records of a node's builds.
    pub fn remove_references(&mut self, builder: &str, node: &str) -> Result<(), StoreError> {
        for name in [builder, &builder.to_ascii_lowercase()] {
            let path = local_state::directory(name, node)?;
            self.files.remove_tree(path)?;
        }
        Ok(())
    }

    /// Records a build of a node. The record is removed with the builder.
    pub fn save_reference(
        &mut self,
        builder: &str,
        node: &str,
        reference: &str,
        state: &LocalState,
    ) -> Result<(), StoreError> {
        let path = local_state::path(builder, node, reference)?;
        let data = serde_json::to_vec(state).map_err(|source| StoreError::Json {
            name: builder.to_owned(),
            source,
        })?;
        self.write(path, &data)
    }

    /// Records when a builder was active.
    pub fn touch(&mut self, name: &str, when: SystemTime) -> Result<(), StoreError> {
        let name = Name::parse(name)?;
        let text = OffsetDateTime::from(when)
            .replace_nanosecond(0)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .format(&Rfc3339)
            .unwrap_or_default();
        self.write(Path::new(ACTIVITY).join(name.as_str()), text.as_bytes())
    }

    /// Chooses the current builder. With `default`, it also becomes the default of its endpoint,
    /// which applies again after a change of endpoint; otherwise the endpoint loses its default.
    pub fn set_current(&mut self, current: &Current, default: bool) -> Result<(), StoreError> {
        let data = serde_json::to_vec(current).map_err(|source| StoreError::Json {
            name: current.name.clone(),
            source,
        })?;
        self.write(PathBuf::from(CURRENT), &data)?;
        let choice = Path::new(DEFAULTS).join(hash(&current.key));
        if default {
            self.write(choice, current.name.as_bytes())
        } else {
            self.files.remove(choice)?;
            Ok(())
        }
    }

    fn write(&self, path: PathBuf, data: &[u8]) -> Result<(), StoreError> {
        Ok(self.files.write(path, data)?)
    }
}
