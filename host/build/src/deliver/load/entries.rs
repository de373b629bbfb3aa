//! The entries of an archive: headers, contents, padding.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use tar::{EntryType, Header};

use super::error::{ArchiveError, malformed};
use super::names::{Names, has_names};

/// Size of a header in bytes. Contents are padded to a multiple of it.
const BLOCK: usize = 512;
/// Maximum size of a file with names, in bytes. The files of an image have less than one kilobyte.
const NAMES_BYTES: u64 = 1 << 20;
/// Maximum size of the records that extend a header, in bytes.
const RECORDS_BYTES: u64 = 16 << 10;
/// Maximum number of entries of an archive. An image has about a hundred layers at most.
const ENTRIES: usize = 10_000;

/// A position in an archive.
enum State {
    /// Within a header.
    Header,
    /// Within contents that are passed on, including their padding.
    Contents { left: u64 },
    /// Within a file with names.
    Names {
        name: String,
        left: u64,
        padded: u64,
    },
    /// Within records that extend the next header.
    Records { left: u64, padded: u64 },
    /// After the end.
    Ended,
}

/// The entries of an archive, which are checked and rewritten as they arrive.
pub(super) struct Entries {
    names: Names,
    state: State,
    /// The beginning of a header or file that is not complete yet.
    held: BytesMut,
    /// The size of the next entry, if records contain it.
    size: Option<u64>,
    entries: usize,
}

impl Entries {
    /// Starts at the beginning of an archive that may contain the given names.
    pub(super) fn new(names: Names) -> Self {
        Self {
            names,
            state: State::Header,
            held: BytesMut::new(),
            size: None,
            entries: 0,
        }
    }

    /// Processes the next piece of the archive, and appends the checked data to `ready`.
    pub(super) fn push(
        &mut self,
        mut data: Bytes,
        ready: &mut VecDeque<Bytes>,
    ) -> Result<(), ArchiveError> {
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
                        return malformed("data follows its end");
                    }
                    data.clear();
                }
            }
        }
        Ok(())
    }

    /// Processes the end of the archive.
    pub(super) fn finish(&mut self, ready: &mut VecDeque<Bytes>) -> Result<(), ArchiveError> {
        match self.state {
            State::Ended => {
                ready.push_back(Bytes::from_static(&[0; 2 * BLOCK]));
                Ok(())
            }
            _ => malformed("it is incomplete"),
        }
    }

    /// Takes data until `wanted` bytes are held. Returns whether they are complete.
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
            return malformed("a header is damaged");
        }
        let Ok(own_size) = header.entry_size() else {
            return malformed("an entry has no size");
        };
        let entry_type = header.entry_type();
        if entry_type == EntryType::XHeader && self.size.is_none() && own_size <= RECORDS_BYTES {
            self.state = State::Records {
                left: own_size,
                padded: padded(own_size),
            };
            // The entry has no contents.
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
            EntryType::Regular if has_names(&name) => {
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
            // A link could give a file with names another name.
            other => {
                return malformed(format!(
                    "{name:?} is neither a file nor a directory ({other:?})"
                ));
            }
        }
        Ok(())
    }

    fn names(&mut self, contents: &[u8], ready: &mut VecDeque<Bytes>) -> Result<(), ArchiveError> {
        let State::Names { name, .. } = std::mem::replace(&mut self.state, State::Header) else {
            return Ok(());
        };
        let contents = self.names.check_file(&name, contents)?;
        ready.push_back(written(&name, EntryType::Regular, contents.len() as u64)?);
        let fill = size(padded(contents.len() as u64)) - contents.len();
        ready.push_back(contents.into());
        ready.push_back(vec![0; fill].into());
        Ok(())
    }
}

/// Returns the name of an entry if it has the usual form and stays within the archive.
fn plain_name(path: &[u8]) -> Result<String, ArchiveError> {
    let name = String::from_utf8_lossy(path);
    let name = name.strip_suffix('/').unwrap_or(&name);
    let usual = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let is_plain =
        name.chars().all(usual) && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    match is_plain {
        true => Ok(name.to_owned()),
        false => malformed(format!("an entry has the invalid name {name:?}")),
    }
}

/// Returns a rewritten header of an entry.
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

/// Reads the records before an entry, and returns the size that they contain. Ignores times and owners,
/// and refuses records that change the name of the entry.
fn records(mut text: &[u8]) -> Result<Option<u64>, ArchiveError> {
    let broken = || ArchiveError::Malformed("its records are damaged".into());
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
            (key, _) => return malformed(format!("it has the unsupported record {key:?}")),
        }
        text = rest;
    }
    Ok(found)
}

fn checksum(block: &[u8]) -> u32 {
    let field = 148..156;
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&block[..field.start]) + 8 * u32::from(b' ') + sum(&block[field.end..])
}

/// Returns the size of contents including their padding.
fn padded(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK as u64)
        .unwrap_or(u64::MAX)
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
