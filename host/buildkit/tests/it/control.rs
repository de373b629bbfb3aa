//! A BuildKit daemon whose answers are chosen by a test. Two test programs use this file.

use std::pin::Pin;
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bollard_buildkit_proto::moby::buildkit::v1::control_server::{Control, ControlServer};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::{Request, Response, Status, Streaming};

/// The stream of a build's status.
pub type Statuses = BoxStream<'static, Result<proto::StatusResponse, Status>>;

/// The daemon's half of the byte stream of a session.
pub type Tunnel = BoxStream<'static, Result<proto::BytesMessage, Status>>;

/// The answers of a daemon.
#[tonic::async_trait]
pub trait Daemon: Send + Sync + 'static {
    async fn info(&self) -> Result<proto::InfoResponse, Status>;
    async fn workers(&self) -> Result<proto::ListWorkersResponse, Status>;
    async fn solve(&self, request: proto::SolveRequest) -> Result<proto::SolveResponse, Status>;
    fn status(&self) -> Statuses;

    fn session(&self, request: Request<Streaming<proto::BytesMessage>>) -> Result<Tunnel, Status> {
        Ok(until_closed(request))
    }
}

/// A session on which the daemon makes no calls. It ends when the client closes it.
pub fn until_closed(request: Request<Streaming<proto::BytesMessage>>) -> Tunnel {
    request.into_inner().filter_map(async |_| None).boxed()
}

/// Serves one connection until it ends.
pub async fn serve<S>(stream: S, daemon: impl Daemon)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    serve_control(stream, Server(Arc::new(daemon))).await;
}

/// Serves one connection of a daemon whose answers are its own, until the connection ends.
pub async fn serve_control<S>(stream: S, control: impl Control)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = TowerToHyperService::new(
        ControlServer::new(control)
            .max_encoding_message_size(usize::MAX)
            .max_decoding_message_size(usize::MAX),
    );
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service);
    // A test sees the end of the connection on its own side.
    let _ = Pin::from(Box::new(connection)).await;
}

struct Server<D>(Arc<D>);

fn never<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not part of the test"))
}

#[tonic::async_trait]
impl<D: Daemon> Control for Server<D> {
    async fn info(
        &self,
        _: Request<proto::InfoRequest>,
    ) -> Result<Response<proto::InfoResponse>, Status> {
        self.0.info().await.map(Response::new)
    }

    async fn list_workers(
        &self,
        _: Request<proto::ListWorkersRequest>,
    ) -> Result<Response<proto::ListWorkersResponse>, Status> {
        self.0.workers().await.map(Response::new)
    }

    async fn solve(
        &self,
        request: Request<proto::SolveRequest>,
    ) -> Result<Response<proto::SolveResponse>, Status> {
        let answer = self.0.solve(request.into_inner()).await;
        answer.map(Response::new)
    }

    type StatusStream = Statuses;
    async fn status(&self, _: Request<proto::StatusRequest>) -> Result<Response<Statuses>, Status> {
        Ok(Response::new(self.0.status()))
    }

    type SessionStream = Tunnel;
    async fn session(
        &self,
        request: Request<Streaming<proto::BytesMessage>>,
    ) -> Result<Response<Tunnel>, Status> {
        self.0.session(request).map(Response::new)
    }

    type PruneStream = BoxStream<'static, Result<proto::UsageRecord, Status>>;
    async fn prune(
        &self,
        _: Request<proto::PruneRequest>,
    ) -> Result<Response<Self::PruneStream>, Status> {
        never()
    }

    async fn disk_usage(
        &self,
        _: Request<proto::DiskUsageRequest>,
    ) -> Result<Response<proto::DiskUsageResponse>, Status> {
        never()
    }

    type ListenBuildHistoryStream = BoxStream<'static, Result<proto::BuildHistoryEvent, Status>>;
    async fn listen_build_history(
        &self,
        _: Request<proto::BuildHistoryRequest>,
    ) -> Result<Response<Self::ListenBuildHistoryStream>, Status> {
        never()
    }

    async fn update_build_history(
        &self,
        _: Request<proto::UpdateBuildHistoryRequest>,
    ) -> Result<Response<proto::UpdateBuildHistoryResponse>, Status> {
        never()
    }
}
