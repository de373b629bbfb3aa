//! The name that the program was called by, and the settings of its command line that every command has.
//!
//! Both belong to the process: messages and hints anywhere in the program name commands by this name.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

use iechor_builder::ClientSettings;
use iechor_builder::store::Place;

/// A name that the program can be called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Name {
    /// `iechor`, or any other name: all commands.
    #[default]
    Iechor,
    /// `docker-buildx`: the plugin of the Docker CLI, which offers its commands as `docker buildx`.
    DockerBuildx,
    /// `buildx`: only the commands of docker buildx.
    Buildx,
}

/// Settings of the command line that every command has.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Print debug messages.
    pub debug: bool,
    /// Settings of the Docker CLI.
    pub client: ClientSettings,
}

static NAME: OnceLock<Name> = OnceLock::new();
static SETTINGS: OnceLock<Settings> = OnceLock::new();

impl Name {
    /// Returns the name that the first word of a command line stands for.
    pub fn of(word: &OsStr) -> Self {
        match Path::new(word).file_name().and_then(OsStr::to_str) {
            Some("docker-buildx") => Self::DockerBuildx,
            Some("buildx") => Self::Buildx,
            _ => Self::Iechor,
        }
    }

    /// Returns what stands before the commands of docker buildx.
    pub const fn buildx(self) -> &'static str {
        match self {
            Self::Iechor => "iechor buildx",
            Self::DockerBuildx => "docker buildx",
            Self::Buildx => "buildx",
        }
    }

    /// Returns the place of the store. By the names of docker buildx, it is where docker buildx has it.
    pub const fn place(self) -> Place {
        match self {
            Self::Iechor => Place::Own,
            Self::DockerBuildx | Self::Buildx => Place::Docker,
        }
    }
}

/// Sets the name, once, at the start.
pub fn set_name(name: Name) {
    let _ = NAME.set(name);
}

/// Sets the settings, once, when the command line was read.
pub fn set_settings(settings: Settings) {
    let _ = SETTINGS.set(settings);
}

/// Returns the name.
pub fn name() -> Name {
    NAME.get().copied().unwrap_or_default()
}

/// Returns the settings. They are the defaults until the command line was read.
pub fn settings() -> Settings {
    SETTINGS.get().cloned().unwrap_or_default()
}

/// Returns a command of docker buildx by the name that the program was called by, for a message. `rest` is the
/// command with its arguments.
pub fn buildx(rest: &str) -> String {
    format!("{} {rest}", name().buildx())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_that_of_the_file() {
        for (word, expected) in [
            ("docker-buildx", Name::DockerBuildx),
            (
                "/usr/libexec/docker/cli-plugins/docker-buildx",
                Name::DockerBuildx,
            ),
            ("./buildx", Name::Buildx),
            ("iechor", Name::Iechor),
            ("/opt/buildx/iechor-1", Name::Iechor),
            ("", Name::Iechor),
        ] {
            assert_eq!(Name::of(OsStr::new(word)), expected, "{word}");
        }
    }
}
