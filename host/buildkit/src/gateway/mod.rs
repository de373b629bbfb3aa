//! The gateway: what this side does in place of a frontend while a build runs.
//!
//! A build (`Control.Solve`) without a frontend waits until its client returns a result. Meanwhile the
//! client makes calls of `LLBBridge` on the same connection, which the daemon assigns to the build by
//! its reference: it runs frontends, reads files of their results, and finally returns a result or an
//! error. [`Client::build`] passes a [`Gateway`] to a function of the caller for that.

mod definition;
mod result;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::moby::buildkit::v1::frontend as proto;
use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message as _;
use tonic::metadata::{Ascii, MetadataValue};

use crate::capabilities::Capabilities;
use crate::client::Client;
use crate::error::{Code, Error};
use crate::fields::{Fields, Undecoded, unready};
use crate::grpc::MESSAGE_LIMIT;
use crate::wire::{GatewayReturn, GatewaySolve, NamedBytes};

pub use definition::Definition;
pub use result::{FrontendResult, Reference};

/// Header that assigns a call to a build.
const BUILD: &str = "buildkit-controlapi-buildid";

/// Capabilities of a daemon that builds within `Solve`, and that has a call to build.
const EVALUATE_IN_SOLVE: &str = "gateway.solve.evaluate";
const EVALUATE: &str = "gateway.evaluate";

/// Attribute of a frontend with the caches to import, as JSON.
pub(crate) const CACHE_IMPORTS: &str = "cache-imports";

/// Maximum size of the response to `Ping`, in bytes. Real ones have less than 20 KiB.
const PONG_LIMIT: usize = 512 << 10;

/// Maximum size of a response around its content, in bytes.
const FRAME: usize = 64 << 10;

/// What the daemon says while it does not know the build yet. It waits three seconds for the build
/// itself.
const UNKNOWN_BUILD: &str = "no such job";

/// Maximum time to wait until the daemon knows the build.
const BUILD_LIMIT: Duration = Duration::from_secs(30);

/// A build on the daemon that waits for its result. Clones share it.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    client: Client,
    build: MetadataValue<Ascii>,
    capabilities: Capabilities,
    cache_imports: Option<String>,
}

/// A request to solve: a frontend with its attributes, or a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontendRequest {
    /// The frontend, `dockerfile.v0` or `gateway.v0`; empty for a definition.
    pub frontend: String,
    /// Attributes of the frontend. The caches of the build are added, unless there is an attribute
    /// `cache-imports`.
    pub attributes: BTreeMap<String, String>,
    /// Definitions for the frontend, by the names that attributes refer to as `input:NAME`.
    pub inputs: BTreeMap<String, Definition>,
    /// The graph to solve without a frontend.
    pub definition: Option<Definition>,
    /// Whether to build at once. Without it, the daemon builds when something needs the result.
    pub evaluate: bool,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").finish_non_exhaustive()
    }
}

impl Gateway {
    /// Waits until the daemon knows the build, and reads its capabilities.
    async fn open(
        client: &Client,
        build: &str,
        cache_imports: Option<String>,
    ) -> Result<Self, Error> {
        let build = MetadataValue::try_from(build)
            .map_err(|_| Error::Request(format!("invalid reference of a build: {build:?}")))?;
        let mut inner = Inner {
            client: client.share(),
            build,
            capabilities: Capabilities::default(),
            cache_imports,
        };
        let asking = async {
            loop {
                match inner.call("Ping", proto::PingRequest {}, PONG_LIMIT).await {
                    // Under load, the build may begin later than the daemon waits for it.
                    Err(Error::Solve(error)) if error.message.starts_with(UNKNOWN_BUILD) => {}
                    pong => return pong,
                }
            }
        };
        let pong = match tokio::time::timeout(BUILD_LIMIT, asking).await {
            Ok(pong) => pong?,
            Err(_) => {
                return Err(Error::Silent { limit: BUILD_LIMIT });
            }
        };
        inner.capabilities = Capabilities::decode(pong);
        Ok(Self(Arc::new(inner)))
    }

    /// Returns what the daemon supports.
    pub fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    /// Runs a frontend or solves a definition.
    ///
    /// # Errors
    ///
    /// [`Error::Solve`], with the place in the Dockerfile; [`Error::ConnectionLost`].
    pub async fn solve(&self, mut request: FrontendRequest) -> Result<FrontendResult, Error> {
        if let Some(imports) = &self.0.cache_imports
            && !request.frontend.is_empty()
        {
            let attribute = request.attributes.entry(CACHE_IMPORTS.into());
            attribute.or_insert_with(|| imports.clone());
        }
        let evaluate_later = request.evaluate && !self.capabilities().frontend(EVALUATE_IN_SOLVE);
        let inputs = request.inputs.into_iter();
        let message = GatewaySolve {
            definition: request.definition.map(|definition| definition.0),
            frontend: request.frontend,
            frontend_opt: request.attributes,
            allow_result_return: true,
            allow_result_array_ref: true,
            frontend_inputs: inputs
                .map(|(key, Definition(value))| NamedBytes { key, value })
                .collect(),
            evaluate: request.evaluate && !evaluate_later,
        };
        let response = self.0.call("Solve", message, MESSAGE_LIMIT).await?;
        let result = FrontendResult::decode(response);
        if evaluate_later {
            let of_platforms = result.references().values();
            for reference in result.reference().into_iter().chain(of_platforms) {
                self.stat(reference, ".").await?;
            }
        }
        Ok(result)
    }

    /// Builds what a reference stands for.
    ///
    /// # Errors
    ///
    /// As [`solve`](Self::solve).
    pub async fn evaluate(&self, reference: &Reference) -> Result<(), Error> {
        if !self.capabilities().frontend(EVALUATE) {
            return self.stat(reference, ".").await;
        }
        let message = proto::EvaluateRequest {
            r#ref: reference.id.clone(),
        };
        self.0.call("Evaluate", message, FRAME).await.map(drop)
    }

    /// Reads a file of at most `limit` bytes. Builds the file system first, if that is necessary.
    ///
    /// # Errors
    ///
    /// [`Error::FileTooLarge`]; otherwise as [`solve`](Self::solve).
    pub async fn read_file(
        &self,
        reference: &Reference,
        path: &str,
        limit: usize,
    ) -> Result<Bytes, Error> {
        let length = i64::try_from(limit).unwrap_or(i64::MAX);
        let message = proto::ReadFileRequest {
            r#ref: reference.id.clone(),
            file_path: path.to_owned(),
            range: Some(proto::FileRange {
                offset: 0,
                length: length.saturating_add(1),
            }),
            mount_index: 0,
        };
        let answer = self
            .0
            .call("ReadFile", message, limit.saturating_add(FRAME));
        let response = answer.await?;
        let content = Fields::new(response)
            .map_while(Result::ok)
            .find(|(number, _)| *number == 1)
            .map(|(_, content)| content)
            .unwrap_or_default();
        if content.len() > limit {
            return Err(Error::FileTooLarge {
                path: path.to_owned(),
                limit,
            });
        }
        Ok(content)
    }

    /// Looks a file up, which builds the file system.
    async fn stat(&self, reference: &Reference, path: &str) -> Result<(), Error> {
        let message = proto::StatFileRequest {
            r#ref: reference.id.clone(),
            path: path.to_owned(),
            mount_index: 0,
        };
        self.0.call("StatFile", message, FRAME).await.map(drop)
    }
}

impl Inner {
    /// Makes a call. The response is not decoded and has at most `limit` bytes.
    async fn call<M: prost::Message + 'static>(
        &self,
        method: &'static str,
        message: M,
        limit: usize,
    ) -> Result<Bytes, Error> {
        let path = format!("/moby.buildkit.v1.frontend.LLBBridge/{method}");
        let path =
            PathAndQuery::try_from(path).map_err(|error| Error::Request(error.to_string()))?;
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert(BUILD, self.build.clone());
        let mut grpc = self.client.undecoded(limit);
        let call = async {
            grpc.ready().await.map_err(unready)?;
            grpc.unary(request, path, Undecoded::new()).await
        };
        tokio::select! {
            biased;
            answer = call => match answer {
                Ok(answer) => Ok(answer.into_inner()),
                Err(status) => Err(self.client.solve_error(&status).await),
            },
            error = self.client.lost() => Err(error),
        }
    }
}

/// Encodes an error as a `google.rpc.Status`, with the details that the daemon gave.
fn status_of(error: &Error) -> Bytes {
    if let Error::Solve(error) = error
        && !error.encoded.is_empty()
    {
        return error.encoded.clone();
    }
    let code = error.code().unwrap_or(Code::Unknown);
    let status = rpc::Status {
        code: code as i32,
        message: match error {
            Error::Solve(error) => error.message.clone(),
            error => error.to_string(),
        },
        details: Vec::new(),
    };
    status.encode_to_vec().into()
}

/// The message that returns the result of the build, or the error with its details, to the daemon.
fn returned(outcome: &Outcome) -> GatewayReturn {
    match outcome {
        Ok(result) => {
            let encoded = result.as_ref().map(|result| result.encoded.clone());
            GatewayReturn {
                result: Some(encoded.unwrap_or_default()),
                error: None,
            }
        }
        Err(error) => GatewayReturn {
            result: None,
            error: Some(status_of(error)),
        },
    }
}

/// What the caller's function made: the result of the build, `None` for an empty one.
pub(crate) type Outcome = Result<Option<FrontendResult>, Error>;

/// The work on this side during a build.
#[derive(Default)]
pub(crate) struct Work {
    /// The outcome, as soon as there is one: the daemon may end the build before it answers `Return`.
    outcome: Mutex<Option<Outcome>>,
}

impl Work {
    /// Calls the caller's function, and returns its outcome to the daemon. Returns whether the daemon
    /// has a result.
    pub(crate) async fn run<F, W>(
        &self,
        client: &Client,
        build: &str,
        cache_imports: Option<String>,
        function: F,
    ) -> bool
    where
        F: FnOnce(Gateway) -> W,
        W: Future<Output = Outcome>,
    {
        let gateway = match Gateway::open(client, build, cache_imports).await {
            Ok(gateway) => gateway,
            Err(error) => {
                self.keep(Err(error));
                return false;
            }
        };
        let outcome = function(gateway.clone()).await;
        let message = returned(&outcome);
        let is_result = outcome.is_ok();
        self.keep(outcome);
        match gateway.0.call("Return", message, FRAME).await {
            Ok(_) => is_result,
            Err(error) => {
                if is_result {
                    self.keep(Err(error));
                }
                false
            }
        }
    }

    fn keep(&self, outcome: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    /// Returns the outcome of the caller's function, if it ended, or of a call around it that failed.
    pub(crate) fn take(&self) -> Option<Outcome> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.take()
    }
}
