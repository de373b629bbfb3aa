//! Lets an archive of images into the engine under those names alone that the user asked for.
//!
//! BuildKit sends the archive, and whoever chose that BuildKit could put any names into it: the
//! engine would give them to what it loads, and take them from the images that have them. The names
//! stand in `manifest.json`, `index.json` and `repositories`; an engine reads them once it has the
//! whole archive. So the archive is passed on while it comes, and ends in an error where a name was
//! not asked for, before the engine has seen it.
//!
//! What an engine makes of an archive that is written in an unusual way is not guessed: every header
//! is written anew, and so are the files with names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, OnceLock};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use iechor_engine::reference::Reference;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tar::{EntryType, Header};

/// Size of a header, and what contents are filled up to, in bytes.
const BLOCK: usize = 512;
/// Most bytes of a file with names. That of an image has less than one kilobyte.
const NAMES_BYTES: u64 = 1 << 20;
/// Most bytes of the records that lengthen a header.
const RECORDS_BYTES: u64 = 16 << 10;
/// Most entries of an archive. An image has a hundred layers at most.
const ENTRIES: usize = 10_000;

/// The annotations of an index by which engines name images.
const IMAGE_NAME: &str = "io.containerd.image.name";
const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";

/// Why an archive is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It names an image as nobody asked for.
    #[error(
        "BuildKit sent an image with the name {name:?}, which was not asked for (--tag asks for: {}); \
         nothing was loaded",
        if .asked.is_empty() { "none".to_owned() } else { .asked.join(", ") }
    )]
    Unasked {
        /// The name in the archive.
        name: String,
        /// The names that the user gave.
        asked: Vec<String>,
    },
    /// It is not written as archives of images are.
    #[error("BuildKit sent no archive of images that can be loaded: {0}; nothing was loaded")]
    Malformed(String),
}

fn malformed<T>(why: impl Into<String>) -> Result<T, ArchiveError> {
    Err(ArchiveError::Malformed(why.into()))
}

/// Passes an archive on, and ends with an error where it may not be loaded; why is put into
/// `refusal`.
pub fn filter(
    archive: BoxStream<'static, io::Result<Bytes>>,
    asked: Vec<String>,
    refusal: Arc<OnceLock<ArchiveError>>,
) -> BoxStream<'static, io::Result<Bytes>> {
    struct Passing {
        archive: BoxStream<'static, io::Result<Bytes>>,
        filter: Filter,
        ready: VecDeque<Bytes>,
        ended: bool,
    }
    let start = Passing {
        archive,
        filter: Filter::new(asked),
        ready: VecDeque::new(),
        ended: false,
    };
    try_unfold(start, move |mut passing| {
        let refusal = Arc::clone(&refusal);
        async move {
            loop {
                if let Some(data) = passing.ready.pop_front() {
                    return Ok(Some((data, passing)));
                }
                if passing.ended {
                    return Ok(None);
                }
                let done = match passing.archive.next().await {
                    Some(data) => passing.filter.push(data?, &mut passing.ready),
                    None => {
                        passing.ended = true;
                        passing.filter.finish(&mut passing.ready)
                    }
                };
                if let Err(error) = done {
                    let words = io::Error::other(error.to_string());
                    // The first one counts; there is only one.
                    let _ = refusal.set(error);
                    return Err(words);
                }
            }
        }
    })
    .boxed()
}

/// Where it is in an archive.
enum State {
    /// In a header.
    Header,
    /// In contents that are passed on, with the padding behind them.
    Contents { left: u64 },
    /// In a file with names.
    Names {
        name: String,
        left: u64,
        padded: u64,
    },
    /// In records that lengthen the next header.
    Records { left: u64, padded: u64 },
    /// Behind the end.
    Ended,
}

struct Filter {
    asked: Vec<String>,
    /// The same, each as an engine understands it.
    allowed: BTreeSet<String>,
    state: State,
    /// What is not a whole header or file yet.
    held: BytesMut,
    /// The size of the next entry, where records say it.
    size: Option<u64>,
    entries: usize,
}

impl Filter {
    fn new(asked: Vec<String>) -> Self {
        Self {
            allowed: asked.iter().filter_map(|name| canonical(name)).collect(),
            asked,
            state: State::Header,
            held: BytesMut::new(),
            size: None,
            entries: 0,
        }
    }

    fn push(&mut self, mut data: Bytes, ready: &mut VecDeque<Bytes>) -> Result<(), ArchiveError> {
        while !data.is_empty() {
            match &mut self.state {
                State::Header => {
                    if self.hold(&mut data, BLOCK as u64) {
                        let block = self.held.split().freeze();
                        self.header(&block, ready)?;
                    }
                }
                State::Contents { left } => {
                    let part = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                    *left -= part as u64;
                    if *left == 0 {
                        self.state = State::Header;
                    }
                    ready.push_back(data.split_to(part));
                }
                State::Names { left, padded, .. } => {
                    let (left, padded) = (*left, *padded);
                    if self.hold(&mut data, padded) {
                        let contents = self.held.split().freeze();
                        self.names(&contents[..size(left)], ready)?;
                    }
                }
                State::Records { left, padded } => {
                    let (left, padded) = (*left, *padded);
                    if self.hold(&mut data, padded) {
                        let contents = self.held.split().freeze();
                        self.size = records(&contents[..size(left)])?;
                        self.state = State::Header;
                    }
                }
                State::Ended => {
                    if data.iter().any(|byte| *byte != 0) {
                        return malformed("there is something behind its end");
                    }
                    data.clear();
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, ready: &mut VecDeque<Bytes>) -> Result<(), ArchiveError> {
        match self.state {
            State::Ended => {
                ready.push_back(Bytes::from_static(&[0; 2 * BLOCK]));
                Ok(())
            }
            _ => malformed("it is cut short"),
        }
    }

    /// Takes data until there are so many bytes; whether there are.
    fn hold(&mut self, data: &mut Bytes, wanted: u64) -> bool {
        let missing = size(wanted).saturating_sub(self.held.len());
        let part = missing.min(data.len());
        self.held.extend_from_slice(&data[..part]);
        data.advance(part);
        part == missing
    }

    fn header(&mut self, block: &[u8], ready: &mut VecDeque<Bytes>) -> Result<(), ArchiveError> {
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::Ended;
            return Ok(());
        }
        self.entries += 1;
        if self.entries > ENTRIES {
            return malformed(format!("it has more than {ENTRIES} entries"));
        }
        let header = Header::from_byte_slice(block);
        if !header.cksum().is_ok_and(|sum| sum == checksum(block)) {
            return malformed("a header of it is damaged");
        }
        let Ok(own_size) = header.entry_size() else {
            return malformed("an entry of it has no size");
        };
        let entry_type = header.entry_type();
        if entry_type == EntryType::XHeader && self.size.is_none() && own_size <= RECORDS_BYTES {
            self.state = State::Records {
                left: own_size,
                padded: padded(own_size),
            };
            // Nothing to wait for.
            if own_size == 0 {
                self.state = State::Header;
            }
            return Ok(());
        }
        let left = self.size.take().unwrap_or(own_size);
        let path = header.path_bytes();
        let name = plain_name(&path)?;
        match entry_type {
            EntryType::Directory => {
                ready.push_back(written(&name, EntryType::Directory, 0)?);
                self.state = match padded(left) {
                    0 => State::Header,
                    _ => return malformed(format!("the directory {name:?} has contents")),
                };
            }
            EntryType::Regular if is_with_names(&name) => {
                if left > NAMES_BYTES {
                    return malformed(format!("{name} has {left} bytes"));
                }
                if left == 0 {
                    return malformed(format!("{name} is empty"));
                }
                self.state = State::Names {
                    name,
                    left,
                    padded: padded(left),
                };
            }
            EntryType::Regular => {
                ready.push_back(written(&name, EntryType::Regular, left)?);
                self.state = match padded(left) {
                    0 => State::Header,
                    left => State::Contents { left },
                };
            }
            // A link could be another name for a file with names.
            other => {
                return malformed(format!(
                    "{name:?} is neither file nor directory ({other:?})"
                ));
            }
        }
        Ok(())
    }

    fn names(&mut self, contents: &[u8], ready: &mut VecDeque<Bytes>) -> Result<(), ArchiveError> {
        let State::Names { name, .. } = std::mem::replace(&mut self.state, State::Header) else {
            return Ok(());
        };
        let contents = match name.as_str() {
            "manifest.json" => self.manifest(contents),
            "index.json" => self.index(contents),
            _ => self.repositories(contents),
        }?;
        ready.push_back(written(&name, EntryType::Regular, contents.len() as u64)?);
        let fill = size(padded(contents.len() as u64)) - contents.len();
        ready.push_back(contents.into());
        ready.push_back(vec![0; fill].into());
        Ok(())
    }

    fn manifest(&self, contents: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let images: Vec<ManifestEntry> = read("manifest.json", contents)?;
        for name in images
            .iter()
            .flat_map(|image| image.repo_tags.iter().flatten())
        {
            self.check_name(name)?;
        }
        write(&images)
    }

    fn index(&self, contents: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let index: Map<String, Value> = read("index.json", contents)?;
        self.check_described(&index)?;
        match index.get("manifests") {
            None | Some(Value::Null) => {}
            Some(Value::Array(manifests)) => {
                for manifest in manifests {
                    match manifest {
                        Value::Object(manifest) => self.check_described(manifest)?,
                        _ => return malformed("index.json has a manifest that is none"),
                    }
                }
            }
            Some(_) => return malformed("index.json has no list of manifests"),
        }
        write(&index)
    }

    /// Checks the names that an index, or a manifest in one, gives by annotations.
    fn check_described(&self, object: &Map<String, Value>) -> Result<(), ArchiveError> {
        // Engines do not mind how the letters of a field are written.
        for known in ["manifests", "annotations"] {
            let mut keys = object.keys();
            if keys.any(|key| key != known && key.to_lowercase() == known) {
                return malformed("index.json has a field in an unusual spelling");
            }
        }
        let annotations: BTreeMap<String, String> = match object.get("annotations") {
            None | Some(Value::Null) => return Ok(()),
            Some(annotations) => serde_json::from_value(annotations.clone())
                .map_err(|error| ArchiveError::Malformed(format!("index.json: {error}")))?,
        };
        let given = |key: &str| annotations.get(key).filter(|name| !name.is_empty());
        let image = given(IMAGE_NAME);
        if let Some(name) = image {
            self.check_name(name)?;
        }
        match given(REFERENCE_NAME) {
            // Beside the whole name it is the tag alone.
            Some(tag) if image.is_some() && self.is_tag(tag) => Ok(()),
            Some(name) => self.check_name(name),
            None => Ok(()),
        }
    }

    fn repositories(&self, contents: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let images: BTreeMap<String, BTreeMap<String, String>> = read("repositories", contents)?;
        for (name, tags) in &images {
            for tag in tags.keys() {
                self.check_name(&format!("{name}:{tag}"))?;
            }
        }
        write(&images)
    }

    fn check_name(&self, name: &str) -> Result<(), ArchiveError> {
        match canonical(name) {
            Some(name) if self.allowed.contains(&name) => Ok(()),
            _ => Err(ArchiveError::Unasked {
                name: name.to_owned(),
                asked: self.asked.clone(),
            }),
        }
    }

    fn is_tag(&self, tag: &str) -> bool {
        let tags = self.allowed.iter().filter_map(|name| name.rsplit_once(':'));
        tags.map(|(_, tag)| tag).any(|known| known == tag)
    }
}

/// An entry of `manifest.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ManifestEntry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer_sources: Option<Value>,
}

fn is_with_names(name: &str) -> bool {
    matches!(name, "manifest.json" | "index.json" | "repositories")
}

/// A name that leads nowhere else and is written in one way only.
fn plain_name(path: &[u8]) -> Result<String, ArchiveError> {
    let name = String::from_utf8_lossy(path);
    let name = name.strip_suffix('/').unwrap_or(&name);
    let usual = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let is_plain =
        name.chars().all(usual) && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    match is_plain {
        true => Ok(name.to_owned()),
        false => malformed(format!("it has an entry {name:?}")),
    }
}

fn written(name: &str, entry_type: EntryType, size: u64) -> Result<Bytes, ArchiveError> {
    let mut header = Header::new_ustar();
    header.set_entry_type(entry_type);
    header.set_mode(if entry_type == EntryType::Directory {
        0o755
    } else {
        0o644
    });
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    if header.set_path(name).is_err() {
        return malformed(format!("the name {name:?} is too long"));
    }
    header.set_cksum();
    Ok(Bytes::copy_from_slice(header.as_bytes()))
}

/// Reads the records before an entry: the size of a large one, and times. What gives an entry
/// another name is not read.
fn records(mut text: &[u8]) -> Result<Option<u64>, ArchiveError> {
    let broken = || ArchiveError::Malformed("records of it are damaged".into());
    let mut found = None;
    while !text.is_empty() {
        let space = text
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or_else(broken)?;
        let digits = std::str::from_utf8(&text[..space]).map_err(|_| broken())?;
        let length: usize = digits.parse().map_err(|_| broken())?;
        if length <= space + 1 || length > text.len() {
            return Err(broken());
        }
        let (record, rest) = text.split_at(length);
        let record = record[space + 1..].strip_suffix(b"\n").ok_or_else(broken)?;
        let record = std::str::from_utf8(record).map_err(|_| broken())?;
        match record.split_once('=').ok_or_else(broken)? {
            ("size", digits) => found = Some(digits.parse().map_err(|_| broken())?),
            ("mtime" | "atime" | "ctime" | "uid" | "gid" | "uname" | "gname", _) => {}
            (key, _) => return malformed(format!("it has the record {key:?}")),
        }
        text = rest;
    }
    Ok(found)
}

fn read<T: serde::de::DeserializeOwned>(name: &str, contents: &[u8]) -> Result<T, ArchiveError> {
    serde_json::from_slice(contents)
        .map_err(|error| ArchiveError::Malformed(format!("{name}: {error}")))
}

fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, ArchiveError> {
    serde_json::to_vec(value).map_err(|error| ArchiveError::Malformed(error.to_string()))
}

fn canonical(name: &str) -> Option<String> {
    Reference::check(name)
        .ok()
        .map(|reference| reference.canonical())
}

fn checksum(block: &[u8]) -> u32 {
    let field = 148..156;
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&block[..field.start]) + 8 * u32::from(b' ') + sum(&block[field.end..])
}

/// The size of contents with what fills them up to a block.
fn padded(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK as u64)
        .unwrap_or(u64::MAX)
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
