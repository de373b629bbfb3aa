//! Tokens of registries: a registry may name an authority that issues them.
//! Source: the distribution project's "Token Authentication Specification".
//!
//! The answers of an authority have the same limits as all other answers. The credential is sent to it
//! only over TLS, because a registry could name any server.

use http_auth::parse_challenges;
use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use crate::artifact::is_loopback;
use crate::authority::{Login, TokenRequest, fetch_token};
use crate::error::RegistryError;
use crate::{Artifact, Credential, web};

/// Maximum size of an answer with a token, in bytes.
const ANSWER_BYTES: u64 = 1 << 20;

/// The authentication that a registry requires.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    /// The same field under its name in OAuth 2.
    #[serde(default)]
    access_token: String,
}

/// The access that a client needs to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads.
    Pull,
    /// Reads and writes.
    Push,
}

impl Access {
    fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

/// Obtains a token for the repository, if the registry requires one.
///
/// # Errors
///
/// Returns an error if the authority issues no token, or cannot be reached.
pub(super) async fn obtain(
    registry: &str,
    artifact: &Artifact,
    credential: &Credential,
    access: Access,
) -> Result<Option<String>, RegistryError> {
    if let Credential::Token(token) = credential {
        return Ok(Some(token.clone()));
    }
    let url = format!("{registry}/v2/");
    let answer = web::send(web::client(&url)?.get(&url), &url, 0).await?;
    let wanted = answer.headers().get_all(WWW_AUTHENTICATE);
    let challenge = wanted
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(challenge);
    // The registry requires no credentials, or takes the password itself.
    let Some(challenge) = challenge else {
        return Ok(None);
    };
    let wrong = |reason: String| RegistryError::Answer {
        url: url.clone(),
        reason: web::line(&reason),
    };
    let realm = &challenge.realm;
    let mut asked = Url::parse(realm).map_err(|error| {
        wrong(format!(
            "the registry names the authority {realm:?}: {error}"
        ))
    })?;
    let here = artifact.is_local() && asked.host_str().is_some_and(is_loopback);
    if asked.scheme() != "https" && !here {
        return Err(wrong(format!(
            "the registry names the authority {realm:?}, which does not use TLS"
        )));
    }
    let scope = format!("repository:{}:{}", artifact.repository, access.actions());
    if let Credential::Identity(token) = credential {
        let request = TokenRequest {
            host: &artifact.registry,
            realm,
            service: challenge.service.as_deref().unwrap_or_default(),
            scopes: &[scope],
        };
        let issued = fetch_token(request, Login::Identity(token)).await?;
        return Ok(Some(issued.token));
    }
    {
        let mut query = asked.query_pairs_mut();
        query.append_pair("scope", &scope);
        if let Some(service) = &challenge.service {
            query.append_pair("service", service);
        }
    }
    let mut request = web::client(asked.as_str())?.get(asked.clone());
    if let Credential::Password { username, password } = credential {
        request = request.basic_auth(username, Some(password));
    }
    let answer = web::send(request, asked.as_str(), 0).await?;
    match answer.status() {
        status if status.is_success() => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(super::unauthorized(&artifact.registry, credential));
        }
        status => {
            return Err(RegistryError::Answer {
                url: realm.clone(),
                reason: format!("the registry's authority answers {status}"),
            });
        }
    }
    let what = format!("the token of {}", artifact.registry);
    let bytes = web::read(answer, &what, ANSWER_BYTES, web::ANSWER_TIME, &|_, _| {}).await?;
    match serde_json::from_slice(&bytes) {
        Ok(Answer { token, .. }) if !token.is_empty() => Ok(Some(token)),
        Ok(Answer { access_token, .. }) if !access_token.is_empty() => Ok(Some(access_token)),
        _ => Err(RegistryError::Answer {
            url: realm.clone(),
            reason: "the registry's authority issued no token".into(),
        }),
    }
}

fn challenge(header: &str) -> Option<Challenge> {
    let challenges = parse_challenges(header).ok()?;
    let bearer = challenges
        .iter()
        .find(|challenge| challenge.scheme.eq_ignore_ascii_case("bearer"))?;
    let parameter = |name: &str| {
        let found = bearer
            .params
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    Some(Challenge {
        realm: parameter("realm")?,
        service: parameter("service"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let found = challenge(r#"Bearer realm="https://a/token",service="a",scope="x""#);
        let expected = Challenge {
            realm: "https://a/token".into(),
            service: Some("a".into()),
        };
        assert_eq!(found, Some(expected));
        for header in [
            r#"Basic realm="a""#,
            "Bearer",
            r#"Bearer service="a""#,
            "",
            "\"",
        ] {
            assert_eq!(challenge(header), None, "{header}");
        }
        let found = challenge(r#"Basic realm="b", bearer realm="https://c""#);
        assert_eq!(found.map(|found| found.realm), Some("https://c".into()));
    }
}
