//! Build contexts.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{machine, native_architecture};

/// A stage `base` with busybox, for every platform.
pub const BASE: &str = "FROM scratch AS base\nARG TARGETARCH\nADD busybox-${TARGETARCH}.tar /\n";

/// A directory with a Dockerfile.
pub struct Context {
    directory: TempDir,
}

impl Context {
    /// Returns a context with busybox, whose Dockerfile continues after [`BASE`].
    pub fn on_base(dockerfile: &str) -> Self {
        let context = Self::bare(&format!("{BASE}{dockerfile}"));
        context.add_busybox(native_architecture());
        context
    }

    /// Returns a context with only a Dockerfile.
    pub fn bare(dockerfile: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("iechor-context-")
            .tempdir()
            .expect("directory");
        let context = Self { directory };
        context.file("Dockerfile", dockerfile);
        context
    }

    /// Copies busybox for an architecture beside the Dockerfile.
    pub fn add_busybox(&self, architecture: &str) {
        let from = machine().base.join(architecture).join("busybox.tar");
        let to = self.path().join(format!("busybox-{architecture}.tar"));
        fs::copy(&from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }

    /// Writes a file, and creates its parent directories.
    pub fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("in the context")).expect("made");
        fs::write(&path, contents).expect("written");
        path
    }

    /// Returns the path of the context.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the path of the context, as a word of a command line.
    pub fn word(&self) -> &str {
        self.path().to_str().expect("Unicode")
    }
}

/// Returns the names of the regular files in a tar archive, in order.
pub fn files_in_tar(bytes: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(bytes);
    let mut names: Vec<_> = archive
        .entries()
        .expect("a tar")
        .map(|entry| entry.expect("whole"))
        .filter(|entry| entry.header().entry_type().is_file())
        .map(|entry| entry.path().expect("a name").display().to_string())
        .map(|name| name.trim_start_matches("./").to_owned())
        .collect();
    names.sort();
    names
}
