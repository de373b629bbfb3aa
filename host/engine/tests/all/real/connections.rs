//! Connections to engines, and to their BuildKit.

use std::sync::Arc;

use iechor_engine::config::DockerConfig;
use iechor_engine::docker::DockerEngine;
use iechor_engine::endpoint::{Endpoint, Host};
use iechor_engine::{Engine, EngineError, Hijack};
use tokio::io::AsyncReadExt;

use crate::support::{self, Names};

fn at(host: Host) -> DockerEngine {
    let endpoint = Endpoint {
        name: None,
        host,
        tls: None,
    };
    DockerEngine::connect(&endpoint, Arc::new(DockerConfig::default())).expect("no round trip yet")
}

#[tokio::test]
async fn the_engine_describes_itself() {
    let info = support::real().await.info().await.expect("an answer");
    assert!(
        ["docker", "podman"].contains(&info.name.as_str()),
        "{info:?}"
    );
    let minor = info.api_version.strip_prefix("1.").expect("version 1");
    assert!(minor.parse::<u32>().expect("a number") >= 41);
    assert_eq!(info.platform.os, "linux");
    assert!(!info.version.is_empty());
}

#[tokio::test]
async fn hijacks_lead_to_buildkit() {
    let engine = support::real().await;
    let mut control = engine.hijack(&Hijack::Control).await.expect("taken over");
    // The settings arrive together with the answer, and must not be lost.
    let mut head = [0; 9];
    control.read_exact(&mut head).await.expect("a frame");
    assert_eq!(
        (head[0], head[1], head[3]),
        (0, 0, 4),
        "a SETTINGS frame: {head:?}"
    );

    let id = Names::new(None).of("session");
    let headers = [
        ("X-Docker-Expose-Session-Uuid", id.as_str()),
        ("X-Docker-Expose-Session-Sharedkey", "key"),
        (
            "X-Docker-Expose-Session-Grpc-Method",
            "/grpc.health.v1.Health/Check",
        ),
        (
            "X-Docker-Expose-Session-Grpc-Method",
            "/moby.filesync.v1.FileSync/DiffCopy",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut session = engine
        .hijack(&Hijack::Session(headers.to_vec()))
        .await
        .expect("taken over");
    let mut preface = [0; 24];
    session
        .read_exact(&mut preface)
        .await
        .expect("the engine is the client here");
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    let bad = vec![("no header".to_owned(), "x".to_owned())];
    let error = engine
        .hijack(&Hijack::Session(bad))
        .await
        .err()
        .expect("refused");
    assert!(error.to_string().contains("\"no header\""), "{error}");
}

#[tokio::test]
async fn engines_that_are_not_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("none.sock");
    let error = at(Host::Unix(socket.clone()))
        .info()
        .await
        .expect_err("none there");
    let text = error.to_string();
    assert!(
        text.contains(&format!("unix://{}", socket.display())),
        "{text}"
    );
    assert!(text.contains("no such socket"), "{text}");

    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
    drop(listener);
    let engine = at(Host::Unix(socket));
    let error = engine
        .list_containers(&[])
        .await
        .expect_err("nobody listens");
    assert!(
        error
            .to_string()
            .contains("connection refused; is the engine running?"),
        "{error}"
    );
    // The same for a request of bollard.
    let error = engine
        .start_container("x")
        .await
        .expect_err("nobody listens");
    assert!(
        matches!(error, EngineError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("connection refused; is the engine running?"),
        "{error}"
    );

    let tcp = |port| Host::Tcp {
        host: "127.0.0.1".into(),
        port,
    };
    let error = at(tcp(1)).info().await.expect_err("nobody listens");
    assert!(error.to_string().contains("tcp://127.0.0.1:1"), "{error}");

    // An engine that accepts the connection and closes it.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = connection.read(&mut request).await;
        }
    });
    let error = at(tcp(port)).info().await.expect_err("no answer");
    assert!(
        matches!(error, EngineError::Unreachable { .. }),
        "{error:?}"
    );
}
