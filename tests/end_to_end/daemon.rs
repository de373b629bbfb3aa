//! A BuildKit that is managed elsewhere: it runs in a container of the engine that belongs to no builder,
//! and listens on a port with mutual TLS and on a Unix socket.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, UnixListener};
use tokio::process::Command;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{CLIENT, LOCAL_SERVER, authority, certificate};
use crate::support::{Sandbox, docker, machine, wait_until};

/// The daemon, which runs as long as this value exists. The sandbox removes the container.
pub struct Daemon {
    runtime: Runtime,
    /// The name of its container.
    pub container: String,
}

impl Daemon {
    /// Starts a daemon, and waits until it answers.
    pub fn start(sandbox: &Sandbox) -> Self {
        Self::start_with(sandbox, "")
    }

    /// Starts a daemon that can connect to servers on this machine, and waits until it answers.
    pub fn start_near(sandbox: &Sandbox) -> Self {
        Self::start_with(sandbox, "--network host")
    }

    fn start_with(sandbox: &Sandbox, flags: &str) -> Self {
        let container = sandbox.name("daemon");
        docker(&format!(
            "run --detach --privileged {flags} --name {container} {}",
            machine().buildkit_image
        ))
        .success();
        wait_until("BuildKit answers", || {
            let asked = docker(&format!("exec {container} buildctl debug workers"));
            asked.succeeded()
        });
        Self {
            runtime: Runtime::new().expect("a runtime"),
            container,
        }
    }

    /// Makes the daemon listen on a Unix socket.
    pub fn on_socket(&self, path: &Path) {
        let _inside = self.runtime.enter();
        let listener = UnixListener::bind(path).expect("bound");
        let container = self.container.clone();
        self.runtime.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(join(connection, container.clone()));
            }
        });
    }

    /// Makes the daemon listen on a port, with the certificate `server` of [`certificates`], for clients with
    /// a certificate of the authority `good`. Returns its endpoint.
    pub fn on_port(&self, certificates: &Path) -> String {
        let acceptor = acceptor(certificates);
        self.runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
            let endpoint = format!("tcp://{}", listener.local_addr().expect("bound"));
            let container = self.container.clone();
            tokio::spawn(async move {
                while let Ok((connection, _)) = listener.accept().await {
                    let (acceptor, container) = (acceptor.clone(), container.clone());
                    tokio::spawn(async move {
                        if let Ok(connection) = acceptor.accept(connection).await {
                            join(connection, container).await;
                        }
                    });
                }
            });
            endpoint
        })
    }
}

/// Joins a connection to the daemon's own socket.
async fn join(mut connection: impl AsyncRead + AsyncWrite + Unpin, container: String) {
    let mut child = Command::new("docker")
        .args(["--host", &machine().docker_host, "exec", "--interactive"])
        .args([&container, "buildctl", "dial-stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("docker runs");
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut daemon = tokio::io::join(stdout.expect("piped"), stdin.expect("piped"));
    // The result of the end does not matter.
    let _ = copy_bidirectional(&mut connection, &mut daemon).await;
}

fn acceptor(certificates: &Path) -> TlsAcceptor {
    let chain = |name: &str| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_file_iter(certificates.join(name))
            .and_then(Iterator::collect)
            .expect("certificates")
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in chain("good.pem") {
        roots.add(authority).expect("an authority");
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .expect("a verifier");
    let key = PrivateKeyDer::from_pem_file(certificates.join("server.key")).expect("a key");
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain("server.pem"), key)
        .expect("a certificate");
    // Like BuildKit, refuse clients that do not announce HTTP/2.
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Creates certificates of a daemon at 127.0.0.1 and of a client, both issued by the authority `good`,
/// and an unrelated authority `bad`.
pub fn certificates(directory: &Path) {
    authority(directory, "good");
    authority(directory, "bad");
    certificate(directory, "good", "server", LOCAL_SERVER, 2);
    certificate(directory, "good", "client", CLIENT, 2);
}
