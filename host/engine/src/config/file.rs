//! The contents of `config.json`.
//!
//! Each entry is read by itself: a wrong one is a fault of its own, and everything else in the file
//! remains usable.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::{ConfigError, json_fault};

/// Maximum size of `config.json`, in bytes. A file with the credentials of a thousand registries,
/// with tokens of 4 KiB each, has half of that.
pub(super) const FILE_BYTES: u64 = 8 << 20;

/// The byte order mark that some editors write at the beginning of a file.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// An entry, or why it cannot be used.
pub(super) type Entry<T> = Result<T, ConfigError>;

/// The contents of `config.json`, as far as they are used.
#[derive(Clone, Default)]
pub(super) struct File {
    pub(super) auths: BTreeMap<String, Entry<Auth>>,
    pub(super) creds_store: Option<String>,
    pub(super) cred_helpers: BTreeMap<String, Entry<String>>,
    pub(super) current_context: Option<String>,
    pub(super) http_headers: BTreeMap<String, String>,
    pub(super) proxies: BTreeMap<String, Proxy>,
    pub(super) prune_filters: Vec<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Auth {
    pub(super) auth: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) identitytoken: Option<String>,
    pub(super) registrytoken: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Proxy {
    pub(super) http_proxy: Option<String>,
    pub(super) https_proxy: Option<String>,
    pub(super) no_proxy: Option<String>,
    pub(super) ftp_proxy: Option<String>,
    pub(super) all_proxy: Option<String>,
}

/// Reads a file. Returns what can be used of it, and its faults. A missing file is empty, and so is
/// one without contents.
pub(super) fn read(path: &Path) -> (File, Vec<ConfigError>) {
    match iechor_files::read(path, FILE_BYTES) {
        Ok(text) => parse(path, &text),
        Err(e) if e.is_not_found() => Default::default(),
        Err(e) => {
            let fault = ConfigError::Read {
                path: path.to_owned(),
                reason: e.to_string(),
            };
            (File::default(), vec![fault])
        }
    }
}

/// Does what [`read`] does, with the text of a file.
pub(super) fn parse(path: &Path, text: &[u8]) -> (File, Vec<ConfigError>) {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Default::default();
    }
    match serde_json::from_slice::<Option<Map<String, Value>>>(text) {
        Ok(entries) => {
            let mut reader = Reader {
                path,
                entries: entries.unwrap_or_default(),
                faults: Vec::new(),
            };
            (reader.file(), reader.faults)
        }
        Err(e) => {
            let fault = ConfigError::Parse {
                path: path.to_owned(),
                line: e.line(),
                column: e.column(),
                reason: json_fault(&e),
            };
            (File::default(), vec![fault])
        }
    }
}

/// Takes entries out of the file, and notes those that are wrong.
struct Reader<'a> {
    path: &'a Path,
    entries: Map<String, Value>,
    faults: Vec<ConfigError>,
}

impl Reader<'_> {
    fn file(&mut self) -> File {
        File {
            auths: self.table("auths"),
            creds_store: self.value("credsStore"),
            cred_helpers: self.table("credHelpers"),
            current_context: self.value("currentContext"),
            http_headers: usable(self.table("HttpHeaders")),
            proxies: usable(self.table("proxies")),
            prune_filters: self.value("pruneFilters").unwrap_or_default(),
        }
    }

    fn value<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.entries.remove(name)?;
        self.entry(name, value).ok().flatten()
    }

    /// Returns the entries of a table, each of which may be wrong.
    fn table<T: DeserializeOwned>(&mut self, name: &str) -> BTreeMap<String, Entry<T>> {
        let table: Map<String, Value> = self.value(name).unwrap_or_default();
        table
            .into_iter()
            // Like the Docker CLI: `null` is an entry that is not there.
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| {
                let entry = self.entry(&format!("{name}.{key:?}"), value);
                (key, entry)
            })
            .collect()
    }

    fn entry<T: DeserializeOwned>(&mut self, entry: &str, value: Value) -> Entry<T> {
        serde_json::from_value(value).map_err(|e| {
            let fault = ConfigError::Entry {
                path: self.path.to_owned(),
                entry: entry.to_owned(),
                reason: json_fault(&e),
            };
            self.faults.push(fault.clone());
            fault
        })
    }
}

fn usable<T>(table: BTreeMap<String, Entry<T>>) -> BTreeMap<String, T> {
    let entries = table.into_iter();
    entries
        .filter_map(|(key, entry)| Some((key, entry.ok()?)))
        .collect()
}
