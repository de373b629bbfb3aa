//! The text of the lock file, in TOML: the version, then the entries.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{Broken, Installed, LockFile, Trust};
use crate::error::CatalogError;

/// The version of the file format.
const VERSION: i64 = 1;

/// The lists of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// The list of [`Installed`].
    Drivers,
    /// The list of [`Trust`].
    Trust,
}

impl List {
    fn key(self) -> &'static str {
        match self {
            Self::Drivers => "driver",
            Self::Trust => "trust",
        }
    }
}

/// Parses the text of a lock file.
///
/// # Errors
///
/// Returns [`CatalogError::NewerLock`] regardless of the other contents, or
/// [`CatalogError::BrokenLock`].
pub(crate) fn parse(path: &Path, text: &str) -> Result<LockFile, CatalogError> {
    let broken = |reason: String| CatalogError::BrokenLock {
        path: path.to_owned(),
        reason,
    };
    let mut table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| broken(error.to_string()))?;
    match table.remove("version") {
        Some(Value::Integer(VERSION)) => {}
        Some(Value::Integer(version)) if version > VERSION => {
            return Err(CatalogError::NewerLock {
                path: path.to_owned(),
                version,
                known: VERSION,
            });
        }
        Some(other) => {
            return Err(broken(format!("version {other} is unknown")));
        }
        None => return Err(broken("it has no version".into())),
    }
    let mut lock = LockFile::default();
    lock.drivers =
        entries::<Installed>(&mut table, List::Drivers, &mut lock.broken).map_err(broken)?;
    lock.trust = entries::<Trust>(&mut table, List::Trust, &mut lock.broken).map_err(broken)?;
    lock.others = table;
    Ok(lock)
}

fn entries<T: DeserializeOwned>(
    table: &mut Table,
    list: List,
    broken: &mut Vec<Broken>,
) -> Result<Vec<T>, String> {
    let entries = match table.remove(list.key()) {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(other) => {
            let (key, found) = (list.key(), other.type_str());
            return Err(format!("{key} is of type {found}, but must be an array"));
        }
    };
    let mut read = Vec::new();
    for entry in entries {
        match entry.clone().try_into() {
            Ok(value) => read.push(value),
            Err(error) => broken.push(Broken {
                list,
                reason: error.message().to_owned(),
                entry,
            }),
        }
    }
    Ok(read)
}

/// Returns the text of a lock file. Unknown contents are preserved.
///
/// # Errors
///
/// Returns an error if a value cannot be written in TOML.
pub(crate) fn render(lock: &LockFile) -> Result<String, toml::ser::Error> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Entry<'a, T> {
        Read(&'a T),
        Broken(&'a Value),
    }

    #[derive(Serialize)]
    struct File<'a> {
        version: i64,
        #[serde(flatten)]
        others: &'a Table,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        driver: Vec<Entry<'a, Installed>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        trust: Vec<Entry<'a, Trust>>,
    }

    fn all<'a, T>(lock: &'a LockFile, list: List, read: &'a [T]) -> Vec<Entry<'a, T>> {
        let broken = lock.broken.iter().filter(|broken| broken.list == list);
        let broken = broken.map(|broken| Entry::Broken(&broken.entry));
        read.iter().map(Entry::Read).chain(broken).collect()
    }

    toml::to_string(&File {
        version: VERSION,
        others: &lock.others,
        driver: all(lock, List::Drivers, &lock.drivers),
        trust: all(lock, List::Trust, &lock.trust),
    })
}
