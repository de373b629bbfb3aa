//! All settings of a build, as types.
//!
//! `solve/frontend.rs` turns them into attributes of BuildKit's frontend.

pub mod annotation;
pub mod attestation;
mod cache;
mod call;
mod context;
mod entitlement;
pub mod error;
pub mod exporter;
mod faults;
pub mod metadata;
pub mod oci_layout;
pub mod parse;
pub mod secret;
pub mod ssh;
pub mod steps;
mod tag;
pub mod url;
mod value;
mod vcs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use iechor_platform::Platform;

pub use annotation::Annotation;
pub use attestation::Attestations;
pub use cache::{Cache, CacheKind, CacheProblem};
pub use call::Call;
pub use context::{Context, Dockerfile, NamedContext, NamedSource};
pub use entitlement::Entitlement;
pub use error::SpecError;
pub use exporter::Exporter;
pub use metadata::{MetadataFile, ProvenanceMode};
pub use oci_layout::OciLayout;
pub use secret::{Secret, SecretSource};
pub use ssh::SshAgent;
pub use steps::Steps;
pub use tag::Tag;
pub use value::Attributes;
pub use vcs::VcsInfo;

/// The settings of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSpec {
    /// The source of the files.
    pub context: Context,
    /// The Dockerfile.
    pub dockerfile: Dockerfile,
    /// Further contexts, each name once.
    pub named_contexts: Vec<NamedContext>,
    /// The information about the version of the sources that the build records.
    pub vcs: VcsInfo,
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
    /// Secrets that the build may read.
    pub secrets: Vec<Secret>,
    /// SSH agents that the build may use.
    pub ssh_agents: Vec<SshAgent>,
    /// Whether this side fetches the tokens of registries. Otherwise the daemon does, and gets the passwords.
    pub fetch_tokens: bool,
    /// Additional permissions.
    pub entitlements: BTreeSet<Entitlement>,
    /// The request to the frontend, instead of a build.
    pub call: Option<Call>,
    /// Caches to import.
    pub cache_from: Vec<Cache>,
    /// Caches to export.
    pub cache_to: Vec<Cache>,
    /// The names of the image, for every exporter that creates one.
    pub tags: Vec<Tag>,
    /// Exporters of the result.
    pub exporters: Vec<Exporter>,
    /// Annotations of the image, for every exporter that creates one.
    pub annotations: Vec<Annotation>,
    /// Attestations of the image.
    pub attestations: Attestations,
    /// Whether the default attestations are attached.
    pub default_attestations: bool,
    /// Whether attestations are OCI artifacts where BuildKit's default is that.
    pub default_oci_artifact: bool,
    /// Whether the driver may load the result into the engine if there is no exporter.
    pub default_load: bool,
    /// File to write the metadata of the result to, as JSON.
    pub metadata_file: Option<MetadataFile>,
    /// File to write the ID of the image to.
    pub iid_file: Option<PathBuf>,
}

impl BuildSpec {
    /// Creates a build of a context with default settings.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            dockerfile: Dockerfile::Default,
            named_contexts: Vec::new(),
            vcs: VcsInfo::default(),
            target: None,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            platforms: Vec::new(),
            no_cache: false,
            no_cache_filter: Vec::new(),
            pull: false,
            steps: Steps::default(),
            secrets: Vec::new(),
            ssh_agents: Vec::new(),
            fetch_tokens: true,
            entitlements: BTreeSet::new(),
            call: None,
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            tags: Vec::new(),
            exporters: Vec::new(),
            annotations: Vec::new(),
            attestations: Attestations::default(),
            default_attestations: true,
            default_oci_artifact: true,
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
                image.push();
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
