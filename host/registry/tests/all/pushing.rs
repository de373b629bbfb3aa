//! Tests of pushing to registries that never finish, or that try to get too much.

use std::time::Duration;

use iechor_registry::manifest::MANIFEST;
use iechor_registry::{Access, Artifact, Client, Credential, Digest, RegistryError};

use crate::server::{Server, drip, send};

const SECOND: Duration = Duration::from_secs(1);

/// Digests of what was pushed.
#[derive(Debug)]
struct Pushed {
    blob: Digest,
    config: Digest,
    manifest: Digest,
}

async fn push_to(server: &Server) -> Result<Pushed, RegistryError> {
    let artifact: Artifact = format!("{}/a:1", server.address).parse().unwrap();
    let credential = Credential::Password {
        username: "user".into(),
        password: "password".into(),
    };
    let pushing = async {
        let client = Client::connect(&artifact, &credential, Access::Push).await?;
        Ok(Pushed {
            blob: client.push_blob(b"component".to_vec()).await?,
            config: client.push_blob(b"config".to_vec()).await?,
            manifest: client.push_manifest(b"{}".to_vec(), MANIFEST).await?,
        })
    };
    tokio::time::timeout(Duration::from_secs(24 * 3600), pushing)
        .await
        .expect("it waits forever")
}

fn ok(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\n\r\n")
}

/// Returns the answer of a registry that accepts everything. Uploads continue at `place`.
fn taking(what: &str, place: &str) -> String {
    match what.split_once(' ').unwrap() {
        ("HEAD", _) => ok("404 Not Found", ""),
        ("POST", _) => ok("202 Accepted", &format!("Location: {place}\r\n")),
        ("PUT", _) => ok("201 Created", ""),
        _ => ok("200 OK", ""),
    }
}

#[tokio::test(start_paused = true)]
async fn a_component_is_uploaded_with_its_manifest() {
    let server = Server::start(|what| vec![send(&taking(what, "/upload/1?state=x"))]).await;
    let pushed = push_to(&server).await.unwrap();
    assert_eq!(pushed.blob, Digest::of(b"component"));
    assert_eq!(pushed.config, Digest::of(b"config"));
    let requests = server.requests();
    let digest = Digest::of(b"component").to_string().replace(':', "%3A");
    let upload = format!("PUT /upload/1?state=x&digest={digest} ");
    let upload = requests
        .iter()
        .find(|request| request.starts_with(&upload))
        .unwrap();
    assert!(upload.ends_with("\r\n\r\ncomponent"), "{upload}");
    assert!(upload.contains("authorization: Basic "), "{upload}");
    let manifest = requests.last().unwrap();
    assert!(manifest.starts_with("PUT /v2/a/manifests/1 "), "{manifest}");
    let body = manifest.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(pushed.manifest, Digest::of(body.as_bytes()), "{manifest}");
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_not_uploaded_again() {
    let server = Server::start(|what| {
        let answer = match what.split_once(' ').unwrap() {
            ("HEAD", _) => ok("200 OK", ""),
            _ => taking(what, "/upload"),
        };
        vec![send(&answer)]
    })
    .await;
    push_to(&server).await.unwrap();
    let uploads = server.requests();
    assert!(
        !uploads.iter().any(|it| it.contains("/upload")),
        "{uploads:?}"
    );
}

/// A registry may redirect uploads to another server, which must not get the registry's credentials.
#[tokio::test(start_paused = true)]
async fn only_the_registry_sees_the_credentials() {
    let elsewhere = Server::start(|what| vec![send(&taking(what, ""))]).await;
    let place = format!("http://{}/store", elsewhere.address);
    let server = Server::start(move |what| vec![send(&taking(what, &place))]).await;
    push_to(&server).await.unwrap();
    let seen = elsewhere.requests();
    assert_eq!(seen.len(), 2, "{seen:?}");
    let shown = |request: &String| request.to_ascii_lowercase().contains("authorization:");
    assert!(!seen.iter().any(shown), "{seen:?}");
    assert!(server.requests().iter().any(shown));
}

#[tokio::test(start_paused = true)]
async fn no_answer_to_a_push_may_trickle_or_be_endless() {
    for slow in [
        "GET",
        "HEAD",
        "POST",
        "PUT /upload",
        "PUT /v2/a/manifests/1",
    ] {
        let server = Server::start(move |what| {
            if what.starts_with(slow) {
                return vec![send("HTTP/1.1 200 OK\r\nX: "), drip("x", SECOND)];
            }
            vec![send(&taking(what, "/upload"))]
        })
        .await;
        let error = push_to(&server).await.unwrap_err();
        let RegistryError::Slow { host, .. } = &error else {
            panic!("{slow}: {error:?}")
        };
        assert_eq!(*host, server.address, "{slow}");
    }
    // The text of the error never ends.
    for endless in ["POST", "PUT"] {
        let server = Server::start(move |what| {
            if what.starts_with(endless) {
                let words = "x".repeat(1 << 20);
                return vec![
                    send("HTTP/1.1 500 Internal Server Error\r\n\r\n"),
                    drip(&words, Duration::ZERO),
                ];
            }
            vec![send(&taking(what, "/upload"))]
        })
        .await;
        let error = push_to(&server).await.unwrap_err().to_string();
        assert!(error.contains("500") && error.len() < 1000, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_does_not_say_where_to_upload_is_named() {
    let server = Server::start(|what| {
        let answer = match what.split_once(' ').unwrap() {
            ("POST", _) => ok("202 Accepted", ""),
            _ => taking(what, ""),
        };
        vec![send(&answer)]
    })
    .await;
    let error = push_to(&server).await.unwrap_err().to_string();
    assert!(error.contains("where to upload"), "{error}");
    assert!(error.contains(&server.address), "{error}");
}
