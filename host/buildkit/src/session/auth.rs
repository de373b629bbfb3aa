//! `moby.filesync.v1.Auth`: gives the daemon the credentials of registries.

use std::sync::Arc;

use bollard_buildkit_proto::moby::filesync::v1::{CredentialsRequest, CredentialsResponse};
use bytes::Bytes;
use tonic::Status;

use super::SessionBuilder;
use super::service::{Handler, Method, SMALL_MESSAGE, SessionService, decode};
use crate::grpc::framed;

/// Maximum number of look-ups at the same time: each may start a process.
const LOOKUPS_AT_ONCE: usize = 8;

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
}

impl SessionBuilder {
    /// Answers the daemon's requests for credentials from `source`.
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
        Method {
            name: "Credentials",
            calls_at_once: LOOKUPS_AT_ONCE,
            message_limit: SMALL_MESSAGE,
            handler: Handler::Unary(|service, message| Box::pin(service.credentials(message))),
        },
        no_tokens("FetchToken"),
        no_tokens("GetTokenAuthority"),
        no_tokens("VerifyTokenAuthority"),
    ];
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
}

/// Returns a method that refuses every call. The daemon then requests credentials and fetches
/// tokens itself, as it does for a buildx with `BUILDKIT_NO_CLIENT_TOKEN=1`.
const fn no_tokens(name: &'static str) -> Method<Auth> {
    Method {
        name,
        calls_at_once: LOOKUPS_AT_ONCE,
        message_limit: SMALL_MESSAGE,
        handler: Handler::Unary(|_, _| {
            Box::pin(async { Err(Status::unavailable("client side tokens disabled")) })
        }),
    }
}
