//! Pulls, from a registry that is a few lines long and wants a password.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use iechor_engine::Engine;
use iechor_engine::config::DockerConfig;
use iechor_engine::docker::DockerEngine;
use iechor_engine::endpoint::{self, Environment};
use iechor_engine::model::Platform;
use iechor_values::hex;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::support::{self, Names};

const USER: &str = "user";
/// A password whose base64 has both `+` and `/` in the alphabet that is not URL-safe.
const PASSWORD: &str = "?>?>?>~~~\u{fc}\u{fb}\u{fe}\u{ff}pass:word";

struct Image {
    manifest: Vec<u8>,
    /// A manifest with a layer that does not exist.
    broken: Vec<u8>,
    config: Vec<u8>,
    layer: Vec<u8>,
}

fn digest(data: &[u8]) -> String {
    format!("sha256:{}", hex::encode(&Sha256::digest(data)))
}

/// Returns an image that no engine has yet.
fn image() -> Image {
    let unique = Names::new(None).of("layer");
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(unique.len() as u64);
    header.set_mode(0o644);
    layer
        .append_data(&mut header, "file", unique.as_bytes())
        .expect("in memory");
    let layer = layer.into_inner().expect("in memory");
    let config = serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {"from": "registry"}},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    })
    .to_string()
    .into_bytes();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(),
            "digest": digest(&config),
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
            "size": layer.len(),
            "digest": digest(&layer),
        }],
    })
    .to_string()
    .into_bytes();
    let manifest_text = String::from_utf8(manifest.clone()).expect("json");
    let broken = manifest_text.replace(&digest(&layer), &digest(b"not there"));
    Image {
        manifest,
        broken: broken.into_bytes(),
        config,
        layer,
    }
}

fn answer(image: &Image, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let wanted = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let shown = request.headers().get("authorization");
    if shown.is_none_or(|shown| shown.as_bytes() != wanted.as_bytes()) {
        return Response::builder()
            .status(401)
            .header("WWW-Authenticate", "Basic realm=\"test\"")
            .header("Docker-Distribution-Api-Version", "registry/2.0")
            .body(Full::default())
            .expect("an answer");
    }
    let path = request.uri().path();
    let manifest_type = "application/vnd.docker.distribution.manifest.v2+json";
    let blob_type = "application/octet-stream";
    let (kind, body): (_, &[u8]) = if path == "/v2/" {
        (blob_type, b"{}")
    } else if path.contains("/broken/manifests/") {
        (manifest_type, &image.broken)
    } else if path.contains("/manifests/") && !path.ends_with("/none") {
        (manifest_type, &image.manifest)
    } else if path.ends_with(&digest(&image.config)) {
        (blob_type, &image.config)
    } else if path.ends_with(&digest(&image.layer)) {
        (blob_type, &image.layer)
    } else {
        return Response::builder()
            .status(404)
            .header("Content-Type", "application/json")
            .body(Full::from(
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
            ))
            .expect("an answer");
    };
    Response::builder()
        .header("Content-Type", kind)
        .header("Content-Length", body.len())
        .header("Docker-Content-Digest", digest(body))
        .body(Full::from(body.to_vec()))
        .expect("an answer")
}

/// Serves until the runtime ends. Returns the host name of the registry.
async fn serve(image: Image) -> String {
    let image = Arc::new(image);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let image = image.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request| {
                    let answer = answer(&image, &request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(connection), service)
                    .await;
            });
        }
    });
    format!("localhost:{port}")
}

fn engine(registry: &str, password: Option<&str>) -> DockerEngine {
    let directory = tempfile::tempdir().expect("a directory");
    let auths = match password {
        Some(password) => {
            let auth = STANDARD.encode(format!("{USER}:{password}"));
            serde_json::json!({"auths": {registry: {"auth": auth}}})
        }
        None => serde_json::json!({}),
    };
    std::fs::write(directory.path().join("config.json"), auths.to_string()).expect("written");
    let env = Environment {
        docker_host: Some(support::machine()["DOCKER_HOST"].clone()),
        docker_config: Some(directory.path().display().to_string()),
        ..Environment::default()
    };
    let config = DockerConfig::load(&env);
    let endpoint = endpoint::resolve(&env, &config).expect("an endpoint");
    DockerEngine::connect(&endpoint, Arc::new(config)).expect("no TLS")
}

/// Removes the image of this ID, whatever its name. The trait has no operation for it.
struct Pulled(String);

impl Drop for Pulled {
    fn drop(&mut self) {
        let socket = support::machine()["DOCKER_HOST"].trim_start_matches("unix://");
        if let Ok(mut stream) = std::os::unix::net::UnixStream::connect(socket) {
            let request = format!("DELETE /images/{}?force=1 HTTP/1.0\r\n\r\n", self.0);
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pulls_with_credentials() {
    support::real().await;
    // Otherwise this test would show nothing.
    let json = format!(r#""password":"{PASSWORD}""#);
    let encoded: String = (0..3)
        .map(|i| URL_SAFE.encode(format!("{}{json}", " ".repeat(i))))
        .collect();
    assert!(encoded.contains('-') && encoded.contains('_'), "{encoded}");

    let image = image();
    let _pulled = Pulled(digest(&image.config));
    let registry = serve(image).await;
    let reference = format!("{registry}/iechor/pulled:1");
    let amd64 = Platform::new("linux", "amd64", "");
    let with = engine(&registry, Some(PASSWORD));
    let fails = async |engine: &DockerEngine, reference: &str| {
        let (events, _) = mpsc::channel(100);
        let error = engine.pull_image(reference, None, events).await;
        error.expect_err("it cannot be pulled").to_string()
    };
    // This failure is reported only after the answer has begun. It comes first, because the engine
    // requests no layers of an image that it already has.
    let text = fails(&with, &format!("{registry}/iechor/broken:1")).await;
    assert!(text.contains("cannot pull localhost:"), "{text}");
    let (events, mut news) = mpsc::channel(1);
    let listen = async {
        let mut seen = Vec::new();
        while let Some(event) = news.recv().await {
            seen.push(event);
        }
        seen
    };
    let (result, seen) = tokio::join!(with.pull_image(&reference, Some(&amd64), events), listen);
    result.expect("pulled");
    assert!(
        seen.iter().any(|e| e.status.starts_with("Pulling from")),
        "{seen:?}"
    );
    assert!(
        seen.iter()
            .any(|e| e.status == "Pull complete" && !e.id.is_empty()),
        "{seen:?}"
    );
    let image = with
        .inspect_image(&reference)
        .await
        .expect("an answer")
        .expect("pulled");
    assert_eq!(image.platform, amd64);
    assert_eq!(image.labels["from"], "registry");
    assert_eq!(image.repo_digests.len(), 1, "{image:?}");
    let pinned = image.repo_digests[0].clone();
    let (events, _) = mpsc::channel(1);
    with.pull_image(&pinned, None, events)
        .await
        .expect("by digest, nobody listening");

    let text = fails(&with, &format!("{registry}/iechor/pulled:none")).await;
    assert!(text.contains("check the name, the tag"), "{text}");
    let text = fails(&engine(&registry, None), &reference).await;
    assert!(
        text.contains("log in with `docker login localhost:"),
        "{text}"
    );
    let text = fails(&engine(&registry, Some("wrong")), &reference).await;
    assert!(text.contains("do not suffice"), "{text}");
}
