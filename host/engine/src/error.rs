//! Failures of an engine, or of the connection to it.

use std::fmt;
use std::path::PathBuf;

use iechor_values::size;

/// A kind of object that an error is about.
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

/// A failure of the engine, or of the connection to it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// There is no such object.
    #[error("no such {kind}: {name}")]
    NotFound {
        /// Kind of the object.
        kind: ObjectKind,
        /// Name that was looked up.
        name: String,
    },
    /// An object of that name already exists.
    #[error("{kind} {name} already exists")]
    AlreadyExists {
        /// Kind of the object.
        kind: ObjectKind,
        /// Its name.
        name: String,
    },
    /// The state of an object does not permit the operation (in use, not running, ...); the engine's
    /// message.
    #[error("{0}")]
    Conflict(String),
    /// The engine cannot be reached now; a later attempt may succeed.
    #[error("cannot reach the engine at {endpoint}: {reason}")]
    Unreachable {
        /// Endpoint of the engine.
        endpoint: String,
        /// Why it cannot be reached.
        reason: UnreachableReason,
    },
    /// The engine refused or failed.
    #[error("the engine answered {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The engine's message.
        message: String,
    },
    /// The engine does not run privileged containers: it lacks a capability itself, or maps users.
    #[error("the engine answered {status}: {message}")]
    PrivilegedRefused {
        /// HTTP status.
        status: u16,
        /// The engine's message.
        message: String,
    },
    /// The engine's answer does not follow the protocol.
    #[error("unexpected answer from the engine: {0}")]
    Protocol(String),
    /// The engine does not support an operation.
    #[error("the engine does not support {0}")]
    Unsupported(String),
    /// The engine has no BuildKit of its own that can be connected to.
    #[error("the engine does not support BuildKit connections ({request}: {status} {message})")]
    NoBuildKit {
        /// Method and path of the request.
        request: String,
        /// HTTP status.
        status: u16,
        /// The engine's message.
        message: String,
    },
    /// A command in a container could not be started.
    #[error("cannot run {command:?} in container {container}: {reason}")]
    CannotStart {
        /// Name of the container.
        container: String,
        /// The program, without its arguments.
        command: String,
        /// The engine's message.
        reason: String,
        /// Whether the container has no such program, so that another attempt is useless.
        is_missing: bool,
    },
    /// The credentials for a registry are not available.
    #[error("cannot get the credentials for {registry}: {reason}")]
    Credentials {
        /// Host name of the registry.
        registry: String,
        /// What is wrong, and with which file or program.
        reason: String,
    },
    /// An argument cannot be sent: a path that leaves its target, a stream that broke off.
    #[error("{0}")]
    Invalid(String),
    /// An argument is larger than this crate passes on.
    #[error("{0}")]
    LimitExceeded(String),
    /// The engine's answer is larger than any valid one.
    #[error(
        "the answer of {endpoint} to {request} has more than {limit}, which is more than an engine \
         sends; check what listens there"
    )]
    AnswerTooLarge {
        /// Endpoint of the engine.
        endpoint: String,
        /// Method and path of the request.
        request: String,
        /// The limit.
        limit: AnswerLimit,
    },
    /// The engine did not complete its answer in time.
    #[error(
        "the engine at {endpoint} did not complete its answer to {request} within {seconds} s; \
         check whether it is overloaded, and what listens there"
    )]
    AnswerTooSlow {
        /// Endpoint of the engine.
        endpoint: String,
        /// Method and path of the request.
        request: String,
        /// The limit, in seconds.
        seconds: u64,
    },
}

/// A limit on the size of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerLimit {
    /// Size in bytes.
    Bytes(u64),
    /// Number of objects in a list.
    Objects(usize),
}

impl fmt::Display for AnswerLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.write_str(&size::exact(*bytes)),
            Self::Objects(count) => write!(f, "{count} objects"),
        }
    }
}

/// A reason why an engine cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreachableReason {
    /// The socket does not exist.
    #[error("there is no such socket; is the engine installed and running?")]
    NoSocket,
    /// The user has no permission to use the socket.
    #[error(
        "this user may not use the socket; join the group that owns it, or name another engine \
         with DOCKER_HOST"
    )]
    NotPermitted,
    /// Nothing listens at the address.
    #[error("connection refused; is the engine running?")]
    ConnectionRefused,
    /// The connection was not established in time.
    #[error("no answer within {seconds} seconds; check the address and firewalls on the way")]
    NoAnswer {
        /// The limit, in seconds.
        seconds: u64,
    },
    /// The engine closed the connection before it answered.
    #[error("the engine closed the connection before it answered")]
    Closed,
    /// The TLS handshake failed; what the TLS library reports.
    #[error("TLS: {0}")]
    Tls(String),
    /// The answer to the TLS handshake is not TLS; what the TLS library reports.
    #[error("TLS: {0}; the engine may not speak TLS on this port")]
    NotTls(String),
    /// The TLS settings cannot be used.
    #[error("{0}")]
    TlsSettings(#[from] TlsFault),
    /// The host name contains characters that a host name cannot have.
    #[error("{0:?} is not a host name")]
    HostName(String),
    /// `HttpHeaders` of the configuration has an entry that is not an HTTP header.
    #[error(
        "HttpHeaders in {} has an entry {name:?} that is not an HTTP header; remove or correct it",
        path.display()
    )]
    Header {
        /// Name of the entry.
        name: String,
        /// The configuration file.
        path: PathBuf,
    },
    /// Another reason; what the operating system or a library reports.
    #[error("{0}")]
    Other(String),
}

impl From<String> for UnreachableReason {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl From<&str> for UnreachableReason {
    fn from(reason: &str) -> Self {
        Self::Other(reason.to_owned())
    }
}

/// A reason why TLS settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The host name cannot be that of a certificate.
    #[error("{0:?} is not a name that a certificate can have")]
    ServerName(String),
    /// A file cannot be read.
    #[error("cannot read the TLS {file} {}: {reason}", path.display())]
    Read {
        /// What the file is for.
        file: TlsFile,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file was read, but cannot be used.
    #[error("cannot use the TLS {file} {}: {reason}", path.display())]
    Use {
        /// What the file is for.
        file: TlsFile,
        /// The file.
        path: PathBuf,
        /// What the TLS library reports.
        reason: String,
    },
    /// There is a certificate without a key.
    #[error("the TLS certificate {} has no key.pem beside it", .0.display())]
    NoKey(PathBuf),
    /// There is a key without a certificate.
    #[error("the TLS key {} has no cert.pem beside it", .0.display())]
    NoCertificate(PathBuf),
    /// No authority was given, and the system has none either.
    #[error(
        "no certificate authority is given, and the system has none{}; put the engine's authority \
         into ca.pem, or name its file with SSL_CERT_FILE",
        if .0.is_empty() { String::new() } else { format!(" ({})", .0) }
    )]
    NoAuthorities(String),
    /// The TLS library does not accept the settings; what it reports.
    #[error("TLS: {0}")]
    Library(String),
}

/// A use of a file with TLS material.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFile {
    /// Certificates of authorities.
    Authority,
    /// The client's certificate.
    Certificate,
    /// The key of the client's certificate.
    Key,
}

impl fmt::Display for TlsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authority => "authority",
            Self::Certificate => "certificate",
            Self::Key => "key",
        })
    }
}

/// A kind of [`EngineError`], for decisions and advice that do not depend on its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineErrorKind {
    /// [`EngineError::NotFound`].
    NotFound,
    /// [`EngineError::AlreadyExists`].
    AlreadyExists,
    /// [`EngineError::Conflict`].
    Conflict,
    /// [`EngineError::Unreachable`].
    Unreachable,
    /// [`EngineError::Refused`].
    Refused,
    /// [`EngineError::PrivilegedRefused`].
    PrivilegedRefused,
    /// [`EngineError::Protocol`].
    Protocol,
    /// [`EngineError::Unsupported`].
    Unsupported,
    /// [`EngineError::NoBuildKit`].
    NoBuildKit,
    /// [`EngineError::CannotStart`].
    CannotStart,
    /// [`EngineError::Credentials`].
    Credentials,
    /// [`EngineError::Invalid`].
    Invalid,
    /// [`EngineError::LimitExceeded`].
    LimitExceeded,
    /// [`EngineError::AnswerTooLarge`].
    AnswerTooLarge,
    /// [`EngineError::AnswerTooSlow`].
    AnswerTooSlow,
}

impl EngineError {
    /// Returns the kind of this error.
    pub fn kind(&self) -> EngineErrorKind {
        match self {
            Self::NotFound { .. } => EngineErrorKind::NotFound,
            Self::AlreadyExists { .. } => EngineErrorKind::AlreadyExists,
            Self::Conflict(_) => EngineErrorKind::Conflict,
            Self::Unreachable { .. } => EngineErrorKind::Unreachable,
            Self::Refused { .. } => EngineErrorKind::Refused,
            Self::PrivilegedRefused { .. } => EngineErrorKind::PrivilegedRefused,
            Self::Protocol(_) => EngineErrorKind::Protocol,
            Self::Unsupported(_) => EngineErrorKind::Unsupported,
            Self::NoBuildKit { .. } => EngineErrorKind::NoBuildKit,
            Self::CannotStart { .. } => EngineErrorKind::CannotStart,
            Self::Credentials { .. } => EngineErrorKind::Credentials,
            Self::Invalid(_) => EngineErrorKind::Invalid,
            Self::LimitExceeded(_) => EngineErrorKind::LimitExceeded,
            Self::AnswerTooLarge { .. } => EngineErrorKind::AnswerTooLarge,
            Self::AnswerTooSlow { .. } => EngineErrorKind::AnswerTooSlow,
        }
    }
}
