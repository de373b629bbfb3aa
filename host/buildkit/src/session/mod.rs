//! The session of a build: what the daemon may call back for, such as files, results and credentials.
//!
//! The session is an HTTP/2 connection inside `Control.Session` on which the daemon is the gRPC
//! client. Each service that the daemon may call is one file here and implements
//! `SessionService` (`service.rs`); what a session does not offer is neither announced nor served.

pub mod auth;
pub mod content;
mod filesend;
mod filesync;
mod health;
pub mod secrets;
mod service;
pub mod ssh;
pub mod upload;
mod violation;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rand::Rng as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tower_service::Service as _;

pub use auth::{Credential, CredentialSource};
pub(crate) use filesend::{Destination, Exports};

use crate::client::{Client, origin};
use crate::error::Error;
use crate::grpc::{Messages, Outgoing};
use crate::tunnel::{QUEUE, SessionIo};
use content::Contents;
use filesync::Directories;
use health::Health;
use service::{MethodTable, SessionService};
use violation::Violation;

/// Maximum size of the headers of a call, in bytes. Include and exclude patterns come as headers: a
/// `.dockerignore` of 20 KB exceeds hyper's default of 16 KiB.
const HEADER_LIMIT: u32 = 1 << 20;

/// Flow control window of a call, in bytes: the amount of data that the daemon may send before it is
/// read.
const STREAM_WINDOW: u32 = 4 << 20;

/// Flow control window of all calls together, in bytes. A result that is not read (because a pipe is
/// full) fills the window of its own call, so this one is much larger: health checks have to get
/// through.
const CONNECTION_WINDOW: u32 = 64 << 20;

/// Maximum number of calls that are open at the same time. The daemon's HTTP/2 client waits with
/// further ones. A build for many platforms has a call for the result of each.
const MOST_CALLS: u32 = 128;

/// How often a session is opened again that the daemon ended. It ends one that does not answer for some
/// ten seconds, because this process was stopped or a transfer fills a slow connection.
const MOST_REOPENED: usize = 5;

/// Maximum time from the end of a session until the daemon has forgotten it.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// Returns a new random identifier in BuildKit's format: 25 characters of base 36.
pub fn new_id() -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut random = rand::rng();
    (0..25)
        .map(|_| char::from(DIGITS[random.random_range(0..DIGITS.len())]))
        .collect()
}

/// What one build may request from this side. Created by a [`SessionBuilder`] and consumed by
/// [`Client::solve`].
pub struct Session {
    id: String,
    shared_key: String,
    methods: MethodTable,
    violation: Arc<Violation>,
}

impl Session {
    /// Returns a builder of a session that offers nothing yet.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Returns the identifier of the session: 25 characters of base 36.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("id", &self.id)
            .field("shared_key", &self.shared_key)
            .field("methods", &self.methods.paths().collect::<Vec<_>>())
            .finish()
    }
}

/// A builder of a [`Session`].
///
/// The methods that offer something stand in the files of the services.
#[derive(Default)]
pub struct SessionBuilder {
    shared_key: String,
    directories: Directories,
    contents: Contents,
    methods: MethodTable,
}

impl SessionBuilder {
    /// Sets the key by which the daemon finds an earlier copy of a directory to start from.
    ///
    /// buildx uses the base name of the context and the node's id. Builds without a key share one
    /// copy.
    #[must_use]
    pub fn shared_key(mut self, key: impl Into<String>) -> Self {
        self.shared_key = key.into();
        self
    }

    /// Adds a service to the session.
    fn attach(mut self, service: impl SessionService) -> Self {
        self.methods.attach(&Arc::new(service));
        self
    }

    /// Builds the session with a new id.
    pub fn build(self) -> Session {
        let mut methods = self.methods;
        methods.attach(&Arc::new(Health));
        let violation = self.directories.violation();
        if !self.directories.is_empty() {
            methods.attach(&Arc::new(self.directories));
        }
        if !self.contents.is_empty() {
            methods.attach(&Arc::new(self.contents));
        }
        Session {
            id: new_id(),
            shared_key: self.shared_key,
            methods,
            violation,
        }
    }
}

/// A session that the daemon knows. Dropping it closes it at once, as buildx does at the end of a
/// build: the daemon's HTTP/2 client does not take part in a graceful shutdown.
pub(crate) struct OpenSession {
    pub(crate) exports: Arc<Exports>,
    violation: Arc<Violation>,
    was_ended: Arc<AtomicBool>,
    _server: AbortOnDropHandle<()>,
}

/// What the daemon is told about a session when it opens.
struct Announcement {
    id: HeaderValue,
    shared_key: HeaderValue,
    methods: MethodTable,
}

/// The data of a session from the daemon. Goes back to its owner when the HTTP/2 connection ends.
struct Lent {
    messages: Option<Messages<Incoming>>,
    owner: Option<oneshot::Sender<Messages<Incoming>>>,
}

impl Stream for Lent {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.get_mut().messages {
            Some(messages) => Pin::new(messages).poll_next(context),
            None => Poll::Ready(None),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(messages), Some(owner)) = (self.messages.take(), self.owner.take()) {
            // Nobody waits for it at the end of a build.
            let _ = owner.send(messages);
        }
    }
}

/// The byte stream of a session, and what remains of it.
struct Tunnel {
    io: SessionIo<Lent>,
    rest: oneshot::Receiver<Messages<Incoming>>,
}

impl OpenSession {
    /// Returns whether the daemon ended the session at some time. It was opened again, if possible.
    pub(crate) fn was_ended(&self) -> bool {
        self.was_ended.load(Ordering::Relaxed)
    }

    /// Waits until the daemon violates the protocol of a service, and returns the error.
    pub(crate) async fn violated(&self) -> Error {
        let what = tokio::select! {
            what = self.violation.happened() => what,
            what = self.exports.violation.happened() => what,
        };
        Error::Violation { what }
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.exports.abort();
    }
}

impl Client {
    /// Opens the session's byte stream and serves the session on it. Opens it again when the daemon ends
    /// it: the daemon finds a session by its identifier whenever the build needs it.
    pub(crate) async fn open_session(
        &self,
        session: Session,
        exports: Exports,
    ) -> Result<OpenSession, Error> {
        let exports = Arc::new(exports);
        let mut methods = session.methods;
        if !exports.is_empty() {
            methods.attach(&exports);
        }

        let announcement = Announcement {
            id: header_value(&session.id),
            shared_key: header_value(&session.shared_key),
            methods,
        };
        let tunnel = self.open_tunnel(&announcement).await?;
        let client = self.share();
        let was_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&was_ended);
        let server = tokio::spawn(async move {
            let announcement = Arc::new(announcement);
            serve(tunnel, &announcement).await;
            for _ in 0..MOST_REOPENED {
                ended.store(true, Ordering::Relaxed);
                let Ok(tunnel) = client.open_tunnel(&announcement).await else {
                    return;
                };
                serve(tunnel, &announcement).await;
            }
        });
        Ok(OpenSession {
            exports,
            violation: session.violation,
            was_ended,
            _server: AbortOnDropHandle::new(server),
        })
    }

    /// Opens the byte stream of a session.
    async fn open_tunnel(&self, announcement: &Announcement) -> Result<Tunnel, Error> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut request = Request::post(format!("{}moby.buildkit.v1.Control/Session", origin()))
            .body(tonic::body::Body::new(Outgoing(receiver)))
            .map_err(|error| Error::Request(error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("x-docker-expose-session-uuid", announcement.id.clone());
        headers.insert(
            "x-docker-expose-session-sharedkey",
            announcement.shared_key.clone(),
        );
        for path in announcement.methods.paths() {
            headers.append("x-docker-expose-session-grpc-method", header_value(path));
        }

        let mut link = self.link.clone();
        let opening = async {
            let response = link
                .call(request)
                .await
                .map_err(|error| Status::from_error(error.into()))?;
            check_response(&response)?;
            Ok(tonic::Response::new(response.into_body()))
        };
        let body = self.call("Control.Session", opening).await?;

        let (owner, rest) = oneshot::channel();
        let lent = Lent {
            messages: Some(Messages::new(body)),
            owner: Some(owner),
        };
        let io = SessionIo::new(lent, sender);
        Ok(Tunnel { io, rest })
    }
}

/// Serves a session until the daemon has ended it, and forgotten it.
async fn serve(tunnel: Tunnel, announcement: &Arc<Announcement>) {
    let announcement = Arc::clone(announcement);
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(HEADER_LIMIT)
        .max_concurrent_streams(MOST_CALLS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(
            TokioIo::new(tunnel.io),
            service_fn(move |request| {
                let announcement = Arc::clone(&announcement);
                async move {
                    let reply = announcement.methods.serve(request).await;
                    Ok::<_, std::convert::Infallible>(reply)
                }
            }),
        );
    // The result of Solve already reports how the connection ended: the daemon fails every call on a
    // session that is gone.
    let _ = connection.await;
    // The daemon waits for the end of what this side sends, which came with the end of the connection, and
    // then forgets the session. Until then, a new one would have the same name.
    let forgotten = async {
        if let Ok(mut rest) = tunnel.rest.await {
            while let Some(Ok(_)) = rest.next().await {}
        }
    };
    let _ = tokio::time::timeout(FORGOTTEN, forgotten).await;
}

/// Checks that the daemon opened the stream, and did not answer with an HTTP error or a status in the
/// headers.
fn check_response(response: &http::Response<Incoming>) -> Result<(), Status> {
    if let Some(status) = Status::from_header_map(response.headers()) {
        return if status.code() == tonic::Code::Ok {
            Err(Status::unavailable("the session was closed at once"))
        } else {
            Err(status)
        };
    }
    if response.status().is_success() {
        Ok(())
    } else {
        Err(Status::unknown(format!("HTTP {}", response.status())))
    }
}

/// Returns the text as a gRPC header, which holds printable ASCII only.
///
/// A shared key is opaque to the daemon, so other characters (of the name of a directory) are escaped.
fn header_value(text: &str) -> HeaderValue {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    HeaderValue::from_str(&escaped).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_those_of_buildkit() {
        let id = new_id();
        assert_eq!(id.len(), 25);
        assert!(
            id.bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
        );
        assert_ne!(id, new_id());
    }

    #[test]
    fn a_shared_key_of_any_bytes_is_a_header() {
        assert_eq!(header_value("app:abc123"), "app:abc123");
        assert_eq!(header_value("ä b\n%"), "%C3%A4 b%0A%25");
    }
}
