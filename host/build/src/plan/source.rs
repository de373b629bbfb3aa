//! The files of a build: where each of them comes from. `dockerfile` locates the Dockerfile, `stdin` reads
//! standard input.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::dockerfile::{self, DockerfileSource};
use super::error::PlanError;
use super::stdin::{self, Archive, Input};
use crate::spec::{BuildSpec, Context, Dockerfile, NamedContext, NamedSource};

/// The located files of a build. Temporary directories are removed when this value is dropped.
#[derive(Debug)]
pub struct Source {
    /// The context.
    pub(crate) context: Files,
    /// The Dockerfile.
    pub(crate) dockerfile: DockerfileSource,
    /// Named contexts.
    pub(crate) named: Vec<NamedContext>,
}

/// The files of the context.
#[derive(Debug)]
pub(crate) enum Files {
    /// A local directory, from which BuildKit requests the files that it needs.
    Directory(PathBuf),
    /// An empty directory, because only a Dockerfile is given.
    Empty(TempDir),
    /// A URL that BuildKit fetches.
    Remote(String),
    /// An archive that is sent once.
    Archive(Archive),
}

impl Files {
    /// Returns the local directory that the user gave.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(directory) => Some(directory),
            Self::Empty(_) | Self::Remote(_) | Self::Archive(_) => None,
        }
    }
}

impl Source {
    /// Makes an archive with the context readable by several nodes.
    pub(crate) fn share(&self, nodes: usize) {
        if let Files::Archive(archive) = &self.context {
            archive.share(nodes);
        }
    }

    /// Finds the context, the Dockerfile and the named contexts. Reads standard input if one of them is
    /// there: all of a Dockerfile, and the beginning of an archive.
    ///
    /// # Errors
    ///
    /// Returns the first file that cannot be used, with the reason.
    pub async fn find(spec: &BuildSpec) -> Result<Self, PlanError> {
        let named = spec.named_contexts.clone();
        for context in &named {
            check_named(context)?;
        }
        let (context, dockerfile) = match &spec.context {
            Context::StandardInput => from_stdin(&spec.dockerfile).await?,
            Context::Directory(directory) => in_directory(directory, &spec.dockerfile).await?,
            // As in docker buildx.
            Context::Remote(url) if Path::new(url).is_dir() => {
                in_directory(Path::new(url), &spec.dockerfile).await?
            }
            Context::Remote(url) => {
                let dockerfile = match &spec.dockerfile {
                    Dockerfile::File(path) if path.is_absolute() => {
                        dockerfile::locate(path)?.apart()
                    }
                    other => in_other_context(other).await?,
                };
                (Files::Remote(url.clone()), dockerfile)
            }
        };
        Ok(Self {
            context,
            dockerfile,
            named,
        })
    }

    /// Returns the files of a directory with a Dockerfile, which need not exist.
    #[cfg(test)]
    pub(crate) fn of_directory(context: &Path) -> Self {
        Self {
            context: Files::Directory(context.to_owned()),
            dockerfile: DockerfileSource::Local {
                directory: context.to_owned(),
                name: "Dockerfile".into(),
                is_apart: false,
                temporary: None,
            },
            named: vec![],
        }
    }

    /// Returns the local directories that BuildKit requests files from, by the name that it uses.
    pub(crate) fn directories(&self) -> Vec<(String, &Path)> {
        let mut directories = Vec::new();
        match &self.context {
            Files::Directory(directory) => {
                directories.push(("context".to_owned(), directory.as_path()));
            }
            Files::Empty(directory) => directories.push(("context".to_owned(), directory.path())),
            Files::Remote(_) | Files::Archive(_) => {}
        }
        let of_dockerfile = match &self.dockerfile {
            DockerfileSource::InContext(_) => None,
            DockerfileSource::Local { directory, .. } => Some(directory.as_path()),
            DockerfileSource::Remote { directory, .. } => Some(directory.path()),
        };
        directories.extend(of_dockerfile.map(|directory| ("dockerfile".to_owned(), directory)));
        for context in &self.named {
            if let NamedSource::Directory(directory) = &context.source {
                directories.push((local_name(&context.name), directory.as_path()));
            }
        }
        directories
    }
}

/// Returns the name under which BuildKit requests the directory of a named context.
pub(crate) fn local_name(context: &str) -> String {
    match context {
        // These names belong to the context and the Dockerfile of the build.
        "context" | "dockerfile" => format!("_{context}"),
        other => other.to_owned(),
    }
}

async fn in_directory(
    directory: &Path,
    dockerfile: &Dockerfile,
) -> Result<(Files, DockerfileSource), PlanError> {
    let path = directory.to_owned();
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(PlanError::ContextNotDirectory { path }),
        Err(_) => return Err(PlanError::ContextNotFound { path }),
    }
    let dockerfile = match dockerfile {
        Dockerfile::Default => dockerfile::locate(&directory.join("Dockerfile"))?,
        Dockerfile::File(path) => dockerfile::locate(path)?,
        other => in_other_context(other).await?,
    };
    Ok((Files::Directory(path), dockerfile))
}

/// Locates the Dockerfile of a context that is not local.
async fn in_other_context(dockerfile: &Dockerfile) -> Result<DockerfileSource, PlanError> {
    Ok(match dockerfile {
        Dockerfile::Default => DockerfileSource::InContext(None),
        Dockerfile::File(path) => {
            let name = path.to_str().ok_or_else(|| PlanError::Dockerfile {
                path: path.clone(),
                reason: "its name is not Unicode".to_owned(),
            })?;
            DockerfileSource::InContext(Some(name.to_owned()))
        }
        Dockerfile::Remote(url) => dockerfile::remote(url)?,
        Dockerfile::StandardInput => dockerfile::temporary(&stdin::read().await?)?,
    })
}

async fn from_stdin(dockerfile: &Dockerfile) -> Result<(Files, DockerfileSource), PlanError> {
    if *dockerfile == Dockerfile::StandardInput {
        return Err(PlanError::StdinTwice);
    }
    Ok(match stdin::classify().await? {
        Input::Archive(archive) => (Files::Archive(archive), in_other_context(dockerfile).await?),
        Input::Dockerfile(_) if *dockerfile != Dockerfile::Default => {
            return Err(PlanError::StdinAmbiguous);
        }
        Input::Dockerfile(bytes) => {
            let empty = tempfile::tempdir().map_err(PlanError::temporary)?;
            (Files::Empty(empty), dockerfile::temporary(&bytes)?)
        }
    })
}

fn check_named(context: &NamedContext) -> Result<(), PlanError> {
    let NamedSource::Directory(path) = &context.source else {
        return Ok(());
    };
    let failed = |reason: String| PlanError::NamedContext {
        name: context.name.clone(),
        path: path.clone(),
        reason,
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(failed("not a directory".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // docker buildx prints the same.
            Err(failed("no such file or directory".to_owned()))
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
