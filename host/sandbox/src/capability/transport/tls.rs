//! TLS on connections of drivers.

mod subject;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use iechor_engine::BoxByteStream;
use iechor_files::pem::{self, Purpose};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::subject::Subject;
use crate::bindings::iechor::driver::transport::Tls;
use crate::files::OptionFiles;

/// What both sides have to show each other.
pub(super) struct Terms {
    connector: TlsConnector,
    name: ServerName<'static>,
    subject: Subject,
}

impl Terms {
    /// Makes them of the files that the driver names. The error says what is wrong with those.
    pub(super) fn new(
        files: &OptionFiles,
        host: &str,
        address: &str,
        tls: Tls,
    ) -> Result<Self, String> {
        let name = tls.server_name.unwrap_or_else(|| host.to_owned());
        let roots = match &tls.ca {
            // A key beside them is nobody's business: the file stays here.
            Some(ca) => authorities(ca, file(files, ca, Purpose::Certificate)?)?,
            None => system_authorities()?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?
            .with_root_certificates(roots);
        let mut config = match (&tls.cert, &tls.key) {
            (None, None) => config.with_no_client_auth(),
            (Some(cert), Some(key)) => config
                .with_client_auth_cert(
                    certificates(cert, file(files, cert, Purpose::Certificate)?)?,
                    private_key(key, file(files, key, Purpose::PrivateKey)?)?,
                )
                .map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => format!(
                        "the key of option {key} is not that of the certificate of option {cert}; \
                         give the two that were made together"
                    ),
                    error => format!("the certificate of option {cert} cannot be used: {error}"),
                })?,
            (Some(given), None) | (None, Some(given)) => {
                return Err(format!(
                    "option {given} is of no use alone: a certificate needs its key, and a key \
                     its certificate"
                ));
            }
        };
        // Without it BuildKit turns the connection away.
        config.alpn_protocols = vec![b"h2".to_vec()];
        let server = ServerName::try_from(name.clone())
            .map_err(|_| format!("{name:?} is not a name that a certificate can be for"))?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name: server,
            subject: Subject {
                address: address.to_owned(),
                name,
                ca: tls.ca,
                cert: tls.cert,
            },
        })
    }

    /// Speaks TLS on the stream. [`Refused`] is the error's cause where that is not to be.
    pub(super) async fn begin(self, stream: BoxByteStream) -> io::Result<Explained> {
        let begun = self.connector.connect(self.name, stream).await;
        match begun {
            Ok(stream) => Ok(Explained {
                stream,
                subject: self.subject,
                refusal: Arc::default(),
            }),
            Err(error) => Err(match self.subject.explain(&error) {
                Some(words) => Refused(words).into(),
                None => error,
            }),
        }
    }
}

/// The two sides do not agree to speak TLS, in words for a person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

impl Refused {
    /// Returns whether the error has this cause.
    pub(super) fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|cause| cause.is::<Self>())
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, refused)
    }
}

/// Returns the file of an option, which has to serve this purpose.
fn file<'a>(files: &'a OptionFiles, name: &str, purpose: Purpose) -> Result<&'a [u8], String> {
    let contents = files.get(name).ok_or_else(|| {
        let known: Vec<_> = files.names().collect();
        let known = if known.is_empty() {
            "none is given".to_owned()
        } else {
            format!("given are: {}", known.join(", "))
        };
        format!("there is no file for option {name:?}; {known}")
    })?;
    match pem::check(contents, purpose) {
        Ok(()) => Ok(contents),
        Err(error) => Err(format!("the file of option {name} cannot be used: {error}")),
    }
}

// The words of the PEM library repeat lines of the file, and the driver gets these errors.

fn certificates(option: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("the certificate of option {option} cannot be read"))
}

fn private_key(option: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| format!("the key of option {option} cannot be read"))
}

fn authorities(option: &str, pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(option, pem)? {
        roots
            .add(certificate)
            .map_err(|error| format!("the authority of option {option} cannot be used: {error}"))?;
    }
    Ok(roots)
}

fn system_authorities() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // One that this library cannot read does not take the others away.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(
            "this system has no certificates of authorities to trust; install them (the package \
             is mostly called ca-certificates), or name a file with them"
                .into(),
        );
    }
    Ok(roots)
}

/// A stream on which TLS is spoken, whose errors say why. With TLS 1.3 a server turns this side's
/// certificate down only when it is read from.
pub(super) struct Explained {
    stream: TlsStream<BoxByteStream>,
    subject: Subject,
    refusal: Arc<OnceLock<String>>,
}

impl Explained {
    /// Returns where the words are left when the other side turns this one away.
    pub(super) fn refusal(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.refusal)
    }

    fn explained(&self, error: io::Error) -> io::Error {
        match self.subject.explain(&error) {
            Some(words) => Refused(self.refusal.get_or_init(|| words).clone()).into(),
            None => error,
        }
    }

    /// As [`Explained::explained`], where this side sends: on a connection that the other side has
    /// ended, that fails while the alert is still to be read.
    fn explained_by_peer(&mut self, context: &mut Context<'_>, error: io::Error) -> io::Error {
        let mut lost = [0; 1];
        let mut buffer = ReadBuf::new(&mut lost);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Ready(Err(alert)) if self.subject.explain(&alert).is_some() => {
                self.explained(alert)
            }
            _ => self.explained(error),
        }
    }
}

impl AsyncRead for Explained {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        read.map_err(|error| self.explained(error))
    }
}

impl AsyncWrite for Explained {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, data);
        written.map_err(|error| self.explained_by_peer(context, error))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        written.map_err(|error| self.explained_by_peer(context, error))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        flushed.map_err(|error| self.explained_by_peer(context, error))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
