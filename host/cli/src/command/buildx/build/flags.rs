//! The flags of `iechor buildx build`.

use std::path::PathBuf;

use clap::Args;

use super::ignored_flags::IgnoredFlags;
use super::step_flags::StepFlags;

/// Start a build
#[derive(Debug, Args)]
pub struct Build {
    /// Directory or URL of the build context
    #[arg(value_name = "PATH | URL | -")]
    pub(super) context: String,
    /// Name of the Dockerfile (default: PATH/Dockerfile)
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
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
    /// Do not use the cache
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Stage to build without the cache
    #[arg(long = "no-cache-filter", value_name = "STAGE,...")]
    pub(super) no_cache_filter: Vec<String>,
    /// Always check for newer versions of the images
    #[arg(long)]
    pub(super) pull: bool,
    #[command(flatten)]
    pub(super) steps: StepFlags,
    /// Output destination: a directory, - for standard output, or type=TYPE,dest=PATH,...
    #[arg(short, long = "output", value_name = "OUTPUT")]
    pub(super) outputs: Vec<String>,
    /// Load the image into the engine; shorthand for --output=type=docker
    #[arg(long)]
    pub(super) load: bool,
    /// Push the image to its registry; shorthand for --output=type=registry
    #[arg(long)]
    pub(super) push: bool,
    /// Type of progress output: auto, plain, quiet, rawjson or none
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(super) progress: String,
    /// Suppress the build output and print the image ID
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Write metadata of the build result to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) metadata_file: Option<PathBuf>,
    /// Write the image ID to a file
    #[arg(long = "iidfile", value_name = "FILE")]
    pub(super) iid_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) ignored: IgnoredFlags,
}
