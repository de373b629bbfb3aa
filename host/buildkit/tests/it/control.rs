//! A BuildKit daemon whose answers are chosen by a test. Two test programs use this file.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bollard_buildkit_proto::moby::buildkit::v1::control_server::{Control, ControlServer};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, UnaryService};
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

    /// Answers a call of the gateway, by the name of its method. Messages are encoded.
    async fn bridge(&self, method: &str, build: &str, message: Bytes) -> Result<Bytes, Status> {
        let _ = (method, build, message);
        Ok(Bytes::new())
    }

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
    let daemon = Arc::new(daemon);
    let bridge = Bridge(Arc::clone(&daemon));
    serve_control(stream, Server(daemon), bridge).await;
}

/// Serves one connection of a daemon whose answers are its own, until the connection ends. `bridge`
/// serves the calls of the gateway.
pub async fn serve_control<S, B>(stream: S, control: impl Control, bridge: B)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    B::Future: Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let control = ControlServer::new(control)
        .max_encoding_message_size(usize::MAX)
        .max_decoding_message_size(usize::MAX);
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let (mut control, mut bridge) = (control.clone(), bridge.clone());
        async move {
            let request = request.map(Body::new);
            if request.uri().path().starts_with(BRIDGE) {
                std::future::poll_fn(|context| bridge.poll_ready(context)).await?;
                bridge.call(request).await
            } else {
                Ok(control
                    .call(request)
                    .await
                    .unwrap_or_else(|never| match never {}))
            }
        }
    });
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service);
    // A test sees the end of the connection on its own side.
    let _ = Pin::from(Box::new(connection)).await;
}

/// Prefix of the paths of the gateway.
const BRIDGE: &str = "/moby.buildkit.v1.frontend.LLBBridge/";

/// The gateway of a daemon.
struct Bridge<D>(Arc<D>);

impl<D> Clone for Bridge<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Daemon> Service<http::Request<Body>> for Bridge<D> {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let call = Call {
            method: path.strip_prefix(BRIDGE).unwrap_or_default().to_owned(),
            daemon: Arc::clone(&self.0),
        };
        Box::pin(async move { Ok(Grpc::new(Encoded).unary(call, request).await) })
    }
}

/// A call of the gateway.
struct Call<D> {
    method: String,
    daemon: Arc<D>,
}

impl<D: Daemon> UnaryService<Bytes> for Call<D> {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (method, daemon) = (self.method.clone(), Arc::clone(&self.daemon));
        Box::pin(async move {
            let build = request.metadata().get("buildkit-controlapi-buildid");
            let build = build.and_then(|build| build.to_str().ok());
            let build = build.expect("a build").to_owned();
            let answer = daemon.bridge(&method, &build, request.into_inner()).await;
            answer.map(Response::new)
        })
    }
}

/// A codec of messages that stay encoded.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
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
