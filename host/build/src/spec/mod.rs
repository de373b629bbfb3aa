//! What to build: all settings of one build, as types.
//!
//! Settings that are not supported yet belong here as well, each next to its kin: named contexts
//! beside [`Context`], secrets, SSH agents and attestations as a file each, the network beside
//! [`BuildSpec::pull`]. What BuildKit's frontend gets of them is decided in `solve/frontend.rs`.

mod cache;
pub mod error;
pub mod exporter;
pub mod parse;
mod tag;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;

use iechor_platform::Platform;

pub use cache::{Cache, CacheKind};
pub use error::SpecError;
pub use exporter::Exporter;
pub use tag::Tag;
pub use value::Attributes;

/// One build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSpec {
    /// Where the files of the build come from.
    pub context: Context,
    /// The Dockerfile; `None` for the default one of the context.
    pub dockerfile: Option<PathBuf>,
    /// The stage to build; `None` for the last one.
    pub target: Option<String>,
    /// Build arguments, by name. They take precedence over the proxies of the configuration.
    pub build_args: BTreeMap<String, String>,
    /// Labels of the image, by name.
    pub labels: BTreeMap<String, String>,
    /// The platforms to build for, each once; empty for the one of the node.
    pub platforms: Vec<Platform>,
    /// Whether every step runs, also where the cache has its result.
    pub no_cache: bool,
    /// Whether registries are asked for newer versions of images.
    pub pull: bool,
    /// Where cache is read from.
    pub cache_from: Vec<Cache>,
    /// Where cache is written to.
    pub cache_to: Vec<Cache>,
    /// The names of the image, for every exporter that makes one.
    pub tags: Vec<Tag>,
    /// What to do with the result.
    pub exporters: Vec<Exporter>,
    /// Whether the driver may have the result loaded into the engine where there is no exporter.
    pub default_load: bool,
    /// Where to write what is known about the result, as JSON.
    pub metadata_file: Option<PathBuf>,
    /// Where to write the ID of the image.
    pub iid_file: Option<PathBuf>,
}

/// Where the files of a build come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A URL that BuildKit fetches.
    Remote(String),
}

impl BuildSpec {
    /// Makes a build of this context with no other settings.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            dockerfile: None,
            target: None,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            platforms: Vec::new(),
            no_cache: false,
            pull: false,
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            tags: Vec::new(),
            exporters: Vec::new(),
            default_load: true,
            metadata_file: None,
            iid_file: None,
        }
    }

    /// Has every image pushed. Where there is none, one is made for it.
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

    /// Has an image loaded into the engine, unless an exporter does that already.
    pub fn load(&mut self) {
        if !self.exporters.iter().any(Exporter::is_loaded) {
            self.exporters.push(Exporter::to_load());
        }
    }
}
