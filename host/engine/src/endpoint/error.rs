//! Reasons why an endpoint is not found.

use std::fmt;
use std::path::PathBuf;

/// A reason why it is not known where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// A text is not an endpoint.
    #[error(
        "{source_name} is {value:?}, which is not an endpoint: {fault}; write it as \
         unix:///path/to/socket, tcp://host:port or ssh://user@host"
    )]
    Parse {
        /// Where the text comes from.
        source_name: EndpointSource,
        /// The text, without a password.
        value: String,
        /// What is wrong with it.
        fault: EndpointFault,
    },
    /// An endpoint is of a kind that this program cannot reach yet.
    #[error(
        "{source_name} is {value:?}: endpoints with {scheme}:// are not supported yet; use \
         unix://, tcp:// or ssh://, or forward the engine's socket to one"
    )]
    Unsupported {
        /// Where the text comes from.
        source_name: EndpointSource,
        /// The text, without a password.
        value: String,
        /// Its scheme.
        scheme: String,
    },
    /// A setting names a context that does not exist.
    #[error(
        "there is no Docker context {name:?} in {}, but {source_name} names it; \
         `docker context ls` lists the contexts",
        directory.display()
    )]
    NoContext {
        /// Name of the context.
        name: String,
        /// The setting that names it.
        source_name: EndpointSource,
        /// Directory in which contexts are stored.
        directory: PathBuf,
    },
    /// A name is neither that of a context nor an endpoint.
    #[error(
        "{value:?} is neither a Docker context in {} nor an endpoint such as tcp://host:port",
        directory.display()
    )]
    Unknown {
        /// The name.
        value: String,
        /// Directory in which contexts are stored.
        directory: PathBuf,
    },
    /// A context cannot be read.
    #[error("cannot read the Docker context {name:?} from {}: {fault}", path.display())]
    Context {
        /// Name of the context.
        name: String,
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        fault: ContextFault,
    },
    /// The directory of all contexts cannot be read.
    #[error("cannot read the Docker contexts in {}: {reason}", directory.display())]
    Contexts {
        /// Directory in which contexts are stored.
        directory: PathBuf,
        /// What the operating system reports.
        reason: String,
    },
}

/// A place from which an endpoint, or the name of a context, is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointSource {
    /// The variable `DOCKER_HOST`.
    DockerHost,
    /// The variable `DOCKER_CONTEXT`.
    DockerContext,
    /// `currentContext` in this configuration file.
    CurrentContext(PathBuf),
    /// The Docker context of this name.
    Context(String),
    /// The caller.
    Given,
}

impl fmt::Display for EndpointSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DockerHost => f.write_str("DOCKER_HOST"),
            Self::DockerContext => f.write_str("DOCKER_CONTEXT"),
            Self::CurrentContext(path) => write!(f, "currentContext in {}", path.display()),
            Self::Context(name) => write!(f, "the Docker context {name:?}"),
            Self::Given => f.write_str("the endpoint"),
        }
    }
}

/// A reason why a text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// No endpoint has this scheme.
    #[error("{0}:// is not a kind of endpoint")]
    Scheme(String),
    /// Something follows the port.
    #[error("there is a path after the port")]
    Path,
    /// It contains a user name.
    #[error("it contains a user name")]
    User,
    /// It contains a password.
    #[error("it contains a password, which ssh does not take; use a key")]
    Password,
    /// It names no host.
    #[error("it names no host")]
    NoHost,
    /// It contains a query or a fragment.
    #[error("it contains a query or a fragment")]
    Query,
    /// The bracket before an IPv6 address is not closed.
    #[error("a bracket is not closed")]
    OpenBracket,
    /// Something stands between the bracket after an IPv6 address and the port.
    #[error("there is text between the address and its port")]
    AfterBracket,
    /// An IPv6 address has no brackets.
    #[error("an IPv6 address needs brackets")]
    NoBrackets,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// The host name contains white space.
    #[error("it contains white space")]
    WhiteSpace,
}

/// A reason why a stored context cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextFault {
    /// The file cannot be read; what the operating system reports.
    #[error("{0}")]
    Read(String),
    /// The file is not JSON of the expected shape; what is wrong with it.
    #[error("{0}")]
    Json(String),
    /// The file is stored under the hash of another name than this one, which it contains.
    #[error("it is stored under the hash of another name than {0:?}")]
    OtherName(String),
    /// The context has no endpoint for an engine.
    #[error("it has no Docker endpoint")]
    NoEndpoint,
}
