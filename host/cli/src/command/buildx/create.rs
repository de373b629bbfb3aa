//! `iechor buildx create`

use std::path::PathBuf;

use clap::Args;
use iechor_builder::Workspace;
use iechor_builder::create::{self, CreateRequest};
use iechor_builder::leave::{self, LeaveRequest};
use iechor_builder::view::CreatedBuilder;
use iechor_catalog::Grant;
use iechor_progress::Mode;

use crate::command::Format;
use crate::session::{self, Common};
use crate::terminal::{self, Display};
use crate::text::Text;

/// Create a builder, or change a node of a builder
#[derive(Debug, Args)]
pub struct Create {
    /// Engine of the node: a Docker context, or an endpoint such as unix:///run/x.sock. For the
    /// driver remote: the address of BuildKit
    #[arg(value_name = "CONTEXT|ENDPOINT")]
    endpoint: Option<String>,
    /// Builder name (default: a generated name)
    #[arg(long)]
    name: Option<String>,
    /// Name of the node to create or change
    #[arg(long)]
    node: Option<String>,
    /// Append a node to the builder instead of changing it
    #[arg(long)]
    append: bool,
    /// Remove a node from the builder instead of changing it, with its container and cache
    #[arg(long, conflicts_with = "append")]
    leave: bool,
    /// Driver to use: a name that `iechor driver ls` lists, or the path of a component; append
    /// @sha256:... to pin its digest
    #[arg(long)]
    driver: Option<String>,
    /// Options for the driver, as KEY=VALUE,...; `iechor driver inspect` lists the options
    #[arg(long = "driver-opt", value_name = "OPTIONS")]
    driver_options: Vec<String>,
    /// Capability to grant to a driver that is not built in, as NAME or NAME=PATTERN
    #[arg(long = "grant", value_name = "CAPABILITY", value_parser = Grant::parse)]
    grants: Vec<Grant>,
    /// Fixed platforms of the node
    #[arg(long = "platform", value_name = "PLATFORM,...")]
    platforms: Vec<String>,
    /// BuildKit daemon configuration file
    #[arg(long, alias = "config", value_name = "FILE")]
    buildkitd_config: Option<PathBuf>,
    /// BuildKit daemon flags
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    buildkitd_flags: Option<String>,
    /// Set the builder as the current builder
    #[arg(long = "use")]
    use_it: bool,
    /// Boot the builder after creation
    #[arg(long)]
    bootstrap: bool,
    /// Format the output: table, json, or a Go template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: Format,
}

impl Create {
    /// Creates the builder and prints its name.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            if self.leave {
                return self.leave(&workspace).await;
            }
            let mode = match self.bootstrap {
                true => terminal::boot_mode()?,
                false => Mode::Auto,
            };
            let display = Display::start(mode, None)?;
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
            let created = CreatedBuilder::of(created?);
            for warning in &created.warnings {
                terminal::warn(warning);
            }
            let CreatedBuilder {
                name, unchanged, ..
            } = &created;
            if *unchanged {
                terminal::say(&format!(
                    "builder {name} has these settings already: nothing was changed"
                ));
            }
            self.format.list(|| Text::of_line(name), [&created])
        })
    }

    async fn leave(self, workspace: &Workspace) -> anyhow::Result<()> {
        let request = LeaveRequest {
            name: self.name,
            node: self.node,
        };
        let left = leave::leave(workspace, &request).await?;
        for error in &left {
            terminal::warn(&format!(
                "the node has left the builder, but something of it may be left: {error}"
            ));
        }
        Ok(())
    }
}
