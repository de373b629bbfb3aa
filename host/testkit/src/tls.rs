//! TLS of machines in memory. They have certificates of an authority of the kit's own, whatever
//! they are called; a driver trusts it, since the kit puts a file of its own in the place of each
//! that an option names. The driver cannot tell: it knows such files by their options only.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock};

use iechor_engine::BoxByteStream;
use iechor_sandbox::contract::{Descriptor, OptionKind};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use rustls_pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_rustls::LazyConfigAcceptor;

/// The first byte of a TLS connection: a handshake record.
const HANDSHAKE: u8 = 22;

/// One for each process, because the generation of keys takes time.
static AUTHORITY: LazyLock<Result<Authority, rcgen::Error>> = LazyLock::new(Authority::new);

struct Authority {
    certificate: Certificate,
    key: KeyPair,
    /// The certificate of every machine and of every client.
    leaf_key: KeyPair,
}

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate,
            key,
            leaf_key: KeyPair::generate()?,
        })
    }

    fn get() -> io::Result<&'static Self> {
        AUTHORITY.as_ref().map_err(io::Error::other)
    }

    fn certify(&self, names: Vec<String>) -> io::Result<Certificate> {
        CertificateParams::new(names)
            .and_then(|params| params.signed_by(&self.leaf_key, &self.certificate, &self.key))
            .map_err(io::Error::other)
    }

    /// Returns the TLS configuration of a machine with these names.
    fn server(&self, names: Vec<String>) -> io::Result<Arc<ServerConfig>> {
        let certificate = self.certify(names)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(self.leaf_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate], key)
            })
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Returns the stream as the machine of that name sees it, with TLS if the other side uses it.
pub(crate) async fn answer(host: String, stream: BoxByteStream) -> io::Result<BoxByteStream> {
    let mut stream = BufReader::new(stream);
    if stream.fill_buf().await?.first() != Some(&HANDSHAKE) {
        return Ok(Box::new(stream));
    }
    let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let mut names = vec![host];
    names.extend(begun.client_hello().server_name().map(str::to_owned));
    let config = Authority::get()?.server(names)?;
    Ok(Box::new(begun.into_stream(config).await?))
}

/// A file that suits any option which names one: a certificate of this side, the authority of the
/// machines in memory, and the key of the first.
pub(crate) struct OwnFile(NamedTempFile);

impl OwnFile {
    /// Writes the file, which exists until this value is dropped.
    pub(crate) fn write() -> io::Result<Self> {
        let authority = Authority::get()?;
        let own = authority.certify(vec!["client".into()])?;
        let mut file = NamedTempFile::new()?;
        for part in [
            own.pem(),
            authority.certificate.pem(),
            authority.leaf_key.serialize_pem(),
        ] {
            file.write_all(part.as_bytes())?;
        }
        file.flush()?;
        Ok(Self(file))
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> String {
        self.0.path().display().to_string()
    }

    /// Replaces every file that these options name with this one.
    pub(crate) fn replace(&self, descriptor: &Descriptor, options: &mut [(String, String)]) {
        let is_file = |name: &str| {
            let mut options = descriptor.options.iter();
            options.any(|option| option.name == name && matches!(option.kind, OptionKind::File))
        };
        for (name, value) in options {
            if is_file(name) {
                *value = self.path();
            }
        }
    }
}
