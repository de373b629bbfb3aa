//! Where an engine listens, and how that is written.

use std::fmt;
use std::path::PathBuf;

use super::error::{EndpointError, EndpointFault, EndpointSource};

/// Path of the socket at which an engine listens by default.
pub(super) const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Default port without TLS.
const PORT: u16 = 2375;

/// Default port with TLS.
pub(super) const TLS_PORT: u16 = 2376;

/// The address at which an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A Unix socket in the file system.
    Unix(PathBuf),
    /// A TCP port.
    Tcp {
        /// Host name or address; an IPv6 address has no brackets.
        host: String,
        /// Port, from 1 to 65535.
        port: u16,
    },
    /// A socket of another machine, which `ssh` connects to.
    Ssh(Ssh),
}

/// An engine that is reached through `ssh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// User on the machine; `None`: the one that ssh chooses.
    pub user: Option<String>,
    /// Name of the machine in ssh's configuration, host name or address; an IPv6 address has no
    /// brackets.
    pub host: String,
    /// Port of the SSH server; `None`: the one that ssh chooses.
    pub port: Option<u16>,
    /// Path of the engine's socket on the machine; `None`: the one that its Docker CLI uses.
    pub socket: Option<String>,
}

impl fmt::Display for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Ssh(ssh) => ssh.fmt(f),
        }
    }
}

/// Reads an endpoint such as `tcp://host:port` or `unix:///path`.
///
/// # Errors
///
/// [`EndpointError::Parse`], or [`EndpointError::Unsupported`].
pub fn parse(text: &str) -> Result<Host, EndpointError> {
    parse_host(text, false, EndpointSource::Given)
}

/// Reads an endpoint by the rules of `ParseHost` of the Docker CLI. A bare absolute path is a socket.
/// `tls` decides about the default port.
pub(super) fn parse_host(
    text: &str,
    tls: bool,
    source_name: EndpointSource,
) -> Result<Host, EndpointError> {
    let bad = |source_name, fault| EndpointError::Parse {
        source_name,
        value: without_password(text),
        fault,
    };
    let trimmed = text.trim();
    let (scheme, rest) = match trimmed.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None if trimmed.starts_with('/') => ("unix", trimmed),
        None => ("tcp", trimmed),
    };
    match scheme {
        "unix" if rest.is_empty() => Ok(Host::Unix(DEFAULT_SOCKET.into())),
        "unix" => Ok(Host::Unix(rest.into())),
        "tcp" => tcp(rest, tls).map_err(|fault| bad(source_name, fault)),
        "ssh" => ssh(rest)
            .map(Host::Ssh)
            .map_err(|fault| bad(source_name, fault)),
        "npipe" | "fd" => Err(EndpointError::Unsupported {
            source_name,
            value: without_password(text),
            scheme: scheme.to_owned(),
        }),
        _ => Err(bad(source_name, EndpointFault::Scheme(scheme.to_owned()))),
    }
}

/// Returns an address for display: with `...` in place of a password.
fn without_password(address: &str) -> String {
    let start = address.find("://").map_or(0, |place| place + 3);
    let (scheme, rest) = address.split_at(start);
    match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{scheme}{user}:...@{host}"),
            None => address.to_owned(),
        },
        None => address.to_owned(),
    }
}

fn tcp(address: &str, tls: bool) -> Result<Host, EndpointFault> {
    let default_port = if tls { TLS_PORT } else { PORT };
    let address = address.strip_suffix('/').unwrap_or(address);
    if address.contains(['/', '?', '#']) {
        return Err(EndpointFault::Path);
    }
    if address.contains('@') {
        return Err(EndpointFault::User);
    }
    let (host, port) = host_and_port(address)?;
    Ok(Host::Tcp {
        host: if host.is_empty() { "localhost" } else { host }.to_owned(),
        port: port.unwrap_or(default_port),
    })
}

/// Reads `[USER@]HOST[:PORT][/PATH]`, by the rules of the Docker CLI.
fn ssh(text: &str) -> Result<Ssh, EndpointFault> {
    if text.contains(['?', '#']) {
        return Err(EndpointFault::Query);
    }
    let (address, path) = match text.find('/') {
        Some(start) => text.split_at(start),
        None => (text, ""),
    };
    let (user, address) = match address.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, address),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err(EndpointFault::Password);
    }
    let (host, port) = host_and_port(address)?;
    if host.is_empty() {
        return Err(EndpointFault::NoHost);
    }
    let socket = Some(path).filter(|path| !path.trim_matches('/').is_empty());
    Ok(Ssh {
        user: user.filter(|user| !user.is_empty()).map(str::to_owned),
        host: host.to_owned(),
        port,
        socket: socket.map(str::to_owned),
    })
}

/// Splits `HOST:PORT`; an IPv6 address has brackets. Both may be missing.
fn host_and_port(address: &str) -> Result<(&str, Option<u16>), EndpointFault> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(EndpointFault::OpenBracket)?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(EndpointFault::AfterBracket),
        }
    } else {
        match address.split_once(':') {
            None => (address, None),
            Some((_, port)) if port.contains(':') => {
                return Err(EndpointFault::NoBrackets);
            }
            Some((host, port)) => (host, Some(port)),
        }
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => Some(port),
            _ => return Err(EndpointFault::Port),
        },
    };
    if host.contains(char::is_whitespace) {
        return Err(EndpointFault::WhiteSpace);
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_shows_a_password() {
        for text in [
            "tcp://me:hunter2@host:1",
            "me:hunter2@host",
            "ssh://me:hunter2@host",
            "http://me:hunter@hunter2@host/x",
        ] {
            let error = parse_host(text, false, EndpointSource::DockerHost).expect_err(text);
            let said = format!("{error} {error:?}");
            assert!(
                said.contains("me:...@host") && !said.contains("hunter"),
                "{said}"
            );
        }
        assert_eq!(without_password("ssh://me@host"), "ssh://me@host");
        assert_eq!(without_password("tcp://[::1]:2375"), "tcp://[::1]:2375");
    }

    #[test]
    fn hosts() {
        let parse = |text: &str, tls| {
            parse_host(text, tls, EndpointSource::Given).map(|host| host.to_string())
        };
        for (text, tls, expected) in [
            ("unix:///run/x.sock", false, "unix:///run/x.sock"),
            ("unix://", false, "unix:///var/run/docker.sock"),
            ("/run/x.sock", false, "unix:///run/x.sock"),
            (" tcp://host ", false, "tcp://host:2375"),
            ("tcp://host", true, "tcp://host:2376"),
            ("tcp://host:1/", true, "tcp://host:1"),
            ("tcp://", false, "tcp://localhost:2375"),
            ("tcp://:7", false, "tcp://localhost:7"),
            ("host:7", false, "tcp://host:7"),
            ("host", false, "tcp://host:2375"),
            ("127.0.0.1:7", false, "tcp://127.0.0.1:7"),
            ("tcp://[::1]:7", false, "tcp://[::1]:7"),
            ("[fe80::1]", false, "tcp://[fe80::1]:2375"),
            ("ssh://host", false, "ssh://host"),
            ("ssh://me@host:22/", false, "ssh://me@host:22"),
            (
                "ssh://me@[::1]:22/run/x.sock",
                false,
                "ssh://me@[::1]:22/run/x.sock",
            ),
        ] {
            assert_eq!(parse(text, tls).expect(text), expected, "{text}");
        }
        for (text, expected) in [
            ("tcp://host:x", "not a number"),
            ("tcp://host:0", "not a number"),
            ("tcp://host:65536", "not a number"),
            ("tcp://host:1/path", "path"),
            ("tcp://::1", "brackets"),
            ("tcp://[::1", "bracket"),
            ("tcp://u@host", "user"),
            ("http://host", "http:// is not a kind"),
            ("ssh://", "names no host"),
            ("ssh://me@", "names no host"),
            ("ssh://host?x", "a query"),
            ("ssh://host:x", "not a number"),
            ("quux://host", "quux:// is not a kind"),
        ] {
            let error = parse(text, false).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(text), "{error}");
        }
        for text in ["npipe:////./pipe/x", "fd://"] {
            let error = parse(text, false).expect_err(text);
            assert!(matches!(error, EndpointError::Unsupported { .. }));
            let scheme = text.split(':').next().expect("a scheme");
            assert!(
                error
                    .to_string()
                    .contains(&format!("{scheme}:// are not supported yet"))
            );
        }
    }
}
