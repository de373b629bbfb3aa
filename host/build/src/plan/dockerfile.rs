//! The Dockerfile of a build, and the local directory that BuildKit reads it from.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::PlanError;

/// Maximum size of a Dockerfile that is copied, in bytes. BuildKit reads 16 MiB at most.
pub(super) const DOCKERFILE_BYTES: u64 = 16 << 20;

/// Name of a Dockerfile that is copied or fetched.
pub(crate) const NAME: &str = "Dockerfile";

/// The place of a Dockerfile.
#[derive(Debug)]
pub(crate) enum DockerfileSource {
    /// A path in a context that is not local; `None` for the default Dockerfile.
    InContext(Option<String>),
    /// A file in a local directory.
    Local {
        /// The directory.
        directory: PathBuf,
        /// Name of the file.
        name: String,
        /// Whether the file takes precedence over the Dockerfile of a context that is not local.
        is_apart: bool,
        /// The directory, if it is temporary.
        temporary: Option<TempDir>,
    },
    /// A file at a URL. BuildKit fetches it at the beginning of the build.
    Remote {
        /// The URL.
        url: String,
        /// The directory that the build writes it to, under [`NAME`].
        directory: TempDir,
    },
}

impl DockerfileSource {
    /// Returns the directory and the name of a file that the user gave.
    pub(super) fn place(&self) -> Option<(&Path, &str)> {
        match self {
            Self::Local {
                directory,
                name,
                temporary: None,
                ..
            } => Some((directory, name)),
            _ => None,
        }
    }

    /// Returns the file as one that takes precedence over that of the context.
    pub(super) fn apart(mut self) -> Self {
        if let Self::Local { is_apart, .. } = &mut self {
            *is_apart = true;
        }
        self
    }
}

/// Locates a local Dockerfile. If BuildKit cannot read it at its place, it is copied.
///
/// # Errors
///
/// Returns an error if the file cannot be read.
pub(super) fn locate(path: &Path) -> Result<DockerfileSource, PlanError> {
    let file = with_case(path);
    // Opening the file reports a named pipe or missing permission now. The daemon would only report that
    // the file does not exist.
    let opened = iechor_files::open(&file).map_err(|error| PlanError::Dockerfile {
        reason: match error.is_not_found() {
            true => reason_of_absence(&file),
            false => error.to_string(),
        },
        path: file.clone(),
    })?;
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = file.file_name().unwrap_or_default();
    match name.to_str() {
        // BuildKit follows symbolic links within the directory only.
        Some(name) if !leaves(&file, directory) => Ok(DockerfileSource::Local {
            directory: directory.to_owned(),
            name: name.to_owned(),
            is_apart: false,
            temporary: None,
        }),
        _ => {
            let bytes = opened.read(DOCKERFILE_BYTES);
            let bytes = bytes.map_err(|error| PlanError::Dockerfile {
                path: file.clone(),
                reason: error.to_string(),
            })?;
            let mut ignore = name.to_owned();
            ignore.push(".dockerignore");
            copied(&bytes, Some(&directory.join(ignore)))
        }
    }
}

/// Returns a Dockerfile with these contents in a temporary directory.
///
/// # Errors
///
/// Returns an error if the directory cannot be created.
pub(super) fn temporary(bytes: &[u8]) -> Result<DockerfileSource, PlanError> {
    Ok(copied(bytes, None)?.apart())
}

/// Returns the place of a Dockerfile that BuildKit fetches from a URL: a temporary directory, which the build
/// writes it to.
///
/// # Errors
///
/// Returns an error if the directory cannot be created.
pub(super) fn remote(url: &str) -> Result<DockerfileSource, PlanError> {
    let temporary = tempfile::tempdir().map_err(PlanError::temporary)?;
    Ok(DockerfileSource::Remote {
        url: url.to_owned(),
        directory: temporary,
    })
}

fn copied(bytes: &[u8], ignore_file: Option<&Path>) -> Result<DockerfileSource, PlanError> {
    let temporary = tempfile::tempdir().map_err(PlanError::temporary)?;
    let write = |name: &str, bytes: &[u8]| {
        fs::write(temporary.path().join(name), bytes).map_err(PlanError::temporary)
    };
    write(NAME, bytes)?;
    if let Some(path) = ignore_file
        && let Ok(bytes) = iechor_files::read(path, DOCKERFILE_BYTES)
    {
        write(&format!("{NAME}.dockerignore"), &bytes)?;
    }
    Ok(DockerfileSource::Local {
        directory: temporary.path().to_owned(),
        name: NAME.to_owned(),
        is_apart: false,
        temporary: Some(temporary),
    })
}

/// Returns the path, or that of `dockerfile` beside it if there is no `Dockerfile`.
fn with_case(path: &Path) -> PathBuf {
    let lower = path.with_file_name("dockerfile");
    let is_missing = |path: &Path| fs::symlink_metadata(path).is_err();
    match path.file_name() == Some(OsStr::new("Dockerfile")) && is_missing(path) {
        true if lower.exists() => lower,
        _ => path.to_owned(),
    }
}

fn reason_of_absence(path: &Path) -> String {
    if let Ok(target) = fs::read_link(path) {
        return format!(
            "it is a symbolic link to {}, which does not exist",
            target.display()
        );
    }
    match path.to_str() {
        Some(text) if text.contains("://") => {
            "it is a URL, but only http:// and https:// are supported".to_owned()
        }
        _ => "there is no such file".to_owned(),
    }
}

/// Returns whether a symbolic link leads out of the directory.
fn leaves(file: &Path, directory: &Path) -> bool {
    match (fs::canonicalize(file), fs::canonicalize(directory)) {
        (Ok(file), Ok(directory)) => !file.starts_with(directory),
        _ => false,
    }
}
