//! `moby.filesync.v1.Auth`: gives the daemon access to registries.
//!
//! For a registry whose authority issues tokens, the daemon requests a token, and this side fetches it: the
//! password stays here. The daemon keeps tokens, and may use them for another build only if that build has the same
//! credentials. It cannot compare them, so both builds prove that they have the same key: an Ed25519 key that
//! depends on a seed, which never leaves this side, and on a salt of the daemon
//! (BuildKit: `session/auth/authprovider`). A registry without an authority gets the password itself, so the daemon
//! requests it.

use std::sync::Arc;

use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse,
    GetTokenAuthorityRequest, GetTokenAuthorityResponse, VerifyTokenAuthorityRequest,
    VerifyTokenAuthorityResponse,
};
use bytes::Bytes;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tonic::Status;

use super::SessionBuilder;
use super::service::{Handler, Method, SMALL_MESSAGE, SessionService, decode};
use crate::grpc::framed;

/// Maximum number of look-ups at the same time: each may start a process.
const LOOKUPS_AT_ONCE: usize = 8;

/// Lifetime of a token whose authority does not state one, in seconds.
const LIFETIME: i64 = 60;

/// A user name and password, or an identity token, for a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// User name; empty if the secret is an identity token.
    pub username: String,
    /// Password, or identity token.
    pub secret: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Credential")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// A request for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The registry, as in [`CredentialSource::credentials`].
    pub host: String,
    /// Address of the registry's authority.
    pub realm: String,
    /// Name of the registry for its authority; may be empty.
    pub service: String,
    /// Requested rights, for example `repository:library/busybox:pull`.
    pub scopes: Vec<String>,
}

/// A token of a registry's authority.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The token.
    pub token: String,
    /// Lifetime, in seconds; 0 if the authority does not state it.
    pub lifetime: i64,
    /// Time when the token was issued, in seconds since 1970; 0 if the authority does not state it.
    pub issued: i64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Token").finish_non_exhaustive()
    }
}

/// The side that fetches tokens.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenAuthority {
    /// The daemon fetches tokens, and gets the password for that.
    Daemon,
    /// The client fetches tokens. All users without credentials share the tokens of the daemon.
    Anonymous,
    /// The client fetches tokens. Builds with the same seed share the tokens of the daemon.
    Seed(Vec<u8>),
}

/// A source of credentials for registries.
#[async_trait::async_trait]
pub trait CredentialSource: Send + Sync {
    /// Returns the credentials for a host, or `None` for anonymous access. The host is named as the
    /// daemon names it: `ghcr.io`, `localhost:5000`, and `registry-1.docker.io` for Docker Hub.
    ///
    /// # Errors
    ///
    /// A message for the user. It fails the build.
    async fn credentials(&self, host: &str) -> Result<Option<Credential>, String>;

    /// Returns the side that fetches tokens for a host, with the seed of the key that proves who may use them. A
    /// source without tokens leaves them to the daemon.
    ///
    /// # Errors
    ///
    /// A message for the user. It fails the build.
    async fn token_authority(&self, _host: &str) -> Result<TokenAuthority, String> {
        Ok(TokenAuthority::Daemon)
    }

    /// Fetches a token.
    ///
    /// # Errors
    ///
    /// A message for the user. It fails the build.
    async fn token(&self, request: TokenRequest) -> Result<Token, String> {
        Err(format!("there are no tokens for {}", request.host))
    }
}

impl SessionBuilder {
    /// Answers the daemon's requests for credentials and tokens from `source`.
    #[must_use]
    pub fn credentials(self, source: Arc<dyn CredentialSource>) -> Self {
        self.attach(Auth(source))
    }
}

/// The service of a session that has a source of credentials.
struct Auth(Arc<dyn CredentialSource>);

impl SessionService for Auth {
    const NAME: &'static str = "moby.filesync.v1.Auth";
    const METHODS: &'static [Method<Self>] = &[
        method(
            "Credentials",
            Handler::Unary(|service, message| Box::pin(service.credentials(message))),
        ),
        method(
            "FetchToken",
            Handler::Unary(|service, message| Box::pin(service.fetch_token(message))),
        ),
        method(
            "GetTokenAuthority",
            Handler::Unary(|service, message| Box::pin(service.get_token_authority(message))),
        ),
        method(
            "VerifyTokenAuthority",
            Handler::Unary(|service, message| Box::pin(service.verify_token_authority(message))),
        ),
    ];
}

const fn method(name: &'static str, handler: Handler<Auth>) -> Method<Auth> {
    Method {
        name,
        calls_at_once: LOOKUPS_AT_ONCE,
        message_limit: SMALL_MESSAGE,
        handler,
    }
}

impl Auth {
    async fn credentials(self: Arc<Self>, message: Bytes) -> Result<Bytes, Status> {
        let request: CredentialsRequest = decode(message)?;
        let found = self.0.credentials(&request.host).await;
        let response = match found.map_err(Status::unknown)? {
            Some(credential) => CredentialsResponse {
                username: credential.username,
                secret: credential.secret,
            },
            None => CredentialsResponse::default(),
        };
        Ok(framed(&response))
    }

    async fn fetch_token(self: Arc<Self>, message: Bytes) -> Result<Bytes, Status> {
        let request: FetchTokenRequest = decode(message)?;
        let request = TokenRequest {
            host: request.host,
            realm: request.realm,
            service: request.service,
            scopes: request.scopes,
        };
        let token = self.0.token(request).await.map_err(Status::unknown)?;
        Ok(framed(&FetchTokenResponse {
            token: token.token,
            expires_in: match token.lifetime {
                0 => LIFETIME,
                lifetime => lifetime,
            },
            issued_at: token.issued,
        }))
    }

    async fn get_token_authority(self: Arc<Self>, message: Bytes) -> Result<Bytes, Status> {
        let request: GetTokenAuthorityRequest = decode(message)?;
        let key = self.authority_key(&request.host, &request.salt).await?;
        Ok(framed(&GetTokenAuthorityResponse {
            public_key: key.public_key().as_ref().to_vec(),
        }))
    }

    async fn verify_token_authority(self: Arc<Self>, message: Bytes) -> Result<Bytes, Status> {
        let request: VerifyTokenAuthorityRequest = decode(message)?;
        let key = self.authority_key(&request.host, &request.salt).await?;
        // The format of NaCl: the signature, followed by what is signed.
        let mut signed = key.sign(&request.payload).as_ref().to_vec();
        signed.extend(request.payload);
        Ok(framed(&VerifyTokenAuthorityResponse { signed }))
    }

    async fn authority_key(&self, host: &str, salt: &[u8]) -> Result<Ed25519KeyPair, Status> {
        let authority = self.0.token_authority(host).await;
        let seed = match authority.map_err(Status::unknown)? {
            // On this status, the daemon requests the credentials.
            TokenAuthority::Daemon => {
                return Err(Status::unavailable("client side tokens disabled"));
            }
            TokenAuthority::Anonymous => Vec::new(),
            TokenAuthority::Seed(seed) => seed,
        };
        let seed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), &seed);
        Ed25519KeyPair::from_seed_unchecked(seed.as_ref())
            .map_err(|error| Status::internal(error.to_string()))
    }
}
