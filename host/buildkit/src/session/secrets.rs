//! `moby.buildkit.secrets.v1.Secrets`: gives the daemon the secrets of a build, for
//! `RUN --mount=type=secret`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bytes::Bytes;
use tonic::Status;

use super::SessionBuilder;
use super::service::{Handler, Method, SMALL_MESSAGE, SessionService, decode};
use crate::grpc::framed;

/// Maximum size of a secret, in bytes: 500 KiB, as in BuildKit (`secretsprovider.MaxSecretSize`).
pub const MAX_SECRET_SIZE: usize = 500 << 10;

/// Maximum number of secrets that are read at the same time.
const READS_AT_ONCE: usize = 8;

/// The secrets that a build may read, by id.
///
/// ```
/// use iechor_buildkit::Session;
/// use iechor_buildkit::session::secrets::Secrets;
///
/// let secrets = Secrets::default()
///     .file("npmrc", "/home/me/.npmrc")
///     .value("token", "s3cret");
/// let session = Session::builder().secrets(secrets).build();
/// ```
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Source>);

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Value(Bytes),
}

impl Secrets {
    /// Adds the contents of a regular file. The file is read each time the daemon requests the
    /// secret.
    #[must_use]
    pub fn file(mut self, id: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.0.insert(id.into(), Source::File(path.into()));
        self
    }

    /// Returns whether there is no secret.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a value, for example that of an environment variable.
    #[must_use]
    pub fn value(mut self, id: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.0.insert(id.into(), Source::Value(value.into()));
        self
    }
}

/// Shows the ids and the paths, not the values.
impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(&self.0).finish()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
            Self::Value(_) => formatter.write_str("Value(..)"),
        }
    }
}

impl SessionBuilder {
    /// Offers secrets to the build. Replaces those of an earlier call.
    ///
    /// The daemon gets a secret only if it requests it by id. A secret of more than
    /// [`MAX_SECRET_SIZE`] bytes, or whose file cannot be read, fails the build.
    #[must_use]
    pub fn secrets(self, secrets: Secrets) -> Self {
        self.attach(secrets)
    }
}

impl SessionService for Secrets {
    const NAME: &'static str = "moby.buildkit.secrets.v1.Secrets";
    const METHODS: &'static [Method<Self>] = &[Method {
        name: "GetSecret",
        calls_at_once: READS_AT_ONCE,
        message_limit: SMALL_MESSAGE,
        handler: Handler::Unary(|service, message| Box::pin(service.get_secret(message))),
    }];
}

impl Secrets {
    async fn get_secret(self: Arc<Self>, message: Bytes) -> Result<Bytes, Status> {
        let id = decode::<GetSecretRequest>(message)?.id;
        let data = match self.0.get(&id) {
            Some(Source::Value(value)) => value.to_vec(),
            Some(Source::File(path)) => {
                let path = path.clone();
                tokio::task::spawn_blocking(move || {
                    iechor_files::read(&path, MAX_SECRET_SIZE as u64)
                })
                .await
                .map_err(|error| Status::internal(error.to_string()))?
                // `NotFound` would mean that there is no secret with this id: a build that does not
                // require the secret would then run without it.
                .map_err(|error| Status::unknown(format!("cannot read secret {id:?}: {error}")))?
            }
            // BuildKit puts the id before this text.
            None => return Err(Status::not_found("not found")),
        };
        if data.len() > MAX_SECRET_SIZE {
            return Err(Status::unknown(format!(
                "cannot use secret {id:?}: it has {} bytes, and the maximum is {MAX_SECRET_SIZE}",
                data.len()
            )));
        }
        Ok(framed(&GetSecretResponse { data }))
    }
}
