//! What the engine, bollard, hyper and the operating system say, as [`EngineError`].

use std::error::Error as StdError;
use std::io;

use http::StatusCode;
use serde::Deserialize;

use super::answer::WORDS;
use super::dialer::Dialer;
use crate::endpoint::Host;
use crate::{EngineError, ObjectKind};

/// The objects that a request names, so that a `404` can say which of them is missing.
pub(super) type About<'a> = &'a [(ObjectKind, &'a str)];

/// Maps what a call of bollard's failed with.
pub(super) fn from_bollard(
    error: bollard::errors::Error,
    dialer: &Dialer,
    about: About<'_>,
) -> EngineError {
    use bollard::errors::Error;
    match error {
        Error::DockerResponseServerError {
            status_code,
            message,
        } => refine(from_message(status_code, message), about),
        // The dialer hands its own errors through bollard in this wrapping.
        Error::IOError { err } => dialer.broken(&err),
        Error::HyperResponseError { err } => dialer.broken(&err),
        Error::JsonDataError { message, column } => {
            EngineError::Protocol(format!("{message} (column {column})"))
        }
        other => EngineError::Protocol(other.to_string()),
    }
}

/// The error of this crate that an error of hyper's or of the system's was made of.
pub(super) fn of_engine<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a EngineError> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An `io::Error` does not count what it was made of among its sources.
        let made_of = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(found) = made_of.and_then(|inner| inner.downcast_ref()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Wraps an error of the dialer for its way through bollard.
pub(super) fn into_bollard(error: EngineError) -> bollard::errors::Error {
    bollard::errors::Error::from(io::Error::other(error))
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

/// Maps an answer that is no success.
pub(super) fn from_answer(status: StatusCode, body: &[u8]) -> EngineError {
    let message = match serde_json::from_slice::<Message>(body) {
        Ok(m) => m.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    from_message(status.as_u16(), message)
}

fn from_message(status: u16, message: String) -> EngineError {
    let message = match message.char_indices().nth(WORDS) {
        Some((end, _)) => &message[..end],
        None => &message,
    };
    let message = message.trim();
    let message = if message.is_empty() {
        StatusCode::from_u16(status)
            .ok()
            .and_then(|s| s.canonical_reason())
            .unwrap_or("nothing further")
    } else {
        message
    };
    // Go's TLS server says this in plain HTTP.
    let hint = if message.contains("HTTP request to an HTTPS server") {
        " (this port wants TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or use a context \
         that has certificates)"
    } else {
        ""
    };
    EngineError::Refused {
        status,
        message: format!("{message}{hint}"),
    }
}

/// Makes of a refusal what it means: missing, there already, in the wrong state.
///
/// The engine says which by status, and by its words where one status has several meanings.
pub(super) fn refine(error: EngineError, about: About<'_>) -> EngineError {
    let EngineError::Refused { status, message } = error else {
        return error;
    };
    let words = message.to_lowercase();
    match status {
        404 => match missing(&words, about) {
            Some(kind) => EngineError::NotFound {
                kind,
                name: name_of(kind, about, &message),
            },
            None => EngineError::Refused { status, message },
        },
        409 => match taken(&words, about) {
            Some((kind, name)) => EngineError::AlreadyExists {
                kind,
                name: name.to_owned(),
            },
            None => EngineError::Conflict(message),
        },
        // 20.10 says 403 and 500 where later engines say 409.
        403 | 500
            if words.contains("has active endpoints")
                || words.contains("is not connected to")
                || words.contains("already exists in network") =>
        {
            EngineError::Conflict(message)
        }
        _ => EngineError::Refused { status, message },
    }
}

fn missing(words: &str, about: About<'_>) -> Option<ObjectKind> {
    let says = |kind: ObjectKind| {
        let kind_name = kind.to_string();
        words.contains(&format!("no such {kind_name}"))
            || words.contains(&format!("no {kind_name} with name"))
            || (words.contains(&kind_name) && words.contains("not found"))
    };
    let kinds = [
        ObjectKind::Container,
        ObjectKind::Image,
        ObjectKind::Volume,
        ObjectKind::Network,
    ];
    // What the request named comes first: an image's name may well contain the word `network`.
    about
        .iter()
        .map(|(kind, _)| *kind)
        .chain(kinds)
        .find(|kind| says(*kind))
}

/// The name that the request used; for an object that it did not name, the engine's words.
fn name_of(kind: ObjectKind, about: About<'_>, message: &str) -> String {
    about
        .iter()
        .find(|(k, _)| *k == kind)
        .map(|(_, name)| (*name).to_owned())
        .unwrap_or_else(|| {
            // `No such image: NAME`, `network NAME not found`
            let name = message.rsplit_once(": ").map_or(message, |(_, name)| name);
            let name = name.strip_prefix(&format!("{kind} ")).unwrap_or(name);
            name.strip_suffix(" not found").unwrap_or(name).to_owned()
        })
}

fn taken<'a>(words: &str, about: About<'a>) -> Option<(ObjectKind, &'a str)> {
    let (kind, name) = *about.first()?;
    let taken = match kind {
        ObjectKind::Container => words.contains("is already in use by"),
        ObjectKind::Network => words.contains("already exists"),
        ObjectKind::Volume => words.contains("already exists") || words.contains("must be unique"),
        ObjectKind::Image => false,
    };
    taken.then_some((kind, name))
}

/// Why a connection could not be opened, and what to do about it.
pub(super) fn connect_reason(error: &io::Error, host: &Host) -> String {
    let unix = matches!(host, Host::Unix(_));
    match error.kind() {
        io::ErrorKind::NotFound if unix => {
            "there is no such socket; is the engine installed and running?".into()
        }
        io::ErrorKind::PermissionDenied if unix => {
            "this user may not use the socket; join the group that owns it, or name another \
             engine with DOCKER_HOST"
                .into()
        }
        io::ErrorKind::ConnectionRefused => "connection refused; is the engine running?".into(),
        io::ErrorKind::InvalidData => {
            let words = chain(error);
            if words.contains("InvalidContentType") {
                format!("TLS: {words}; the engine may not speak TLS on this port")
            } else {
                format!("TLS: {words}")
            }
        }
        _ => chain(error),
    }
}

/// Why a request got no answer.
pub(super) fn transfer_reason(error: &(dyn StdError + 'static)) -> String {
    let cut_off = |error: &hyper::Error| error.is_incomplete_message();
    if error.downcast_ref().is_some_and(cut_off) {
        return "the engine closed the connection before it answered".into();
    }
    chain(error)
}

/// An error with what caused it, without saying anything twice.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(e) = next {
        let more = e.to_string();
        if !words.contains(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        next = e.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, message: &str) -> EngineError {
        EngineError::Refused {
            status,
            message: message.into(),
        }
    }

    /// The left words are those of real engines: 20.10, 28 and podman 5.
    #[test]
    fn refusals_become_what_they_mean() {
        let container: About<'_> = &[(ObjectKind::Container, "c"), (ObjectKind::Image, "i")];
        let network: About<'_> = &[(ObjectKind::Network, "n"), (ObjectKind::Container, "c")];
        let volume: About<'_> = &[(ObjectKind::Volume, "v")];
        for (about, status, words, expected) in [
            (
                container,
                404,
                "No such container: c",
                "no such container: c",
            ),
            (
                container,
                404,
                "no container with name or ID \"c\" found: no such container",
                "no such container: c",
            ),
            (
                container,
                404,
                "No such image: i:latest",
                "no such image: i",
            ),
            (
                container,
                404,
                "network abc not found",
                "no such network: abc",
            ),
            (
                container,
                404,
                "Could not find the file /x in container c",
                "the engine answered 404: Could not find the file /x in container c",
            ),
            (
                container,
                404,
                "page not found",
                "the engine answered 404: page not found",
            ),
            (
                container,
                409,
                "Conflict. The container name \"/c\" is already in use by container \"1\". You have to remove (or rename) that container to be able to reuse that name.",
                "container c exists already",
            ),
            (
                container,
                409,
                "Container 1 is not running",
                "Container 1 is not running",
            ),
            (
                network,
                409,
                "network with name n already exists",
                "network n exists already",
            ),
            (network, 404, "network n not found", "no such network: n"),
            (network, 404, "No such container: c", "no such container: c"),
            (
                network,
                403,
                "error while removing network: network n id 1 has active endpoints",
                "error while removing network: network n id 1 has active endpoints",
            ),
            (
                network,
                403,
                "operation not permitted",
                "the engine answered 403: operation not permitted",
            ),
            (volume, 404, "get v: no such volume", "no such volume: v"),
            (
                volume,
                409,
                "remove v: volume is in use - [1]",
                "remove v: volume is in use - [1]",
            ),
            (
                volume,
                500,
                "disk full",
                "the engine answered 500: disk full",
            ),
        ] {
            let got = refine(refused(status, words), about);
            assert_eq!(got.to_string(), expected, "{words}");
            if status == 403 && words.contains("active") {
                assert!(matches!(got, EngineError::Conflict(_)));
            }
        }
    }

    #[test]
    fn an_answer_without_words_has_its_status() {
        let e = from_answer(StatusCode::BAD_GATEWAY, b"");
        assert_eq!(e.to_string(), "the engine answered 502: Bad Gateway");
        let e = from_answer(StatusCode::BAD_REQUEST, b"{\"message\":\"no\"}\n");
        assert_eq!(e.to_string(), "the engine answered 400: no");
        let e = from_answer(
            StatusCode::BAD_REQUEST,
            b"Client sent an HTTP request to an HTTPS server.\n",
        );
        assert!(e.to_string().contains("DOCKER_TLS_VERIFY"), "{e}");
        let e = from_answer(StatusCode::BAD_REQUEST, b"plain words\n");
        assert_eq!(e.to_string(), "the engine answered 400: plain words");
    }
}
