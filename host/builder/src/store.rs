//! The builders that the user made, and which of them is in use.
//!
//! Directory, files and JSON are those of buildx, so that both tools can work on one directory:
//!
//! | path | content |
//! |---|---|
//! | `.lock` | `flock(2)`, exclusive, held by a writer |
//! | `instances/<name in lower case>` | a [`NodeGroup`] |
//! | `current` | the builder in use, see [`Current`] |
//! | `defaults/<hash of the endpoint>` | name of the builder in use at that endpoint |
//! | `activity/<name>` | when the builder was last used |
//! | `refs/<name>/` | local records of builds, removed with the builder |
//! | `unfinished/<operation>` | what a boot created that has not ended well, see [`Unfinished`]; the peer has none |
//! | `locks/<hash of a node>` | `flock(2)`, shared by the users of the node; the peer has none |
//! | `drivers/` | installed drivers, see `iechor_catalog::lock`; the peer has none |
//!
//! Files are private, since builders may carry keys of registries, and replaced in one step, see
//! [`iechor_files::directory`].
//!
//! Reading never writes: [`Store::read`] leaves even a missing directory missing.

mod edit;
mod group;
mod unfinished;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use iechor_files::directory::LOCK_WAIT;
use iechor_files::{Directory, DirectoryError, Locked};
use iechor_sandbox::check_node_files;
use iechor_values::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use edit::{Changed, EditError, NodeChange};
pub use group::{Node, NodeGroup};
pub use iechor_platform::{Platform, PlatformError};
pub use unfinished::{NodeLock, Progress, Purpose, Record, Remnant, Unfinished};

use crate::name::{Name, NameError};

const CURRENT: &str = "current";
const INSTANCES: &str = "instances";
const DEFAULTS: &str = "defaults";
const ACTIVITY: &str = "activity";
const REFERENCES: &str = "refs";

/// Largest file of a builder that is read, in bytes: one of ten nodes, each with as many files as a
/// node may have, in base64.
const BUILDER_BYTES: u64 = 64 << 20;

/// Largest of the other files that is read, in bytes. They have a name or a time each.
const SMALL_BYTES: u64 = 64 << 10;

/// A file that is there but cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {}: {reason}; mend the file or remove it", path.display())]
pub struct BrokenFile {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither `BUILDX_CONFIG` nor `HOME` says where the store is.
    #[error("cannot tell where builders are kept: set BUILDX_CONFIG or HOME to a directory")]
    NoDirectory,
    /// A file or directory cannot be read or written, or another process holds the lock.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file of the store makes no sense.
    #[error(transparent)]
    Broken(#[from] BrokenFile),
    /// A name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no such builder.
    #[error("no builder {name:?} found")]
    NotFound {
        /// The name as it was given.
        name: String,
    },
    /// Another process changed the builder since it was read.
    #[error(
        "builder {name} was changed by another process meanwhile; it is left as that one wrote it"
    )]
    Changed {
        /// The builder.
        name: String,
    },
    /// A builder would not be read again.
    #[error(
        "builder {name} is not saved: it would have {size} MiB, of which most are files for its nodes; \
         it may have {limit} MiB. Make another builder for some of the nodes"
    )]
    TooLarge {
        /// The builder.
        name: String,
        /// What it has, in MiB.
        size: usize,
        /// What it may have, in MiB.
        limit: u64,
    },
    /// A builder cannot be written as JSON.
    #[error("cannot write builder {name} as JSON: {source}")]
    Json {
        /// The builder.
        name: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// Which builder is in use where, as the file `current` says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Current {
    /// The endpoint at which the choice was made.
    pub key: String,
    /// The builder; empty: the one of the endpoint's context.
    pub name: String,
    /// The choice holds at every endpoint.
    pub global: bool,
}

/// A builder, and when it was last used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBuilder {
    /// The builder.
    pub group: NodeGroup,
    /// The last build or change; in whole seconds.
    pub last_activity: Option<SystemTime>,
}

/// Everything that the store knew at one moment.
#[derive(Debug, Clone, Default)]
pub struct StoreState {
    builders: BTreeMap<String, Result<StoredBuilder, BrokenFile>>,
    current: Option<Result<Current, BrokenFile>>,
    defaults: BTreeMap<String, String>,
}

impl StoreState {
    /// Returns all builders, sorted by name, with the files that cannot be used among them.
    pub fn builders(&self) -> impl Iterator<Item = (&str, Result<&StoredBuilder, &BrokenFile>)> {
        self.builders
            .iter()
            .map(|(name, builder)| (name.as_str(), builder.as_ref()))
    }

    /// Returns the builder of that name. No name at all is no builder.
    pub fn builder(&self, name: &str) -> Result<Option<&StoredBuilder>, &BrokenFile> {
        Name::parse(name)
            .ok()
            .and_then(|name| self.builders.get(&name.file_name()))
            .map(Result::as_ref)
            .transpose()
    }

    /// Returns the content of `current`.
    pub fn current(&self) -> Result<Option<&Current>, &BrokenFile> {
        self.current.as_ref().map(Result::as_ref).transpose()
    }

    /// Returns the builder that was chosen for this endpoint with `use --default`.
    pub fn default_at(&self, key: &str) -> Option<&str> {
        self.defaults.get(&hash(key)).map(String::as_str)
    }
}

#[cfg(test)]
impl StoreState {
    pub(crate) fn for_tests(
        builders: impl IntoIterator<Item = (&'static str, Result<StoredBuilder, BrokenFile>)>,
        current: Option<Result<Current, BrokenFile>>,
        defaults: &[(&str, &str)],
    ) -> Self {
        Self {
            builders: builders
                .into_iter()
                .map(|(name, builder)| (name.to_owned(), builder))
                .collect(),
            current,
            defaults: defaults
                .iter()
                .map(|(key, name)| (hash(key), (*name).to_owned()))
                .collect(),
        }
    }
}

/// Returns the file name below `defaults` for an endpoint.
fn hash(key: &str) -> String {
    hex::encode(&Sha256::digest(key.as_bytes())[..10])
}

/// Where builders are kept.
#[derive(Debug, Clone)]
pub struct Store {
    directory: Directory,
}

impl Store {
    /// Returns the store's directory: `BUILDX_CONFIG`, else `.iechor/buildx` in the home directory.
    pub fn directory_from(
        buildx_config: Option<OsString>,
        home: Option<OsString>,
    ) -> Result<PathBuf, StoreError> {
        let set = |value: Option<OsString>| value.filter(|value| !value.is_empty());
        set(buildx_config)
            .map(PathBuf::from)
            .or_else(|| set(home).map(|home| PathBuf::from(home).join(".iechor").join("buildx")))
            .ok_or(StoreError::NoDirectory)
    }

    /// Returns the store of this process, see [`Store::directory_from`].
    pub fn from_environment() -> Result<Self, StoreError> {
        let directory =
            Self::directory_from(std::env::var_os("BUILDX_CONFIG"), std::env::var_os("HOME"))?;
        Ok(Self::open(directory))
    }

    /// Returns the store in that directory. Nothing is read or made yet.
    pub fn open(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: Directory::at(directory),
        }
    }

    /// Returns the path of the store's directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the store's directory, for other files that are kept in it.
    pub fn files(&self) -> &Directory {
        &self.directory
    }

    /// Returns everything that is stored. Takes no lock, makes nothing.
    ///
    /// A builder's file that cannot be used is part of the answer and hides no other builder; only
    /// a directory that cannot be listed is an error.
    pub fn read(&self) -> Result<StoreState, StoreError> {
        let mut builders = BTreeMap::new();
        for file_name in self.directory.list(INSTANCES)? {
            // Temporary files of this tool, the peer and editors.
            if file_name.starts_with('.') {
                continue;
            }
            if let Some(builder) = self.read_builder(&file_name).transpose() {
                builders.insert(file_name, builder);
            }
        }
        let mut defaults = BTreeMap::new();
        for file_name in self.directory.list(DEFAULTS)? {
            let path = Path::new(DEFAULTS).join(&file_name);
            let data = self.directory.read(path, SMALL_BYTES).ok().flatten();
            if let Some(name) = data.and_then(|data| String::from_utf8(data).ok()) {
                defaults.insert(file_name, name.trim_end().to_owned());
            }
        }
        Ok(StoreState {
            builders,
            current: self.read_current().transpose(),
            defaults,
        })
    }

    fn read_builder(&self, file_name: &str) -> Result<Option<StoredBuilder>, BrokenFile> {
        let path = self.directory().join(INSTANCES).join(file_name);
        let broken = |reason: String| BrokenFile {
            path: path.clone(),
            reason,
        };
        let read = self.directory.read(&path, BUILDER_BYTES);
        let Some(data) = read.map_err(|error| broken(error.to_string()))? else {
            return Ok(None);
        };
        let group: NodeGroup = serde_json::from_slice(&data)
            .map_err(|error| broken(format!("it is not the JSON of a builder: {error}")))?;
        // The name makes further paths: it has to be one.
        let name = Name::parse(&group.name).map_err(|error| broken(error.to_string()))?;
        if name.file_name() != file_name {
            return Err(broken(format!(
                "it describes a builder named {name}, which belongs into a file named {}",
                name.file_name()
            )));
        }
        // Whoever can write to the store must not lead a file out of its place with it.
        for node in &group.nodes {
            let files = node.files.iter();
            check_node_files(files.map(|(path, data)| (path.as_str(), data.len())))
                .map_err(|reason| broken(format!("node {}: {reason}", node.name)))?;
        }
        let last_activity = self.last_activity(&name);
        Ok(Some(StoredBuilder {
            group,
            last_activity,
        }))
    }

    fn read_current(&self) -> Result<Option<Current>, BrokenFile> {
        let path = self.directory().join(CURRENT);
        let broken = |reason: String| BrokenFile {
            path: path.clone(),
            reason,
        };
        let read = self.directory.read(&path, SMALL_BYTES);
        let Some(data) = read.map_err(|error| broken(error.to_string()))? else {
            return Ok(None);
        };
        serde_json::from_slice(&data)
            .map(Some)
            .map_err(|error| broken(format!("it is not the JSON of a choice: {error}")))
    }

    /// A hint only: a file that makes no sense is none.
    fn last_activity(&self, name: &Name) -> Option<SystemTime> {
        let newest = [name.as_str().to_owned(), name.file_name()]
            .into_iter()
            .filter_map(|file_name| {
                let path = Path::new(ACTIVITY).join(file_name);
                self.directory.read(path, SMALL_BYTES).ok().flatten()
            })
            .filter_map(|data| {
                let text = String::from_utf8(data).ok()?;
                OffsetDateTime::parse(text.trim(), &Rfc3339).ok()
            })
            .max()?;
        Some(newest.into())
    }

    /// Takes the lock for writing; waits [`LOCK_WAIT`] for another process at most.
    ///
    /// Give the transaction up before talking to any daemon: other commands wait for it. It cannot
    /// move to another thread, so a task that holds it over an `.await` does not compile on a
    /// runtime with several threads.
    pub fn lock(&self) -> Result<Transaction, StoreError> {
        self.lock_within(LOCK_WAIT)
    }

    /// As [`Store::lock`], with another limit.
    pub fn lock_within(&self, limit: Duration) -> Result<Transaction, StoreError> {
        let files = self.directory.lock(limit)?;
        for directory in [INSTANCES, DEFAULTS, ACTIVITY] {
            self.directory.make(directory)?;
        }
        Ok(Transaction {
            store: self.clone(),
            files,
        })
    }
}

/// A builder before and after [`Transaction::edit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited<T> {
    /// As it was; `None` if it is new.
    pub old: Option<NodeGroup>,
    /// As it is now.
    pub new: NodeGroup,
    /// What the edit returned.
    pub value: T,
}

/// The right to write to the store; other processes wait until it is dropped.
#[derive(Debug)]
pub struct Transaction {
    store: Store,
    files: Locked,
}

impl Transaction {
    /// Returns the store's directory with the right to write to it, for other files that are kept in
    /// it.
    pub fn files(&self) -> &Locked {
        &self.files
    }

    /// Returns everything that is stored, as [`Store::read`].
    pub fn state(&self) -> Result<StoreState, StoreError> {
        self.store.read()
    }

    /// Returns the builder of that name.
    pub fn builder(&self, name: &str) -> Result<Option<StoredBuilder>, StoreError> {
        let name = Name::parse(name)?;
        Ok(self.store.read_builder(&name.file_name())?)
    }

    /// Writes a builder and notes that it was active.
    pub fn save(&mut self, group: &NodeGroup) -> Result<(), StoreError> {
        let name = Name::parse(&group.name)?;
        let data = serde_json::to_vec(group).map_err(|source| StoreError::Json {
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

    /// Changes the builder of that name, or makes one (`edit` sees `None`), and writes it. If
    /// `edit` fails nothing is written.
    pub fn edit<T, E: From<StoreError>>(
        &mut self,
        name: &str,
        edit: impl FnOnce(Option<NodeGroup>) -> Result<(NodeGroup, T), E>,
    ) -> Result<Edited<T>, E> {
        let old = self.builder(name)?.map(|stored| stored.group);
        let (new, value) = edit(old.clone())?;
        self.save(&new)?;
        Ok(Edited { old, new, value })
    }

    /// Takes an edit back, perhaps in a later transaction: what was there before is there again.
    /// Refused if another process changed the builder since.
    pub fn undo<T>(&mut self, edited: &Edited<T>) -> Result<(), StoreError> {
        let name = &edited.new.name;
        let now = self.builder(name)?.map(|stored| stored.group);
        if now.as_ref() != Some(&edited.new) {
            return Err(StoreError::Changed { name: name.clone() });
        }
        match &edited.old {
            Some(old) => self.save(old),
            None => self.remove(name),
        }
    }

    /// Removes a builder with what belongs to it; one that cannot be read, too.
    pub fn remove(&mut self, name: &str) -> Result<(), StoreError> {
        let name = Name::parse(name)?;
        // What the file says may differ in case from what was asked for.
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

    /// Removes the local records of the builds of a node that left its builder.
    pub fn forget_node(&mut self, builder: &str, node: &str) -> Result<(), StoreError> {
        let builder = Name::parse(builder)?;
        let node = Name::parse(node)?;
        for builder in [builder.as_str(), &builder.file_name()] {
            let records = Path::new(REFERENCES).join(builder).join(node.as_str());
            self.files.remove_tree(records)?;
        }
        Ok(())
    }

    /// Notes when a builder was active.
    pub fn touch(&mut self, name: &str, when: SystemTime) -> Result<(), StoreError> {
        let name = Name::parse(name)?;
        let text = OffsetDateTime::from(when)
            .replace_nanosecond(0)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .format(&Rfc3339)
            .unwrap_or_default();
        self.write(Path::new(ACTIVITY).join(name.as_str()), text.as_bytes())
    }

    /// Chooses the builder in use. With `default` it also becomes the choice for its endpoint,
    /// to which one comes back after having been elsewhere; without, that choice is dropped.
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

#[cfg(test)]
mod tests;
