//! How a function of the host fails.

use iechor_engine::{EngineError, ObjectKind};
use wasmtime::component::ResourceTableError;

use super::contract::{self, EngineFailure, Error, ObjectRef};
use crate::denial::Denial;
use crate::policy::Refusal;

/// How a capability fails: with an answer that the driver can handle, or by ending the driver.
#[derive(Debug)]
pub enum HostError {
    /// An error of the contract, other than a denial.
    Answer(Error),
    /// A refusal. The driver gets its words.
    Denied(Denial),
    /// A failure of the engine, which becomes an error of the contract.
    Engine(EngineError),
    /// The driver broke the contract.
    Trap(wasmtime::Error),
}

impl HostError {
    pub(crate) fn limit(what: String) -> Self {
        Self::Answer(Error::LimitExceeded(what))
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Answer(Error::InvalidArgument(what.into()))
    }
}

impl From<Denial> for HostError {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// A refusal by a rule that is not about a capability of its own.
impl From<Refusal> for HostError {
    fn from(refusal: Refusal) -> Self {
        Denial::forbidden("policy", refusal).into()
    }
}

impl From<ResourceTableError> for HostError {
    fn from(error: ResourceTableError) -> Self {
        match error {
            ResourceTableError::Full => Self::limit("too many handles open at a time".into()),
            other => Self::Trap(other.into()),
        }
    }
}

impl From<EngineError> for HostError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// Returns the error of the contract for a failure of the engine.
pub(crate) fn engine_answer(error: EngineError) -> Error {
    match error {
        EngineError::NotFound { kind, name } => Error::NotFound(object(kind, name)),
        EngineError::AlreadyExists { kind, name } => Error::AlreadyExists(object(kind, name)),
        EngineError::Conflict(message) => Error::Conflict(message),
        EngineError::Refused { status, message }
        | EngineError::PrivilegedRefused { status, message } => {
            Error::Engine(EngineFailure { status, message })
        }
        error @ (EngineError::Unsupported(_) | EngineError::NoBuildKit { .. }) => {
            Error::Unsupported(error.to_string())
        }
        error @ EngineError::CannotStart {
            is_missing: true, ..
        } => Error::Other(error.to_string()),
        EngineError::Invalid(message) => Error::InvalidArgument(message),
        EngineError::LimitExceeded(message) => Error::LimitExceeded(message),
        error @ (EngineError::Unreachable { .. }
        | EngineError::Protocol(_)
        | EngineError::AnswerTooLarge { .. }
        | EngineError::AnswerTooSlow { .. }
        | EngineError::CannotStart { .. }) => Error::Unavailable(error.to_string()),
        // A driver does not learn where and how the credentials are stored.
        EngineError::Credentials { registry, .. } => {
            Error::Other(format!("cannot get the credentials for {registry}"))
        }
    }
}

fn object(kind: ObjectKind, name: String) -> ObjectRef {
    let kind = match kind {
        ObjectKind::Container => contract::ObjectKind::Container,
        ObjectKind::Volume => contract::ObjectKind::Volume,
        ObjectKind::Network => contract::ObjectKind::Network,
        ObjectKind::Image => contract::ObjectKind::Image,
    };
    ObjectRef { kind, name }
}
