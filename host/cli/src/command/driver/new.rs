//! `iechor driver new`

use std::path::PathBuf;

use clap::Args;

use crate::scaffold::{self, Language, Name};
use crate::terminal;

/// Begin a driver of your own: a project that builds, and passes `iechor driver test`, as it is
#[derive(Debug, Args)]
pub struct New {
    /// Name of the driver: lower-case letters, digits and hyphens
    name: Name,
    /// Language to write it in
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// Directory to write to; NAME where it is missing
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl New {
    /// Writes the project, prints its directory and says how to go on.
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
            "next, in {}:\n  {}\n  {}\n  iechor driver install ./{component}",
            directory.display(),
            lang.build_command(),
            lang.test_command(&name),
        ));
        Ok(())
    }
}
