//! The control connection, and the calls that only query the daemon.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as control;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::moby::buildkit::v1::types;
use bollard_buildkit_proto::pb;
use http::Uri;
use iechor_platform::Platform;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;

use crate::capabilities::Capabilities;
use crate::error::{Code, Error, SolveError};
use crate::grpc::MESSAGE_LIMIT;
use crate::link::{Link, OPENING_LIMIT, SILENCE_LIMIT};

/// Maximum time to wait, after a failed call, for the reason why the connection broke.
const REASON_LIMIT: Duration = Duration::from_millis(500);

/// Maximum size of the response to a query, in bytes. Real ones have a few KiB. Decoded, tiny
/// entries take a hundred times their encoded size.
const ANSWER_LIMIT: usize = 512 << 10;

/// A connection to a BuildKit daemon.
///
/// One client is one stream. When the stream is lost, every call fails with
/// [`Error::ConnectionLost`]. The client never reconnects.
pub struct Client {
    pub(crate) link: Link,
    pub(crate) silence_limit: Duration,
    pub(crate) capabilities: OnceCell<Capabilities>,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Takes ownership of the stream and waits for the HTTP/2 settings of the other side.
    ///
    /// # Errors
    ///
    /// [`Error::ConnectionLost`] if the stream ends or if anything other than HTTP/2 arrives, with
    /// the text that arrived; [`Error::Silent`] if nothing arrives for 45 s. Later calls wait less: see
    /// [`Error::Silent`].
    pub async fn connect<S>(stream: S) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::open(stream, OPENING_LIMIT, SILENCE_LIMIT).await
    }

    /// Connects like [`connect`](Self::connect), with another limit for how long BuildKit may be
    /// silent, now and during every later call.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub async fn connect_within<S>(stream: S, silence_limit: Duration) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::open(stream, silence_limit, silence_limit).await
    }

    async fn open<S>(
        stream: S,
        opening_limit: Duration,
        silence_limit: Duration,
    ) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Ok(Self {
            link: Link::open(stream, opening_limit).await?,
            silence_limit,
            capabilities: OnceCell::new(),
        })
    }

    /// Returns the version of the daemon, or `None` if the daemon cannot tell (BuildKit before
    /// 0.11, Engine 20.10).
    ///
    /// # Errors
    ///
    /// The connection is lost or silent, or the daemon refuses the call.
    pub async fn version(&self) -> Result<Option<Version>, Error> {
        let mut control = self.control().max_decoding_message_size(ANSWER_LIMIT);
        let answer = self
            .call("Control.Info", control.info(control::InfoRequest {}))
            .await;
        match answer {
            Ok(info) => Ok(info.buildkit_version.map(Into::into)),
            Err(Error::Call {
                code: Code::Unimplemented,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the daemon's workers, the default one first.
    ///
    /// # Errors
    ///
    /// The connection is lost or silent, or the daemon refuses the call.
    pub async fn workers(&self) -> Result<Vec<Worker>, Error> {
        let mut control = self.control().max_decoding_message_size(ANSWER_LIMIT);
        let request = control::ListWorkersRequest { filter: Vec::new() };
        let answer = self
            .call("Control.ListWorkers", control.list_workers(request))
            .await?;
        Ok(answer.record.into_iter().map(Into::into).collect())
    }

    /// Returns another handle of the same connection.
    pub(crate) fn share(&self) -> Self {
        Self {
            link: self.link.clone(),
            silence_limit: self.silence_limit,
            capabilities: self.capabilities.clone(),
        }
    }

    /// Waits until the connection is lost and returns the reason.
    pub async fn lost(&self) -> Error {
        self.link.state.lost().await
    }

    pub(crate) fn control(&self) -> ControlClient<Link> {
        ControlClient::with_origin(self.link.clone(), origin())
            .max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// Returns a client for calls whose responses are decoded piece by piece.
    pub(crate) fn undecoded(&self, limit: usize) -> tonic::client::Grpc<Link> {
        tonic::client::Grpc::with_origin(self.link.clone(), origin())
            .max_decoding_message_size(limit)
    }

    /// Waits for a response while the daemon is alive, however long it takes.
    pub(crate) async fn call<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            answer = call => match answer {
                Ok(answer) => Ok(answer.into_inner()),
                Err(status) => Err(self.call_error(name, &status).await),
            },
            error = self.link.state.lost() => Err(error),
            error = self.unresponsive() => Err(error),
        }
    }

    /// Returns the next message of a response that is a stream.
    pub(crate) async fn next<T>(
        &self,
        name: &'static str,
        stream: &mut tonic::Streaming<T>,
    ) -> Result<Option<T>, Error> {
        let next = async { stream.message().await.map(tonic::Response::new) };
        self.call(name, next).await
    }

    /// Returns the error of a failed call: the loss of the connection if that is the reason,
    /// otherwise the status.
    pub(crate) async fn call_error(&self, call: &'static str, status: &tonic::Status) -> Error {
        self.loss_behind(status)
            .await
            .unwrap_or_else(|| Error::Call {
                call,
                code: status.code().into(),
                message: status.message().to_owned(),
            })
    }

    /// Returns the error of a failed call that solves: the loss of the connection if that is the
    /// reason, otherwise the failure with its details.
    pub(crate) async fn solve_error(&self, status: &tonic::Status) -> Error {
        match self.loss_behind(status).await {
            Some(loss) => loss,
            None => Error::Solve(Box::new(SolveError::from_status(status))),
        }
    }

    pub(crate) async fn loss_behind(&self, status: &tonic::Status) -> Option<Error> {
        // A status that the daemon sent has no source.
        std::error::Error::source(status)?;
        tokio::time::timeout(REASON_LIMIT, self.link.state.lost())
            .await
            .ok()
    }
}

/// Returns the origin of the requests. gRPC over a private stream has no host; grpc-go uses this
/// name.
pub(crate) fn origin() -> Uri {
    Uri::from_static("http://localhost")
}

/// Version of a BuildKit daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Version, for example `v0.29.0`.
    pub version: String,
    /// Commit that it was built from.
    pub revision: String,
    /// Go package, usually `github.com/moby/buildkit`.
    pub package: String,
}

impl From<types::BuildkitVersion> for Version {
    fn from(version: types::BuildkitVersion) -> Self {
        Self {
            version: version.version,
            revision: version.revision,
            package: version.package,
        }
    }
}

/// A worker of the daemon, which runs the steps of builds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worker {
    /// Identifier of the worker, stored with the daemon's state.
    pub id: String,
    /// Labels, for example `org.mobyproject.buildkit.worker.executor`.
    pub labels: BTreeMap<String, String>,
    /// Platforms that the worker can build for, its native one first.
    pub platforms: Vec<Platform>,
    /// Rules of the garbage collection, in the order in which they apply.
    pub gc_policy: Vec<GcPolicy>,
    /// Version of the daemon; `None` for old ones.
    pub version: Option<Version>,
    /// CDI devices that builds may request.
    pub devices: Vec<Device>,
}

impl From<types::WorkerRecord> for Worker {
    fn from(record: types::WorkerRecord) -> Self {
        Self {
            id: record.id,
            labels: record.labels.into_iter().collect(),
            platforms: record.platforms.into_iter().map(platform).collect(),
            gc_policy: record.gc_policy.into_iter().map(Into::into).collect(),
            version: record.buildkit_version.map(Into::into),
            devices: record.cdi_devices.into_iter().map(Into::into).collect(),
        }
    }
}

fn platform(platform: pb::Platform) -> Platform {
    Platform {
        os: platform.os,
        architecture: platform.architecture,
        variant: platform.variant,
        os_version: platform.os_version,
        os_features: platform.os_features,
        ..Platform::default()
    }
    .normalised()
}

/// A rule of the garbage collection. Zero means that the rule has no such limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcPolicy {
    /// Whether the rule also applies to internal and shared records.
    pub all: bool,
    /// Records that the rule applies to, for example `type==source.local`.
    pub filters: Vec<String>,
    /// Time since the last use within which a record is kept.
    pub keep_duration: Duration,
    /// Space that the cache may always use, in bytes.
    pub reserved_space: i64,
    /// Maximum space that the cache may use, in bytes.
    pub max_used_space: i64,
    /// Disk space that the cache leaves free, in bytes.
    pub min_free_space: i64,
}

impl From<types::GcPolicy> for GcPolicy {
    fn from(policy: types::GcPolicy) -> Self {
        Self {
            all: policy.all,
            filters: policy.filters,
            // Go's `time.Duration` has nanoseconds on the wire.
            keep_duration: Duration::from_nanos(u64::try_from(policy.keep_duration).unwrap_or(0)),
            reserved_space: policy.reserved_space,
            max_used_space: policy.max_used_space,
            min_free_space: policy.min_free_space,
        }
    }
}

/// A CDI device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Name, for example `nvidia.com/gpu=all`.
    pub name: String,
    /// Whether builds may use the device without the entitlement.
    pub automatically_allowed: bool,
    /// Whether the device can be set up when a build requests it.
    pub on_demand: bool,
    /// Annotations of the device.
    pub annotations: BTreeMap<String, String>,
}

impl From<types::CdiDevice> for Device {
    fn from(device: types::CdiDevice) -> Self {
        Self {
            name: device.name,
            automatically_allowed: device.auto_allow,
            on_demand: device.on_demand,
            annotations: device.annotations.into_iter().collect(),
        }
    }
}
