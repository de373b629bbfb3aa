//! Delivers the results of a node: files, images to load, images to push, metadata.

mod file;
pub mod load;
pub(crate) mod push;
pub mod result;

use iechor_builder::Workspace;
use iechor_buildkit::{ExportTarget, Exporter};
use iechor_progress::vertex::StatusSender;

use crate::error::BuildError;
use crate::plan::exports::{Delivery, Export};
use file::Temporary;
use load::error::ArchiveError;
use load::task::Loading;

/// The results of a node that are being delivered to the client.
pub(crate) struct Deliveries<'a> {
    workspace: &'a Workspace,
    has_several_platforms: bool,
    status: &'a StatusSender,
    pending: Vec<Pending>,
}

/// A result that is being delivered.
enum Pending {
    /// A file with a temporary name.
    File(Temporary),
    /// An image that the engine is loading.
    Load(Loading),
}

impl<'a> Deliveries<'a> {
    /// Starts with no deliveries.
    pub(crate) fn new(
        workspace: &'a Workspace,
        has_several_platforms: bool,
        status: &'a StatusSender,
    ) -> Self {
        Self {
            workspace,
            has_several_platforms,
            status,
            pending: Vec::new(),
        }
    }

    /// Opens the destination of a result, and returns the exporter that writes to it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be created, or the engine cannot load the result.
    pub(crate) async fn open(&mut self, export: &Export) -> Result<Exporter, BuildError> {
        let mut kind = export.kind;
        let target = match &export.delivery {
            Delivery::None => ExportTarget::None,
            Delivery::Directory(path) => ExportTarget::Directory(path.clone()),
            Delivery::Stdout => ExportTarget::Stream(file::standard_output()),
            Delivery::File(path) => {
                let (temporary, stream) = Temporary::beside(path)?;
                self.pending.push(Pending::File(temporary));
                ExportTarget::Stream(stream)
            }
            Delivery::Load(names) => {
                let engine = self.workspace.current_engine()?;
                let info = self.workspace.engine_info(engine.as_ref()).await?;
                if info.containerd_image_store {
                    // Such an engine can load several platforms, which only an OCI layout can contain.
                    kind = "oci";
                } else if self.has_several_platforms {
                    return Err(BuildError::ManifestList);
                }
                let (stream, loading) = Loading::start(engine, names.clone(), self.status.clone());
                self.pending.push(Pending::Load(loading));
                ExportTarget::Stream(Box::new(stream))
            }
        };
        Ok(Exporter {
            kind: kind.to_owned(),
            attrs: export.attributes.clone(),
            target,
        })
    }

    /// Waits until all results are delivered.
    ///
    /// # Errors
    ///
    /// Returns the error of the first result that cannot be delivered.
    pub(crate) async fn complete(self) -> Result<(), BuildError> {
        for pending in self.pending {
            match pending {
                Pending::File(temporary) => temporary.complete()?,
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
                Pending::File(temporary) => drop(temporary),
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
