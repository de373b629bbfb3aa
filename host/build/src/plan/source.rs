//! The local files of a build.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::PlanError;
use crate::spec::Context;

/// The located files of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Local directories, from which BuildKit requests the files that it needs.
    Local {
        /// The context.
        context: PathBuf,
        /// The directory of the Dockerfile.
        dockerfile_directory: PathBuf,
        /// Name of the Dockerfile in its directory.
        dockerfile: String,
    },
    /// A URL that BuildKit fetches.
    Remote {
        /// The URL.
        url: String,
        /// Path of the Dockerfile in the context.
        dockerfile: Option<String>,
    },
}

impl Source {
    /// Finds the context and the Dockerfile.
    ///
    /// # Errors
    ///
    /// Returns the first file that cannot be used, with the reason.
    pub fn find(context: &Context, dockerfile: Option<&Path>) -> Result<Self, PlanError> {
        let directory = match context {
            Context::Directory(directory) => directory,
            Context::Remote(url) => {
                return Ok(Self::Remote {
                    url: url.clone(),
                    dockerfile: dockerfile.map(|path| path.display().to_string()),
                });
            }
        };
        let path = directory.clone();
        match fs::metadata(directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(PlanError::ContextNotDirectory { path }),
            Err(_) => return Err(PlanError::ContextNotFound { path }),
        }
        let file = match dockerfile {
            Some(path) => path.to_owned(),
            None => default_dockerfile(directory),
        };
        let unusable = |reason: String| PlanError::Dockerfile {
            path: file.clone(),
            reason,
        };
        // Opening the file reports a named pipe or missing permission now. The daemon would only
        // report that the file does not exist.
        if let Err(error) = iechor_files::open(&file) {
            return Err(unusable(match error.is_not_found() {
                true => "there is no such file".to_owned(),
                false => error.to_string(),
            }));
        }
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| unusable("its name is not Unicode".to_owned()))?;
        let parent = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(Self::Local {
            context: directory.clone(),
            dockerfile_directory: parent.to_owned(),
            dockerfile: name.to_owned(),
        })
    }
}

/// Returns `Dockerfile` in a directory, or `dockerfile` if only that exists.
fn default_dockerfile(directory: &Path) -> PathBuf {
    let usual = directory.join("Dockerfile");
    let lower = directory.join("dockerfile");
    match !usual.exists() && lower.exists() {
        true => lower,
        false => usual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_sources() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path();
        let context = Context::Directory(path.to_owned());
        let error = Source::find(&context, None).expect_err("no Dockerfile");
        let said = format!(
            "cannot read Dockerfile {}: there is no such file",
            path.join("Dockerfile").display()
        );
        assert_eq!(error.to_string(), said);

        fs::write(path.join("dockerfile"), "FROM scratch\n").expect("written");
        let Source::Local { dockerfile, .. } = Source::find(&context, None).expect("found") else {
            panic!("remote")
        };
        assert_eq!(dockerfile, "dockerfile");

        fs::create_dir(path.join("sub")).expect("made");
        fs::write(path.join("sub/Build.file"), "FROM scratch\n").expect("written");
        let found = Source::find(&context, Some(&path.join("sub/Build.file"))).expect("found");
        assert_eq!(
            found,
            Source::Local {
                context: path.to_owned(),
                dockerfile_directory: path.join("sub"),
                dockerfile: "Build.file".into(),
            }
        );
        let missing = PathBuf::from("/nonexistent/context");
        assert_eq!(
            Source::find(&Context::Directory(missing.clone()), None),
            Err(PlanError::ContextNotFound { path: missing })
        );
        let file = path.join("dockerfile");
        assert_eq!(
            Source::find(&Context::Directory(file.clone()), None),
            Err(PlanError::ContextNotDirectory { path: file })
        );
    }

    #[test]
    fn a_dockerfile_is_a_regular_file() {
        let directory = tempfile::tempdir().expect("directory");
        let context = Context::Directory(directory.path().to_owned());
        let pipe = directory.path().join("Dockerfile");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("made");
        for (file, words) in [
            (None, "a named pipe"),
            (Some(Path::new("/dev/zero")), "a device"),
            (Some(directory.path()), "a directory"),
        ] {
            let error = Source::find(&context, file).expect_err(words);
            assert!(matches!(error, PlanError::Dockerfile { .. }), "{error:?}");
            let error = error.to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn urls_are_left_to_buildkit() {
        let url = "https://example.com/repo.git#main:sub";
        let found = Source::find(
            &Context::Remote(url.into()),
            Some(Path::new("a/Dockerfile")),
        );
        assert_eq!(
            found,
            Ok(Source::Remote {
                url: url.into(),
                dockerfile: Some("a/Dockerfile".into()),
            })
        );
    }
}
