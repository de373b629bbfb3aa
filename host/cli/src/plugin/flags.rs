//! The global flags of the Docker CLI.

use std::path::PathBuf;

use clap::Args;
use iechor_builder::{ClientSettings, TlsFiles};

/// The global flags of the Docker CLI, except `--debug`, which the program itself has.
#[derive(Debug, Clone, Default, Args)]
pub struct DockerFlags {
    /// Location of client config files
    #[arg(long, value_name = "DIRECTORY")]
    config: Option<String>,
    /// Name of the context to use to connect to the daemon (overrides DOCKER_HOST)
    #[arg(short, long, value_name = "NAME")]
    context: Option<String>,
    /// Daemon socket to connect to
    #[arg(short = 'H', long, value_name = "ENDPOINT")]
    host: Vec<String>,
    /// Set the logging level (debug, info, warn, error, fatal)
    #[arg(short, long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Use TLS; implied by --tlsverify
    #[arg(long)]
    tls: Option<bool>,
    /// Trust certs signed only by this CA
    #[arg(long, value_name = "FILE")]
    tlscacert: Option<String>,
    /// Path to TLS certificate file
    #[arg(long, value_name = "FILE")]
    tlscert: Option<String>,
    /// Path to TLS key file
    #[arg(long, value_name = "FILE")]
    tlskey: Option<String>,
    /// Use TLS and verify the remote
    #[arg(long)]
    tlsverify: Option<bool>,
}

/// Flags that contradict each other. The texts are those of the Docker CLI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// Two flags name an engine.
    #[error("conflicting options: cannot specify both --host and --context")]
    HostAndContext,
    /// Several engines are named.
    #[error("specify only one -H")]
    SeveralHosts,
}

impl DockerFlags {
    /// Returns whether the log level includes debug messages.
    pub fn debug(&self) -> bool {
        matches!(self.log_level.as_deref(), Some("debug" | "trace"))
    }

    /// Returns the settings.
    ///
    /// # Errors
    ///
    /// If flags contradict each other.
    pub fn settings(self) -> Result<ClientSettings, FlagError> {
        let mut hosts = self.host.into_iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(FlagError::SeveralHosts);
        }
        if host.is_some() && self.context.is_some() {
            return Err(FlagError::HostAndContext);
        }
        let file = |path: Option<String>| path.map(|path| PathBuf::from(unquoted(&path)));
        Ok(ClientSettings {
            config: self.config,
            context: self.context,
            host,
            tls: self.tls,
            tls_verify: self.tlsverify,
            tls_files: TlsFiles {
                ca: file(self.tlscacert),
                cert: file(self.tlscert),
                key: file(self.tlskey),
            },
        })
    }
}

/// Removes the quotes around a path, as the Docker CLI does.
fn unquoted(path: &str) -> &str {
    ['\'', '"']
        .into_iter()
        .find_map(|quote| path.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_contradict_each_other() {
        let host = |hosts: &[&str]| hosts.iter().map(ToString::to_string).collect();
        let both = DockerFlags {
            host: host(&["unix:///a"]),
            context: Some("b".into()),
            ..DockerFlags::default()
        };
        assert_eq!(both.settings(), Err(FlagError::HostAndContext));
        let two = DockerFlags {
            host: host(&["unix:///a", "unix:///b"]),
            ..DockerFlags::default()
        };
        assert_eq!(two.settings(), Err(FlagError::SeveralHosts));
    }

    #[test]
    fn paths_may_be_quoted() {
        for (given, expected) in [
            ("'/a b'", "/a b"),
            ("\"/a\"", "/a"),
            ("/a", "/a"),
            ("'/a", "'/a"),
            ("'", "'"),
        ] {
            assert_eq!(unquoted(given), expected);
        }
    }
}
