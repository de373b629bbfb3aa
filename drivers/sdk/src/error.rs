//! Errors in words.

use crate::{Error, types};

/// Describes an error in one line, for a person.
pub fn describe_error(error: &Error) -> String {
    match error {
        Error::NotFound(object) => format!("no such {}: {}", kind_name(object.kind), object.name),
        Error::AlreadyExists(object) => {
            format!("{} {} exists already", kind_name(object.kind), object.name)
        }
        Error::Conflict(text)
        | Error::InvalidArgument(text)
        | Error::Unavailable(text)
        | Error::LimitExceeded(text)
        | Error::Unsupported(text)
        | Error::Other(text) => text.clone(),
        Error::Denied(denial) => format!("{} is denied: {}", denial.capability, denial.detail),
        Error::NotRunning => "the builder is not running".into(),
        Error::Timeout => "out of time".into(),
        Error::Cancelled => "cancelled".into(),
        Error::Engine(failure) => failure.message.clone(),
    }
}

fn kind_name(kind: types::ObjectKind) -> &'static str {
    match kind {
        types::ObjectKind::Container => "container",
        types::ObjectKind::Volume => "volume",
        types::ObjectKind::Network => "network",
        types::ObjectKind::Image => "image",
        types::ObjectKind::Connection => "connection",
        types::ObjectKind::Other => "object",
    }
}
