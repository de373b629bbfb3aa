//! The daemon's configuration file, from `--buildkitd-config`, with the certificates that it names.
//!
//! The daemon runs elsewhere, so certificates and keys of registries are taken along: each becomes
//! a file `certs/<registry>/<name>`, and the configuration names it where the daemon will find it,
//! below `/etc/buildkit`. Nothing else of the user's text changes, comments and order included.
//!
//! What is taken in is stored with the builder: later edits of the file do not reach it.

mod error;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use iechor_files::pem;
use iechor_sandbox::{NODE_FILES_DIRECTORY, check_node_files};
use toml::de::DeTable;

pub use self::error::{ConfigError, Location};
use self::reading::{Reading, line_of};

/// Name of the configuration file among the node's files.
pub const CONFIG_FILE: &str = "buildkitd.toml";

/// The directory in which the daemon finds the node's files.
pub const DAEMON_DIRECTORY: &str = NODE_FILES_DIRECTORY;

/// The largest configuration file that is taken in, in bytes; they have a few thousand.
pub const LARGEST_FILE: u64 = 1024 * 1024;

/// The file in the store's directory that is used where no other is given.
const DEFAULT_FILE: &str = "buildkitd.default.toml";

/// Permissions of a file for everybody, and of one that holds a private key.
const PUBLIC: u32 = 0o644;
const PRIVATE: u32 = 0o600;

/// A configuration as it is stored with a node.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConfigFiles {
    /// Contents by path below [`DAEMON_DIRECTORY`]; [`mode_of`] has their permissions.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The value of `insecure-entitlements`.
    pub insecure_entitlements: Vec<String>,
}

/// Leaves the contents out: they hold private keys.
impl std::fmt::Debug for ConfigFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ConfigFiles")
            .field("paths", &self.files.keys().collect::<Vec<_>>())
            .field("insecure_entitlements", &self.insecure_entitlements)
            .finish_non_exhaustive()
    }
}

/// Returns the configuration to use: the one that is given, else `buildkitd.default.toml` in the
/// store's directory if there is one.
pub fn find(given: Option<&Path>, store_directory: &Path) -> Option<PathBuf> {
    let default = || Some(store_directory.join(DEFAULT_FILE)).filter(|path| path.exists());
    given.map(Path::to_owned).or_else(default)
}

/// Reads a configuration with the files that it names. Relative names start at `directory`, the
/// current one of the command; a file that is not there is looked for beside the configuration.
pub fn load(path: &Path, directory: &Path) -> Result<ConfigFiles, ConfigError> {
    let data = iechor_files::read(path, LARGEST_FILE).map_err(|error| {
        let path = path.to_owned();
        if error.is_not_found() {
            ConfigError::NotFound { path }
        } else {
            ConfigError::Read {
                path,
                source: error,
            }
        }
    })?;
    let syntax = |line, message: &str| ConfigError::Syntax {
        location: Location {
            path: path.to_owned(),
            line,
        },
        message: message.to_owned(),
    };
    let text = String::from_utf8(data).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        syntax(line_of(error.as_bytes(), valid), "the text is not UTF-8")
    })?;
    let root = DeTable::parse(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| line_of(text.as_bytes(), span.start));
        syntax(line, error.message())
    })?;
    let mut reading = Reading::new(path, directory, &text);
    let insecure_entitlements = reading.root(root.get_ref())?;
    let files = reading.finish();
    let sizes = files.iter().map(|(path, data)| (path.as_str(), data.len()));
    check_node_files(sizes).map_err(|reason| ConfigError::TooMuch {
        path: path.to_owned(),
        reason,
    })?;
    Ok(ConfigFiles {
        files,
        insecure_entitlements,
    })
}

/// Returns the permissions of a file of a node: 0600 if it is one of the [`private`] files of the node,
/// 0644 otherwise.
pub fn mode_of(private: &BTreeSet<&str>, path: &str) -> u32 {
    if private.contains(path) {
        PRIVATE
    } else {
        PUBLIC
    }
}

/// Returns the files of a node that hold a private key. Their contents decide, and how the
/// configuration names them; no driver does.
pub fn private(files: &BTreeMap<String, Vec<u8>>) -> BTreeSet<&str> {
    let named = named_keys(files);
    let holds_key = |(path, data): &(&String, &Vec<u8>)| {
        pem::holds_private_key(data) || path.ends_with(".key") || named.contains(path.as_str())
    };
    let found = files.iter().filter(holds_key);
    found.map(|(path, _)| path.as_str()).collect()
}

/// Returns the files that a stored configuration names as private keys.
fn named_keys(files: &BTreeMap<String, Vec<u8>>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let text = files
        .get(CONFIG_FILE)
        .and_then(|data| std::str::from_utf8(data).ok())
        .unwrap_or_default();
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let registries = table.get("registry").and_then(toml::Value::as_table);
    for registry in registries.into_iter().flat_map(toml::Table::values) {
        let pairs = registry.get("keypair").and_then(toml::Value::as_array);
        for pair in pairs.into_iter().flatten() {
            let key = pair.get("key").and_then(toml::Value::as_str);
            let path = key.and_then(|key| key.strip_prefix(DAEMON_DIRECTORY)?.strip_prefix('/'));
            keys.extend(path.map(str::to_owned));
        }
    }
    keys
}

#[cfg(test)]
mod tests;
