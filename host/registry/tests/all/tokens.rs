//! Tests of tokens that are fetched for another program.

use std::time::Duration;

use iechor_registry::{IssuedToken, Login, RegistryError, TokenRequest, fetch_token};

use crate::server::{Server, Step, drip, send};

const PASSWORD: Login<'static> = Login::Password {
    username: "user",
    password: "pass&word",
};
/// `user:pass&word` in base64.
const BASIC: &str = "dXNlcjpwYXNzJndvcmQ=";

fn answer(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    vec![send(&format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ))]
}

async fn fetch(server: &Server, login: Login<'_>) -> Result<IssuedToken, RegistryError> {
    let realm = format!("http://{}/token", server.address);
    let request = TokenRequest {
        host: "registry.example",
        realm: &realm,
        service: "the registry",
        scopes: &[
            "repository:a:pull".to_owned(),
            "repository:b:pull".to_owned(),
        ],
    };
    tokio::time::timeout(Duration::from_secs(24 * 3600), fetch_token(request, login))
        .await
        .expect("it waits forever")
}

#[tokio::test(start_paused = true)]
async fn a_password_is_exchanged_for_a_token() {
    let body = r#"{"access_token":"t","expires_in":300,"issued_at":"1970-01-01T00:01:40Z"}"#;
    let server = Server::start(move |_| answer("200 OK", "", body)).await;
    let token = fetch(&server, PASSWORD).await.unwrap();
    assert_eq!(
        (token.token.as_str(), token.lifetime, token.issued),
        ("t", 300, 100)
    );
    let [request] = server.requests().try_into().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /token HTTP/1.1"), "{head}");
    assert!(!head.to_lowercase().contains("authorization"), "{head}");
    assert_eq!(
        body,
        "grant_type=password&username=user&password=pass%26word&client_id=buildkit-client\
         &service=the+registry&scope=repository%3Aa%3Apull+repository%3Ab%3Apull"
    );
}

#[tokio::test(start_paused = true)]
async fn an_identity_token_is_exchanged_for_a_token() {
    let server = Server::start(|_| answer("200 OK", "", r#"{"access_token":"t"}"#)).await;
    let token = fetch(&server, Login::Identity("identity")).await.unwrap();
    assert_eq!(
        (token.token.as_str(), token.lifetime, token.issued),
        ("t", 0, 0)
    );
    let [request] = server.requests().try_into().unwrap();
    let expected = "grant_type=refresh_token&refresh_token=identity&client_id=buildkit-client";
    assert!(request.contains(expected), "{request}");
}

#[tokio::test(start_paused = true)]
async fn an_authority_without_oauth_gets_the_older_request() {
    for refusal in [
        "404 Not Found",
        "401 Unauthorized",
        "405 Method Not Allowed",
        "302 Found",
    ] {
        let server = Server::start(move |what| match what.starts_with("POST") {
            true => answer(refusal, "Location: /elsewhere\r\n", ""),
            false => answer("200 OK", "", r#"{"token":"t","access_token":"x"}"#),
        })
        .await;
        assert_eq!(
            fetch(&server, PASSWORD).await.unwrap().token,
            "t",
            "{refusal}"
        );
        let [_, request] = server.requests().try_into().unwrap();
        let path = "GET /token?service=the+registry&scope=repository%3Aa%3Apull\
                    &scope=repository%3Ab%3Apull HTTP/1.1";
        assert!(request.starts_with(path), "{request}");
        assert!(
            request.contains(&format!("authorization: Basic {BASIC}")),
            "{request}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_credentials_none_are_sent() {
    let server = Server::start(|_| answer("200 OK", "", r#"{"token":"t"}"#)).await;
    assert_eq!(fetch(&server, Login::Anonymous).await.unwrap().token, "t");
    let [request] = server.requests().try_into().unwrap();
    assert!(request.starts_with("GET /token?"), "{request}");
    assert!(
        !request.to_lowercase().contains("authorization"),
        "{request}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_password_in_a_form_follows_no_redirect() {
    let other = Server::start(|_| answer("200 OK", "", r#"{"token":"t"}"#)).await;
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("Location: http://{}/\r\n", other.address);
        let server = Server::start(move |_| answer(status, &location, "")).await;
        let _ = fetch(&server, PASSWORD).await;
        for request in other.requests() {
            assert!(
                !request.contains("pass") && !request.contains(BASIC),
                "{request}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_explained_without_the_answer() {
    for (status, body, login, words) in [
        (
            "403 Forbidden",
            "hush",
            PASSWORD,
            "registry.example refuses the credentials",
        ),
        (
            "401 Unauthorized",
            "hush",
            Login::Anonymous,
            "registry.example requires authentication",
        ),
        (
            "500 Oops",
            "hush",
            PASSWORD,
            "the registry's authority answers 500",
        ),
        (
            "405 Oops",
            "hush",
            Login::Identity("i"),
            "the registry's authority answers 405",
        ),
        (
            "200 OK",
            "hush",
            PASSWORD,
            "the registry's authority issued no token",
        ),
        (
            "200 OK",
            r#"{"token":"","other":"hush"}"#,
            PASSWORD,
            "issued no token",
        ),
        (
            "200 OK",
            r#"{"token":["hush"]}"#,
            PASSWORD,
            "issued no token",
        ),
    ] {
        let server = Server::start(move |_| answer(status, "", body)).await;
        let error = fetch(&server, login).await.err().unwrap().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_bounded() {
    let endless = Server::start(|_| {
        let head = send("HTTP/1.1 200 OK\r\n\r\n");
        vec![head, drip(&" ".repeat(64 << 10), Duration::from_millis(1))]
    })
    .await;
    let error = fetch(&endless, PASSWORD).await.err().unwrap();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
    let silent = Server::start(|_| vec![drip("", Duration::from_secs(3600))]).await;
    let error = fetch(&silent, PASSWORD).await.err().unwrap();
    assert!(matches!(error, RegistryError::Slow { .. }), "{error}");
}
