//! The builders that the user made, and which of them is in use.
//!
//! Directory, files and JSON are those of buildx, so that both tools can work on one directory:
//!
//! | path | content |
//! |---|---|
//! | `.lock` | `flock(2)`, exclusive, held by who writes |
//! | `instances/<name in lower case>` | a [`NodeGroup`] |
//! | `current` | the builder in use, see [`Current`] |
//! | `defaults/<hash of the endpoint>` | name of the builder in use at that endpoint |
//! | `activity/<name>` | when the builder was last used |
//! | `refs/<name>/` | local records of builds, removed with the builder |
//! | `unfinished/<operation>` | what a boot created that has not ended well, see [`Unfinished`]; the peer has none |
//! | `locks/<hash of a node>` | `flock(2)`, shared by who uses the node; the peer has none |
//! | `drivers/` | installed drivers, see [`crate::drivers::lock`]; the peer has none |
//!
//! Files are 0600 and directories 0700, since builders may carry keys of registries. A file is
//! replaced in one step, so a reader sees the old or the new one and needs no lock, and a process
//! that is killed leaves at most a temporary file that the next writer removes.
//!
//! Reading never writes: [`Store::read`] leaves even a missing directory missing.

mod edit;
mod file;
mod group;
mod unfinished;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use iechor_sandbox::check_node_files;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use edit::{Changed, EditError, NodeChange};
pub use group::{Node, NodeGroup};
pub use iechor_platform::{Platform, PlatformError};
pub use unfinished::{NodeLock, Progress, Purpose, Record, Remnant, Unfinished};

use crate::name::{Name, NameError};
use file::Owner;

const LOCK: &str = ".lock";
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

/// How long [`Store::lock`] waits for another process.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);

/// How long a lock that is held is left alone before the next try, at most.
const LOCK_RETRY: Duration = Duration::from_millis(10);

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
    /// Another process writes and does not end.
    #[error(
        "another process has held the lock {} for more than {} s; wait for it or end it (`fuser {}` shows its id)",
        path.display(), waited.as_secs_f64(), path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A file or directory cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: `read`, `write`, ...
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
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
    /// The builder was changed by somebody else since it was read.
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
    /// All builders, sorted by name, with the files that cannot be used among them.
    pub fn builders(&self) -> impl Iterator<Item = (&str, Result<&StoredBuilder, &BrokenFile>)> {
        self.builders
            .iter()
            .map(|(name, builder)| (name.as_str(), builder.as_ref()))
    }

    /// The builder of that name. No name at all is no builder.
    pub fn builder(&self, name: &str) -> Result<Option<&StoredBuilder>, &BrokenFile> {
        Name::parse(name)
            .ok()
            .and_then(|name| self.builders.get(&name.file_name()))
            .map(Result::as_ref)
            .transpose()
    }

    /// The content of `current`.
    pub fn current(&self) -> Result<Option<&Current>, &BrokenFile> {
        self.current.as_ref().map(Result::as_ref).transpose()
    }

    /// The builder that was chosen for this endpoint with `use --default`.
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

/// The file name below `defaults` for an endpoint.
fn hash(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    digest[..10]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Where builders are kept.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
    owner: Option<Owner>,
}

impl Store {
    /// The store's directory: `BUILDX_CONFIG`, else `.iechor/buildx` in the home directory.
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

    /// The store of this process, see [`Store::directory_from`].
    pub fn from_environment() -> Result<Self, StoreError> {
        let directory =
            Self::directory_from(std::env::var_os("BUILDX_CONFIG"), std::env::var_os("HOME"))?;
        Ok(Self::open(directory))
    }

    /// The store in that directory. Nothing is read or made yet.
    pub fn open(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        let owner = Owner::behind_sudo(&directory);
        Self { directory, owner }
    }

    /// The store's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Everything that is stored. Takes no lock, makes nothing.
    ///
    /// A builder's file that cannot be used is part of the answer and hides no other builder; only
    /// a directory that cannot be listed is an error.
    pub fn read(&self) -> Result<StoreState, StoreError> {
        let instances = self.directory.join(INSTANCES);
        let mut builders = BTreeMap::new();
        for file_name in file::list(&instances)? {
            // Temporary files of this tool, the peer and editors.
            if file_name.starts_with('.') {
                continue;
            }
            if let Some(builder) = self.read_builder(&file_name).transpose() {
                builders.insert(file_name, builder);
            }
        }
        let mut defaults = BTreeMap::new();
        for file_name in file::list(&self.directory.join(DEFAULTS))? {
            let path = self.directory.join(DEFAULTS).join(&file_name);
            let data = file::read(&path, SMALL_BYTES).ok().flatten();
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
        let path = self.directory.join(INSTANCES).join(file_name);
        let broken = |reason: String| BrokenFile {
            path: path.clone(),
            reason,
        };
        let read = file::read(&path, BUILDER_BYTES);
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
        let path = self.directory.join(CURRENT);
        let broken = |reason: String| BrokenFile {
            path: path.clone(),
            reason,
        };
        let read = file::read(&path, SMALL_BYTES);
        let Some(data) = read.map_err(|error| broken(error.to_string()))? else {
            return Ok(None);
        };
        serde_json::from_slice(&data)
            .map(Some)
            .map_err(|error| broken(format!("it is not the JSON of a choice: {error}")))
    }

    /// A hint only: a file that makes no sense is none.
    fn last_activity(&self, name: &Name) -> Option<SystemTime> {
        let directory = self.directory.join(ACTIVITY);
        let newest = [name.as_str().to_owned(), name.file_name()]
            .into_iter()
            .filter_map(|file_name| {
                let path = directory.join(file_name);
                file::read(&path, SMALL_BYTES).ok().flatten()
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
        for directory in [
            self.directory.clone(),
            self.directory.join(INSTANCES),
            self.directory.join(DEFAULTS),
            self.directory.join(ACTIVITY),
        ] {
            file::make_directory(&directory, self.owner)?;
        }
        let path = self.directory.join(LOCK);
        let lock = file::open_lock(&path, self.owner)?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let waited = start.elapsed();
                    if waited >= limit {
                        return Err(StoreError::Locked {
                            path,
                            waited: limit,
                        });
                    }
                    std::thread::sleep(pause.min(limit - waited));
                    pause = (pause * 2).min(LOCK_RETRY);
                }
                Err(error) => {
                    return Err(StoreError::File {
                        action: "lock",
                        path,
                        source: error.into(),
                    });
                }
            }
        }
        // Writers write under the lock only, so whoever made these is dead.
        file::remove_leftovers(&self.directory);
        Ok(Transaction {
            store: self.clone(),
            _lock: lock,
            _stays_here: PhantomData,
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
    _lock: OwnedFd,
    _stays_here: PhantomData<*const ()>,
}

impl Transaction {
    /// Everything that is stored, as [`Store::read`].
    pub fn state(&self) -> Result<StoreState, StoreError> {
        self.store.read()
    }

    /// The builder of that name.
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
    /// Refused if somebody changed the builder since.
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
        let directory = self.store.directory.clone();
        let instance = directory.join(INSTANCES).join(name.file_name());
        // What the file says may differ in case from what was asked for.
        let written = self
            .store
            .read_builder(&name.file_name())
            .ok()
            .flatten()
            .and_then(|stored| Name::parse(&stored.group.name).ok());
        if !file::remove(&instance)? {
            return Err(StoreError::NotFound {
                name: name.to_string(),
            });
        }
        for name in [Some(&name), written.as_ref()].into_iter().flatten() {
            for spelling in [name.as_str(), &name.file_name()] {
                file::remove(&directory.join(ACTIVITY).join(spelling))?;
                file::remove_tree(&directory.join(REFERENCES).join(spelling))?;
            }
        }
        Ok(())
    }

    /// Removes the local records of the builds of a node that left its builder.
    pub fn forget_node(&mut self, builder: &str, node: &str) -> Result<(), StoreError> {
        let builder = Name::parse(builder)?;
        let node = Name::parse(node)?;
        let records = self.store.directory.join(REFERENCES);
        for builder in [builder.as_str(), &builder.file_name()] {
            file::remove_tree(&records.join(builder).join(node.as_str()))?;
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
            file::remove(&self.store.directory.join(choice)).map(drop)
        }
    }

    /// Replaces a file below a directory of the store's, which is made where it is missing.
    pub(crate) fn write_in(
        &self,
        directory: &Path,
        name: &str,
        data: &[u8],
    ) -> Result<(), StoreError> {
        file::make_directory(&self.store.directory.join(directory), self.store.owner)?;
        self.write(directory.join(name), data)
    }

    /// Removes all files of a directory of the store's but those of these names.
    pub(crate) fn keep_only(&self, directory: &Path, names: &[String]) -> Result<(), StoreError> {
        let directory = self.store.directory.join(directory);
        for name in file::list(&directory)? {
            if !names.contains(&name) {
                file::remove(&directory.join(name))?;
            }
        }
        Ok(())
    }

    fn write(&self, path: PathBuf, data: &[u8]) -> Result<(), StoreError> {
        let Store { directory, owner } = &self.store;
        file::replace(directory, &directory.join(path), data, *owner)
    }
}

#[cfg(test)]
mod tests;
