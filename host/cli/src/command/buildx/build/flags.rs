//! The flags of `iechor buildx build`.

use std::path::PathBuf;

use clap::Args;
use iechor_progress::Mode;

/// Build from a Dockerfile
#[derive(Debug, Args)]
pub struct Build {
    /// Directory or URL with the files of the build
    #[arg(value_name = "PATH | URL")]
    pub(super) context: String,
    /// Dockerfile (default: PATH/Dockerfile)
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Name for the image, as [REGISTRY/]NAME[:TAG]
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    pub(super) tags: Vec<String>,
    /// Stage to build
    #[arg(long, value_name = "STAGE")]
    pub(super) target: Option<String>,
    /// Build argument, as KEY=VALUE, or KEY for its value in the environment
    #[arg(long = "build-arg", value_name = "ARGUMENT")]
    pub(super) build_args: Vec<String>,
    /// Label for the image, as KEY=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    pub(super) labels: Vec<String>,
    /// Platforms to build for
    #[arg(
        long = "platform",
        value_name = "PLATFORM,...",
        env = "DOCKER_DEFAULT_PLATFORM"
    )]
    pub(super) platforms: Vec<String>,
    /// Use nothing of the cache
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Look for newer versions of all images
    #[arg(long)]
    pub(super) pull: bool,
    /// Where the result goes: a directory, - or type=TYPE,dest=PATH,...
    #[arg(short, long = "output", value_name = "OUTPUT")]
    pub(super) outputs: Vec<String>,
    /// Load the image into the engine (type=docker)
    #[arg(long)]
    pub(super) load: bool,
    /// Push the image to its registry (type=registry)
    #[arg(long)]
    pub(super) push: bool,
    /// How to show progress: auto, plain, quiet, rawjson or none
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(super) progress: Mode,
    /// Print nothing but the image's id
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// File to write what is known about the result to, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) metadata_file: Option<PathBuf>,
    /// File to write the image's id to
    #[arg(long = "iidfile", value_name = "FILE")]
    pub(super) iid_file: Option<PathBuf>,
}
