//! Standard input as the context or the Dockerfile of a build.
//!
//! An archive is never held as a whole: its beginning decides what it is, and the rest is read while it is
//! sent.

use std::fmt;
use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Mutex;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::dockerfile::DOCKERFILE_BYTES;
use super::error::PlanError;
use super::{pieces, zstd};

/// Number of bytes that decide what the input is. docker buildx reads as many.
const HEAD: u64 = 1024;

/// Size of a header of a tar archive, in bytes.
const TAR_HEADER: usize = 512;

/// The beginnings of compressed archives that BuildKit detects: bzip2, gzip and xz.
const COMPRESSED: [&[u8]; 3] = [
    b"BZh",
    &[0x1f, 0x8b, 0x08],
    &[0xfd, b'7', b'z', b'X', b'Z', 0],
];

/// The beginning of an archive that is compressed with zstd.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A stream of an archive.
pub(crate) type Reader = Pin<Box<dyn AsyncRead + Send>>;

/// What standard input is.
pub(super) enum Input {
    Archive(Archive),
    Dockerfile(Vec<u8>),
}

/// An archive that can be read once by each node.
pub(crate) struct Archive(Mutex<Vec<Reader>>);

impl fmt::Debug for Archive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Archive(..)")
    }
}

impl Archive {
    fn new(reader: Reader) -> Self {
        Self(Mutex::new(vec![reader]))
    }

    /// Makes the archive readable by several nodes. The slowest node determines the speed. A node that
    /// ends early does not matter.
    pub(crate) fn share(&self, nodes: usize) {
        if nodes < 2 {
            return;
        }
        let Some(reader) = self.take() else {
            return;
        };
        let mut input = pieces::split(reader);
        let (mut senders, readers): (Vec<_>, Vec<_>) =
            (0..nodes).map(|_| pieces::channel()).unzip();
        tokio::spawn(async move {
            while let Some(piece) = input.recv().await {
                let mut open = Vec::new();
                for sender in senders {
                    // An error cannot be copied.
                    let copy = match &piece {
                        Ok(piece) => Ok(piece.clone()),
                        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
                    };
                    if sender.send(copy).await.is_ok() {
                        open.push(sender);
                    }
                }
                senders = open;
            }
        });
        let mut slots = lock(&self.0);
        slots.extend(readers.into_iter().map(|reader| Box::pin(reader) as Reader));
    }

    /// Returns the stream for the next node.
    pub(crate) fn take(&self) -> Option<Reader> {
        lock(&self.0).pop()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Reads the beginning of standard input, and all of it if it is a Dockerfile.
///
/// # Errors
///
/// Returns an error if it is empty, too large or cannot be read.
pub(super) async fn classify() -> Result<Input, PlanError> {
    classified(tokio::io::stdin()).await
}

/// Reads a Dockerfile from standard input.
///
/// # Errors
///
/// Returns an error if it is empty, too large or cannot be read.
pub(super) async fn read() -> Result<Vec<u8>, PlanError> {
    dockerfile(Vec::new(), tokio::io::stdin()).await
}

async fn classified(input: impl AsyncRead + Send + Unpin + 'static) -> Result<Input, PlanError> {
    let mut head = Vec::new();
    let mut input = input;
    let mut beginning = (&mut input).take(HEAD);
    beginning.read_to_end(&mut head).await.map_err(failed)?;
    if !is_archive(&head) {
        return Ok(Input::Dockerfile(dockerfile(head, input).await?));
    }
    if head.starts_with(&ZSTD) {
        let archive = zstd::decompressed(Cursor::new(head).chain(input));
        return Ok(Input::Archive(Archive::new(Box::pin(archive))));
    }
    let mut before = Vec::new();
    if needs_entry_before(&head) {
        before.extend_from_slice(empty_global_header().as_bytes());
    }
    before.extend(head);
    Ok(Input::Archive(Archive::new(Box::pin(
        Cursor::new(before).chain(input),
    ))))
}

async fn dockerfile(
    mut head: Vec<u8>,
    input: impl AsyncRead + Send + Unpin,
) -> Result<Vec<u8>, PlanError> {
    let rest = DOCKERFILE_BYTES + 1 - head.len() as u64;
    let read = input.take(rest).read_to_end(&mut head).await;
    read.map_err(failed)?;
    if head.is_empty() {
        return Err(PlanError::StdinEmpty);
    }
    if head.len() as u64 > DOCKERFILE_BYTES {
        return Err(failed(format!(
            "neither an archive nor a Dockerfile: it has more than {} MiB",
            DOCKERFILE_BYTES >> 20
        )));
    }
    Ok(head)
}

fn failed(reason: impl ToString) -> PlanError {
    PlanError::Stdin {
        reason: reason.to_string(),
    }
}

/// Returns whether an input that begins like this is an archive.
fn is_archive(head: &[u8]) -> bool {
    let is_compressed = COMPRESSED.iter().any(|magic| head.starts_with(magic));
    is_compressed || head.starts_with(&ZSTD) || is_tar(head)
}

/// Returns whether the first header of a tar archive has the right checksum.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..TAR_HEADER) else {
        return false;
    };
    let Ok(given) = tar::Header::from_byte_slice(header).cksum() else {
        return false;
    };
    let is_checksum = |at: usize| (148..156).contains(&at);
    let sum = |value: fn(u8) -> i64| -> i64 {
        let bytes = header.iter().enumerate();
        bytes
            .map(|(at, byte)| if is_checksum(at) { 32 } else { value(*byte) })
            .sum()
    };
    let given = i64::from(given);
    // Old programs add signed bytes.
    given != 0 && (given == sum(i64::from) || given == sum(|byte| i64::from(byte as i8)))
}

/// Returns whether the first entry of a tar archive is only a part of the next one (a long name or extended
/// attributes). BuildKit would need more than [`HEAD`] bytes to detect such an archive.
fn needs_entry_before(head: &[u8]) -> bool {
    is_tar(head) && matches!(head.get(156), Some(b'x' | b'L' | b'K'))
}

/// Returns an entry without any effect, by which BuildKit detects an archive.
fn empty_global_header() -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XGlobalHeader);
    header.as_mut_bytes()[..b"pax_global_header".len()].copy_from_slice(b"pax_global_header");
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

#[cfg(test)]
mod tests;
