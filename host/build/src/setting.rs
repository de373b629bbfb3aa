//! The names of the settings of a build.

/// A setting of a build, as a mistake names it. The command line has a flag for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// The builder.
    Builder,
    /// The source of the files.
    Context,
    /// The Dockerfile.
    File,
    /// Additional contexts.
    BuildContext,
    /// The stage to build.
    Target,
    /// Build arguments.
    BuildArg,
    /// Labels of the image.
    Label,
    /// Annotations of the image.
    Annotation,
    /// Platforms.
    Platform,
    /// Names of the image.
    Tag,
    /// Outputs.
    Output,
    /// Loading the image into the engine.
    Load,
    /// Pushing the image.
    Push,
    /// Attestations.
    Attest,
    /// The provenance attestation.
    Provenance,
    /// The SBOM attestation.
    Sbom,
    /// Caches to import.
    CacheFrom,
    /// Caches to export.
    CacheTo,
    /// Stages to build without the cache.
    NoCacheFilter,
    /// Secrets.
    Secret,
    /// SSH agents and keys.
    Ssh,
    /// Entitlements.
    Allow,
    /// The method to evaluate the build.
    Call,
    /// Additional names of hosts.
    AddHost,
    /// The network of the steps.
    Network,
    /// The size of the shared memory of the steps.
    ShmSize,
    /// Limits of the processes of the steps.
    Ulimit,
    /// Limits of the containers of the steps.
    Resource,
    /// The parent control group of the steps.
    CgroupParent,
    /// The policy of the sources.
    Policy,
    /// The format of the progress.
    Progress,
    /// The file for the metadata of the result.
    MetadataFile,
    /// The file for the ID of the image.
    IidFile,
}
