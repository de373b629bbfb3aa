//! `moby.filesync.v1.FileSync`: sends directories to the daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderMap;
use iechor_fsutil::{Filter, Offered};
use tonic::Status;

use super::SessionBuilder;
use super::service::{Handler, Method, SessionService, StreamingCall};
use super::violation::Violation;
use crate::transfer::{self, Failure};

/// Maximum number of directories that are sent at the same time. A build requests its context, its
/// Dockerfile and each named context.
const TRANSFERS_AT_ONCE: usize = 32;

/// Maximum size of a message from the daemon, in bytes. The daemon sends the numbers of files, and at
/// most the text of an error.
const MESSAGE_LIMIT: usize = 1 << 20;

impl SessionBuilder {
    /// Offers a directory under the name that the frontend requests (`context`, `dockerfile`).
    ///
    /// Owners are sent as 0:0. The frontend reads `.dockerignore` and says which files it needs.
    #[must_use]
    pub fn directory(mut self, name: impl Into<String>, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        self.directories.paths.insert(name.into(), path);
        self
    }

    /// Sets a function that is called with the name of a directory and the size of what was offered of
    /// it, after each transfer has offered everything. It must not block.
    #[must_use]
    pub fn observe_directories(
        mut self,
        observer: impl Fn(&str, Offered) + Send + Sync + 'static,
    ) -> Self {
        self.directories.observer = Some(Arc::new(observer));
        self
    }
}

/// The directories that a session offers, by name.
#[derive(Default)]
pub(super) struct Directories {
    paths: BTreeMap<String, PathBuf>,
    observer: Option<Arc<Observer>>,
    violation: Arc<Violation>,
}

type Observer = dyn Fn(&str, Offered) + Send + Sync;

impl SessionService for Directories {
    const NAME: &'static str = "moby.filesync.v1.FileSync";
    const METHODS: &'static [Method<Self>] = &[Method {
        name: "DiffCopy",
        calls_at_once: TRANSFERS_AT_ONCE,
        message_limit: MESSAGE_LIMIT,
        handler: Handler::Streaming(|service, call| Box::pin(service.send(call))),
    }];
}

impl Directories {
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    pub(super) fn violation(&self) -> Arc<Violation> {
        Arc::clone(&self.violation)
    }

    async fn send(self: Arc<Self>, call: StreamingCall) -> Result<(), Status> {
        let name = first(&call.headers, "dir-name");
        let Some(directory) = self.paths.get(name) else {
            return Err(Status::not_found(format!(
                "no access allowed to dir {name:?}"
            )));
        };
        let filter = Filter {
            include: list(&call.headers, "include-patterns"),
            exclude: list(&call.headers, "exclude-patterns"),
            follow_paths: list(&call.headers, "followpaths"),
        };
        let observer = self.observer.clone();
        let observed = name.to_owned();
        let offered = move |offered: Offered| {
            if let Some(observer) = observer {
                observer(&observed, offered);
            }
        };
        let sent = transfer::send(directory, filter, call.incoming, call.outgoing, offered).await;
        sent.map_err(|failure| {
            if let Failure::Violation(what) = &failure {
                self.violation.report(format!("directory `{name}`: {what}"));
            }
            failure.into()
        })
    }
}

fn first<'headers>(headers: &'headers HeaderMap, name: &str) -> &'headers str {
    headers
        .get(name)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .unwrap_or_default()
}

/// Returns all values of a header that is a list. With the header `<name>-encoded: 1` the values are
/// escaped as in the query of a URL.
fn list(headers: &HeaderMap, name: &str) -> Vec<Vec<u8>> {
    let encoded = headers
        .get(format!("{name}-encoded"))
        .is_some_and(|value| matches!(value.as_bytes(), b"1" | b"t" | b"T" | b"true" | b"TRUE"));
    headers
        .get_all(name)
        .iter()
        .map(|value| {
            // Old daemons send UTF-8 without escaping it.
            if encoded {
                unescape(value.as_bytes())
            } else {
                value.as_bytes().to_owned()
            }
        })
        .collect()
}

/// Reverses Go's `url.QueryEscape`. Leaves a `%` that begins no escape as it is.
fn unescape(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let pair = (digit(text.get(at + 1)), digit(text.get(at + 2)));
        match (byte, pair) {
            (b'%', (Some(high), Some(low))) => {
                plain.extend(u8::try_from(high * 16 + low));
                at += 2;
            }
            (b'+', _) => plain.push(b' '),
            (byte, _) => plain.push(*byte),
        }
        at += 1;
    }
    plain
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn lists_are_decoded_where_they_say_so() {
        let mut headers = HeaderMap::new();
        let value = |text: &[u8]| HeaderValue::from_bytes(text).unwrap();
        headers.append("exclude-patterns", value(b"%C3%A4+b%2B"));
        headers.append("exclude-patterns", value(b"100%"));
        // A file name need not be UTF-8.
        headers.append("exclude-patterns", value(b"%FF"));
        headers.append("exclude-patterns-encoded", value(b"1"));
        headers.append("followpaths", value("ä+%41".as_bytes()));
        let excluded = [&b"\xc3\xa4 b+"[..], b"100%", b"\xff"];
        assert_eq!(list(&headers, "exclude-patterns"), excluded);
        assert_eq!(list(&headers, "followpaths"), ["ä+%41".as_bytes()]);
        assert!(list(&headers, "include-patterns").is_empty());
    }
}
