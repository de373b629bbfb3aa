//! Pulls and pushes of images.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use iechor_values::image::Reference;
use tokio::sync::mpsc;

use super::address::{address, segments};
use super::answer::Bounds;
use super::client::DockerEngine;
use super::lines::{Line, Lines};
use crate::config::{Credential, HUB_KEY};
use crate::error::{EngineError, ObjectKind};
use crate::model::{Platform, PullEvent};

pub(super) async fn pull(
    engine: &DockerEngine,
    reference: &str,
    platform: Option<&Platform>,
    events: mpsc::Sender<PullEvent>,
) -> Result<(), EngineError> {
    let Reference {
        registry,
        name,
        version,
    } = Reference::parse(reference);
    let platform = platform.map(Platform::to_string);
    let mut query = vec![("fromImage", name), ("tag", version)];
    if let Some(platform) = &platform {
        query.push(("platform", platform));
    }
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(address("/images/create", &query));
    let credential = credential(engine, registry).await?;
    if let Some(credential) = &credential {
        request = request.header("X-Registry-Auth", auth_header(registry, credential));
    }
    let request = request.body(Full::new(Bytes::new())).map_err(|e| {
        EngineError::Invalid(format!("cannot send a request to pull {reference:?}: {e}"))
    })?;
    let what = format!("pull {reference}");
    let explain = |e| explain(e, &what, registry, credential.is_some());
    let response = engine.dialer.send(request, Bounds::REPORT).await?;
    let response = engine.successful(response, &[]).await.map_err(explain)?;
    let mut lines = Lines::new(&engine.dialer, response.into_body());
    while let Some(line) = lines.next().await.map_err(explain)? {
        // The pull continues without a listener.
        let _ = events.send(event(line)).await;
    }
    Ok(())
}

pub(super) async fn push(
    engine: &DockerEngine,
    reference: &str,
    events: mpsc::Sender<PullEvent>,
) -> Result<Option<String>, EngineError> {
    let Reference {
        registry,
        name,
        version,
    } = Reference::parse(reference);
    let credential = credential(engine, registry).await?;
    // Old engines require the header even if it is empty.
    let auth = match &credential {
        Some(credential) => auth_header(registry, credential),
        None => URL_SAFE.encode("{}"),
    };
    let path = format!("/images/{}/push", segments(name));
    let request = Request::builder()
        .method(Method::POST)
        .uri(address(&path, &[("tag", version)]))
        .header("X-Registry-Auth", auth)
        .body(Full::new(Bytes::new()))
        .map_err(|e| {
            EngineError::Invalid(format!("cannot send a request to push {reference:?}: {e}"))
        })?;
    let what = format!("push {reference}");
    let explain = |e| explain(e, &what, registry, credential.is_some());
    let response = engine.dialer.send(request, Bounds::REPORT).await?;
    let about = &[(ObjectKind::Image, reference)];
    let response = engine.successful(response, about).await.map_err(explain)?;
    let mut lines = Lines::new(&engine.dialer, response.into_body());
    let mut digest = None;
    while let Some(mut line) = lines.next().await.map_err(explain)? {
        digest = line.aux.take().and_then(|aux| aux.digest).or(digest);
        let _ = events.send(event(line)).await;
    }
    Ok(digest)
}

fn event(line: Line) -> PullEvent {
    let (current, total) = line.progress();
    PullEvent {
        id: line.id,
        status: line.status,
        current,
        total,
    }
}

async fn credential(
    engine: &DockerEngine,
    registry: &str,
) -> Result<Option<Credential>, EngineError> {
    let found = engine.config.credentials(registry).await;
    found.map_err(|e| EngineError::Credentials {
        registry: registry.to_owned(),
        reason: e.to_string(),
    })
}

/// Returns the value of `X-Registry-Auth`. The engine decodes it with Go's `base64.URLEncoding`:
/// URL-safe, with padding.
fn auth_header(registry: &str, credential: &Credential) -> String {
    let address = match registry {
        "docker.io" => HUB_KEY,
        other => other,
    };
    let mut auth = serde_json::Map::new();
    let mut set = |key: &str, value: &str| {
        auth.insert(key.into(), value.into());
    };
    set("serveraddress", address);
    if let Some(token) = &credential.registry_token {
        set("registrytoken", token);
    } else if credential.is_identity_token {
        set("identitytoken", &credential.secret);
    } else {
        set("username", &credential.username);
        set("password", &credential.secret);
    }
    URL_SAFE.encode(serde_json::Value::from(auth).to_string())
}

/// Adds to the error of a transfer what was requested, such as `pull IMAGE`, and what to do about it.
fn explain(error: EngineError, what: &str, registry: &str, credential: bool) -> EngineError {
    let (status, message) = match error {
        EngineError::Refused { status, message } => (status, message),
        EngineError::Conflict(message) => (409, message),
        other => return other,
    };
    let words = message.to_lowercase();
    let any = |needles: &[&str]| needles.iter().any(|n| words.contains(n));
    let hint = if any(&[
        "dial tcp",
        "no such host",
        "timeout",
        "deadline exceeded",
        "connection refused",
        "network is unreachable",
        "request canceled",
        "no route to host",
    ]) {
        format!(
            "the engine does not reach the registry {registry}: check the engine's network, DNS \
             and proxy, or load the image with `docker load`"
        )
    } else if any(&["x509", "http response to https client"]) {
        format!("the engine does not trust {registry}: see `insecure-registries` and `certs.d`")
    } else if any(&["denied", "unauthorized", "no basic auth"]) && credential {
        format!("the credentials for {registry} do not suffice; try `docker login {registry}`")
    } else if any(&["denied", "unauthorized", "no basic auth"]) {
        format!("check the name, or log in with `docker login {registry}`")
    } else if any(&["manifest unknown", "not found", "no matching manifest"]) {
        "check the name, the tag and the platform".into()
    } else {
        String::new()
    };
    let hint = if hint.is_empty() {
        hint
    } else {
        format!(" ({hint})")
    };
    EngineError::Refused {
        status,
        message: format!("cannot {what}: {message}{hint}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_urlsafe_with_padding() {
        let credential = Credential {
            username: "user".into(),
            secret: "pass?>~\u{fc}".into(),
            is_identity_token: false,
            registry_token: None,
        };
        let header = auth_header("docker.io", &credential);
        assert!(!header.contains(['+', '/']), "{header}");
        assert_eq!(header.len() % 4, 0);
        let decoded = URL_SAFE.decode(&header).expect("base64");
        let auth: serde_json::Value = serde_json::from_slice(&decoded).expect("json");
        assert_eq!(
            auth,
            serde_json::json!({
                "username": "user",
                "password": "pass?>~\u{fc}",
                "serveraddress": "https://index.docker.io/v1/",
            })
        );
        let token = Credential {
            username: String::new(),
            secret: "t".into(),
            is_identity_token: true,
            registry_token: None,
        };
        let decoded = URL_SAFE.decode(auth_header("r.example", &token));
        let auth: serde_json::Value =
            serde_json::from_slice(&decoded.expect("base64")).expect("json");
        assert_eq!(
            auth,
            serde_json::json!({"identitytoken": "t", "serveraddress": "r.example"})
        );
    }

    #[test]
    fn a_failed_pull_says_what_to_do() {
        let error = |message: &str| {
            let error = EngineError::Refused {
                status: 500,
                message: message.into(),
            };
            explain(error, "pull a/b:c", "docker.io", false).to_string()
        };
        let text = error(
            "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
        );
        assert!(text.contains("cannot pull a/b:c: Get"), "{text}");
        assert!(
            text.contains("does not reach the registry docker.io"),
            "{text}"
        );
        let text = error(
            "pull access denied for a/b, repository does not exist or may require 'docker login'",
        );
        assert!(text.contains("docker login docker.io"), "{text}");
    }
}
