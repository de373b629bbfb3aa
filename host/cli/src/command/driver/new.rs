//! `iechor driver new`

use std::path::PathBuf;

use clap::Args;

use crate::scaffold::{self, Language, Name};
use crate::terminal;

/// Create a project for a new driver, which builds and passes `iechor driver test`
#[derive(Debug, Args)]
pub struct New {
    /// Name of the driver: lower-case letters, digits and hyphens
    name: Name,
    /// Language of the project
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// Directory of the project (default: NAME)
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl New {
    /// Writes the project, and prints its directory and the next steps.
    pub fn run(self) -> anyhow::Result<()> {
        let Self {
            name,
            lang,
            directory,
        } = self;
        let directory = directory.unwrap_or_else(|| name.as_str().into());
        scaffold::write(&directory, lang, &name)?;
        terminal::line(&directory.display().to_string())?;
        let component = lang.component(&name);
        terminal::say(&format!(
            "Next steps, in {}:\n  {}\n  {}\n  iechor driver install ./{component}",
            directory.display(),
            lang.build_command(),
            lang.test_command(&name),
        ));
        Ok(())
    }
}
