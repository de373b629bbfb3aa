//! `iechor plugin install`

use clap::Args;

use crate::plugin::link::{self, Installed};
use crate::terminal;

/// Make this program `docker buildx`
///
/// Links the program as `docker-buildx` into the directory of the Docker CLI's plugins: `cli-plugins` in the directory of
/// its configuration.
#[derive(Debug, Args)]
pub struct Install {
    /// Install it for all users, in /usr/local/lib/docker/cli-plugins
    #[arg(long)]
    system: bool,
    /// Replace another program at that place
    #[arg(long, short)]
    force: bool,
}

impl Install {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let directory = super::directory(self.system)?;
        let program = super::program()?;
        let installed = link::install(&directory, &program, self.force)?;
        let path = directory.join(link::FILE);
        let said = match installed {
            Installed::Created => "now leads to",
            Installed::Replaced => "was another program; it now leads to",
            Installed::Unchanged => "leads to",
        };
        terminal::say(&format!("{} {said} {}", path.display(), program.display()));
        Ok(())
    }
}
