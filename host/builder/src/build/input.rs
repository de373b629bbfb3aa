//! Where a build's files come from.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::BuilderError;

/// The files of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Directories of this machine, which BuildKit asks for what it needs.
    Local {
        /// The context.
        context: PathBuf,
        /// The directory of the Dockerfile.
        dockerfile_directory: PathBuf,
        /// Its name there.
        dockerfile: String,
    },
    /// A URL that BuildKit fetches.
    Remote {
        /// The URL.
        url: String,
        /// The Dockerfile in it.
        dockerfile: Option<String>,
    },
}

impl Input {
    /// Finds the context and the Dockerfile.
    ///
    /// # Errors
    ///
    /// Which of them does not exist, and where it was looked for.
    pub fn find(context: &str, dockerfile: Option<&Path>) -> Result<Self, BuilderError> {
        if context.is_empty() {
            return Err(BuilderError::Usage(
                "please specify build context (e.g. \".\" for the current directory)".into(),
            ));
        }
        if context == "-" || dockerfile.is_some_and(|path| path == Path::new("-")) {
            return Err(BuilderError::Usage(
                "reading the context or the Dockerfile from standard input is not supported; \
                 give a directory, and the Dockerfile with --file"
                    .into(),
            ));
        }
        if is_url(context) {
            return Ok(Self::Remote {
                url: context.into(),
                dockerfile: dockerfile.map(|path| path.display().to_string()),
            });
        }
        let directory = Path::new(context);
        match fs::metadata(directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(BuilderError::Usage(format!(
                    "unable to prepare context: path {context:?} is not a directory"
                )));
            }
            Err(_) => {
                return Err(BuilderError::Usage(format!(
                    "unable to prepare context: path {context:?} not found"
                )));
            }
        }
        let file = match dockerfile {
            Some(path) => path.to_owned(),
            None => default_dockerfile(directory),
        };
        // Opened, so that a named pipe or a file that may not be read is told now and not by the
        // daemon, which only misses it.
        if let Err(error) = iechor_files::open(&file) {
            return Err(BuilderError::File {
                what: "Dockerfile",
                reason: match error.is_not_found() {
                    true => "there is no such file; name one with --file".into(),
                    false => format!("{error}; name another with --file"),
                },
                path: file,
            });
        }
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| BuilderError::File {
                what: "Dockerfile",
                path: file.clone(),
                reason: "its name is not Unicode".into(),
            })?;
        let parent = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(Self::Local {
            context: directory.to_owned(),
            dockerfile_directory: parent.to_owned(),
            dockerfile: name.to_owned(),
        })
    }
}

/// `Dockerfile`, or `dockerfile` where there is only that.
fn default_dockerfile(directory: &Path) -> PathBuf {
    let usual = directory.join("Dockerfile");
    let lower = directory.join("dockerfile");
    if !usual.exists() && lower.exists() {
        lower
    } else {
        usual
    }
}

fn is_url(context: &str) -> bool {
    [
        "http://",
        "https://",
        "git://",
        "ssh://",
        "git@",
        "github.com/",
    ]
    .iter()
    .any(|prefix| context.starts_with(prefix))
}

/// What tells BuildKit that two transfers are of the same directory, so that the second sends only
/// what changed: the directory's name and an id of this machine's store.
///
/// # Errors
///
/// Where the id cannot be kept.
pub fn shared_key(context: &Path, store: &Path) -> Result<String, BuilderError> {
    let base = fs::canonicalize(context)
        .ok()
        .and_then(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .unwrap_or_default();
    Ok(format!("{base}:{}", machine_id(store)?))
}

/// Most bytes of the file with the id of this machine; docker buildx writes 26.
const ID_BYTES: u64 = 4096;

/// The content of `.buildNodeID`, which is shared with docker buildx; made where it is missing.
fn machine_id(store: &Path) -> Result<String, BuilderError> {
    let path = store.join(".buildNodeID");
    let unusable = |reason: String| BuilderError::File {
        what: "id of this machine",
        path: path.clone(),
        reason,
    };
    let failed = |error: std::io::Error| unusable(error.to_string());
    let read = || iechor_files::read_to_string(&path, ID_BYTES);
    match read() {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(unusable(error.to_string())),
    }
    fs::create_dir_all(store).map_err(failed)?;
    let id = format!("{:016x}", rand::random::<u64>());
    let mut file = tempfile::NamedTempFile::new_in(store).map_err(failed)?;
    file.write_all(id.as_bytes()).map_err(failed)?;
    // Of two processes the first counts.
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(id),
        Err(_) => read()
            .map(|id| id.trim().to_owned())
            .map_err(|error| unusable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_inputs() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path();
        let context = path.to_str().expect("unicode");
        let error = Input::find(context, None).expect_err("no Dockerfile");
        assert!(error.to_string().contains("Dockerfile"), "{error}");

        fs::write(path.join("dockerfile"), "FROM scratch\n").expect("written");
        let Input::Local { dockerfile, .. } = Input::find(context, None).expect("found") else {
            panic!("remote")
        };
        assert_eq!(dockerfile, "dockerfile");

        fs::create_dir(path.join("sub")).expect("made");
        fs::write(path.join("sub/Build.file"), "FROM scratch\n").expect("written");
        let found = Input::find(context, Some(&path.join("sub/Build.file"))).expect("found");
        assert_eq!(
            found,
            Input::Local {
                context: path.to_owned(),
                dockerfile_directory: path.join("sub"),
                dockerfile: "Build.file".into(),
            }
        );
        for missing in ["", "-", "/nonexistent/context"] {
            assert!(Input::find(missing, None).is_err(), "{missing}");
        }
    }

    #[test]
    fn a_dockerfile_is_a_regular_file() {
        let directory = tempfile::tempdir().expect("directory");
        let context = directory.path().to_str().expect("unicode");
        let pipe = directory.path().join("Dockerfile");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("made");
        for (file, words) in [
            (None, "a named pipe"),
            (Some("/dev/zero"), "a device"),
            (Some(context), "a directory"),
        ] {
            let error = Input::find(context, file.map(Path::new)).expect_err(words);
            let error = error.to_string();
            assert!(error.contains(words) && error.contains("--file"), "{error}");
        }
    }

    #[test]
    fn urls_are_left_to_buildkit() {
        assert!(matches!(
            Input::find("https://example.com/repo.git#main:sub", None),
            Ok(Input::Remote { .. })
        ));
    }

    #[test]
    fn the_shared_key_is_stable() {
        let store = tempfile::tempdir().expect("directory");
        let context = tempfile::tempdir().expect("directory");
        let first = shared_key(context.path(), store.path()).expect("made");
        assert_eq!(
            shared_key(context.path(), store.path()).expect("kept"),
            first
        );
        let base = context
            .path()
            .file_name()
            .expect("named")
            .to_string_lossy()
            .into_owned();
        assert!(first.starts_with(&format!("{base}:")), "{first}");
    }
}
