//! The program as a plugin of the Docker CLI, by the name `docker-buildx`.
//!
//! The Docker CLI calls a plugin with its own command line, from its global flags to the end:
//! `docker --context far buildx ls` becomes `docker-buildx --context far buildx ls`, and `docker build .` becomes
//! `docker-buildx buildx build .`. Compose calls the program without the word `buildx`, as a user can.
//!
//! - `flags` has the global flags.
//! - `link` is the file that the Docker CLI finds.
//! - `protocol` answers what the Docker CLI asks about the plugin itself.
//! - `socket` shows that the Docker CLI has ended, or wants the plugin to end.

mod flags;
pub mod link;
mod protocol;
mod socket;

use std::ffi::{OsStr, OsString};

use clap::CommandFactory as _;

pub use flags::{DockerFlags, FlagError};
pub use protocol::answer;
pub use socket::closed;

use crate::line;

/// Variable with the name by which the user called the Docker CLI. Only the Docker CLI sets it.
const CALLER: &str = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

/// The global flags of the Docker CLI alone, to recognise them.
#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    _flags: DockerFlags,
}

/// Returns whether the command line is that of the Docker CLI, which has `buildx` as a command and global flags
/// before it. `words` begins with the name of the program.
pub fn is_line_of_docker(words: &[OsString]) -> bool {
    if std::env::var_os(CALLER).is_some() {
        return true;
    }
    let Some(first) = words.get(1) else {
        return false;
    };
    first == OsStr::new("buildx") || line::begins_with_flag_of(&Flags::command(), first)
}
