//! `iechor completion`

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::complete;
use crate::terminal;

/// Print the script that makes a shell complete command lines
///
/// Load it when a shell starts, for example with `source <(iechor completion bash)` in ~/.bashrc. Builders, contexts,
/// drivers, their options, platforms and files are completed as well.
#[derive(Debug, Args)]
pub struct Completion {
    /// Name of the shell
    #[arg(value_parser = PossibleValuesParser::new(complete::SHELLS))]
    shell: String,
}

impl Completion {
    /// Prints the script.
    pub fn run(self) -> anyhow::Result<()> {
        terminal::result(&complete::script(&self.shell)?)
    }
}
