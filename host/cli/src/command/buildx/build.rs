//! `iechor buildx build`

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use iechor_builder::build::request::BuildRequest;
use iechor_builder::build::run;
use iechor_progress::{Mode, description};

use crate::session::{self, Common};
use crate::terminal::{self, Display};

/// Start a build
#[derive(Debug, Args)]
pub struct Build {
    /// Directory or URL of the build context
    #[arg(value_name = "PATH | URL")]
    context: String,
    /// Name of the Dockerfile (default: PATH/Dockerfile)
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Name of the image, as [REGISTRY/]NAME[:TAG]
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    tags: Vec<String>,
    /// Stage to build
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Build argument, as KEY=VALUE, or KEY to use the value of the environment variable
    #[arg(long = "build-arg", value_name = "ARGUMENT")]
    build_args: Vec<String>,
    /// Label of the image, as KEY=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Target platforms of the build
    #[arg(
        long = "platform",
        value_name = "PLATFORM,...",
        env = "DOCKER_DEFAULT_PLATFORM",
        hide_env_values = true
    )]
    platforms: Vec<String>,
    /// Do not use the cache
    #[arg(long)]
    no_cache: bool,
    /// Always check for newer versions of the images
    #[arg(long)]
    pull: bool,
    /// Output destination: a directory, - for standard output, or type=TYPE,dest=PATH,...
    #[arg(short, long = "output", value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Load the image into the engine; shorthand for --output=type=docker
    #[arg(long)]
    load: bool,
    /// Push the image to its registry; shorthand for --output=type=registry
    #[arg(long)]
    push: bool,
    /// Type of progress output: auto, plain, quiet, rawjson or none
    #[arg(long, value_name = "MODE", default_value = "auto")]
    progress: Mode,
    /// Suppress the build output and print the image ID
    #[arg(short, long)]
    quiet: bool,
    /// Write metadata of the build result to a file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Write the image ID to a file
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
            // If the build fails, an old ID must not look like the new one.
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
