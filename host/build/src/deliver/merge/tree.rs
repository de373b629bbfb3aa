//! Files of several nodes in one directory.
//!
//! The parts are written into a temporary directory within the destination, which is on the same file system, and moved
//! from there.

use std::ffi::OsStr;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use iechor_files::output::Directories;
use tempfile::TempDir;

use super::super::file::unwritable;
use crate::error::{BuildError, FileKind};

/// The rights that the owner needs to change the entries of a directory.
const OWNER: u32 = 0o700;

/// The files of several nodes.
pub(super) struct Tree {
    path: PathBuf,
    /// Whether other files of the destination are removed.
    is_mirror: bool,
    parts: Vec<PathBuf>,
    staging: TempDir,
    directories: Directories,
}

impl Tree {
    /// Creates the destination, and a part for each of `count` nodes.
    pub(super) fn open(path: &Path, is_mirror: bool, count: usize) -> Result<Self, BuildError> {
        let open = || {
            // The directory itself is created like those above it.
            let directories = Directories::above(&path.join("x"))?;
            let staging = tempfile::Builder::new()
                .prefix(".iechor-tmp-")
                .tempdir_in(path)
                .map_err(iechor_files::output::without_name)?;
            let parts = (0..count).map(|node| staging.path().join(node.to_string()));
            Ok::<_, io::Error>(Self {
                path: path.to_owned(),
                is_mirror,
                parts: parts.collect(),
                staging,
                directories,
            })
        };
        open().map_err(|error| unwritable(FileKind::Output, path, &error.into()))
    }

    /// Returns the directories of the parts, which need not exist.
    pub(super) fn parts(&self) -> &[PathBuf] {
        &self.parts
    }

    /// Moves the parts to the destination.
    pub(super) async fn complete(self) -> Result<(), BuildError> {
        let path = self.path.clone();
        let completed = tokio::task::spawn_blocking(move || self.install()).await;
        completed
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
            .map_err(|error| unwritable(FileKind::Output, &path, &error.into()))
    }

    fn install(self) -> io::Result<()> {
        if self.is_mirror {
            clear(&self.path, self.staging.path().file_name())?;
        }
        for part in self.parts.iter().filter(|part| part.exists()) {
            move_children(part, &self.path)?;
        }
        self.staging.close()?;
        self.directories.keep();
        Ok(())
    }
}

/// Removes the entries of a directory, except one.
fn clear(directory: &Path, kept: Option<&OsStr>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if kept != Some(&entry.file_name()) {
            remove(&entry.path(), &entry.metadata()?)?;
        }
    }
    Ok(())
}

fn remove(path: &Path, found: &Metadata) -> io::Result<()> {
    match found.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// Moves the entries of a directory. A file replaces what it finds, and a directory is merged with a directory.
/// Symbolic links are not followed.
fn move_children(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let moved = entry.metadata()?;
        match fs::symlink_metadata(&to) {
            Ok(found) if found.is_dir() && moved.is_dir() => {
                allow(&from, &moved)?;
                allow(&to, &found)?;
                move_children(&from, &to)?;
                // The directory is described by the result.
                set_time(&to, &moved)?;
                fs::set_permissions(&to, moved.permissions())?;
                continue;
            }
            Ok(found) => remove(&to, &found)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if moved.is_dir() {
            // Moving a directory changes its entry for the directory above.
            allow(&from, &moved)?;
            fs::rename(&from, &to)?;
            fs::set_permissions(&to, moved.permissions())?;
        } else {
            fs::rename(&from, &to)?;
        }
    }
    Ok(())
}

/// Gives the owner of a directory the rights to change it.
fn allow(directory: &Path, found: &Metadata) -> io::Result<()> {
    let mode = found.permissions().mode();
    match mode & OWNER == OWNER {
        true => Ok(()),
        false => fs::set_permissions(directory, Permissions::from_mode(mode | OWNER)),
    }
}

fn set_time(directory: &Path, moved: &Metadata) -> io::Result<()> {
    fs::File::open(directory)?.set_modified(moved.modified()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: PathBuf, content: &str) {
        fs::create_dir_all(path.parent().expect("above")).expect("made");
        fs::write(path, content).expect("written");
    }

    fn listed(directory: &Path) -> Vec<String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory).expect("a directory") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("Unicode");
            match entry.file_type().expect("a type").is_dir() {
                true => names.extend(listed(&entry.path()).iter().map(|n| format!("{name}/{n}"))),
                false => {
                    let content = fs::read_to_string(entry.path()).expect("read");
                    names.push(format!("{name}={content}"));
                }
            }
        }
        names.sort();
        names
    }

    fn built(path: &Path, is_mirror: bool) -> Tree {
        let tree = Tree::open(path, is_mirror, 3).expect("opened");
        write(tree.parts()[0].join("linux_amd64/bin/a"), "new a");
        write(tree.parts()[0].join("linux_amd64/file"), "a file");
        write(tree.parts()[1].join("linux_arm64/bin/b"), "b");
        let mode = Permissions::from_mode(0o555);
        fs::set_permissions(tree.parts()[1].join("linux_arm64/bin"), mode).expect("set");
        tree
    }

    #[tokio::test]
    async fn the_files_of_all_nodes_are_in_one_directory() {
        for is_mirror in [false, true] {
            let outside = tempfile::tempdir().expect("a directory");
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("above/out");
            write(path.join("linux_amd64/bin/a"), "old a");
            write(path.join("linux_amd64/bin/old"), "old");
            write(path.join("linux_amd64/file/was/a/directory"), "old");
            symlink(outside.path(), path.join("linux_arm64")).expect("a link");
            let tree = built(&path, is_mirror);
            tree.complete().await.expect("moved");
            let mut expected = vec!["linux_amd64/bin/a=new a"];
            if !is_mirror {
                expected.push("linux_amd64/bin/old=old");
            }
            expected.extend(["linux_amd64/file=a file", "linux_arm64/bin/b=b"]);
            assert_eq!(listed(&path), expected, "{is_mirror}");
            let mode = fs::metadata(path.join("linux_arm64/bin")).expect("there");
            assert_eq!(mode.permissions().mode() & 0o777, 0o555);
            assert_eq!(listed(outside.path()), Vec::<String>::new(), "followed");
        }
    }

    #[tokio::test]
    async fn a_failed_build_leaves_the_destination_unchanged() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("above/out");
        drop(built(&path, true));
        assert!(!directory.path().join("above").exists());
        write(path.join("old"), "old");
        drop(built(&path, true));
        assert_eq!(listed(&path), ["old=old"]);
    }
}
