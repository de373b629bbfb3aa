//! One way to the engine for everything: unix socket, TCP, or TLS over TCP.
//!
//! Every request opens a connection of its own. A connection to a local socket costs nothing next
//! to what the engine then does, and none is ever found dead when it is needed.

use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use iechor_files::pem::{self, Purpose};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::answer::{Bounds, ERROR_BYTES, Metered, Subject};
use super::errors;
use crate::EngineError;
use crate::config::DockerConfig;
use crate::endpoint::{Endpoint, Host, Tls};

/// How long a connection, with its TLS handshake, may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// How long a broken connection has to say why it broke.
const REASON_LIMIT: Duration = Duration::from_millis(500);

/// How long an engine has to say why it refuses something.
const ERROR_LIMIT: Duration = Duration::from_secs(10);

/// Probes of a TCP connection that stays silent, so that one through a firewall lives and a dead
/// one is noticed.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Where distributions keep the certificates that the system trusts.
const SYSTEM_CERTIFICATES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Largest of them that is read, in bytes: distributions have a quarter of a MiB, and organisations
/// add their own.
const SYSTEM_BYTES: u64 = 16 << 20;

/// Opens connections to one engine.
pub(super) struct Dialer {
    endpoint: String,
    host: Host,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    authority: HeaderValue,
    headers: HeaderMap,
}

impl Dialer {
    pub(super) fn new(endpoint: &Endpoint, config: &DockerConfig) -> Result<Self, EngineError> {
        let url = endpoint.host.to_string();
        let unusable = |reason: String| EngineError::Unreachable {
            endpoint: url.clone(),
            reason,
        };
        let (authority, tls) = match &endpoint.host {
            Host::Unix(_) => ("docker".to_owned(), None),
            Host::Tcp { host, port } => {
                let tls = match &endpoint.tls {
                    None => None,
                    Some(tls) => {
                        let name = ServerName::try_from(host.clone()).map_err(|_| {
                            unusable(format!(
                                "{host:?} is not a name that a certificate can have"
                            ))
                        })?;
                        let config = client_config(tls).map_err(unusable)?;
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
        let authority = HeaderValue::try_from(authority)
            .map_err(|_| unusable("the host name has characters that no host name has".into()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in config.http_headers() {
            // The Docker CLI names itself whatever the file says, and so do we.
            let header = HeaderName::try_from(name).ok();
            let value = HeaderValue::try_from(value).ok();
            let (Some(header), Some(value)) = (header, value) else {
                return Err(unusable(format!(
                    "HttpHeaders in {} has an entry {name:?} that is no HTTP header; remove or \
                     correct it",
                    config.path().display()
                )));
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
            authority,
            headers,
        })
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn unreachable(&self, reason: impl Into<String>) -> EngineError {
        EngineError::Unreachable {
            endpoint: self.endpoint.clone(),
            reason: reason.into(),
        }
    }

    async fn connect(&self) -> Result<Io, EngineError> {
        match tokio::time::timeout(CONNECT_LIMIT, self.connect_unlimited()).await {
            Ok(Ok(io)) => Ok(io),
            Ok(Err(e)) => Err(self.unreachable(errors::connect_reason(&e, &self.host))),
            Err(_) => Err(self.unreachable(format!(
                "nobody answered within {} seconds; check the address and firewalls on the way",
                CONNECT_LIMIT.as_secs()
            ))),
        }
    }

    async fn connect_unlimited(&self) -> io::Result<Io> {
        match &self.host {
            Host::Unix(path) => Ok(Io::Unix(UnixStream::connect(path).await?)),
            Host::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                keep_alive(&stream)?;
                match &self.tls {
                    None => Ok(Io::Tcp(stream)),
                    Some((connector, name)) => {
                        let stream = connector.connect(name.clone(), stream).await?;
                        Ok(Io::Tls(Box::new(stream)))
                    }
                }
            }
        }
    }

    /// What a failed transfer means: the bound that the answer went beyond, or that there is no
    /// engine to be reached.
    pub(super) fn broken(&self, error: &(dyn std::error::Error + 'static)) -> EngineError {
        match errors::of_engine(error) {
            Some(error) => error.clone(),
            None => self.unreachable(errors::transfer_reason(error)),
        }
    }

    /// Sends one request on a connection of its own. The answer may be of any status, and is read
    /// within these bounds.
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
        let subject = Subject {
            endpoint: self.endpoint.clone(),
            request: format!("{} {}", request.method(), request.uri().path()),
        };
        let io = Metered::new(self.connect().await?, subject, bounds);
        let head_is_there = io.head_is_there();
        let (mut parts, body) = request.into_parts();
        // Bollard gives an absolute address; a server that is no proxy wants the path only.
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
        // It ends with the answer's body, or when the upgraded stream is taken out of it.
        let connection = tokio::spawn(connection.with_upgrades());
        let error = match sender.send_request(request).await {
            Ok(response) => {
                head_is_there();
                return Ok(response);
            }
            Err(error) => error,
        };
        // Where the connection broke before the request was on its way, only the connection knows
        // why: with TLS 1.3, that a certificate was wanted.
        if error.is_canceled()
            && let Ok(Ok(Err(reason))) = tokio::time::timeout(REASON_LIMIT, connection).await
        {
            return Err(self.broken(&reason));
        }
        Err(self.broken(&error))
    }

    /// Sends a request whose answer is `101`, and takes the connection over. What the engine had
    /// sent behind its answer already is read first.
    pub(super) async fn upgrade<B>(&self, request: Request<B>) -> Result<Prefixed<Io>, EngineError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let response = self.send(request, Bounds::OBJECT).await?;
        let status = response.status();
        if status.is_success() {
            return Err(EngineError::Protocol(format!(
                "a connection was to be taken over, and the engine answered {status} instead \
                 of 101"
            )));
        }
        if status != http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.failure(response).await);
        }
        let upgraded = hyper::upgrade::on(response)
            .await
            .map_err(|e| self.broken(&e))?;
        match upgraded.downcast::<TokioIo<Metered<Io>>>() {
            Ok(parts) => Ok(Prefixed {
                early: parts.read_buf,
                io: parts.io.into_inner().into_inner(),
            }),
            Err(_) => Err(EngineError::Protocol(
                "the connection that was taken over is not the one that was opened".into(),
            )),
        }
    }

    /// The whole body of an answer, in one piece: an engine that sends it byte by byte does not
    /// make it any larger.
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

    /// What an answer that is no success says. Only its beginning is read, and not for long: what
    /// matters is that it is none.
    pub(super) async fn failure(&self, response: Response<Incoming>) -> EngineError {
        let status = response.status();
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
        errors::from_answer(status, &beginning)
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// The system probes a silent connection by itself, from the first half minute on.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE)?;
    Ok(())
}

fn client_config(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS: {e}"))?;
    let builder = if tls.skip_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
    } else {
        builder.with_root_certificates(roots(tls.ca.as_deref())?)
    };
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert, pem::LARGEST)?;
            let key = private_key(key)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| format!("cannot use the TLS certificate {}: {e}", cert.display()))
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), None) => Err(format!(
            "the TLS certificate {} has no key.pem beside it",
            cert.display()
        )),
        (None, Some(key)) => Err(format!(
            "the TLS key {} has no cert.pem beside it",
            key.display()
        )),
    }
}

fn certificates(path: &Path, limit: u64) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot = |reason: String| {
        format!(
            "cannot read the TLS certificate {}: {reason}",
            path.display()
        )
    };
    let pem = iechor_files::read(path, limit).map_err(|error| cannot(error.to_string()))?;
    pem::check(&pem, Purpose::Certificate).map_err(|error| cannot(error.to_string()))?;
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| cannot("it is not PEM".into()))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let cannot = |reason: String| format!("cannot read the TLS key {}: {reason}", path.display());
    let pem = iechor_files::read(path, pem::LARGEST).map_err(|error| cannot(error.to_string()))?;
    pem::check(&pem, Purpose::PrivateKey).map_err(|error| cannot(error.to_string()))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| cannot("it is not PEM".into()))
}

/// The given authority and no other; the system's where none is given.
fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path, pem::LARGEST)? {
                roots
                    .add(certificate)
                    .map_err(|e| format!("cannot use the TLS authority {}: {e}", path.display()))?;
            }
        }
        None => {
            let Some(bundle) = SYSTEM_CERTIFICATES.iter().find(|p| Path::new(p).exists()) else {
                return Err(
                    "no certificate authority is given, and the system's are at none of the usual \
                     places; put the engine's authority into ca.pem"
                        .into(),
                );
            };
            // One that this library cannot read does not take the others away.
            roots.add_parsable_certificates(certificates(Path::new(bundle), SYSTEM_BYTES)?);
        }
    }
    Ok(roots)
}

/// What `SkipTLSVerify` asks for: any certificate will do, though the other side must own its key.
#[derive(Debug)]
struct TrustAll(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A connection to the engine.
#[derive(Debug)]
pub(super) enum Io {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! either {
    ($self:ident, $io:ident => $what:expr) => {
        match $self.get_mut() {
            Io::Unix($io) => $what,
            Io::Tcp($io) => $what,
            Io::Tls($io) => $what,
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Unix(io) => io.is_write_vectored(),
            Self::Tcp(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
        }
    }
}

/// A stream with bytes that were read from it too early.
#[derive(Debug)]
pub(super) struct Prefixed<T> {
    early: Bytes,
    io: T,
}

impl<T: AsyncRead + Unpin> AsyncRead for Prefixed<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.early.is_empty() && buf.remaining() > 0 {
            let early = this.early.split_to(this.early.len().min(buf.remaining()));
            buf.put_slice(&early);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Prefixed<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
