//! The place that a path leads to, also before there is a file.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

/// Maximum number of symbolic links that are followed, as in Linux.
pub(crate) const LINKS: usize = 40;

/// A place for a file or a directory. Two paths that lead to the same place have equal ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file or a directory that exists: its device and its inode.
    Existing(u64, u64),
    /// A path at which there is nothing yet.
    New(PathBuf),
}

impl Place {
    /// Returns the place that a path leads to. Returns `None` for a device, which may have any number of
    /// writers, and for a path that cannot be followed.
    pub fn of(path: &Path) -> Option<Self> {
        match fs::metadata(path) {
            Ok(metadata) => {
                let kind = metadata.file_type();
                let is_device = kind.is_char_device() || kind.is_block_device();
                (!is_device).then(|| Self::Existing(metadata.dev(), metadata.ino()))
            }
            Err(_) => real(path).ok().map(Self::New),
        }
    }
}

/// Returns the absolute path of the place that a path leads to, without symbolic links. There need not be
/// anything: neither a file, nor the directories above it, nor the target of a link.
///
/// # Errors
///
/// Returns an error if a part of the path cannot be followed.
pub fn real(path: &Path) -> io::Result<PathBuf> {
    let mut path = std::env::current_dir()?.join(path);
    // The names that do not exist, from the last to the first.
    let mut missing: Vec<OsString> = Vec::new();
    let mut links = 0;
    loop {
        match path.canonicalize() {
            Ok(mut real) => {
                for name in missing.iter().rev() {
                    match name == ".." {
                        true => drop(real.pop()),
                        false => real.push(name),
                    }
                }
                return Ok(real);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let target = fs::read_link(&path);
        match (target, path.components().next_back()) {
            (Ok(target), _) => {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP.into());
                }
                path.pop();
                path.push(target);
            }
            (Err(_), Some(name @ (Component::Normal(_) | Component::ParentDir))) => {
                missing.push(name.as_os_str().to_owned());
                path.pop();
            }
            (Err(error), _) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_to_the_same_place_are_equal() {
        let directory = tempfile::tempdir().expect("directory");
        let root = directory.path();
        let path = |name: &str| root.join(name);
        fs::create_dir(path("sub")).expect("made");
        fs::write(path("file"), "x").expect("written");
        fs::hard_link(path("file"), path("twin")).expect("linked");
        for (link, target) in [
            ("to-file", "file"),
            ("to-sub", "sub"),
            ("to-nothing", "sub/new"),
            ("to-link", "to-nothing"),
        ] {
            symlink(target, path(link)).expect("linked");
        }
        for (one, other, is_same) in [
            ("file", "sub/../file", true),
            ("file", "to-file", true),
            ("file", "twin", true),
            ("sub", "to-sub/.", true),
            ("file", "sub", false),
            ("new", "./sub/../new", true),
            ("a/b/new", "a/b/../b//new", true),
            ("sub/new", "to-sub/new", true),
            ("sub/new", "to-nothing", true),
            ("sub/new", "to-link", true),
            ("new", "sub/new", false),
            ("new", "a/new", false),
        ] {
            let places = [one, other].map(|name| Place::of(&path(name)).expect(name));
            assert_eq!(places[0] == places[1], is_same, "{one} {other} {places:?}");
        }
        symlink("loop", path("loop")).expect("linked");
        assert_eq!(Place::of(&path("loop")), None);
        assert_eq!(Place::of(Path::new("/dev/null")), None);
        assert_eq!(Place::of(&path("file/below")), None);
    }
}
