//! All settings of a build, as types.
//!
//! Settings that are not supported yet belong here as well: named contexts beside [`Context`], secrets,
//! SSH agents and attestations in one file each.
//! `solve/frontend.rs` turns them into attributes of BuildKit's frontend.

mod cache;
pub mod error;
pub mod exporter;
pub mod parse;
pub mod steps;
mod tag;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;

use iechor_platform::Platform;

pub use cache::{Cache, CacheKind};
pub use error::SpecError;
pub use exporter::Exporter;
pub use steps::Steps;
pub use tag::Tag;
pub use value::Attributes;

/// The settings of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSpec {
    /// The source of the files.
    pub context: Context,
    /// The Dockerfile; `None` for the default Dockerfile of the context.
    pub dockerfile: Option<PathBuf>,
    /// The stage to build; `None` for the last one.
    pub target: Option<String>,
    /// Build arguments, by name. They take precedence over the proxies of the configuration.
    pub build_args: BTreeMap<String, String>,
    /// Labels of the image, by name.
    pub labels: BTreeMap<String, String>,
    /// The platforms to build for, each once; empty for the platform of the node.
    pub platforms: Vec<Platform>,
    /// Whether all steps run, even if the cache has their results.
    pub no_cache: bool,
    /// Stages whose steps run, even if the cache has their results.
    pub no_cache_filter: Vec<String>,
    /// Whether to check registries for newer versions of images.
    pub pull: bool,
    /// The containers in which the steps run.
    pub steps: Steps,
    /// Caches to import.
    pub cache_from: Vec<Cache>,
    /// Caches to export.
    pub cache_to: Vec<Cache>,
    /// The names of the image, for every exporter that creates one.
    pub tags: Vec<Tag>,
    /// Exporters of the result.
    pub exporters: Vec<Exporter>,
    /// Whether the driver may load the result into the engine if there is no exporter.
    pub default_load: bool,
    /// File to write the metadata of the result to, as JSON.
    pub metadata_file: Option<PathBuf>,
    /// File to write the ID of the image to.
    pub iid_file: Option<PathBuf>,
}

/// The source of the files of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// A local directory.
    Directory(PathBuf),
    /// A URL that BuildKit fetches.
    Remote(String),
}

impl BuildSpec {
    /// Creates a build of a context with default settings.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            dockerfile: None,
            target: None,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            platforms: Vec::new(),
            no_cache: false,
            no_cache_filter: Vec::new(),
            pull: false,
            steps: Steps::default(),
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            tags: Vec::new(),
            exporters: Vec::new(),
            default_load: true,
            metadata_file: None,
            iid_file: None,
        }
    }

    /// Sets all image exporters to push. Adds one if there is none.
    pub fn push(&mut self) {
        let mut is_any = false;
        for exporter in &mut self.exporters {
            if let Exporter::Image(image) = exporter {
                image.push = true;
                is_any = true;
            }
        }
        if !is_any {
            self.exporters
                .push(Exporter::Image(exporter::Image::only_to_push()));
        }
    }

    /// Adds an exporter that loads the image into the engine, unless there is one already.
    pub fn load(&mut self) {
        if !self.exporters.iter().any(Exporter::is_loaded) {
            self.exporters.push(Exporter::to_load());
        }
    }
}
