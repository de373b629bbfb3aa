//! Maps the failures of the engine, bollard, hyper and the operating system to [`EngineError`].
//!
//! This is the only place where the text of an engine's answer decides about anything.

use std::error::Error as StdError;
use std::io;

use http::StatusCode;
use iechor_values::causes::chain;
use serde::Deserialize;

use crate::endpoint::Host;
use crate::error::{EngineError, ObjectKind, UnreachableReason};

/// Maximum number of characters of an engine's message that an error repeats.
pub(super) const WORDS: usize = 4096;

/// The objects that a request names, to tell which of them a `404` is about.
pub(super) type About<'a> = &'a [(ObjectKind, &'a str)];

/// Maps an error of bollard.
pub(super) fn from_bollard(
    error: bollard::errors::Error,
    endpoint: &str,
    about: About<'_>,
) -> EngineError {
    use bollard::errors::Error;
    match error {
        Error::DockerResponseServerError {
            status_code,
            message,
        } => refine(from_message(status_code, message), about),
        // The dialer passes its own errors through bollard in this wrapper.
        Error::IOError { err } => refine(broken(&err, endpoint), about),
        Error::HyperResponseError { err } => broken(&err, endpoint),
        Error::JsonDataError { message, column } => {
            EngineError::Protocol(format!("{message} (column {column})"))
        }
        other => EngineError::Protocol(other.to_string()),
    }
}

/// Maps a transfer that broke off: an answer beyond its bounds, or an engine that cannot be reached.
pub(super) fn broken(error: &(dyn StdError + 'static), endpoint: &str) -> EngineError {
    match of_engine(error) {
        Some(error) => error.clone(),
        None => EngineError::Unreachable {
            endpoint: endpoint.to_owned(),
            reason: transfer_reason(error),
        },
    }
}

/// Returns the error of this crate that is inside an error of hyper or of the system.
pub(super) fn of_engine<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a EngineError> {
    let mut next = Some(error);
    while let Some(error) = next {
        // `io::Error::source` skips the inner error itself.
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

/// Wraps an error of the dialer, to pass it through bollard.
pub(super) fn into_bollard(error: EngineError) -> bollard::errors::Error {
    bollard::errors::Error::from(io::Error::other(error))
}

/// Returns whether a status means that this client may not make the request at all. Proxies in front of an engine
/// answer so.
pub(super) fn is_forbidden(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED
    )
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

/// Maps an answer that is not a success. `request` is named if it is forbidden: its method and path.
pub(super) fn from_answer(status: StatusCode, body: &[u8], request: &str) -> EngineError {
    let message = match serde_json::from_slice::<Message>(body) {
        Ok(m) => m.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    match from_message(status.as_u16(), message) {
        EngineError::Refused {
            status: code,
            message,
        } if is_forbidden(status) => EngineError::Refused {
            status: code,
            message: format!("{message} ({request})"),
        },
        error => error,
    }
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
            .unwrap_or("no message")
    } else {
        message
    };
    // Go's TLS server answers this in plain HTTP.
    let hint = if message.contains("HTTP request to an HTTPS server") {
        " (this port expects TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or use a context \
         with certificates)"
    } else {
        ""
    };
    let message = format!("{message}{hint}");
    if refuses_privileged(&message) {
        EngineError::PrivilegedRefused { status, message }
    } else {
        EngineError::Refused { status, message }
    }
}

/// Checks whether a message about a command that was not started means that the container has no such program. The exit
/// code does not tell on all engines: 20.10 reports 126.
pub(super) fn lacks_program(message: &str) -> bool {
    message.contains("executable file not found") || message.contains("no such file or directory")
}

/// Checks whether a message means that the engine does not run privileged containers: runc's message
/// if the engine lacks a capability itself, or Docker's if it maps users.
fn refuses_privileged(message: &str) -> bool {
    message.contains("unable to apply caps") || message.contains("Privileged mode is incompatible")
}

/// Maps a refusal to its meaning: the object is missing, exists already, or is in the wrong state.
///
/// The meaning depends on the status, and on the message if a status has several meanings.
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
        // 20.10 answers 403 and 500 where later engines answer 409.
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

/// Returns whether a container is not removed because another client removes it already.
pub(super) fn is_being_removed(error: &EngineError) -> bool {
    matches!(error, EngineError::Conflict(words) if words.contains("is already in progress"))
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
    // Objects that the request named come first: an image's name may contain the word `network`.
    about
        .iter()
        .map(|(kind, _)| *kind)
        .chain(kinds)
        .find(|kind| says(*kind))
}

/// Returns the name of the missing object. A request may refer to objects that it does not name itself, such
/// as the container whose network another one joins: the message has their names.
fn name_of(kind: ObjectKind, about: About<'_>, message: &str) -> String {
    let requested = about.iter().find(|(k, _)| *k == kind);
    let told = || {
        // `No such container: NAME`, `network NAME not found`
        let name = message.rsplit_once(": ").map_or(message, |(_, name)| name);
        let name = name.strip_prefix(&format!("{kind} ")).unwrap_or(name);
        name.strip_suffix(" not found").unwrap_or(name).to_owned()
    };
    match requested {
        // Engines complete the names of images.
        Some((ObjectKind::Image, name)) => (*name).to_owned(),
        Some((_, name)) => {
            let told = told();
            // The engine repeats a name that is one word, and describes anything else.
            let is_name = message.to_lowercase().contains("no such container: ")
                && !told.contains(char::is_whitespace);
            if is_name { told } else { (*name).to_owned() }
        }
        None => told(),
    }
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

/// Returns why a connection could not be opened.
pub(super) fn connect_reason(error: &io::Error, host: &Host) -> UnreachableReason {
    let unix = matches!(host, Host::Unix(_));
    match error.kind() {
        io::ErrorKind::NotFound if unix => UnreachableReason::NoSocket,
        io::ErrorKind::PermissionDenied if unix => UnreachableReason::NotPermitted,
        io::ErrorKind::ConnectionRefused => UnreachableReason::ConnectionRefused,
        io::ErrorKind::InvalidData => {
            let words = chain(error);
            if words.contains("InvalidContentType") {
                UnreachableReason::NotTls(words)
            } else {
                UnreachableReason::Tls(words)
            }
        }
        _ => UnreachableReason::Other(chain(error)),
    }
}

/// Returns why a request got no answer.
fn transfer_reason(error: &(dyn StdError + 'static)) -> UnreachableReason {
    let cut_off = |error: &hyper::Error| error.is_incomplete_message();
    if error.downcast_ref().is_some_and(cut_off) {
        return UnreachableReason::Closed;
    }
    UnreachableReason::Other(chain(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::EngineErrorKind;

    fn refused(status: u16, message: &str) -> EngineError {
        EngineError::Refused {
            status,
            message: message.into(),
        }
    }

    /// The messages are those of real engines: 20.10, 28 and podman 5.
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
                "No such container: other",
                "no such container: other",
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
                "container c already exists",
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
                "network n already exists",
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
    fn a_refusal_of_privileged_containers_has_its_own_kind() {
        let runc = "OCI runtime create failed: runc create failed: unable to start container \
                    process: unable to apply caps: operation not permitted: unknown";
        let docker = "Privileged mode is incompatible with user namespaces.  You must run the \
                      container in the host namespace when running privileged mode";
        for (status, message) in [(500, runc), (400, docker)] {
            let body = serde_json::json!({ "message": message }).to_string();
            let status = StatusCode::from_u16(status).expect("a status");
            let error = from_answer(status, body.as_bytes(), "POST /x");
            assert_eq!(error.kind(), EngineErrorKind::PrivilegedRefused, "{error}");
            assert!(error.to_string().contains(message), "{error}");
            let error = refine(error, &[]);
            assert_eq!(error.kind(), EngineErrorKind::PrivilegedRefused, "{error}");
        }
        let other = from_answer(StatusCode::BAD_REQUEST, b"{\"message\":\"privileged\"}", "");
        assert_eq!(other.kind(), EngineErrorKind::Refused);
    }

    #[test]
    fn an_answer_without_words_has_its_status() {
        let e = from_answer(StatusCode::BAD_GATEWAY, b"", "GET /x");
        assert_eq!(e.to_string(), "the engine answered 502: Bad Gateway");
        let e = from_answer(StatusCode::BAD_REQUEST, b"{\"message\":\"no\"}\n", "GET /x");
        assert_eq!(e.to_string(), "the engine answered 400: no");
        let e = from_answer(
            StatusCode::BAD_REQUEST,
            b"Client sent an HTTP request to an HTTPS server.\n",
            "GET /x",
        );
        assert!(e.to_string().contains("DOCKER_TLS_VERIFY"), "{e}");
        let e = from_answer(StatusCode::BAD_REQUEST, b"plain words\n", "GET /x");
        assert_eq!(e.to_string(), "the engine answered 400: plain words");
    }

    #[test]
    fn a_forbidden_request_is_named() {
        for status in [401, 403, 405] {
            let code = StatusCode::from_u16(status).expect("a status");
            let e = from_answer(code, b"not allowed\n", "POST /containers/c/exec");
            assert_eq!(
                e.to_string(),
                format!("the engine answered {status}: not allowed (POST /containers/c/exec)")
            );
        }
    }
}
