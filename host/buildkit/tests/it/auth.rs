//! The service for access to registries, called by the fake daemon.

use std::sync::Arc;

use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse,
    GetTokenAuthorityRequest, GetTokenAuthorityResponse, VerifyTokenAuthorityRequest,
    VerifyTokenAuthorityResponse,
};
use iechor_buildkit::session::auth::{
    Credential, CredentialSource, Token, TokenAuthority, TokenRequest,
};
use iechor_buildkit::{Session, SolveRequest};
use prost::Message;
use ring::signature::{ED25519, UnparsedPublicKey};
use tonic::{Code, Status};

use crate::caller::Caller;
use crate::calling::calling;

const SERVICE: &str = "/moby.filesync.v1.Auth";

/// A user with a login for `mine.example`.
struct User;

#[async_trait::async_trait]
impl CredentialSource for User {
    async fn credentials(&self, host: &str) -> Result<Option<Credential>, String> {
        match host {
            "mine.example" => Ok(Some(Credential {
                username: "user".into(),
                secret: "password".into(),
            })),
            "broken.example" => Err("the keychain is locked".into()),
            _ => Ok(None),
        }
    }

    async fn token_authority(&self, host: &str) -> Result<TokenAuthority, String> {
        match host {
            "mine.example" => Ok(TokenAuthority::Seed(b"seed".to_vec())),
            "other.example" => Ok(TokenAuthority::Seed(b"other".to_vec())),
            "daemon.example" => Ok(TokenAuthority::Daemon),
            "broken.example" => Err("the keychain is locked".into()),
            _ => Ok(TokenAuthority::Anonymous),
        }
    }

    async fn token(&self, request: TokenRequest) -> Result<Token, String> {
        match request.host.as_str() {
            "broken.example" => Err("the authority is on fire".into()),
            _ => Ok(Token {
                token: format!("{request:?}"),
                lifetime: if request.service.is_empty() { 0 } else { 300 },
                issued: 100,
            }),
        }
    }
}

async fn call<M: Message + Default>(
    caller: &Caller,
    method: &str,
    request: &impl Message,
) -> Result<M, Status> {
    let response = caller
        .unary(&format!("{SERVICE}/{method}"), request)
        .await?;
    Ok(M::decode(response).unwrap())
}

async fn with_user(test: impl AsyncFnOnce(Caller)) {
    let session = Session::builder().credentials(Arc::new(User)).build();
    calling(session, SolveRequest::dockerfile(), test).await;
}

async fn public_key(caller: &Caller, host: &str, salt: &[u8]) -> Result<Vec<u8>, Status> {
    let request = GetTokenAuthorityRequest {
        host: host.into(),
        salt: salt.into(),
    };
    let response: GetTokenAuthorityResponse = call(caller, "GetTokenAuthority", &request).await?;
    Ok(response.public_key)
}

#[tokio::test]
async fn credentials_are_given_by_host() {
    with_user(async |caller| {
        let get = async |host: &str| {
            let request = CredentialsRequest { host: host.into() };
            call::<CredentialsResponse>(&caller, "Credentials", &request).await
        };
        let mine = get("mine.example").await.unwrap();
        assert_eq!(
            (mine.username.as_str(), mine.secret.as_str()),
            ("user", "password")
        );
        assert_eq!(get("").await.unwrap(), CredentialsResponse::default());
        let status = get("broken.example").await.unwrap_err();
        assert_eq!(status.message(), "the keychain is locked");
    })
    .await;
}

#[tokio::test]
async fn a_key_depends_on_the_seed_and_the_salt() {
    with_user(async |caller| {
        let mine = public_key(&caller, "mine.example", b"salt").await.unwrap();
        assert_eq!(mine.len(), 32);
        assert_eq!(
            public_key(&caller, "mine.example", b"salt").await.unwrap(),
            mine
        );
        for (host, salt) in [
            ("mine.example", &b"pepper"[..]),
            ("other.example", b"salt"),
            ("anonymous.example", b"salt"),
        ] {
            assert_ne!(
                public_key(&caller, host, salt).await.unwrap(),
                mine,
                "{host}"
            );
        }
        // Everybody without credentials has the same key.
        let anonymous = public_key(&caller, "a.example", b"salt").await.unwrap();
        assert_eq!(
            public_key(&caller, "b.example", b"salt").await.unwrap(),
            anonymous
        );
    })
    .await;
}

#[tokio::test]
async fn the_key_signs_what_the_daemon_sends() {
    with_user(async |caller| {
        let request = VerifyTokenAuthorityRequest {
            host: "mine.example".into(),
            payload: b"challenge".to_vec(),
            salt: b"salt".to_vec(),
        };
        let response: VerifyTokenAuthorityResponse =
            call(&caller, "VerifyTokenAuthority", &request)
                .await
                .unwrap();
        let (signature, payload) = response.signed.split_at(64);
        assert_eq!(payload, b"challenge");
        let key = public_key(&caller, "mine.example", b"salt").await.unwrap();
        UnparsedPublicKey::new(&ED25519, key)
            .verify(payload, signature)
            .expect("valid");
    })
    .await;
}

#[tokio::test]
async fn a_daemon_that_fetches_tokens_itself_gets_no_key() {
    with_user(async |caller| {
        let status = public_key(&caller, "daemon.example", b"salt")
            .await
            .unwrap_err();
        // The daemon requests the credentials on this code.
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.message(), "client side tokens disabled");
        let status = public_key(&caller, "broken.example", b"salt")
            .await
            .unwrap_err();
        assert_eq!(status.message(), "the keychain is locked");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_fetched_on_this_side() {
    with_user(async |caller| {
        let mut request = FetchTokenRequest {
            client_id: "buildkit-client".into(),
            host: "mine.example".into(),
            realm: "https://auth.example/token".into(),
            service: "mine".into(),
            scopes: vec!["repository:a:pull".into()],
        };
        let token: FetchTokenResponse = call(&caller, "FetchToken", &request).await.unwrap();
        let asked = TokenRequest {
            host: request.host.clone(),
            realm: request.realm.clone(),
            service: request.service.clone(),
            scopes: request.scopes.clone(),
        };
        assert_eq!(token.token, format!("{asked:?}"));
        assert_eq!((token.expires_in, token.issued_at), (300, 100));
        request.service = String::new();
        let token: FetchTokenResponse = call(&caller, "FetchToken", &request).await.unwrap();
        assert_eq!(token.expires_in, 60);
        request.host = "broken.example".into();
        let status = call::<FetchTokenResponse>(&caller, "FetchToken", &request).await;
        assert_eq!(status.unwrap_err().message(), "the authority is on fire");
    })
    .await;
}

#[test]
fn passwords_and_tokens_are_not_displayed() {
    let credential = Credential {
        username: "user".into(),
        secret: "hush".into(),
    };
    let token = Token {
        token: "hush".into(),
        lifetime: 0,
        issued: 0,
    };
    let shown = format!("{credential:?} {token:?}");
    assert!(!shown.contains("hush"), "{shown}");
}
