//! The flags of `iechor buildx build`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::ignored_flags::IgnoredFlags;
use super::step_flags::StepFlags;

use crate::command::Format;

/// Start a build
#[derive(Debug, Args)]
pub struct Build {
    /// Directory or URL of the build context, or - for an archive or a Dockerfile on standard input
    #[arg(value_name = "PATH | URL | -")]
    pub(super) context: OsString,
    /// Name of the Dockerfile, or - for standard input (default: PATH/Dockerfile)
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<OsString>,
    /// Additional build context, for example NAME=PATH or NAME=docker-image://IMAGE
    #[arg(long = "build-context", value_name = "CONTEXT")]
    pub(super) build_contexts: Vec<OsString>,
    /// Name of the image, as [REGISTRY/]NAME[:TAG]
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    pub(super) tags: Vec<String>,
    /// Stage to build
    #[arg(long, value_name = "STAGE")]
    pub(super) target: Option<String>,
    /// Build argument, as KEY=VALUE, or KEY to use the value of the environment variable
    #[arg(long = "build-arg", value_name = "ARGUMENT")]
    pub(super) build_args: Vec<String>,
    /// Label of the image, as KEY=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    pub(super) labels: Vec<String>,
    /// Target platforms of the build
    #[arg(
        long = "platform",
        value_name = "PLATFORM,...",
        env = "DOCKER_DEFAULT_PLATFORM",
        hide_env_values = true
    )]
    pub(super) platforms: Vec<String>,
    /// Secret of the build: id=ID,src=FILE or id=ID,env=VARIABLE
    #[arg(long = "secret", value_name = "SECRET")]
    pub(super) secrets: Vec<String>,
    /// SSH agent or keys of the build: default or ID[=SOCKET|KEY[,KEY]]
    #[arg(long = "ssh", value_name = "AGENT")]
    pub(super) ssh_agents: Vec<String>,
    /// Do not use the cache
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Stage to build without the cache
    #[arg(long = "no-cache-filter", value_name = "STAGE,...")]
    pub(super) no_cache_filter: Vec<String>,
    /// Cache to import: an image reference, or type=TYPE,KEY=VALUE,... (for example
    /// type=local,src=DIRECTORY)
    #[arg(long = "cache-from", value_name = "CACHE")]
    pub(super) cache_from: Vec<String>,
    /// Cache to export: an image reference, or type=TYPE,KEY=VALUE,... (for example
    /// type=local,dest=DIRECTORY)
    #[arg(long = "cache-to", value_name = "CACHE")]
    pub(super) cache_to: Vec<String>,
    /// Always check for newer versions of the images
    #[arg(long)]
    pub(super) pull: bool,
    #[command(flatten)]
    pub(super) steps: StepFlags,
    /// Output destination: a directory, - for standard output, or type=TYPE,dest=PATH,...
    #[arg(short, long = "output", value_name = "OUTPUT")]
    pub(super) outputs: Vec<String>,
    /// Annotation of the image, as [TYPE[[PLATFORM]],...:]KEY=VALUE; TYPE is manifest, index,
    /// manifest-descriptor or index-descriptor
    #[arg(long = "annotation", value_name = "ANNOTATION")]
    pub(super) annotations: Vec<String>,
    /// Attestation of the image, as type=TYPE,KEY=VALUE,...
    #[arg(long = "attest", value_name = "ATTESTATION")]
    pub(super) attestations: Vec<String>,
    /// Provenance of the image: a boolean, or KEY=VALUE,...; shorthand for --attest=type=provenance
    #[arg(long, value_name = "PROVENANCE")]
    pub(super) provenance: Option<String>,
    /// Bill of materials of the image: a boolean, or KEY=VALUE,...; shorthand for --attest=type=sbom
    #[arg(long, value_name = "SBOM")]
    pub(super) sbom: Option<String>,
    /// Load the image into the engine; shorthand for --output=type=docker
    #[arg(long)]
    pub(super) load: bool,
    /// Push the image to its registry; shorthand for --output=type=registry
    #[arg(long)]
    pub(super) push: bool,
    /// Permission of the build: network.host, security.insecure, device[=NAME] or buildx.local.delete
    #[arg(long = "allow", value_name = "ENTITLEMENT")]
    pub(super) allow: Vec<String>,
    /// Method of the frontend to call: build, check, outline, targets or subrequests.describe, with
    /// ,format=json for JSON and ,ignorestatus=true to ignore the reported status
    #[arg(
        long,
        value_name = "METHOD",
        default_value = "build",
        alias = "print",
        overrides_with = "check"
    )]
    pub(super) call: String,
    /// Check the Dockerfile; shorthand for --call=check
    #[arg(long, overrides_with = "call")]
    pub(super) check: bool,
    /// Type of progress output: auto, none, plain, quiet, rawjson or tty
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(super) progress: String,
    /// Suppress the build output and print the image ID
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Format of the result on standard output: table (nothing), json, or a Go template such as
    /// '{{.ImageID}}'
    #[arg(long, default_value = "table")]
    pub(super) format: Format,
    /// Write metadata of the build result to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) metadata_file: Option<PathBuf>,
    /// Write the image ID to a file
    #[arg(long = "iidfile", value_name = "FILE")]
    pub(super) iid_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) ignored: IgnoredFlags,
}
