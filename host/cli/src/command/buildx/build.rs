//! `iechor buildx build`

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use iechor_builder::build::request::BuildRequest;
use iechor_builder::build::run;
use iechor_progress::{Mode, description};

use crate::session::{self, Common};
use crate::terminal::{self, Display};

/// Build from a Dockerfile
#[derive(Debug, Args)]
pub struct Build {
    /// Directory or URL with the files of the build
    #[arg(value_name = "PATH | URL")]
    context: String,
    /// Dockerfile (default: PATH/Dockerfile)
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Name for the image, as [REGISTRY/]NAME[:TAG]
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    tags: Vec<String>,
    /// Stage to build
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Build argument, as KEY=VALUE, or KEY for its value in the environment
    #[arg(long = "build-arg", value_name = "ARGUMENT")]
    build_args: Vec<String>,
    /// Label for the image, as KEY=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Platforms to build for
    #[arg(
        long = "platform",
        value_name = "PLATFORM,...",
        env = "DOCKER_DEFAULT_PLATFORM"
    )]
    platforms: Vec<String>,
    /// Use nothing of the cache
    #[arg(long)]
    no_cache: bool,
    /// Look for newer versions of all images
    #[arg(long)]
    pull: bool,
    /// Where the result goes: a directory, - or type=TYPE,dest=PATH,...
    #[arg(short, long = "output", value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Load the image into the engine (type=docker)
    #[arg(long)]
    load: bool,
    /// Push the image to its registry (type=registry)
    #[arg(long)]
    push: bool,
    /// How to show progress: auto, plain, quiet, rawjson or none
    #[arg(long, value_name = "MODE", default_value = "auto")]
    progress: Mode,
    /// Print nothing but the image's id
    #[arg(short, long)]
    quiet: bool,
    /// File to write what is known about the result to, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// File to write the image's id to
    #[arg(long = "iidfile", value_name = "FILE")]
    iid_file: Option<PathBuf>,
}

impl Build {
    /// Builds, and delivers the results.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let environment = std::env::var("BUILDKIT_PROGRESS").ok();
        let mode = match (self.quiet, self.progress) {
            (true, Mode::Auto | Mode::Quiet) => Mode::Quiet,
            (true, mode) => bail!("progress={mode} and quiet cannot be used together"),
            (false, mode) => Mode::resolve(mode, environment.as_deref())?,
        };
        if let Some(path) = &self.iid_file {
            // An old id must not pass for the new one where the build fails.
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    bail!("image ID file {}: {error}", path.display());
                }
                _ => {}
            }
        }
        let request = BuildRequest {
            context: self.context,
            dockerfile: self.file,
            tags: self.tags,
            target: self.target,
            build_args: self.build_args,
            labels: self.labels,
            platforms: self.platforms,
            no_cache: self.no_cache,
            pull: self.pull,
            outputs: self.outputs,
            load: self.load,
            push: self.push,
            metadata_file: self.metadata_file,
            iid_file: self.iid_file,
        };
        session::change(common, |workspace| async move {
            let prepared = run::prepare(&workspace, request).await?;
            for warning in &prepared.warnings {
                terminal::warn(warning);
            }
            let (builder, driver) = prepared.builder();
            let display = Display::start(mode, Some(description(builder, driver)))?;
            let result = run::run(&workspace, prepared, display.sender()).await;
            let warnings = display.finish().await?;
            let result = result?;
            for warning in &result.warnings {
                terminal::warn(warning);
            }
            if warnings > 0 && !matches!(mode, Mode::Quiet | Mode::RawJson | Mode::None) {
                let plural = if warnings == 1 { "" } else { "s" };
                terminal::say(&format!("\n {warnings} warning{plural} found"));
            }
            if mode == Mode::Quiet {
                terminal::line(result.image_id().unwrap_or_default())?;
            }
            Ok(())
        })
    }
}
