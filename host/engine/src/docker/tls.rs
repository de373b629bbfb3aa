//! TLS settings of a connection to an engine.
//!
//! With an authority in the settings (`ca.pem`), only that one is trusted, as the Docker CLI does.
//! Without one, the system's authorities are; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them.

use std::path::Path;
use std::sync::Arc;

use iechor_files::pem::{self, Purpose};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::endpoint::Tls;
use crate::error::{TlsFault, TlsFile};

/// Maximum size of the file that `SSL_CERT_FILE` names, in bytes. Distributions have a quarter of a
/// MiB, and organisations add their own authorities.
const SYSTEM_BYTES: u64 = 16 << 20;

/// Reads the files that the settings name, and returns the configuration of TLS connections.
pub(super) fn client_config(tls: &Tls) -> Result<ClientConfig, TlsFault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsFault::Library(e.to_string()))?;
    let builder = if tls.skip_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
    } else {
        builder.with_root_certificates(roots(tls.ca.as_deref())?)
    };
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert, TlsFile::Certificate)?;
            let key = private_key(key)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| TlsFault::Use {
                    file: TlsFile::Certificate,
                    path: cert.clone(),
                    reason: e.to_string(),
                })
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), None) => Err(TlsFault::NoKey(cert.clone())),
        (None, Some(key)) => Err(TlsFault::NoCertificate(key.clone())),
    }
}

fn certificates(path: &Path, file: TlsFile) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let pem = read(path, file, Purpose::Certificate)?;
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| unreadable(path, file, "it is not PEM"))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFault> {
    let pem = read(path, TlsFile::Key, Purpose::PrivateKey)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| unreadable(path, TlsFile::Key, "it is not PEM"))
}

fn read(path: &Path, file: TlsFile, purpose: Purpose) -> Result<Vec<u8>, TlsFault> {
    let pem = iechor_files::read(path, pem::LARGEST)
        .map_err(|e| unreadable(path, file, e.to_string()))?;
    pem::check(&pem, purpose).map_err(|e| unreadable(path, file, e.to_string()))?;
    Ok(pem)
}

fn unreadable(path: &Path, file: TlsFile, reason: impl Into<String>) -> TlsFault {
    TlsFault::Read {
        file,
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// Returns the given authority and no other, or the system's authorities.
fn roots(ca: Option<&Path>) -> Result<RootCertStore, TlsFault> {
    let Some(path) = ca else {
        return system_roots();
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, TlsFile::Authority)? {
        roots.add(certificate).map_err(|e| TlsFault::Use {
            file: TlsFile::Authority,
            path: path.to_owned(),
            reason: e.to_string(),
        })?;
    }
    Ok(roots)
}

/// Returns the system's authorities, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
fn system_roots() -> Result<RootCertStore, TlsFault> {
    if let Some(path) = std::env::var_os("SSL_CERT_FILE") {
        // The loader below reads this file without a limit: it may be a device or a pipe.
        let path = Path::new(&path);
        iechor_files::read(path, SYSTEM_BYTES)
            .map_err(|e| unreadable(path, TlsFile::Authority, e.to_string()))?;
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Certificates that this library cannot read do not invalidate the others.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(TlsFault::NoAuthorities(errors.join("; ")));
    }
    Ok(roots)
}

/// A verifier for `SkipTLSVerify`: it accepts any certificate, but the peer must own its key.
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
