//! `moby.filesync.v1.Auth`: credentials of registries.

use bollard_buildkit_proto::moby::filesync::v1::{CredentialsRequest, CredentialsResponse};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::Request;
use hyper::body::Incoming;
use prost::Message as _;
use tonic::Status;

use crate::grpc::{Messages, framed};

/// Largest question for credentials, in bytes: the name of a host.
const QUESTION_LIMIT: usize = 64 << 10;

/// Who may log in, and with what.
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

/// Where credentials of registries come from.
#[async_trait::async_trait]
pub trait CredentialSource: Send + Sync {
    /// The credentials for a host as the daemon names it: `ghcr.io`, `localhost:5000`, and
    /// `registry-1.docker.io` for Docker Hub. `None` means: log in as nobody.
    ///
    /// # Errors
    ///
    /// Words for the user; they end the build.
    async fn credentials(&self, host: &str) -> Result<Option<Credential>, String>;
}

pub(super) async fn credentials(
    source: &dyn CredentialSource,
    request: Request<Incoming>,
) -> Result<Bytes, Status> {
    let message = Messages::new(request.into_body())
        .limited(QUESTION_LIMIT)
        .next()
        .await
        .ok_or_else(|| Status::invalid_argument("a call without a message"))?
        .map_err(|error| Status::unknown(error.to_string()))?;
    let request = CredentialsRequest::decode(message)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let credential = source
        .credentials(&request.host)
        .await
        .map_err(Status::unknown)?;
    let response = credential.map_or_else(CredentialsResponse::default, |credential| {
        CredentialsResponse {
            username: credential.username,
            secret: credential.secret,
        }
    });
    Ok(framed(&response))
}

/// The daemon then asks for credentials and fetches tokens itself, as it does for a buildx with
/// `BUILDKIT_NO_CLIENT_TOKEN=1`.
pub(super) fn no_tokens() -> Status {
    Status::unavailable("client side tokens disabled")
}
