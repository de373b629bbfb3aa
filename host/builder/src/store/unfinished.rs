//! Records of boots that created objects in an engine and have not succeeded.
//!
//! A record is a file `unfinished/<id of the operation>`. It is written before the first object is
//! created, and removed after the boot succeeded or everything is undone. The process that boots
//! holds a lock on it: a record without a lock belongs to a process that ended too early, or that
//! could not undo its operation. It contains the objects that may be left, the engine and the
//! builder, so that `ls` can show it without asking the engine, and the next command can remove the
//! objects.
//!
//! Lines of JSON are only appended to a record, so that a killed process leaves at most an
//! incomplete line. The records are not in `instances`, since docker buildx drops unknown fields
//! when it writes a builder.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use iechor_engine::ObjectKind;
use iechor_files::directory::remove;
use iechor_sandbox::removal::{Left, Object};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Store;
use super::error::StoreError;
use super::node_lock::{Mode, failed, try_lock};

/// The directory of the records.
const RECORDS: &str = "unfinished";
/// Maximum size of a record, in bytes: a boot creates up to 32 objects with names of up to 255
/// bytes.
const RECORD_BYTES: u64 = 256 << 10;
/// Maximum length of the id of an operation, in characters.
const ID: usize = 64;

/// The node that an operation creates objects for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Purpose {
    /// The builder.
    pub builder: String,
    /// Its node.
    pub node: String,
    /// The engine, as in the node.
    pub endpoint: String,
    /// The driver.
    pub driver: String,
    /// The builder was created by the command that boots it, and is removed if the boot fails.
    #[serde(default)]
    pub is_new: bool,
}

/// An object in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Remnant {
    /// `container`, `volume` or `network`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The reason why it was not removed, if that was tried.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl std::fmt::Display for Remnant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.kind, self.name)
    }
}

impl From<&Left> for Remnant {
    fn from(left: &Left) -> Self {
        Self {
            reason: left.reason.clone(),
            ..Self::from(&left.object)
        }
    }
}

impl From<&Object> for Remnant {
    fn from(object: &Object) -> Self {
        Self {
            kind: object.kind.to_string(),
            name: object.name.clone(),
            reason: String::new(),
        }
    }
}

impl Remnant {
    /// Returns the object and the reason as text.
    pub fn with_reason(&self) -> String {
        match self.reason.as_str() {
            "" => self.to_string(),
            reason => format!("{self} ({reason})"),
        }
    }

    /// Returns the kind, if operations create objects of that kind.
    pub fn object_kind(&self) -> Option<ObjectKind> {
        [
            ObjectKind::Container,
            ObjectKind::Volume,
            ObjectKind::Network,
        ]
        .into_iter()
        .find(|kind| kind.to_string() == self.kind)
    }
}

/// Progress of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A process works on it.
    Underway,
    /// Its process ended before it could undo anything, or left that to another process.
    Interrupted,
    /// It was undone partly.
    Left,
}

/// An operation that created objects and has not succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Id of the operation, which is a label of its objects.
    pub operation: String,
    /// The node.
    pub purpose: Purpose,
    /// Start of the operation, in RFC 3339.
    pub since: String,
    /// Objects that may be left.
    pub remnants: Vec<Remnant>,
    /// Its progress.
    pub progress: Progress,
}

impl Unfinished {
    /// Returns whether it belongs to a builder. Names that differ only in case are the same.
    pub fn is_of(&self, builder: &str) -> bool {
        self.purpose.builder.eq_ignore_ascii_case(builder)
    }
}

#[derive(Serialize, Deserialize)]
enum Line {
    Begins { purpose: Purpose, since: String },
    Creates(Remnant),
    Left(Vec<Remnant>),
}

/// The record of an operation, locked by this process.
#[derive(Debug)]
pub struct Record {
    file: File,
    path: PathBuf,
}

impl Record {
    /// Records that an object is about to be created. Returns after the record is on the disk.
    pub fn creates(&mut self, object: &Object) -> Result<(), StoreError> {
        self.append(&[Line::Creates(object.into())])
    }

    /// Records the objects that are left after an attempt to undo the operation.
    pub fn leaves(&mut self, left: &[Left]) -> Result<(), StoreError> {
        self.append(&[Line::Left(left.iter().map(Remnant::from).collect())])
    }

    /// Removes the record: no object is left.
    pub fn remove(self) -> Result<(), StoreError> {
        remove(&self.path)?;
        Ok(())
    }

    fn append(&mut self, lines: &[Line]) -> Result<(), StoreError> {
        let mut text = String::new();
        for line in lines {
            text += &serde_json::to_string(line).map_err(|source| StoreError::Json {
                name: self.path.display().to_string(),
                source,
            })?;
            text.push('\n');
        }
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|source| failed("write", &self.path, source))
    }
}

impl Store {
    /// Creates the record of an operation, with the first object that it creates.
    pub fn begin_record(
        &self,
        operation: &str,
        purpose: &Purpose,
        first: &Object,
    ) -> Result<Record, StoreError> {
        let directory = self.directory.make(RECORDS)?;
        let path = directory.join(operation);
        let since = OffsetDateTime::now_utc()
            .replace_nanosecond(0)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .format(&Rfc3339)
            .unwrap_or_default();
        let begins = Line::Begins {
            purpose: purpose.clone(),
            since,
        };
        loop {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&path)
                .map_err(|source| failed("write", &path, source))?;
            self.directory.give(&file);
            // A process that found the file without a lock considers it abandoned and removes it.
            if !try_lock(&file, &path, Mode::Exclusive)? || is_removed(&file, &path)? {
                std::thread::yield_now();
                continue;
            }
            let mut record = Record { file, path };
            record.append(&[begins, Line::Creates(first.into())])?;
            // The name should survive a power failure, too. Not every file system supports this.
            let _ = File::open(&directory).and_then(|directory| directory.sync_all());
            return Ok(record);
        }
    }

    /// Returns all operations that have not succeeded, the oldest first. Creates nothing, and does
    /// not wait.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, StoreError> {
        let directory = self.directory().join(RECORDS);
        let mut found = Vec::new();
        for operation in self.directory.list(RECORDS)? {
            if !is_id(&operation) {
                continue;
            }
            let path = directory.join(&operation);
            let file = match File::open(&path) {
                Ok(file) => file,
                // The operation has just ended.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("read", &path, error)),
            };
            let is_free = try_lock(&file, &path, Mode::Shared)?;
            let mut data = Vec::new();
            (&file)
                .take(RECORD_BYTES)
                .read_to_end(&mut data)
                .map_err(|source| failed("read", &path, source))?;
            let text = String::from_utf8_lossy(&data);
            // A record without a complete first line belongs to a process that had created nothing
            // yet.
            if let Some(record) = parse(operation, &text, is_free)
                && !is_removed(&file, &path)?
            {
                found.push(record);
            }
        }
        found.sort_by(|one, other| one.since.cmp(&other.since));
        Ok(found)
    }

    /// Returns the unfinished operations of a builder that no process works on.
    pub fn unfinished_of(&self, builder: &str) -> Result<Vec<Unfinished>, StoreError> {
        let mut found = self.unfinished()?;
        found.retain(|record| record.is_of(builder) && record.progress != Progress::Underway);
        Ok(found)
    }

    /// Takes the record of an operation; `None` if a process works on it, or it is settled.
    pub fn take_record(&self, operation: &str) -> Result<Option<Record>, StoreError> {
        let path = self.directory().join(RECORDS).join(operation);
        let file = match OpenOptions::new().append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path, error)),
        };
        if !try_lock(&file, &path, Mode::Exclusive)? || is_removed(&file, &path)? {
            return Ok(None);
        }
        Ok(Some(Record { file, path }))
    }
}

fn is_id(name: &str) -> bool {
    !name.is_empty() && name.len() <= ID && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether an open file was removed or replaced.
fn is_removed(file: &File, path: &Path) -> Result<bool, StoreError> {
    let open = file
        .metadata()
        .map_err(|source| failed("read", path, source))?;
    match std::fs::metadata(path) {
        Ok(named) => Ok(named.ino() != open.ino() || named.dev() != open.dev()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(failed("read", path, error)),
    }
}

fn parse(operation: String, text: &str, is_free: bool) -> Option<Unfinished> {
    // The last line may be incomplete.
    let mut lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .filter_map(|line| serde_json::from_str(line).ok());
    let Some(Line::Begins { purpose, since }) = lines.next() else {
        return None;
    };
    let mut remnants = Vec::new();
    let mut is_left = false;
    for line in lines {
        match line {
            Line::Begins { .. } => {}
            Line::Creates(object) => remnants.push(object),
            Line::Left(left) => {
                remnants = left;
                is_left = true;
            }
        }
    }
    let progress = match (is_free, is_left) {
        (false, _) => Progress::Underway,
        (true, false) => Progress::Interrupted,
        (true, true) => Progress::Left,
    };
    Some(Unfinished {
        operation,
        purpose,
        since,
        remnants,
        progress,
    })
}

#[cfg(test)]
mod tests;
