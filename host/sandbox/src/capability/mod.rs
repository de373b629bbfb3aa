//! What a driver can call: the host's side of each interface of `wit/`.
//!
//! The rules are the same in all of them. The grant and the ownership are checked before anything
//! happens; a refusal is an answer, never a trap; a trap means that the driver used a handle which
//! is not its own.

pub(crate) mod buildkit_session;
pub(crate) mod clock;
pub(crate) mod container;
pub(crate) mod engine;
pub(crate) mod image;
pub(crate) mod log;
pub(crate) mod network;
pub(crate) mod progress;
mod tls;
pub(crate) mod transport;
pub(crate) mod volume;

use std::collections::BTreeMap;

use iechor_engine::reference::Reference;
use iechor_engine::{EngineError, ObjectKind};
use wasmtime::component::ResourceTableError;

use crate::bindings::contract::{self, Denial, EngineFailure, Error, ObjectRef};
use crate::bindings::iechor::driver::types;
use crate::limits;
use crate::operation::{Host, Operation};
use crate::policy::Refusal;

/// How a capability fails: with an answer that the driver can handle, or by ending it.
#[derive(Debug)]
pub enum HostError {
    /// An error of the contract.
    Answer(Error),
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
        Self::Answer(Error::Denied(denial))
    }
}

/// A refusal by a rule that is not about a capability of its own.
impl From<Refusal> for HostError {
    fn from(refusal: Refusal) -> Self {
        refusal.denial("policy").into()
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
fn engine_answer(error: EngineError) -> Error {
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

impl types::Host for Host {
    fn convert_error(&mut self, error: HostError) -> wasmtime::Result<Error> {
        let error = match error {
            HostError::Answer(error) => error,
            HostError::Engine(failure) => {
                let kind = failure.kind();
                let error = engine_answer(failure);
                self.operation.note_engine_failure(kind, &error);
                error
            }
            HostError::Trap(error) => return Err(error),
        };
        if let Error::Denied(denial) = &error {
            self.operation.note_denial(denial);
        }
        if let Some(observer) = &self.operation.observer {
            observer.error(&error);
        }
        Ok(error)
    }
}

/// Checks what a container is to run from, before any engine is asked for it.
fn check_image(operation: &Operation, reference: &str) -> Result<(), HostError> {
    Reference::check(reference).map_err(HostError::invalid)?;
    Ok(operation.grants.policy().check_image(reference)?)
}

/// Checks how much an object is described with: the engine keeps it, and hands it to everybody who
/// asks for a list.
fn check_texts(
    what: &str,
    pairs: &[&[(String, String)]],
    words: &[String],
) -> Result<(), HostError> {
    let pairs = || pairs.iter().copied().flatten();
    let count = pairs().count() + words.len();
    let bytes = pairs()
        .map(|(name, value)| name.len() + value.len())
        .sum::<usize>()
        + words.iter().map(String::len).sum::<usize>();
    if count > limits::TEXTS || bytes > limits::TEXT_BYTES {
        return Err(HostError::limit(format!(
            "{count} labels, options and words with {bytes} bytes for a {what}; there may be {} with \
             {} KiB",
            limits::TEXTS,
            limits::TEXT_BYTES >> 10
        )));
    }
    Ok(())
}

/// A path that says where it leads: a `..` would be resolved after the grant was checked.
fn check_path(path: &str) -> Result<(), HostError> {
    let clean = path == "/"
        || path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")));
    if clean {
        Ok(())
    } else {
        Err(HostError::invalid(format!(
            "{path:?} is not an absolute path without '.' and '..'"
        )))
    }
}

fn labels_to_pairs(labels: BTreeMap<String, String>) -> Vec<(String, String)> {
    labels.into_iter().collect()
}

/// Whether an object of a list belongs to the node: its labels alone could be those of an image, or
/// be what an engine makes up.
fn is_of_node(operation: &Operation, name: &str, labels: &BTreeMap<String, String>) -> bool {
    operation.owner.made(labels) && operation.owner.check_name(name).is_ok()
}

/// Whether `labels` has every one of `wanted`.
fn has_labels(labels: &BTreeMap<String, String>, wanted: &[(String, String)]) -> bool {
    wanted
        .iter()
        .all(|(name, value)| labels.get(name) == Some(value))
}
