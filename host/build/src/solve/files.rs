//! The files of a build for BuildKit: attributes of the frontend, and the services of the session.

use std::path::Path;

use iechor_buildkit::SessionBuilder;
use iechor_buildkit::session::upload::Uploads;

use super::shared_key::shared_key;
use crate::error::BuildError;
use crate::plan::dockerfile::{DockerfileSource, NAME};
use crate::plan::large::LargeContexts;
use crate::plan::source::{Files, Source, local_name};
use crate::spec::{NamedSource, url};

/// Capability of a frontend that supports named contexts. `forward` leaves the check to the frontend that
/// the Dockerfile names.
const CONTEXTS: &str = "moby.buildkit.frontend.contexts+forward";

/// Capability of a frontend that supports queries in the URLs of git repositories.
const GIT_QUERY: &str = "moby.buildkit.frontend.gitquerystring+forward";

/// The files of a build, prepared for one node.
#[derive(Default)]
pub(super) struct Prepared {
    /// Attributes of the frontend.
    pub(super) attributes: Vec<(String, String)>,
    /// Capabilities that the frontend needs.
    pub(super) capabilities: Vec<&'static str>,
    /// The archive with the context.
    pub(super) uploads: Option<Uploads>,
    /// The key of the context.
    pub(super) shared_key: Option<String>,
}

/// Prepares the files for one node.
///
/// # Errors
///
/// Returns an error if the keys of directories cannot be created.
pub(super) fn prepare(source: &Source, store: &Path) -> Result<Prepared, BuildError> {
    let mut prepared = Prepared::default();
    prepared.context(source, store)?;
    prepared.dockerfile(source);
    prepared.named(source, store)?;
    Ok(prepared)
}

impl Prepared {
    fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.attributes.push((name.into(), value.into()));
    }

    fn context(&mut self, source: &Source, store: &Path) -> Result<(), BuildError> {
        match &source.context {
            Files::Directory(directory) => self.shared_key = Some(shared_key(directory, store)?),
            Files::Empty(_) => {}
            Files::Remote(url) => {
                self.set("context", url);
                if url::has_git_query(url) {
                    self.capabilities.push(GIT_QUERY);
                }
            }
            Files::Archive(archive) => {
                // Without a stream, the daemon fails with a message.
                if let Some(reader) = archive.take() {
                    let mut uploads = Uploads::default();
                    let url = uploads.add(reader);
                    self.uploads = Some(uploads);
                    self.set("context", url);
                }
            }
        }
        Ok(())
    }

    fn dockerfile(&mut self, source: &Source) {
        match &source.dockerfile {
            DockerfileSource::InContext(Some(name)) => self.set("filename", name),
            DockerfileSource::InContext(None) => {
                self.set("filename", "Dockerfile");
            }
            DockerfileSource::Remote { .. } => {
                self.set("filename", NAME);
                self.set("dockerfilekey", "dockerfile");
            }
            DockerfileSource::Local { name, is_apart, .. } => {
                self.set("filename", name);
                if *is_apart {
                    self.set("dockerfilekey", "dockerfile");
                }
            }
        }
    }

    fn named(&mut self, source: &Source, store: &Path) -> Result<(), BuildError> {
        for context in &source.named {
            let name = &context.name;
            let value = match &context.source {
                NamedSource::Directory(directory) => {
                    let local = local_name(name);
                    let key = shared_key(directory, store)?;
                    self.set(format!("sharedkey:localdir:{local}"), key);
                    format!("local:{local}")
                }
                NamedSource::Remote(url) => {
                    if url::has_git_query(url) && !self.capabilities.contains(&GIT_QUERY) {
                        self.capabilities.push(GIT_QUERY);
                    }
                    url.clone()
                }
                NamedSource::Resolved(text) => text.clone(),
                // Added with their stores.
                NamedSource::OciLayout(_) => continue,
            };
            self.set(format!("context:{name}"), value);
        }
        if !source.named.is_empty() {
            self.capabilities.push(CONTEXTS);
        }
        Ok(())
    }

    /// Offers the files in the session.
    pub(super) fn offer(
        self,
        mut session: SessionBuilder,
        source: &Source,
        large: &LargeContexts,
    ) -> SessionBuilder {
        for (name, directory) in source.directories() {
            session = session.directory(name, directory);
        }
        if let Some(key) = self.shared_key {
            session = session.shared_key(key);
        }
        if let Some(uploads) = self.uploads {
            session = session.uploads(uploads);
        }
        let large = large.clone();
        session.observe_directories(move |name, offered| large.note(name, offered))
    }
}
