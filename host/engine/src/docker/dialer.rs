//! Connections to the engine, for every request: Unix socket, TCP, TLS over TCP, or `ssh`.
//!
//! Every request opens its own connection. A connection to a local socket is cheap compared to what
//! the engine does then, and no request finds a connection that has died meanwhile.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::answer::{Bounds, ERROR_BYTES, Metered, Subject};
use super::keep_alive::keep_alive;
use super::proxy::Proxy;
use super::stream::Prefixed;
use super::{errors, ssh, tls};
use crate::config::DockerConfig;
use crate::endpoint::{Endpoint, Host};
use crate::error::{EngineError, TlsFault, UnreachableReason};
use crate::stream::BoxByteStream;

/// Maximum time for a connection with its TLS handshake.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// Maximum time to wait for the reason why a connection broke.
const REASON_LIMIT: Duration = Duration::from_millis(500);

/// Maximum time to wait for the message of a refusal.
const ERROR_LIMIT: Duration = Duration::from_secs(10);

/// Opens connections to one engine, and sends requests.
pub(super) struct Dialer {
    endpoint: String,
    host: Host,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    proxy: Option<Proxy>,
    authority: HeaderValue,
    headers: HeaderMap,
}

impl Dialer {
    /// Reads the TLS material; does not connect yet.
    pub(super) fn new(endpoint: &Endpoint, config: &DockerConfig) -> Result<Self, EngineError> {
        let url = endpoint.host.to_string();
        let unusable = |reason: UnreachableReason| EngineError::Unreachable {
            endpoint: url.clone(),
            reason,
        };
        let (authority, tls) = match &endpoint.host {
            Host::Unix(_) | Host::Ssh(_) => ("docker".to_owned(), None),
            Host::Tcp { host, port } => {
                let tls = match &endpoint.tls {
                    None => None,
                    Some(tls) => {
                        let name = ServerName::try_from(host.clone())
                            .map_err(|_| unusable(TlsFault::ServerName(host.clone()).into()))?;
                        let config = tls::client_config(tls).map_err(|e| unusable(e.into()))?;
                        Some((TlsConnector::from(Arc::new(config)), name))
                    }
                };
                let authority = if host.contains(':') {
                    format!("[{host}]:{port}")
                } else {
                    format!("{host}:{port}")
                };
                (authority, tls)
            }
        };
        let proxy = match &endpoint.host {
            Host::Tcp { host, .. } => Proxy::from_environment(host, &authority, tls.is_some()),
            Host::Unix(_) | Host::Ssh(_) => None,
        };
        let authority = HeaderValue::try_from(&authority)
            .map_err(|_| unusable(UnreachableReason::HostName(authority)))?;
        let mut headers = HeaderMap::new();
        for (name, value) in config.http_headers() {
            // Like the Docker CLI: the user agent is not replaced by the file.
            let header = HeaderName::try_from(name).ok();
            let value = HeaderValue::try_from(value).ok();
            let (Some(header), Some(value)) = (header, value) else {
                return Err(unusable(UnreachableReason::Header {
                    name: name.to_owned(),
                    path: config.path(),
                }));
            };
            headers.insert(header, value);
        }
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("iechor/", env!("CARGO_PKG_VERSION"))),
        );
        Ok(Self {
            endpoint: url,
            host: endpoint.host.clone(),
            tls,
            proxy,
            authority,
            headers,
        })
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn unreachable(&self, reason: impl Into<UnreachableReason>) -> EngineError {
        EngineError::Unreachable {
            endpoint: self.endpoint.clone(),
            reason: reason.into(),
        }
    }

    async fn connect(&self) -> Result<BoxByteStream, EngineError> {
        match tokio::time::timeout(CONNECT_LIMIT, self.connect_unlimited()).await {
            Ok(Ok(io)) => Ok(io),
            Ok(Err(e)) => Err(self.unreachable(errors::connect_reason(&e, &self.host))),
            Err(_) => Err(self.unreachable(UnreachableReason::NoAnswer {
                seconds: CONNECT_LIMIT.as_secs(),
            })),
        }
    }

    async fn connect_unlimited(&self) -> io::Result<BoxByteStream> {
        match &self.host {
            Host::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Host::Ssh(to) => Ok(Box::new(ssh::connect(to)?)),
            Host::Tcp { host, port } => {
                let stream = match &self.proxy {
                    Some(proxy) => {
                        let authority = self.authority.to_str().map_err(io::Error::other)?;
                        proxy.tunnel(authority).await?
                    }
                    None => {
                        let stream = TcpStream::connect((host.as_str(), *port)).await?;
                        stream.set_nodelay(true)?;
                        keep_alive(&stream)?;
                        Box::new(stream)
                    }
                };
                match &self.tls {
                    None => Ok(stream),
                    Some((connector, name)) => {
                        Ok(Box::new(connector.connect(name.clone(), stream).await?))
                    }
                }
            }
        }
    }

    /// Returns the error for a transfer that broke off.
    pub(super) fn broken(&self, error: &(dyn std::error::Error + 'static)) -> EngineError {
        errors::broken(error, &self.endpoint)
    }

    /// Sends one request on its own connection. The answer may have any status, and is read within
    /// these bounds.
    pub(super) async fn send<B>(
        &self,
        request: Request<B>,
        bounds: Bounds,
    ) -> Result<Response<Incoming>, EngineError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let line = format!("{} {}", request.method(), request.uri().path());
        let subject = Subject {
            endpoint: self.endpoint.clone(),
            request: line.clone(),
        };
        let asked = Asked(subject.request.clone());
        let start = Instant::now();
        tracing::trace!("{line}: to {}", self.endpoint);
        // What is sent in pieces has progress of its own.
        let _wait = request.body().size_hint().exact().map(|_| {
            let Subject { endpoint, request } = &subject;
            iechor_waiting::begin(
                format!("the engine at {endpoint}"),
                format!("answer {request}"),
            )
        });
        let io = Metered::new(self.connect().await?, subject, bounds);
        let head_is_there = io.head_is_there();
        let (mut parts, body) = request.into_parts();
        // Bollard gives an absolute URL; a server that is not a proxy expects the path only.
        parts.uri = parts
            .uri
            .path_and_query()
            .cloned()
            .map(Uri::from)
            .unwrap_or_else(|| Uri::from(PathAndQuery::from_static("/")));
        for (name, value) in &self.headers {
            parts.headers.entry(name).or_insert_with(|| value.clone());
        }
        parts.headers.insert(HOST, self.authority.clone());
        let request = Request::from_parts(parts, body);

        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .handshake(TokioIo::new(io))
            .await
            .map_err(|e| self.broken(&e))?;
        // This task ends with the answer's body, or when the upgraded stream is taken out.
        let connection = tokio::spawn(connection.with_upgrades());
        let error = match sender.send_request(request).await {
            Ok(mut response) => {
                head_is_there();
                response.extensions_mut().insert(asked);
                let status = response.status().as_u16();
                tracing::debug!("{line}: {status} in {} ms", start.elapsed().as_millis());
                return Ok(response);
            }
            Err(error) => error,
        };
        tracing::debug!("{line}: failed after {} ms", start.elapsed().as_millis());
        // If the connection broke before the request was sent, only the connection has the reason:
        // with TLS 1.3, for example, that a client certificate is required.
        if error.is_canceled()
            && let Ok(Ok(Err(reason))) = tokio::time::timeout(REASON_LIMIT, connection).await
        {
            return Err(self.broken(&reason));
        }
        Err(self.broken(&error))
    }

    /// Sends a request whose answer is `101`, and takes the connection over. Bytes that the engine
    /// sent together with its answer are read first.
    pub(super) async fn upgrade<B>(
        &self,
        request: Request<B>,
    ) -> Result<Prefixed<BoxByteStream>, EngineError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let response = self.send(request, Bounds::OBJECT).await?;
        let status = response.status();
        if status.is_success() {
            return Err(EngineError::Protocol(format!(
                "{status} instead of 101 to a request to take the connection over"
            )));
        }
        if status != http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.failure(response).await);
        }
        let upgraded = hyper::upgrade::on(response)
            .await
            .map_err(|e| self.broken(&e))?;
        match upgraded.downcast::<TokioIo<Metered<BoxByteStream>>>() {
            Ok(parts) => Ok(Prefixed::new(
                parts.read_buf,
                parts.io.into_inner().into_inner(),
            )),
            Err(_) => Err(EngineError::Protocol(
                "the connection that was taken over is not the one that was opened".into(),
            )),
        }
    }

    /// Returns the whole body of an answer, in one buffer: an engine that sends it byte by byte does
    /// not make it take more memory.
    pub(super) async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, EngineError> {
        let mut body = response.into_body();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|e| self.broken(&e))?.into_data() {
                whole.extend_from_slice(&data);
            }
        }
        Ok(whole.freeze())
    }

    /// Returns the error for an answer that is not a success. Only the beginning of its body is read,
    /// and only for a short time: that the request failed is known already.
    pub(super) async fn failure(&self, response: Response<Incoming>) -> EngineError {
        let status = response.status();
        let asked = response.extensions().get::<Asked>().cloned();
        let mut body = response.into_body();
        let mut beginning = BytesMut::new();
        let reading = async {
            while beginning.len() < ERROR_BYTES
                && let Some(Ok(frame)) = body.frame().await
            {
                if let Ok(data) = frame.into_data() {
                    beginning.extend_from_slice(&data);
                }
            }
        };
        let _ = tokio::time::timeout(ERROR_LIMIT, reading).await;
        beginning.truncate(ERROR_BYTES);
        let request = asked.map(|Asked(request)| request).unwrap_or_default();
        errors::from_answer(status, &beginning, &request)
    }
}

/// The method and path of the request that an answer belongs to.
#[derive(Clone)]
struct Asked(String);

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
