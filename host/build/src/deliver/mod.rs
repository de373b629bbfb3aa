//! Delivers the results of a node: files, images to load, images to push, metadata.

mod file;
mod layout;
pub mod load;
pub(crate) mod merge;
pub mod metadata;
mod pipe;
pub(crate) mod push;
pub mod recorder;
pub mod result;
pub mod result_files;
pub mod view;

use std::collections::BTreeMap;

use iechor_builder::Workspace;
use iechor_buildkit::{ExportTarget, Exporter, SessionBuilder};
use iechor_progress::vertex::StatusSender;

use crate::error::BuildError;
use crate::plan::exports::{Delivery, Export};
use crate::spec::parse::boolean;
use file::ToFile;
use layout::ToLayout;
use load::error::ArchiveError;
use load::task::Loading;

/// The results of a node that are being delivered to the client.
pub(crate) struct Deliveries<'a> {
    workspace: &'a Workspace,
    /// Whether the image has several manifests: of platforms or of attestations.
    has_several_manifests: bool,
    status: &'a StatusSender,
    pending: Vec<Pending>,
    /// Whether the digest of the manifest is the ID of the image.
    prefers_image_digest: bool,
}

/// The option of an exporter that makes the digest of the manifest the ID of the image.
const PREFER_IMAGE_DIGEST: &str = "prefer-image-digest";

/// A result that is being delivered.
enum Pending {
    /// A file.
    File(ToFile),
    /// An image that is added to a directory with an OCI layout.
    Layout(ToLayout),
    /// An image that the engine is loading.
    Load(Loading),
}

impl<'a> Deliveries<'a> {
    /// Starts with no deliveries.
    pub(crate) fn new(
        workspace: &'a Workspace,
        has_several_manifests: bool,
        status: &'a StatusSender,
    ) -> Self {
        Self {
            workspace,
            has_several_manifests,
            status,
            pending: Vec::new(),
            prefers_image_digest: false,
        }
    }

    /// Opens the destination of a result, and returns the exporter that writes to it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be created, or the engine cannot load the result.
    pub(crate) async fn open(&mut self, export: &Export) -> Result<Exporter, BuildError> {
        let mut kind = export.kind;
        let mut attrs = export.attributes.clone();
        let target = match &export.delivery {
            Delivery::None => ExportTarget::None,
            Delivery::Directory(path) => ExportTarget::Directory(path.clone()),
            Delivery::Mirror(path) => ExportTarget::Mirror(path.clone()),
            Delivery::Stdout => ExportTarget::Stream(file::standard_output()),
            Delivery::File(path) => {
                let (file, stream) = ToFile::open(path)?;
                self.pending.push(Pending::File(file));
                ExportTarget::Stream(stream)
            }
            Delivery::Layout(path) => {
                self.pending.push(Pending::Layout(ToLayout::open(path)?));
                ExportTarget::ContentStore
            }
            Delivery::Load { names, context } => {
                let engine = match context {
                    Some(context) => self.workspace.engine(context)?,
                    None => self.workspace.current_engine()?,
                };
                let info = self.workspace.engine_info(engine.as_ref()).await?;
                if info.containerd_image_store {
                    // Such an engine can load several platforms, which only an OCI layout can contain. For
                    // it, the ID of an image is the digest of the manifest.
                    kind = "oci";
                    attrs.insert(PREFER_IMAGE_DIGEST.to_owned(), "true".to_owned());
                } else if self.has_several_manifests {
                    return Err(BuildError::ManifestList);
                }
                let (stream, loading) = Loading::start(engine, names.clone(), self.status.clone());
                self.pending.push(Pending::Load(loading));
                ExportTarget::Stream(Box::new(stream))
            }
        };
        let given = attrs.get(PREFER_IMAGE_DIGEST);
        self.prefers_image_digest |= given.is_some_and(|given| boolean(given) == Some(true));
        Ok(Exporter {
            kind: kind.to_owned(),
            attrs,
            target,
        })
    }

    /// Removes the digest of the configuration from the reported values if it is not the ID of the image.
    pub(crate) fn choose_id(&self, response: &mut BTreeMap<String, String>) {
        if self.prefers_image_digest {
            response.remove("containerimage.config.digest");
        }
    }

    /// Offers the destinations that BuildKit calls as stores of blobs.
    pub(crate) fn attach(&self, session: SessionBuilder) -> SessionBuilder {
        self.pending
            .iter()
            .fold(session, |session, pending| match pending {
                Pending::Layout(layout) => layout.attach(session),
                Pending::File(_) | Pending::Load(_) => session,
            })
    }

    /// Waits until all results are delivered. `response` has the values that the exporters reported.
    ///
    /// # Errors
    ///
    /// Returns the error of the first result that cannot be delivered.
    pub(crate) async fn complete(
        self,
        response: &BTreeMap<String, String>,
    ) -> Result<(), BuildError> {
        for pending in self.pending {
            match pending {
                Pending::File(file) => file.complete().await?,
                Pending::Layout(layout) => layout.complete(response).await?,
                Pending::Load(loading) => loading.finish().await?,
            }
        }
        Ok(())
    }

    /// Ends all deliveries after the build failed, and returns the cause of the failure. If an engine
    /// refused a result, the cause is the error of the engine.
    pub(crate) async fn give_up(self, error: iechor_buildkit::Error) -> BuildError {
        let mut refusal = None;
        for pending in self.pending {
            match pending {
                Pending::File(file) => drop(file),
                Pending::Layout(layout) => drop(layout),
                Pending::Load(loading) => refusal = refusal.or(loading.finish().await.err()),
            }
        }
        match (error, refusal) {
            (iechor_buildkit::Error::Export { .. }, Some(refusal)) => refusal,
            (_, Some(refusal @ BuildError::Archive(ArchiveError::Unasked { .. }))) => refusal,
            (error, _) => BuildError::Solve(error),
        }
    }
}
