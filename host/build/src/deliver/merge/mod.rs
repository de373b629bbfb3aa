//! Merges the results of several nodes into one.
//!
//! Each node writes its part into a temporary place: [`Merge::open`] changes the exports of the nodes accordingly. After
//! all nodes succeeded, [`Merge::complete`] makes one result of the parts. Nothing is visible at the destinations
//! before, apart from a temporary directory within the destination of `type=local`.
//!
//! - [`check`] refuses outputs that cannot be merged.
//! - [`tree`] has files in a directory, [`files`] those in a tar archive.
//! - [`image`] has an image in an archive or a layout, [`index`] one in a registry.
//! - [`writer`] connects code that blocks with a destination.

mod check;
mod files;
mod image;
mod index;
mod tree;
mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use iechor_builder::Workspace;
use iechor_builder::store::Node;
use iechor_engine::Engine;
use iechor_platform::Platform;
use iechor_progress::vertex::{StatusSender, Vertex};
use tempfile::TempDir;

use super::file::{self, Stream, ToFile, unwritable};
use super::layout::ToLayout;
use super::load::task::Loading;
use super::result::NodeResult;
use crate::error::{BuildError, FileKind};
use crate::plan::exports::{Delivery, Export};
use crate::plan::{NodePlan, PlanError};
use check::Exporting;
use image::Merged;
use index::Push;
use tree::Tree;

/// The merged results of several nodes, while they are made.
pub(crate) struct Merge {
    /// The directory of the parts of archives.
    directory: TempDir,
    outputs: Vec<Output>,
    push: Option<Push>,
    platforms: Vec<Platform>,
}

/// A merged result.
enum Output {
    Tree(Tree),
    Files { parts: Vec<PathBuf>, sink: Sink },
    Image { parts: Vec<PathBuf>, place: Place },
}

/// The destination of a merged archive.
struct Sink {
    stream: Stream,
    /// The file, if the destination is one.
    file: Option<ToFile>,
}

/// The destination of a merged image.
enum Place {
    Archive(Sink),
    Layout(ToLayout),
    Engine {
        engine: Arc<dyn Engine>,
        names: Vec<String>,
    },
}

impl Merge {
    /// Opens the destinations of the results of several nodes, and lets the nodes write their parts. `platforms` has
    /// all requested platforms.
    ///
    /// # Errors
    ///
    /// Returns the first destination that cannot be opened, or the first outputs that cannot be merged.
    pub(crate) async fn open(
        workspace: &Workspace,
        nodes: &mut [NodePlan],
        platforms: &[Platform],
    ) -> Result<Self, BuildError> {
        let parts: Vec<_> = nodes.iter().map(Exporting::of).collect();
        check::check(&parts)?;
        let directory = tempfile::Builder::new()
            .prefix("iechor-parts-")
            .tempdir()
            .map_err(PlanError::temporary)?;
        let mut push = None;
        for node in nodes.iter_mut() {
            push = index::plan(&mut node.exports)?;
        }
        let mut merge = Self {
            push,
            directory,
            outputs: Vec::new(),
            platforms: platforms.to_vec(),
        };
        let count = nodes.first().map_or(0, |node| node.exports.len());
        for place in 0..count {
            let mut exports: Vec<_> = nodes
                .iter_mut()
                .map(|node| &mut node.exports[place])
                .collect();
            if let Some(output) = merge.output(workspace, place, &mut exports).await? {
                merge.outputs.push(output);
            }
        }
        Ok(merge)
    }

    async fn output(
        &self,
        workspace: &Workspace,
        place: usize,
        exports: &mut [&mut Export],
    ) -> Result<Option<Output>, BuildError> {
        let Some(first) = exports.first() else {
            return Ok(None);
        };
        let (kind, delivery) = (first.kind, first.delivery.clone());
        let destination = match delivery {
            Delivery::None => return Ok(None),
            Delivery::Directory(path) | Delivery::Mirror(path) => {
                let is_mirror = matches!(first.delivery, Delivery::Mirror(_));
                let tree = Tree::open(&path, is_mirror, exports.len())?;
                for (export, part) in exports.iter_mut().zip(tree.parts()) {
                    export.attributes.remove("mode");
                    export.delivery = Delivery::Directory(part.clone());
                }
                return Ok(Some(Output::Tree(tree)));
            }
            Delivery::Stdout | Delivery::File(_) if kind == "tar" => {
                return Ok(Some(Output::Files {
                    sink: Sink::open(&delivery)?,
                    parts: self.parts(place, exports),
                }));
            }
            Delivery::Stdout | Delivery::File(_) => Place::Archive(Sink::open(&delivery)?),
            Delivery::Layout(path) => Place::Layout(ToLayout::open(&path)?),
            Delivery::Load { names, context } => {
                let engine = match context {
                    Some(context) => workspace.engine(&context)?,
                    None => workspace.current_engine()?,
                };
                let info = workspace.engine_info(engine.as_ref()).await?;
                if !info.containerd_image_store {
                    return Err(BuildError::ManifestList);
                }
                Place::Engine { engine, names }
            }
        };
        for export in exports.iter_mut() {
            export.kind = "oci";
            // The part is an archive, also if the result is a directory.
            export.attributes.remove("tar");
        }
        Ok(Some(Output::Image {
            parts: self.parts(place, exports),
            place: destination,
        }))
    }

    /// Lets the nodes write their parts of an output into files.
    fn parts(&self, place: usize, exports: &mut [&mut Export]) -> Vec<PathBuf> {
        let exports = exports.iter_mut().enumerate();
        let parts = exports.map(|(node, export)| {
            let part = self.directory.path().join(format!("{place}-{node}.tar"));
            export.delivery = Delivery::File(part.clone());
            part
        });
        parts.collect()
    }

    /// Makes one result of the parts, and returns the values that describe it. Pushes the index of the image last.
    ///
    /// # Errors
    ///
    /// Returns the first result that cannot be made.
    pub(crate) async fn complete(
        self,
        workspace: &Workspace,
        builder: &[Node],
        results: &[NodeResult],
        status: &StatusSender,
    ) -> Result<BTreeMap<String, String>, BuildError> {
        let mut values = BTreeMap::new();
        if !self.outputs.is_empty() {
            let (vertex, forwarder) =
                Vertex::begin("merging the results of the nodes", status.clone());
            let merged = tokio::select! {
                merged = merge(self.outputs, &self.platforms, status, &mut values) => merged,
                () = workspace.cancel.cancelled() => Err(cancelled()),
            };
            vertex.end(merged.as_ref().map(|()| ()).map_err(ToString::to_string));
            drop(vertex);
            forwarder.finish().await;
            merged?;
        }
        if let Some(push) = self.push {
            let pushed = push.complete(workspace, builder, results, &self.platforms, status);
            values.extend(pushed.await?);
        }
        Ok(values)
    }
}

fn cancelled() -> BuildError {
    BuildError::Solve(iechor_buildkit::Error::Cancelled)
}

async fn merge(
    outputs: Vec<Output>,
    platforms: &[Platform],
    status: &StatusSender,
    values: &mut BTreeMap<String, String>,
) -> Result<(), BuildError> {
    for output in outputs {
        match output {
            Output::Tree(tree) => tree.complete().await?,
            Output::Files { parts, sink } => {
                sink.write(move |output| files::merge(&parts, output))
                    .await?;
            }
            Output::Image { parts, place } => {
                let platforms = platforms.to_vec();
                let merged = place.write(parts, platforms, status).await?;
                values.extend(merged.values());
            }
        }
    }
    Ok(())
}

impl Sink {
    fn open(delivery: &Delivery) -> Result<Self, BuildError> {
        Ok(match delivery {
            Delivery::File(path) => {
                let (file, stream) = ToFile::open(path)?;
                Self {
                    stream,
                    file: Some(file),
                }
            }
            _ => Self {
                stream: file::standard_output(),
                file: None,
            },
        })
    }

    /// Writes an archive. `write` may block.
    async fn write<T: Send + 'static>(
        self,
        write: impl FnOnce(&mut writer::Writer) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, BuildError> {
        let path = self.file.as_ref().map_or_else(PathBuf::new, ToFile::path);
        let written = writer::write(self.stream, write).await;
        let written =
            written.map_err(|error| unwritable(FileKind::Output, &path, &error.into()))?;
        if let Some(file) = self.file {
            file.complete().await?;
        }
        Ok(written)
    }
}

impl Place {
    async fn write(
        self,
        parts: Vec<PathBuf>,
        platforms: Vec<Platform>,
        status: &StatusSender,
    ) -> Result<Merged, BuildError> {
        match self {
            Self::Archive(sink) => {
                sink.write(move |output| image::to_archive(&parts, &platforms, output))
                    .await
            }
            Self::Layout(layout) => {
                let directory = layout.directory().to_owned();
                let to = directory.clone();
                let merging = move || image::to_directory(&parts, &platforms, &to);
                let merged = tokio::task::spawn_blocking(merging).await;
                let merged = merged
                    .unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
                    .map_err(|error| unwritable(FileKind::Output, &directory, &error.into()))?;
                layout.complete(&merged.values()).await?;
                Ok(merged)
            }
            Self::Engine { engine, names } => {
                let (stream, loading) = Loading::start(engine, names, status.clone());
                let writing = move |output: &mut writer::Writer| {
                    image::to_archive(&parts, &platforms, output)
                };
                let written = writer::write(Box::new(stream), writing).await;
                // An engine that refuses the image ends the writing as well.
                loading.finish().await?;
                written.map_err(|error| BuildError::Load {
                    reason: error.to_string(),
                })
            }
        }
    }
}

/// Merges the archives of nodes as images and as files. Their content may be anything.
#[cfg(any(test, fuzzing))]
pub(crate) fn try_parts(parts: &[PathBuf], output: &mut dyn std::io::Write) {
    let _ = image::to_archive(parts, &[], output);
    let _ = files::merge(parts, output);
}
