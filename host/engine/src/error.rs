//! What can go wrong with an engine.

use std::fmt;

/// What kind of thing an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A container.
    Container,
    /// A volume.
    Volume,
    /// A network.
    Network,
    /// An image.
    Image,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Volume => "volume",
            Self::Network => "network",
            Self::Image => "image",
        })
    }
}

/// A failure of the engine, or on the way to it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// There is no such object.
    #[error("no such {kind}: {name}")]
    NotFound {
        /// What was looked for.
        kind: ObjectKind,
        /// The name that it was looked for by.
        name: String,
    },
    /// An object of that name exists already.
    #[error("{kind} {name} exists already")]
    AlreadyExists {
        /// What was to be made.
        kind: ObjectKind,
        /// Its name.
        name: String,
    },
    /// The state of an object does not admit the operation (in use, not running, ...).
    #[error("{0}")]
    Conflict(String),
    /// The engine cannot be reached; later may differ.
    #[error("cannot reach the engine at {endpoint}: {reason}")]
    Unreachable {
        /// The endpoint that was tried.
        endpoint: String,
        /// What the operating system or the TLS library said.
        reason: String,
    },
    /// The engine refused or failed, with its own words.
    #[error("the engine answered {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The engine's message.
        message: String,
    },
    /// The engine answered with something that makes no sense.
    #[error("unexpected answer from the engine: {0}")]
    Protocol(String),
    /// This engine does not do that.
    #[error("the engine does not support {0}")]
    Unsupported(String),
    /// A command in a container could not be started.
    #[error("cannot run {command:?} in container {container}: {reason}")]
    CannotStart {
        /// The container.
        container: String,
        /// The program, without its arguments.
        command: String,
        /// The engine's words.
        reason: String,
    },
    /// The credentials for a registry cannot be had.
    #[error("cannot get the credentials for {registry}: {reason}")]
    Credentials {
        /// The registry's host name.
        registry: String,
        /// What is wrong, and with which file or program.
        reason: String,
    },
    /// What was handed in cannot be sent: a path that leaves its target, a stream that broke off.
    #[error("{0}")]
    Invalid(String),
    /// What was handed in is more than is passed on.
    #[error("{0}")]
    LimitExceeded(String),
    /// The engine's answer is larger than any that an engine gives.
    #[error(
        "the answer of {endpoint} to {request} has more than {most}, which no engine's has; look \
         what listens there"
    )]
    AnswerTooLarge {
        /// The endpoint.
        endpoint: String,
        /// Method and path.
        request: String,
        /// The bound, with its unit.
        most: String,
    },
    /// The engine did not end its answer in time.
    #[error(
        "the engine at {endpoint} did not answer {request} whole within {seconds} s; see whether it \
         is overloaded, or look what listens there"
    )]
    AnswerTooSlow {
        /// The endpoint.
        endpoint: String,
        /// Method and path.
        request: String,
        /// The limit, in seconds.
        seconds: u64,
    },
}
