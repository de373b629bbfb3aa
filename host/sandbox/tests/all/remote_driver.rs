//! The driver `remote`, the embedded component, against listeners on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use iechor_engine::BoxByteStream;
use iechor_sandbox::contract::{Config, Error, Feature, RemoveOptions, Status, StopOptions};
use iechor_sandbox::report::{NoLog, NoProgress, SystemDialer};
use iechor_sandbox::{
    BuildKit, BuildKitClient, BuildKitVersion, BuildKitWorker, Driver, DriverError, Node,
    NodeContext, Sandbox,
};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

use crate::certificates::{CLIENT, LOCAL_SERVER, authority, certificate};
use crate::support::{config, pairs};

/// What a daemon of these tests says first.
const GREETING: &[u8] = b"BuildKit";

/// Takes a connection for BuildKit's where it is greeted.
struct Greeted;

#[async_trait]
impl BuildKit for Greeted {
    async fn connect(&self, mut stream: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        let mut said = [0; GREETING.len()];
        // As in HTTP/2, where both sides begin.
        let _ = stream.write_all(b"PRI * HTTP/2.0").await;
        match stream.read_exact(&mut said).await {
            Ok(_) if said == *GREETING => Ok(Box::new(Self)),
            Ok(_) => Err(format!("it said {said:?}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[async_trait]
impl BuildKitClient for Greeted {
    async fn version(&self) -> Result<BuildKitVersion, String> {
        Ok(BuildKitVersion {
            version: "v0.31.0".into(),
            ..BuildKitVersion::default()
        })
    }

    async fn workers(&self) -> Result<Vec<BuildKitWorker>, String> {
        Ok(vec![BuildKitWorker {
            id: "worker".into(),
            labels: Vec::new(),
            platforms: Vec::new(),
        }])
    }
}

/// The certificates of these tests: an authority `good` with the server's and a client's, and one
/// `bad` with the same.
struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for name in ["good", "bad"] {
            authority(path, name);
            certificate(path, name, &format!("{name}-client"), CLIENT, 2);
        }
        certificate(path, "good", "server", LOCAL_SERVER, 2);
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Options with the files of these names for what is before the equals sign.
    fn options(&self, list: &[&str]) -> Vec<(String, String)> {
        list.iter()
            .map(|option| {
                let (name, value) = option.split_once('=').unwrap();
                let value = match name {
                    "servername" => value.to_owned(),
                    _ => self.path(value).to_str().unwrap().to_owned(),
                };
                (name.to_owned(), value)
            })
            .collect()
    }
}

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .unwrap()
}

/// A daemon that shows a certificate and wants to see one of the authority `good`; its endpoint.
async fn tls_daemon(certificates: &Certificates, name: &str) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in chain(&certificates.path("good.pem")) {
        roots.add(certificate).unwrap();
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(certificates.path(&format!("{name}.key"))).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(&certificates.path(&format!("{name}.pem"))), key)
        .unwrap();
    // As BuildKit has it: whoever does not announce HTTP/2 is turned away.
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut connection) = acceptor.accept(connection).await else {
                    return;
                };
                assert_eq!(connection.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                let _ = connection.write_all(GREETING).await;
                let _ = connection.read(&mut [0]).await;
            });
        }
    });
    endpoint
}

/// A daemon without TLS; its endpoint.
async fn plain_daemon() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = connection.write_all(GREETING).await;
                let _ = connection.read(&mut [0]).await;
            });
        }
    });
    endpoint
}

async fn driver() -> Arc<Driver> {
    Sandbox::embedded("remote").unwrap().unwrap()
}

fn at(endpoint: &str, options: Vec<(String, String)>) -> Config {
    Config {
        endpoint: endpoint.into(),
        options,
        ..config()
    }
}

/// A node without any engine, with what the embedded driver is trusted with.
async fn node(endpoint: &str, options: Vec<(String, String)>, boot_limit: Duration) -> Node {
    let driver = driver().await;
    let (config, _) = driver.validate(&at(endpoint, options)).await.unwrap();
    let context = NodeContext {
        builder: "builder".into(),
        engine: None,
        engines: Arc::default(),
        grants: driver.grants(&[]).await.unwrap(),
        buildkit: Arc::new(Greeted),
        dialer: Arc::new(SystemDialer),
        progress: Arc::new(NoProgress),
        log: Arc::new(NoLog),
        ledger: Arc::new(iechor_sandbox::NoLedger),
        cancel: Default::default(),
        boot_limit,
        direct: None,
    };
    driver.node(config, context)
}

const LONG: Duration = Duration::from_secs(60);
/// A boot that would wait in vain is not to take its twenty seconds in every test.
const SHORT: Duration = Duration::from_secs(1);

/// What booting fails with for good. Waiting for a change would end in a time-out here.
async fn refusal(endpoint: &str, options: Vec<(String, String)>) -> String {
    let node = node(endpoint, options, LONG).await;
    let error = tokio::time::timeout(Duration::from_secs(10), node.boot())
        .await
        .expect("it waits for what does not change")
        .unwrap_err();
    assert!(
        matches!(
            &error,
            DriverError::Failed {
                error: Error::Other(_) | Error::InvalidArgument(_),
                ..
            }
        ),
        "{error:?}"
    );
    error.to_string()
}

#[tokio::test]
async fn it_has_nothing_to_do_with_an_engine() {
    let driver = driver().await;
    assert!(!driver.uses_engine());
    assert_eq!(driver.priority("tcp://b:1").await.unwrap(), Some(20));
    assert_eq!(driver.priority("unix:///b").await.unwrap(), Some(20));
    assert_eq!(driver.priority("context").await.unwrap(), None);
    let container = Sandbox::embedded("iechor-container").unwrap().unwrap();
    assert!(container.uses_engine());
}

#[tokio::test]
async fn builds_go_to_whoever_answers_with_the_right_certificates() {
    let certificates = Certificates::new();
    let endpoint = tls_daemon(&certificates, "server").await;
    let mutual = [
        "cacert=good.pem",
        "cert=good-client.pem",
        "key=good-client.key",
    ];
    let options = certificates.options(&mutual);
    // No driver ever sees a path, let alone a key.
    let (seen, _) = driver()
        .await
        .validate(&at(&endpoint, options.clone()))
        .await
        .unwrap();
    assert_eq!(
        seen.config.options,
        pairs(&[("cacert", "cacert"), ("cert", "cert"), ("key", "key")])
    );

    let node = node(&endpoint, options, LONG).await;
    assert_eq!(node.info().await.unwrap().status, Status::Running);
    node.boot().await.unwrap();
    assert_eq!(node.version().await.unwrap(), "v0.31.0");
    let mut stream = node.dial().await.unwrap();
    let mut said = [0; GREETING.len()];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(said, *GREETING);
    // The daemon is not this builder's to stop or to remove.
    let stop = StopOptions {
        force: true,
        grace: None,
    };
    node.stop(stop).await.unwrap();
    let remove = RemoveOptions {
        force: true,
        keep_state: false,
        keep_daemon: false,
    };
    node.remove(remove).await.unwrap();
    assert_eq!(node.info().await.unwrap().status, Status::Running);
}

#[tokio::test]
async fn who_is_not_trusted_is_told_why_and_at_once() {
    let certificates = Certificates::new();
    let endpoint = tls_daemon(&certificates, "server").await;
    let host = endpoint.strip_prefix("tcp://").unwrap();
    let mutual = [
        "cacert=good.pem",
        "cert=good-client.pem",
        "key=good-client.key",
    ];
    for (change, expected) in [
        (
            &["cacert=bad.pem"][..],
            "was not issued by an authority in the file of option cacert",
        ),
        (
            &["servername=other.example.com"],
            "is not for \"other.example.com\" but for 127.0.0.1, localhost; dial",
        ),
        (
            &["cert=bad-client.pem", "key=bad-client.key"],
            "does not accept the certificate of option cert",
        ),
        (
            &["key=bad-client.key"],
            "the key of option key is not that of the certificate of option cert",
        ),
        (&["key=good.pem"], "has no private key in it"),
        (
            &["cert=good.key"],
            "option cert cannot be used: it has no certificate in it",
        ),
    ] {
        let all: Vec<_> = mutual.iter().chain(change).copied().collect();
        let error = refusal(&endpoint, certificates.options(&all)).await;
        assert!(error.contains(expected), "{change:?}: {error}");
        if !error.contains("option key") && !error.contains("no certificate in it") {
            assert!(error.contains(host), "{error}");
        }
    }
    // With TLS 1.3 a client learns only later that a certificate was wanted.
    let error = refusal(&endpoint, certificates.options(&["cacert=good.pem"])).await;
    assert!(
        error.contains("wants a certificate of this side"),
        "{error}"
    );
    // The name that is dialled does not count where another is given.
    let localhost = endpoint.replace("127.0.0.1", "localhost");
    let all: Vec<_> = mutual
        .iter()
        .chain(&["servername=127.0.0.1"])
        .copied()
        .collect();
    let node = node(&localhost, certificates.options(&all), LONG).await;
    node.boot().await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_named() {
    let certificates = Certificates::new();
    certificate(certificates.0.path(), "good", "old", LOCAL_SERVER, 0);
    let endpoint = tls_daemon(&certificates, "old").await;
    // Until the second is over that it is valid in.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let error = refusal(&endpoint, certificates.options(&["cacert=good.pem"])).await;
    assert!(error.contains("has expired"), "{error}");
}

#[tokio::test]
async fn whether_tls_is_spoken_is_for_both_to_agree_on() {
    let certificates = Certificates::new();
    let endpoint = plain_daemon().await;
    let node_without = node(&endpoint, Vec::new(), LONG).await;
    node_without.boot().await.unwrap();
    let error = refusal(&endpoint, certificates.options(&["cacert=good.pem"])).await;
    assert!(error.contains("does not speak TLS"), "{error}");

    let endpoint = tls_daemon(&certificates, "server").await;
    let node = node(&endpoint, Vec::new(), SHORT).await;
    let error = node.boot().await.unwrap_err().to_string();
    assert!(error.contains(&endpoint), "{error}");
    assert!(error.contains("did not answer"), "{error}");
}

#[tokio::test]
async fn a_daemon_that_is_down_is_inactive_and_awaited() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    let node = node(&endpoint, Vec::new(), SHORT).await;
    assert_eq!(node.info().await.unwrap().status, Status::Inactive);
    let Err(DriverError::Failed { error, .. }) = node.dial().await.map(drop) else {
        panic!("nobody is there to be dialled")
    };
    assert!(
        matches!(&error, Error::Unavailable(why) if why.contains("refused")),
        "{error:?}"
    );
    let error = node.boot().await.unwrap_err().to_string();
    assert!(
        error.contains(&endpoint) && error.contains("refused") && error.contains("is it running"),
        "{error}"
    );
}

#[tokio::test]
async fn a_unix_socket_is_dialled() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("buildkitd.sock");
    let endpoint = format!("unix://{}", path.display());
    let node = node(&endpoint, pairs(&[("default-load", "true")]), LONG).await;
    assert_eq!(node.info().await.unwrap().status, Status::Inactive);
    // Booting waits for it.
    let (booted, ()) = tokio::join!(node.boot(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = connection.write_all(GREETING).await;
                    let _ = connection.read(&mut [0]).await;
                });
            }
        });
    });
    booted.unwrap();
    assert_eq!(node.info().await.unwrap().status, Status::Running);
    let features = node.features().await.unwrap();
    assert!(
        features
            .iter()
            .any(|feature| matches!(feature, Feature::DefaultLoad))
    );
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_configuration_is_said_at_once() {
    let certificates = Certificates::new();
    let der = certificates.path("der.pem");
    std::fs::write(&der, b"\x30\x82").unwrap();
    let options = pairs(&[
        ("cacert", "/nonexistent/ca.pem"),
        ("cert", der.to_str().unwrap()),
        ("key", "relative.key"),
        ("server-name", "b"),
    ]);
    let error = driver()
        .await
        .validate(&at("kube-pod://builder", options))
        .await
        .unwrap_err()
        .to_string();
    for expected in [
        "option cacert: cannot read /nonexistent/ca.pem: No such file",
        "der.pem: it has no certificate or private key in it",
        "option key: \"relative.key\" is not an absolute path",
        "did you mean servername?",
        "kubectl port-forward",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
