//! The daemon's configuration file, with the certificates that it names.
//!
//! The daemon runs elsewhere, so the certificates and keys of registries are stored with the node:
//! each becomes a file `certs/<registry>/<name>`, and the configuration names it where the daemon
//! finds it, below `/etc/buildkit`. Nothing else in the user's text changes, including comments and
//! order.
//!
//! Later changes of the user's file have no effect on the builder.

mod error;
mod reading;
mod registries;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use iechor_files::pem;
use iechor_sandbox::{NODE_FILES_DIRECTORY, check_node_files};
use toml::de::DeTable;

pub use self::error::{ConfigError, Location};
use self::reading::{Reading, line_of};
pub use self::registries::uses_plain_http;

/// Name of the configuration file among the node's files.
pub const CONFIG_FILE: &str = "buildkitd.toml";

/// The directory in which the daemon finds the node's files.
pub const DAEMON_DIRECTORY: &str = NODE_FILES_DIRECTORY;

/// Maximum size of a configuration file, in bytes. Usual files have a few thousand.
pub const LARGEST_FILE: u64 = 1024 * 1024;

/// Name of the file in the store's directory that is the default.
const DEFAULT_FILE: &str = "buildkitd.default.toml";

/// Permissions of a file for everybody, and of one that holds a private key.
const PUBLIC: u32 = 0o644;
const PRIVATE: u32 = 0o600;

/// A configuration in the form in which it is stored with a node.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConfigFiles {
    /// Contents by path below [`DAEMON_DIRECTORY`]; [`mode_of`] has their permissions.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The value of `insecure-entitlements`.
    pub insecure_entitlements: Vec<String>,
}

/// Omits the contents, which may hold private keys.
impl std::fmt::Debug for ConfigFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ConfigFiles")
            .field("paths", &self.files.keys().collect::<Vec<_>>())
            .field("insecure_entitlements", &self.insecure_entitlements)
            .finish_non_exhaustive()
    }
}

/// Returns the path of the configuration: the given one, else `buildkitd.default.toml` in the
/// store's directory if it exists.
pub fn find(given: Option<&Path>, store_directory: &Path) -> Option<PathBuf> {
    let default = || Some(store_directory.join(DEFAULT_FILE)).filter(|path| path.exists());
    given.map(Path::to_owned).or_else(default)
}

/// Reads a configuration with the files that it names. Relative names are relative to `directory`,
/// the current directory of the command, or else to the directory of the configuration.
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
    parse(path, directory, data)
}

/// Returns the entitlements that the configuration among a node's files allows. Returns `None` if there is no
/// configuration, or it states none.
pub(crate) fn entitlements_of(files: &BTreeMap<String, Vec<u8>>) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Config {
        #[serde(rename = "insecure-entitlements")]
        entitlements: Option<Vec<String>>,
    }
    let text = std::str::from_utf8(files.get(CONFIG_FILE)?).ok()?;
    toml::from_str::<Config>(text).ok()?.entitlements
}

/// Reads the contents of a configuration like [`load`].
pub(crate) fn parse(
    path: &Path,
    directory: &Path,
    data: Vec<u8>,
) -> Result<ConfigFiles, ConfigError> {
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
    types::check(&reading, root.get_ref())?;
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

/// Returns the paths of the files of a node that hold a private key. Their contents and the
/// configuration decide; a driver does not.
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
