//! Opens files below a directory such that no symlink leads out of it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// Whether this kernel has no `openat2` (before Linux 5.6), or a sandbox forbids it.
static NO_OPENAT2: AtomicBool = AtomicBool::new(false);

/// Opens the path of an entry (relative, without `..`) below `root`. A symlink in any part of the
/// path, including the last one, is an error, even if it is created at the same time.
pub(crate) fn open(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    if NO_OPENAT2.load(Ordering::Relaxed) {
        return open_by_parts(root, path, flags);
    }
    match openat2(root, path, flags, Mode::empty(), resolve) {
        Ok(file) => Ok(file),
        Err(Errno::NOSYS) => {
            NO_OPENAT2.store(true, Ordering::Relaxed);
            open_by_parts(root, path, flags)
        }
        // The kernel detected a concurrent rename (AGAIN), or a sandbox refuses the call rather
        // than the file (PERM).
        Err(Errno::AGAIN | Errno::PERM) => open_by_parts(root, path, flags),
        Err(error) => Err(error.into()),
    }
}

/// Opens the path like [`open`], one directory at a time.
fn open_by_parts(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut directory: Option<OwnedFd> = None;
    let mut parts = path.split(|byte| *byte == b'/').peekable();
    while let Some(part) = parts.next() {
        if matches!(part, b"" | b"." | b"..") {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let at = directory.as_ref().map_or(root, AsFd::as_fd);
        if parts.peek().is_none() {
            return Ok(openat(at, part, flags, Mode::empty())?);
        }
        directory = Some(openat(at, part, through, Mode::empty())?);
    }
    Err(io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_link_is_followed() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        std::fs::create_dir_all(root.join("dir/deep")).unwrap();
        std::fs::write(outer.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("dir/deep/file"), "content").unwrap();
        symlink("..", root.join("out")).unwrap();
        symlink("dir", root.join("in")).unwrap();
        symlink(outer.path().join("secret"), root.join("dir/link")).unwrap();
        let root = File::open(&root).unwrap();
        for open in [open, open_by_parts] {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW;
            let open = |path: &str| open(root.as_fd(), path.as_bytes(), flags);
            let mut content = String::new();
            File::from(open("dir/deep/file").unwrap())
                .read_to_string(&mut content)
                .unwrap();
            assert_eq!(content, "content");
            for path in [
                "out/secret",
                "in/deep/file",
                "dir/link",
                "../secret",
                "out",
                "/etc",
            ] {
                assert!(open(path).is_err(), "{path}");
            }
            assert_eq!(
                open("dir/none").unwrap_err().kind(),
                io::ErrorKind::NotFound
            );
        }
    }
}
