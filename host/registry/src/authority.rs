//! Tokens for another program: BuildKit names a registry's authority, and gets the token, but not the password.
//! Source: the distribution project's "Token Authentication Specification" and its OAuth 2 variant, as containerd
//! implements them (`core/remotes/docker/auth`).
//!
//! Answers have the same limits as all other answers. A password is sent over TLS, or to the registry's own host if
//! that registry does without TLS. A request with a password in its body follows no redirect.

use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::artifact::is_loopback;
use crate::error::{AccessFault, RegistryError};
use crate::web;

/// Maximum size of an answer with a token, in bytes.
const ANSWER_BYTES: u64 = 1 << 20;

/// The name of the program that requests the token, which is the one that BuildKit uses.
const CLIENT: &str = "buildkit-client";

/// A request for a token.
#[derive(Debug, Clone, Copy)]
pub struct TokenRequest<'a> {
    /// The registry, with the port if there is one.
    pub host: &'a str,
    /// Address of its authority.
    pub realm: &'a str,
    /// Name of the registry for its authority; may be empty.
    pub service: &'a str,
    /// Requested rights, for example `repository:library/busybox:pull`.
    pub scopes: &'a [String],
}

/// What a user presents to a registry's authority.
#[derive(Clone, Copy)]
pub enum Login<'a> {
    /// Nothing.
    Anonymous,
    /// A user name and a password.
    Password {
        /// The user name.
        username: &'a str,
        /// The password.
        password: &'a str,
    },
    /// An identity token: a refresh token of OAuth 2.
    Identity(&'a str),
}

/// A token that an authority issued.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// Lifetime, in seconds; 0 if the authority does not state it.
    pub lifetime: i64,
    /// Time when it was issued, in seconds since 1970; 0 if the authority does not state it.
    pub issued: i64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    /// The same field under its name in OAuth 2.
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<i64>,
    #[serde(default)]
    issued_at: Option<String>,
}

/// Fetches a token.
///
/// With a password or an identity token, the request is one of OAuth 2. An authority that does not support that gets
/// the request of the older specification.
///
/// # Errors
///
/// Returns an error if the authority issues no token, cannot be reached, or would get a password without TLS.
pub async fn fetch_token(
    request: TokenRequest<'_>,
    login: Login<'_>,
) -> Result<IssuedToken, RegistryError> {
    let realm = realm(request)?;
    let grant = match login {
        Login::Anonymous => return get(request, realm, login).await,
        Login::Password { username, password } => vec![
            ("grant_type", "password"),
            ("username", username),
            ("password", password),
        ],
        Login::Identity(token) => {
            vec![("grant_type", "refresh_token"), ("refresh_token", token)]
        }
    };
    let scope = request.scopes.join(" ");
    let mut form = grant;
    form.extend([
        ("client_id", CLIENT),
        ("service", request.service),
        ("scope", &scope),
    ]);
    let sent = web::steady_client(realm.as_str())?
        .post(realm.clone())
        .header(
            reqwest::header::CONTENT_TYPE,
            "application/x-www-form-urlencoded",
        )
        .body(encoded(&form));
    let answer = web::send(sent, realm.as_str(), 0).await?;
    let status = answer.status();
    let is_password = matches!(login, Login::Password { .. });
    // Several registries have no OAuth 2, and say so in different ways.
    let is_unsupported = status.is_redirection()
        || matches!(status, StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED)
        || status == StatusCode::METHOD_NOT_ALLOWED && is_password;
    match is_unsupported {
        true => get(request, realm, login).await,
        false => read(request, answer, login).await,
    }
}

/// Requests a token by the older specification.
async fn get(
    request: TokenRequest<'_>,
    mut realm: Url,
    login: Login<'_>,
) -> Result<IssuedToken, RegistryError> {
    {
        let mut query = realm.query_pairs_mut();
        if !request.service.is_empty() {
            query.append_pair("service", request.service);
        }
        for scope in request.scopes {
            query.append_pair("scope", scope);
        }
    }
    let mut sent = web::client(realm.as_str())?.get(realm.clone());
    sent = match login {
        Login::Anonymous => sent,
        Login::Password { username, password } => sent.basic_auth(username, Some(password)),
        Login::Identity(token) => sent.basic_auth("", Some(token)),
    };
    let answer = web::send(sent, realm.as_str(), 0).await?;
    read(request, answer, login).await
}

/// Returns the address of the authority, if it may get a password.
fn realm(request: TokenRequest<'_>) -> Result<Url, RegistryError> {
    let wrong = |reason: &str| RegistryError::Answer {
        url: request.host.to_owned(),
        reason: web::line(&format!(
            "the registry names the authority {:?}{reason}",
            request.realm
        )),
    };
    let realm = Url::parse(request.realm).map_err(|error| wrong(&format!(": {error}")))?;
    let name = realm.host_str().unwrap_or_default();
    let registry = Url::parse(&format!("http://{}", request.host)).ok();
    let is_registry = registry
        .as_ref()
        .is_some_and(|url| url.host_str() == Some(name));
    match realm.scheme() {
        "https" => Ok(realm),
        "http" if is_registry || is_loopback(name) => Ok(realm),
        _ => Err(wrong(
            ", which does not use TLS; with BUILDKIT_NO_CLIENT_TOKEN=1, BuildKit itself requests the token",
        )),
    }
}

async fn read(
    request: TokenRequest<'_>,
    answer: Response,
    login: Login<'_>,
) -> Result<IssuedToken, RegistryError> {
    let wrong = |reason: String| RegistryError::Answer {
        url: web::line(request.realm),
        reason,
    };
    match answer.status() {
        status if status.is_success() => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(RegistryError::Unauthorized {
                host: request.host.to_owned(),
                fault: match login {
                    Login::Anonymous => AccessFault::NoCredentials,
                    Login::Password { .. } | Login::Identity(_) => AccessFault::WrongCredentials,
                },
            });
        }
        status => return Err(wrong(format!("the registry's authority answers {status}"))),
    }
    let what = format!("the token of {}", request.host);
    let bytes = web::read(answer, &what, ANSWER_BYTES, web::ANSWER_TIME, &|_, _| {}).await?;
    // The answer may contain a token, whatever it looks like. No error repeats it.
    let no_token = || wrong("the registry's authority issued no token".into());
    let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| no_token())?;
    let tokens = [answer.token, answer.access_token];
    let token = tokens.into_iter().flatten().find(|token| !token.is_empty());
    let issued = answer
        .issued_at
        .and_then(|time| OffsetDateTime::parse(&time, &Rfc3339).ok());
    Ok(IssuedToken {
        token: token.ok_or_else(no_token)?,
        lifetime: answer.expires_in.unwrap_or_default(),
        issued: issued.map_or(0, OffsetDateTime::unix_timestamp),
    })
}

/// Returns the body of a form.
fn encoded(form: &[(&str, &str)]) -> String {
    // The query of an address has the same encoding.
    let mut url = Url::parse("http://localhost").expect("a well-formed address");
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(host: &str, realm: &str) -> Result<String, String> {
        let request = TokenRequest {
            host,
            realm,
            service: "",
            scopes: &[],
        };
        let realm = super::realm(request);
        realm.map(String::from).map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_goes_to_tls_or_to_the_registry_itself() {
        for (host, realm) in [
            ("registry.example", "https://auth.example/token"),
            ("registry.example:5000", "http://registry.example/token"),
            ("registry.example", "http://registry.example:5001/token"),
            ("[fd00::1]:5000", "http://[fd00::1]:5001/token"),
            ("registry.example", "http://127.0.0.1:5001/token"),
        ] {
            assert_eq!(checked(host, realm), Ok(realm.to_owned()));
        }
        for realm in [
            "http://auth.example/token",
            "http://registry.example.evil/token",
            "http://registry.example@evil.example/token",
            "ftp://registry.example/token",
        ] {
            let error = checked("registry.example", realm).expect_err(realm);
            assert!(error.contains("does not use TLS"), "{error}");
        }
        let error = checked("registry.example", "token").expect_err("no address");
        assert!(
            error.contains("authority \"token\": relative URL"),
            "{error}"
        );
    }

    #[test]
    fn forms_are_encoded() {
        let form = encoded(&[("a", "x y&z=\u{e4}"), ("b", "")]);
        assert_eq!(form, "a=x+y%26z%3D%C3%A4&b=");
    }
}
