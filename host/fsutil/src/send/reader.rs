//! Reads the requested files, on a blocking thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::retry_on_intr;

use super::batch::Batcher;
use super::{SendError, Shared, lock};
use crate::beneath;
use crate::name::shown;
use crate::wire::{self, MAX_DATA};

/// Reads files until none is requested any more.
pub(super) fn run(shared: &Shared) -> Result<(), SendError> {
    let mut batcher = Batcher::new(&shared.events);
    let mut path = Vec::new();
    loop {
        let next = {
            let mut requests = lock(&shared.requests);
            let next = requests.queue.pop_front();
            if next.is_none() && batcher.is_empty() {
                requests.readers -= 1;
                return Ok(());
            }
            next
        };
        let is_alive = match next {
            // There is nothing to do: the data must not wait for further requests.
            None => batcher.flush().is_ok(),
            Some(id) => {
                lock(&shared.table).path(id, &mut path);
                send_file(shared, &mut batcher, id, &path)?
            }
        };
        if !is_alive || shared.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// Sends the content of a file. Returns false if it is not needed any more.
fn send_file(
    shared: &Shared,
    batcher: &mut Batcher<'_>,
    id: u32,
    path: &[u8],
) -> Result<bool, SendError> {
    let failed = |source| SendError::Read {
        path: shown(path),
        source,
    };
    match open(shared.root.as_fd(), path).map_err(failed)? {
        Some((file, size)) => {
            // Data that is appended meanwhile is not sent. A file of size 0 may have content, as in
            // /proc, so it is read to its end.
            let mut left = if size == 0 { u64::MAX } else { size };
            while left > 0 {
                let limit = left.min(MAX_DATA as u64) as usize;
                let frames = batcher.frames();
                let found = wire::put_data_with(frames, id, limit, |frames, limit| {
                    append(file.as_fd(), frames, limit)
                });
                let found = found.map_err(failed)?;
                if found == 0 {
                    break;
                }
                left -= found as u64;
                batcher.counts().bytes += found as u64;
                if batcher.settle().is_err() || shared.stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
            }
        }
        None => batcher.counts().unreadable += 1,
    }
    wire::put_data(batcher.frames(), id, b"");
    batcher.counts().files += 1;
    Ok(batcher.settle().is_ok())
}

/// Opens a file. Returns `None` if it vanished, cannot be read, or is not a regular file (any
/// more).
///
/// # Errors
///
/// The process or the system lacks resources. To send the file as empty would be wrong.
fn open(root: BorrowedFd<'_>, path: &[u8]) -> io::Result<Option<(OwnedFd, u64)>> {
    // Opening must not wait if a pipe has replaced the file.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match beneath::open(root, path, flags) {
        Ok(file) => file,
        Err(error) => match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => return Err(error),
            _ => return Ok(None),
        },
    };
    let stat = fstat(&file)?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(is_file.then_some((file, u64::try_from(stat.st_size).unwrap_or(0))))
}

/// Reads up to `limit` bytes to the end of a buffer that has space for them.
fn append(file: BorrowedFd<'_>, buffer: &mut BytesMut, limit: usize) -> io::Result<usize> {
    let found = {
        let spare = &mut buffer.spare_capacity_mut()[..limit];
        retry_on_intr(|| rustix::io::read(file, &mut *spare).map(|(found, _)| found.len()))?
    };
    // SAFETY: the kernel has written `found` bytes after the end, within the capacity.
    unsafe { buffer.set_len(buffer.len() + found) };
    Ok(found)
}
