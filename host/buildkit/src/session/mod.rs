//! What the daemon may call back during a build: files, results, credentials.
//!
//! The daemon is the gRPC client on this connection, which runs inside `Control.Session`.

mod auth;
mod filesend;
mod filesync;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bollard_buildkit_proto::health::HealthCheckResponse;
use bollard_buildkit_proto::health::health_check_response::ServingStatus;
use http::{HeaderMap, HeaderValue, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rand::Rng as _;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tower_service::Service as _;

pub use auth::{Credential, CredentialSource};
pub(crate) use filesend::{Destination, Exports, Failure};

use crate::client::{Client, origin};
use crate::error::Error;
use crate::grpc::{Messages, Outgoing, Reply, answer, framed, refuse};
use crate::tunnel::{QUEUE, SessionIo};

/// Include and exclude patterns come as headers: a `.dockerignore` of 20 KB exceeds hyper's 16 KiB.
const HEADER_LIMIT: u32 = 1 << 20;

/// A result that nobody reads (a pipe that is full) fills the window of its stream. The window of
/// the connection is larger by far, so that health checks still get through.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// Calls of the daemon that are served at the same time; HTTP/2 has it wait with further ones. A
/// build for many platforms has one for each result.
const MOST_CALLS: u32 = 128;

/// Directories that are sent at the same time; further calls wait. A build has one for its context,
/// its Dockerfile and each context that is named.
const MOST_TRANSFERS: usize = 32;

/// Registries whose credentials are looked up at the same time: each may take a process.
const MOST_LOOKUPS: usize = 8;

const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
const FILE_SYNC: &str = "/moby.filesync.v1.FileSync/DiffCopy";
const FILE_SEND: &str = "/moby.filesync.v1.FileSend/DiffCopy";
const CREDENTIALS: &str = "/moby.filesync.v1.Auth/Credentials";
const FETCH_TOKEN: &str = "/moby.filesync.v1.Auth/FetchToken";
const GET_TOKEN_AUTHORITY: &str = "/moby.filesync.v1.Auth/GetTokenAuthority";
const VERIFY_TOKEN_AUTHORITY: &str = "/moby.filesync.v1.Auth/VerifyTokenAuthority";

/// A new random identifier as BuildKit makes them: 25 characters of base 36.
pub fn new_id() -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut random = rand::rng();
    (0..25)
        .map(|_| char::from(DIGITS[random.random_range(0..DIGITS.len())]))
        .collect()
}

/// What one build may get from this side. Made by a [`SessionBuilder`], used up by
/// [`Client::solve`].
pub struct Session {
    id: String,
    shared_key: String,
    directories: BTreeMap<String, PathBuf>,
    credentials: Option<Arc<dyn CredentialSource>>,
}

impl Session {
    /// Starts with a session that offers nothing.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Identifies the session: 25 characters of base 36.
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
            .field("directories", &self.directories)
            .field("credentials", &self.credentials.is_some())
            .finish()
    }
}

/// Collects what a [`Session`] offers.
#[derive(Default)]
pub struct SessionBuilder {
    shared_key: String,
    directories: BTreeMap<String, PathBuf>,
    credentials: Option<Arc<dyn CredentialSource>>,
}

impl SessionBuilder {
    /// Which earlier copy of a directory the daemon may start from. buildx uses the base name of
    /// the context and the node's id; builds without a key share one copy.
    #[must_use]
    pub fn shared_key(mut self, key: impl Into<String>) -> Self {
        self.shared_key = key.into();
        self
    }

    /// Offers a directory under the name that the frontend asks for (`context`, `dockerfile`).
    /// Owners are sent as 0:0. The frontend says which files it wants; it reads `.dockerignore`.
    #[must_use]
    pub fn directory(mut self, name: impl Into<String>, path: impl AsRef<Path>) -> Self {
        self.directories
            .insert(name.into(), path.as_ref().to_owned());
        self
    }

    /// Who answers when the daemon asks for credentials of a registry.
    #[must_use]
    pub fn credentials(mut self, source: Arc<dyn CredentialSource>) -> Self {
        self.credentials = Some(source);
        self
    }

    /// Makes the session with a new id.
    pub fn build(self) -> Session {
        Session {
            id: new_id(),
            shared_key: self.shared_key,
            directories: self.directories,
            credentials: self.credentials,
        }
    }
}

/// What the calls of one session work on.
pub(crate) struct Services {
    directories: BTreeMap<String, PathBuf>,
    credentials: Option<Arc<dyn CredentialSource>>,
    pub(crate) exports: Exports,
    transfers: Arc<Semaphore>,
    lookups: Semaphore,
    failure: Mutex<Option<Error>>,
}

impl Services {
    fn fail(&self, error: Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
    }

    /// The first local failure; the daemon only repeats its words.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    fn methods(&self) -> Vec<&'static str> {
        let mut methods = vec![HEALTH_CHECK];
        if !self.directories.is_empty() {
            methods.push(FILE_SYNC);
        }
        if !self.exports.is_empty() {
            methods.push(FILE_SEND);
        }
        if self.credentials.is_some() {
            methods.extend([
                CREDENTIALS,
                FETCH_TOKEN,
                GET_TOKEN_AUTHORITY,
                VERIFY_TOKEN_AUTHORITY,
            ]);
        }
        methods
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        match (request.uri().path(), &self.credentials) {
            (HEALTH_CHECK, _) => answer(Ok(framed(&HealthCheckResponse {
                status: ServingStatus::Serving.into(),
            }))),
            (FILE_SYNC, _) => filesync::serve(&self.directories, &self.transfers, request),
            (FILE_SEND, _) => filesend::serve(self, request),
            (CREDENTIALS, Some(source)) => {
                let source = Arc::clone(source);
                // The semaphore is never closed.
                let _turn = self.lookups.acquire().await;
                answer(auth::credentials(&*source, request).await)
            }
            (FETCH_TOKEN | GET_TOKEN_AUTHORITY | VERIFY_TOKEN_AUTHORITY, Some(_)) => {
                refuse(auth::no_tokens())
            }
            (path, _) => refuse(Status::unimplemented(format!("{path} is not offered"))),
        }
    }
}

/// A session that the daemon knows. Dropping it ends it at once, as buildx does when the build is
/// over: the daemon's HTTP/2 client does not take part in a graceful end.
pub(crate) struct OpenSession {
    pub(crate) services: Arc<Services>,
    _server: AbortOnDropHandle<()>,
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.services.exports.abort();
    }
}

impl Client {
    /// Opens the tunnel and serves the session in it.
    pub(crate) async fn open_session(
        &self,
        session: Session,
        exports: Exports,
    ) -> Result<OpenSession, Error> {
        let services = Arc::new(Services {
            directories: session.directories,
            credentials: session.credentials,
            exports,
            transfers: Arc::new(Semaphore::new(MOST_TRANSFERS)),
            lookups: Semaphore::new(MOST_LOOKUPS),
            failure: Mutex::new(None),
        });

        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut request = Request::post(format!("{}moby.buildkit.v1.Control/Session", origin()))
            .body(tonic::body::Body::new(Outgoing(receiver)))
            .map_err(|error| Error::Request(error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("x-docker-expose-session-uuid", header_value(&session.id));
        headers.insert(
            "x-docker-expose-session-sharedkey",
            header_value(&session.shared_key),
        );
        for method in services.methods() {
            headers.append(
                "x-docker-expose-session-grpc-method",
                HeaderValue::from_static(method),
            );
        }

        let mut link = self.link.clone();
        let opening = async {
            let response = link
                .call(request)
                .await
                .map_err(|error| Status::from_error(error.into()))?;
            refused(&response)?;
            Ok(tonic::Response::new(response.into_body()))
        };
        let body = self.call("Control.Session", opening).await?;

        let io = SessionIo::new(Messages::new(body), sender);
        let handler = Arc::clone(&services);
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .max_header_list_size(HEADER_LIMIT)
            .max_concurrent_streams(MOST_CALLS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .serve_connection(
                TokioIo::new(io),
                service_fn(move |request| {
                    let reply = Arc::clone(&handler).serve(request);
                    async { Ok::<_, std::convert::Infallible>(reply.await) }
                }),
            );
        let server = tokio::spawn(async {
            // How the connection ended says nothing that the result of Solve does not say: the
            // daemon fails every call that it makes on a session that has gone.
            let _ = connection.await;
        });
        Ok(OpenSession {
            services,
            _server: AbortOnDropHandle::new(server),
        })
    }
}

/// A refusal instead of a stream: an HTTP error, or a status in the headers.
fn refused(response: &http::Response<Incoming>) -> Result<(), Status> {
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

/// gRPC headers hold printable ASCII only. A shared key is opaque to the daemon, so whatever else
/// stands in it (the name of a directory) is escaped.
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

/// All values of a header that lists something; with `<name>-encoded: 1` they are escaped as in
/// the query of a URL.
fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let encoded = headers
        .get(format!("{name}-encoded"))
        .is_some_and(|value| matches!(value.as_bytes(), b"1" | b"t" | b"T" | b"true" | b"TRUE"));
    headers
        .get_all(name)
        .iter()
        .map(|value| {
            // Old daemons send UTF-8 as it is.
            if encoded {
                String::from_utf8_lossy(&unescape(value.as_bytes())).into_owned()
            } else {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            }
        })
        .collect()
}

/// Go's `url.QueryUnescape`; what is not an escape stays as it is.
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
    fn lists_are_decoded_where_they_say_so() {
        let mut headers = HeaderMap::new();
        let value = |text: &[u8]| HeaderValue::from_bytes(text).unwrap();
        headers.append("exclude-patterns", value(b"%C3%A4+b%2B"));
        headers.append("exclude-patterns", value(b"100%"));
        headers.append("exclude-patterns-encoded", value(b"1"));
        headers.append("followpaths", value("ä+%41".as_bytes()));
        assert_eq!(list(&headers, "exclude-patterns"), ["ä b+", "100%"]);
        assert_eq!(list(&headers, "followpaths"), ["ä+%41"]);
        assert!(list(&headers, "include-patterns").is_empty());
    }

    #[test]
    fn a_shared_key_of_any_bytes_is_a_header() {
        assert_eq!(header_value("app:abc123"), "app:abc123");
        assert_eq!(header_value("ä b\n%"), "%C3%A4 b%0A%25");
    }
}
