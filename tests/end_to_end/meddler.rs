//! A BuildKit that builds as requested, but adds names to the result.

use std::future::ready;
use std::path::{Path, PathBuf};

use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::moby::buildkit::v1::control_server::Control;
use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};

use crate::control::serve_control;

/// A proxy in front of a BuildKit, which runs as long as this value exists.
pub struct Meddler(#[expect(dead_code, reason = "it runs the daemon")] Runtime);

impl Meddler {
    /// Listens on a socket and forwards everything to the BuildKit at the socket `daemon`. Adds the name
    /// `further` to the exports of a build.
    pub fn start(socket: &Path, daemon: &Path, further: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let inside = runtime.enter();
        let listener = UnixListener::bind(socket).expect("bound");
        let daemon = channel(daemon.to_owned());
        let control = Passing {
            daemon: ControlClient::new(daemon.clone()),
            further: further.to_owned(),
        };
        drop(inside);
        runtime.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve_control(connection, control.clone(), daemon.clone()));
            }
        });
        Self(runtime)
    }
}

/// Connects to a socket when it is needed.
pub fn channel(socket: PathBuf) -> Channel {
    // The address is ignored.
    Endpoint::from_static("http://daemon").connect_with_connector_lazy(tower::service_fn(
        move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        },
    ))
}

#[derive(Clone)]
struct Passing {
    daemon: ControlClient<Channel>,
    further: String,
}

#[tonic::async_trait]
impl Control for Passing {
    async fn solve(
        &self,
        mut request: Request<proto::SolveRequest>,
    ) -> Result<Response<proto::SolveResponse>, Status> {
        for exporter in &mut request.get_mut().exporters {
            if let Some(name) = exporter.attrs.get_mut("name") {
                *name = format!("{name},{}", self.further);
            }
        }
        self.daemon.clone().solve(request).await
    }

    async fn info(
        &self,
        request: Request<proto::InfoRequest>,
    ) -> Result<Response<proto::InfoResponse>, Status> {
        self.daemon.clone().info(request).await
    }

    async fn list_workers(
        &self,
        request: Request<proto::ListWorkersRequest>,
    ) -> Result<Response<proto::ListWorkersResponse>, Status> {
        self.daemon.clone().list_workers(request).await
    }

    type StatusStream = Streaming<proto::StatusResponse>;
    async fn status(
        &self,
        request: Request<proto::StatusRequest>,
    ) -> Result<Response<Self::StatusStream>, Status> {
        self.daemon.clone().status(request).await
    }

    type SessionStream = Streaming<proto::BytesMessage>;
    async fn session(
        &self,
        request: Request<Streaming<proto::BytesMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (described, extensions, messages) = request.into_parts();
        // Ignore clients that disconnect.
        let messages = messages.take_while(|message| ready(message.is_ok()));
        let messages = messages.filter_map(|message| ready(message.ok()));
        let request = Request::from_parts(described, extensions, messages);
        self.daemon.clone().session(request).await
    }

    type PruneStream = Streaming<proto::UsageRecord>;
    async fn prune(
        &self,
        request: Request<proto::PruneRequest>,
    ) -> Result<Response<Self::PruneStream>, Status> {
        self.daemon.clone().prune(request).await
    }

    async fn disk_usage(
        &self,
        request: Request<proto::DiskUsageRequest>,
    ) -> Result<Response<proto::DiskUsageResponse>, Status> {
        self.daemon.clone().disk_usage(request).await
    }

    type ListenBuildHistoryStream = Streaming<proto::BuildHistoryEvent>;
    async fn listen_build_history(
        &self,
        request: Request<proto::BuildHistoryRequest>,
    ) -> Result<Response<Self::ListenBuildHistoryStream>, Status> {
        self.daemon.clone().listen_build_history(request).await
    }

    async fn update_build_history(
        &self,
        request: Request<proto::UpdateBuildHistoryRequest>,
    ) -> Result<Response<proto::UpdateBuildHistoryResponse>, Status> {
        self.daemon.clone().update_build_history(request).await
    }
}
