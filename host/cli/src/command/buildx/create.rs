//! `iechor buildx create`

use std::path::PathBuf;

use clap::Args;
use iechor_builder::create::{self, CreateRequest};
use iechor_progress::Mode;
use iechor_sandbox::Grant;

use crate::session::{self, Common};
use crate::terminal::{self, Display};

/// Create a builder, or change a node of one
#[derive(Debug, Args)]
pub struct Create {
    /// Engine of the node: a Docker context or an endpoint such as unix:///run/x.sock; for the
    /// driver remote, where BuildKit is
    #[arg(value_name = "CONTEXT|ENDPOINT")]
    endpoint: Option<String>,
    /// Name of the builder; one is made up where it is missing
    #[arg(long)]
    name: Option<String>,
    /// Name of the node to create or change
    #[arg(long)]
    node: Option<String>,
    /// Add a node to the builder instead of changing it
    #[arg(long)]
    append: bool,
    /// Driver: a name that `iechor driver ls` shows, or the path of a component; with @sha256:...
    /// behind it, that one only
    #[arg(long)]
    driver: Option<String>,
    /// Options for the driver, as KEY=VALUE,...; `iechor driver inspect` lists them
    #[arg(long = "driver-opt", value_name = "OPTIONS")]
    driver_options: Vec<String>,
    /// Capability to grant to a driver that is not built in, as NAME or NAME=PATTERN
    #[arg(long = "grant", value_name = "CAPABILITY", value_parser = Grant::parse)]
    grants: Vec<Grant>,
    /// Platforms that the node builds for
    #[arg(long = "platform", value_name = "PLATFORM,...")]
    platforms: Vec<String>,
    /// Configuration file of BuildKit
    #[arg(long, alias = "config", value_name = "FILE")]
    buildkitd_config: Option<PathBuf>,
    /// Flags of BuildKit
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    buildkitd_flags: Option<String>,
    /// Make it the current builder
    #[arg(long = "use")]
    use_it: bool,
    /// Boot it
    #[arg(long)]
    bootstrap: bool,
}

impl Create {
    /// Creates the builder and prints its name.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            let display = Display::start(Mode::Auto, None)?;
            let request = CreateRequest {
                name: self.name,
                node: self.node,
                append: self.append,
                driver: self.driver,
                driver_options: self.driver_options,
                grants: self.grants,
                endpoint: self.endpoint,
                buildkit_host: std::env::var("BUILDKIT_HOST")
                    .ok()
                    .filter(|host| !host.is_empty()),
                platforms: self.platforms,
                buildkitd_config: self.buildkitd_config,
                buildkitd_flags: self.buildkitd_flags,
                use_it: self.use_it,
                bootstrap: self.bootstrap,
            };
            let created = create::create(&workspace, request, display.sender()).await;
            display.finish().await?;
            let created = created?;
            for warning in &created.warnings {
                terminal::warn(warning);
            }
            terminal::line(&created.name)
        })
    }
}
