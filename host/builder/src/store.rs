//! The store of builders, and of the choice of the current one.
//!
//! Directory, files and JSON are those of docker buildx, so that both tools can work on one
//! directory:
//!
//! | path | content |
//! |---|---|
//! | `.lock` | `flock(2)`, exclusive, held by the process that writes |
//! | `instances/<name in lower case>` | a [`NodeGroup`] |
//! | `current` | the current builder, see [`Current`] |
//! | `defaults/<hash of the endpoint>` | name of the default builder of that endpoint |
//! | `activity/<name>` | when the builder was last used |
//! | `refs/<name>/` | local records of builds, removed with the builder |
//! | `boot-logs/<node>.log` | the log of a container whose boot failed; not in docker buildx |
//! | `unfinished/<operation>` | objects of a boot that has not succeeded, see [`Unfinished`]; not in docker buildx |
//! | `locks/<hash of a node>` | `flock(2)`, shared by the processes that use the node; not in docker buildx |
//! | `drivers/` | installed drivers, see `iechor_catalog::lock`; not in docker buildx |
//!
//! Files are private, since builders may contain keys of registries, and are replaced in one step,
//! see [`iechor_files::directory`].
//!
//! Reading writes nothing: [`Store::read`] does not create a missing directory.

mod edit;
mod error;
mod group;
mod local_state;
mod node_lock;
mod state;
mod transaction;
mod unfinished;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use iechor_engine::config::DockerConfig;
use iechor_engine::endpoint::Environment;
use iechor_files::Directory;
use iechor_files::directory::LOCK_WAIT;
use iechor_sandbox::check_node_files;
use iechor_values::hex;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use edit::{Changed, EditError, NodeChange};
pub use error::{BrokenFile, StoreError};
pub use group::{Node, NodeGroup};
pub use iechor_platform::{Platform, PlatformError};
pub use local_state::LocalState;
pub use node_lock::{BootMark, NodeLock};
pub use state::{Current, StoreState, StoredBuilder};
pub use transaction::Transaction;
pub use unfinished::{Progress, Purpose, Record, Remnant, Unfinished};

use crate::name::Name;

const CURRENT: &str = "current";
const INSTANCES: &str = "instances";
const DEFAULTS: &str = "defaults";
const ACTIVITY: &str = "activity";
const REFERENCES: &str = "refs";
const BOOT_LOGS: &str = "boot-logs";

/// Maximum size of a builder's file, in bytes: ten nodes, each with as many files as allowed, in
/// base64.
const BUILDER_BYTES: u64 = 64 << 20;

/// Maximum size of the other files, in bytes. Each contains a name or a time.
const SMALL_BYTES: u64 = 64 << 10;

/// Returns the file name below `defaults` for an endpoint.
fn hash(key: &str) -> String {
    hex::encode(&Sha256::digest(key.as_bytes())[..10])
}

/// The store of builders.
#[derive(Debug, Clone)]
pub struct Store {
    directory: Directory,
}

/// The place of the store if `BUILDX_CONFIG` does not name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// `.iechor/buildx` in the home directory.
    #[default]
    Own,
    /// `buildx` in the directory of the Docker CLI's configuration, where docker buildx has it.
    Docker,
}

impl Store {
    /// Returns the path of the store: `BUILDX_CONFIG`, else that of its place.
    pub fn directory_from(
        buildx_config: Option<OsString>,
        place: Place,
        environment: &Environment,
    ) -> Result<PathBuf, StoreError> {
        if let Some(named) = buildx_config.filter(|path| !path.is_empty()) {
            return Ok(named.into());
        }
        let home = environment.home.as_ref();
        let home = home.filter(|home| !home.as_os_str().is_empty());
        match place {
            Place::Docker if home.is_some() || environment.docker_config.is_some() => {
                Ok(DockerConfig::directory_of(environment).join("buildx"))
            }
            Place::Own if let Some(home) = home => Ok(home.join(".iechor").join("buildx")),
            _ => Err(StoreError::NoDirectory),
        }
    }

    /// Returns the store of this process, see [`Store::directory_from`].
    pub fn of_process(place: Place, environment: &Environment) -> Result<Self, StoreError> {
        let named = std::env::var_os("BUILDX_CONFIG");
        let directory = Self::directory_from(named, place, environment)?;
        Ok(Self::open(directory))
    }

    /// Returns the store in a directory. Reads and creates nothing.
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

    /// Keeps the log of a boot of a node that failed, in place of an earlier one. Takes no lock. Returns the path of the
    /// file, which stays if the builder is dropped from the store because of this failure; `None` if it cannot be written.
    pub fn keep_boot_log(&self, node: &str, log: &[u8]) -> Option<PathBuf> {
        let path = self.boot_log(node)?;
        self.directory.make(BOOT_LOGS).ok()?;
        iechor_files::replace(&path, log, iechor_files::Replacement::default()).ok()?;
        Some(path)
    }

    /// Removes what [`Self::keep_boot_log`] kept, if it can be removed.
    pub fn remove_boot_log(&self, node: &str) {
        if let Some(path) = self.boot_log(node) {
            let _ = iechor_files::directory::remove(&path);
        }
    }

    /// Returns the path of the log of a node. The names of nodes in a modified store must not lead elsewhere.
    fn boot_log(&self, node: &str) -> Option<PathBuf> {
        let name = Name::parse(node).ok()?;
        let file_name = format!("{}.log", name.file_name());
        Some(self.directory().join(BOOT_LOGS).join(file_name))
    }

    /// Returns everything that is stored. Takes no lock and creates nothing.
    ///
    /// A builder's file that cannot be used is part of the result. Only a directory that cannot be
    /// listed is an error.
    pub fn read(&self) -> Result<StoreState, StoreError> {
        let mut builders = BTreeMap::new();
        for file_name in self.directory.list(INSTANCES)? {
            // Temporary files of this program, docker buildx and editors.
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
        let group = serde_json::from_slice(&data)
            .map(NodeGroup::from_file)
            .map_err(|error| broken(format!("it is not the JSON of a builder: {error}")))?;
        // The name becomes part of other paths, so it must be valid.
        let name = Name::parse(&group.name).map_err(|error| broken(error.to_string()))?;
        if name.file_name() != file_name {
            return Err(broken(format!(
                "it describes a builder named {name}, which belongs in a file named {}",
                name.file_name()
            )));
        }
        // A modified store must not place a file outside of the configuration directory.
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

    /// Returns when a builder was last used. Invalid files are ignored.
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

    /// Takes the lock for writing; waits up to [`LOCK_WAIT`] for another process.
    ///
    /// Drop the transaction before connecting to a daemon: other commands wait for it. It cannot
    /// move to another thread, so a task that holds it over an `.await` does not compile on a
    /// runtime with several threads.
    pub fn lock(&self) -> Result<Transaction, StoreError> {
        self.lock_within(LOCK_WAIT)
    }

    /// Does what [`Store::lock`] does, with another limit.
    pub fn lock_within(&self, limit: Duration) -> Result<Transaction, StoreError> {
        let files = self.directory.lock(limit)?;
        for directory in [INSTANCES, DEFAULTS, ACTIVITY] {
            self.directory.make(directory)?;
        }
        Ok(Transaction::new(self.clone(), files))
    }
}

#[cfg(test)]
mod tests;
