//! Records of boots that created something in an engine and have not ended well yet.
//!
//! A record is a file `unfinished/<id of the operation>`. It is written before the first object is
//! created and removed once the boot succeeded or everything is undone. The process that boots holds
//! a lock on it: a record that no process holds is of a process that ended too early, or that could not
//! undo what it did. It says what may be left, where, and for which builder, so that `ls` can show it
//! without asking the engine, and the next command can remove it.
//!
//! A record is only ever appended to, a line of JSON at a time, so that a process that is killed
//! leaves at most half a line. The records stand beside `instances` rather than in it: docker buildx
//! drops what it does not know when it writes a builder.

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
/// Most bytes of a record that are read: a boot creates 32 objects with names of 255 bytes at most.
const RECORD_BYTES: u64 = 256 << 10;
/// Longest id of an operation, in characters.
const ID: usize = 64;

/// The node that an operation creates something for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Purpose {
    /// The builder.
    pub builder: String,
    /// Its node.
    pub node: String,
    /// The engine, as the node names it.
    pub endpoint: String,
    /// The driver.
    pub driver: String,
    /// The builder was created by the command that boots it, which removes it where the boot fails.
    #[serde(default)]
    pub is_new: bool,
}

/// An object that a record names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Remnant {
    /// `container`, `volume` or `network`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Why it was not removed, where that was tried.
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
    /// Returns the object with why it is left, for a person.
    pub fn with_reason(&self) -> String {
        match self.reason.as_str() {
            "" => self.to_string(),
            reason => format!("{self} ({reason})"),
        }
    }

    /// Returns the kind, where it is one that operations create.
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

/// How far an operation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A process is at work on it.
    Underway,
    /// Its process ended before it could undo anything, or left that to another one.
    Interrupted,
    /// It was undone in part.
    Left,
}

/// An operation that created something and has not ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The id of the operation, which its objects are labelled with.
    pub operation: String,
    /// The node that it was for.
    pub purpose: Purpose,
    /// When it began, in RFC 3339.
    pub since: String,
    /// What may be left of it.
    pub remnants: Vec<Remnant>,
    /// How far it came.
    pub progress: Progress,
}

impl Unfinished {
    /// Returns whether it is of that builder; names that differ in case only are the same.
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
    /// Notes that an object is about to be created. Returns when the note is on the disk.
    pub fn creates(&mut self, object: &Object) -> Result<(), StoreError> {
        self.append(&[Line::Creates(object.into())])
    }

    /// Notes what is left after an attempt to undo it.
    pub fn leaves(&mut self, left: &[Left]) -> Result<(), StoreError> {
        self.append(&[Line::Left(left.iter().map(Remnant::from).collect())])
    }

    /// Removes the record: nothing is left.
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
    /// Begins the record of an operation with the first object that it creates.
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
            // Who found it without a lock took it for one that is over, and removes it.
            if !try_lock(&file, &path, Mode::Exclusive)? || is_removed(&file, &path)? {
                std::thread::yield_now();
                continue;
            }
            let mut record = Record { file, path };
            record.append(&[begins, Line::Creates(first.into())])?;
            // So that the name survives a power failure too. Not every file system can do this.
            let _ = File::open(&directory).and_then(|directory| directory.sync_all());
            return Ok(record);
        }
    }

    /// Returns every operation that has not ended well, the oldest first. Makes nothing and waits
    /// for nobody.
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
                // It has just ended.
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
            // One without a whole first line is of a process that had not created anything yet.
            if let Some(record) = parse(operation, &text, is_free)
                && !is_removed(&file, &path)?
            {
                found.push(record);
            }
        }
        found.sort_by(|one, other| one.since.cmp(&other.since));
        Ok(found)
    }

    /// Returns what is left of operations for that builder that no process works on.
    pub fn unfinished_of(&self, builder: &str) -> Result<Vec<Unfinished>, StoreError> {
        let mut found = self.unfinished()?;
        found.retain(|record| record.is_of(builder) && record.progress != Progress::Underway);
        Ok(found)
    }

    /// Takes the record of an operation that no process works on; `None` if one does, or it
    /// is settled.
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

/// Returns whether the file that is open is not the one that has the name any more.
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
    // The last line may be half of one.
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
