//! An engine behind TLS: a proxy in front of the real one, with certificates that `openssl` creates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use iechor_engine::config::DockerConfig;
use iechor_engine::docker::DockerEngine;
use iechor_engine::endpoint::{self, Endpoint, Environment, Host, Tls};
use iechor_engine::model::ExecSpec;
use iechor_engine::{Engine, EngineError, Hijack};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::support::{self, Names};

#[path = "../../../../tests/certificates.rs"]
mod certificates;
use certificates::{CLIENT, LOCAL_SERVER, authority, certificate};

/// Creates an authority `NAME-ca.pem`, and its certificates for a server at 127.0.0.1 and a client.
fn certificates(directory: &Path, name: &str) {
    let ca = format!("{name}-ca");
    authority(directory, &ca);
    certificate(directory, &ca, &format!("{name}-server"), LOCAL_SERVER, 2);
    certificate(directory, &ca, &format!("{name}-client"), CLIENT, 2);
}

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .expect("certificates")
}

/// Starts a proxy that requires a certificate of its authority; returns its port.
async fn proxy(directory: &Path) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in chain(&directory.join("good-ca.pem")) {
        roots.add(certificate).expect("an authority");
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .expect("a verifier");
    let key = PrivateKeyDer::from_pem_file(directory.join("good-server.key")).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(&directory.join("good-server.pem")), key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let socket = support::machine()["DOCKER_HOST"]
        .strip_prefix("unix://")
        .expect("the test machine's engine has a socket")
        .to_owned();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, socket) = (acceptor.clone(), socket.clone());
            tokio::spawn(async move {
                let Ok(mut connection) = acceptor.accept(connection).await else {
                    return;
                };
                let engine = tokio::net::UnixStream::connect(socket).await;
                let mut engine = engine.expect("the engine is there");
                let _ = tokio::io::copy_bidirectional(&mut connection, &mut engine).await;
            });
        }
    });
    port
}

fn connect(port: u16, tls: Option<Tls>) -> Result<DockerEngine, EngineError> {
    let endpoint = Endpoint {
        name: None,
        host: Host::Tcp {
            host: "127.0.0.1".into(),
            port,
        },
        tls,
    };
    DockerEngine::connect(&endpoint, Arc::new(DockerConfig::default()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_behind_tls() {
    let real = support::real().await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    for name in ["good", "other"] {
        certificates(path, name);
    }
    let port = proxy(path).await;
    let file = |name: &str| Some(path.join(name)) as Option<PathBuf>;
    let good = Tls {
        ca: file("good-ca.pem"),
        cert: file("good-client.pem"),
        key: file("good-client.key"),
        skip_verify: false,
    };

    let engine = connect(port, Some(good.clone())).expect("readable");
    assert_eq!(engine.endpoint(), format!("tcp://127.0.0.1:{port}"));
    assert_eq!(
        engine.info().await.expect("an answer"),
        real.info().await.expect("an answer")
    );

    // Streams that are taken over and half closed work through TLS as well.
    let names = Names::new(Some(&real));
    let spec = names.container("c", &["sleep", "600"]);
    engine.create_container(&spec).await.expect("made");
    engine.start_container(&spec.name).await.expect("started");
    let cat = ExecSpec {
        command: vec!["cat".into()],
        ..ExecSpec::default()
    };
    let mut cat = engine
        .dial_in_container(&spec.name, &cat)
        .await
        .expect("dialled");
    cat.stream.write_all(b"through TLS").await.expect("written");
    cat.stream.shutdown().await.expect("half closed");
    let mut echoed = String::new();
    cat.stream.read_to_string(&mut echoed).await.expect("read");
    assert_eq!(echoed, "through TLS");
    let mut control = engine.hijack(&Hijack::Control).await.expect("taken over");
    let mut head = [0; 9];
    control.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head[3], 4);

    let refused = async |tls: Tls| {
        let engine = connect(port, Some(tls)).expect("readable");
        let error = engine.info().await.expect_err("refused");
        assert!(
            matches!(error, EngineError::Unreachable { .. }),
            "{error:?}"
        );
        error.to_string()
    };
    let lax = Tls {
        skip_verify: true,
        ca: file("other-ca.pem"),
        ..good.clone()
    };
    connect(port, Some(lax))
        .expect("readable")
        .info()
        .await
        .expect("anything goes");
    let text = refused(Tls {
        ca: file("other-ca.pem"),
        ..good.clone()
    });
    let text = text.await;
    assert!(text.contains("certificate"), "{text}");
    // Without an authority, the system's are used, which do not include this one.
    let text = refused(Tls {
        ca: None,
        ..good.clone()
    });
    let text = text.await;
    assert!(text.contains("certificate"), "{text}");
    let text = refused(Tls {
        cert: None,
        key: None,
        ..good.clone()
    });
    let text = text.await;
    assert!(text.to_lowercase().contains("certificate"), "{text}");

    // Without TLS on this port, and with TLS on another one.
    let error = connect(port, None).expect("nothing to read").info().await;
    assert!(
        matches!(error, Err(EngineError::Unreachable { .. })),
        "{error:?}"
    );
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let plain_port = plain.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = plain.accept().await {
            let _ = connection
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await;
        }
    });
    let error = connect(plain_port, Some(good.clone()))
        .expect("readable")
        .info()
        .await;
    let text = error.expect_err("no TLS there").to_string();
    assert!(text.contains("may not speak TLS"), "{text}");

    // Invalid files are reported before a connection is made.
    for (tls, expected) in [
        (
            Tls {
                ca: file("none.pem"),
                ..good.clone()
            },
            "none.pem",
        ),
        (
            Tls {
                ca: file("good-ca.key"),
                ..good.clone()
            },
            "has no certificate in it",
        ),
        (
            Tls {
                key: None,
                ..good.clone()
            },
            "has no key.pem beside it",
        ),
        (
            Tls {
                key: file("other-client.key"),
                ..good.clone()
            },
            "good-client.pem",
        ),
    ] {
        let error = connect(port, Some(tls)).expect_err("bad files").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn the_environment_leads_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    certificates(path, "good");
    let port = proxy(path).await;
    for (from, to) in [
        ("good-ca.pem", "ca.pem"),
        ("good-client.pem", "cert.pem"),
        ("good-client.key", "key.pem"),
    ] {
        std::fs::copy(path.join(from), path.join(to)).expect("copied");
    }
    let env = Environment {
        docker_host: Some(format!("tcp://localhost:{port}")),
        docker_tls_verify: Some("1".into()),
        docker_cert_path: Some(path.display().to_string()),
        ..Environment::default()
    };
    let config = DockerConfig::load(&env);
    let endpoint = endpoint::resolve(&env, &config).expect("an endpoint");
    let engine = DockerEngine::connect(&endpoint, Arc::new(config)).expect("readable");
    engine.info().await.expect("an answer");
}

/// Returns settings without an authority, with the client's certificate in `directory`.
fn without_authority(directory: &Path) -> Tls {
    Tls {
        ca: None,
        cert: Some(directory.join("good-client.pem")),
        key: Some(directory.join("good-client.key")),
        skip_verify: false,
    }
}

/// Variables with which the test below runs [`asks_an_engine`] in a separate process.
const PORT: &str = "IECHOR_TEST_TLS_PORT";
const DIRECTORY: &str = "IECHOR_TEST_TLS_DIRECTORY";

#[tokio::test]
#[ignore = "runs in the child processes of the_authorities_of_the_environment_are_trusted"]
async fn asks_an_engine() {
    let port = std::env::var(PORT).expect("a port");
    let directory = std::env::var(DIRECTORY).expect("a directory");
    let mut tls = without_authority(Path::new(&directory));
    if let Ok(name) = std::env::var("IECHOR_TEST_TLS_CA") {
        tls.ca = Some(Path::new(&directory).join(name));
    }
    let asked = match connect(port.parse().expect("a number"), Some(tls)) {
        Ok(engine) => engine.info().await.map(drop),
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) => println!("answered"),
        Err(error) => println!("error: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authorities_of_the_environment_are_trusted() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    for name in ["good", "other"] {
        certificates(path, name);
    }
    // OpenSSL finds authorities in a directory by the hash of their subject.
    let hashed = path.join("hashed");
    std::fs::create_dir(&hashed).expect("made");
    std::fs::copy(path.join("good-ca.pem"), hashed.join("0a1b2c3d.0")).expect("copied");
    std::fs::write(path.join("no.pem"), "").expect("written");
    let port = proxy(path).await;
    let ask = async |variables: &[(&str, &str)]| {
        let mut child = tokio::process::Command::new(std::env::current_exe().expect("a path"));
        child
            .args(["--exact", "tls::asks_an_engine", "--ignored", "--nocapture"])
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            .env(PORT, port.to_string())
            .env(DIRECTORY, path);
        for (name, value) in variables {
            let value = match *name {
                "IECHOR_TEST_TLS_CA" => (*value).into(),
                _ if value.starts_with('/') => (*value).into(),
                _ => path.join(value),
            };
            child.env(name, value);
        }
        let output = child.output().await.expect("the test runs");
        String::from_utf8(output.stdout).expect("text")
    };
    for (variables, expected) in [
        (&[("SSL_CERT_FILE", "good-ca.pem")][..], "answered"),
        (&[("SSL_CERT_DIR", "hashed")], "answered"),
        (&[("SSL_CERT_FILE", "other-ca.pem")], "UnknownIssuer"),
        (&[("SSL_CERT_FILE", "missing.pem")], "missing.pem"),
        (
            &[("SSL_CERT_FILE", "no.pem")],
            "no certificate authority is given",
        ),
        (
            &[("SSL_CERT_FILE", "/dev/zero")],
            "a device, not a regular file",
        ),
        (&[], "UnknownIssuer"),
        // An authority in the settings is the only one.
        (
            &[
                ("SSL_CERT_FILE", "good-ca.pem"),
                ("IECHOR_TEST_TLS_CA", "other-ca.pem"),
            ],
            "UnknownIssuer",
        ),
        (
            &[
                ("SSL_CERT_FILE", "other-ca.pem"),
                ("IECHOR_TEST_TLS_CA", "good-ca.pem"),
            ],
            "answered",
        ),
    ] {
        let printed = ask(variables).await;
        assert!(printed.contains(expected), "{variables:?}: {printed}");
    }
}
