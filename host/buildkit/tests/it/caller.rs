//! The daemon's end of a session, for calls that a real daemon does not make. Two test programs use
//! this file.

use std::convert::Infallible;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tonic::{Request, Status, Streaming};

use crate::control::Tunnel;

pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The daemon's end of a session.
#[derive(Clone)]
pub struct Caller {
    /// Methods that the client announced.
    pub announced: Vec<String>,
    sender: SendRequest<Body>,
}

impl Caller {
    /// Opens an HTTP/2 connection inside the byte stream of a session.
    pub fn open(
        request: Request<Streaming<proto::BytesMessage>>,
        callers: mpsc::UnboundedSender<Self>,
    ) -> Tunnel {
        let methods = request.metadata();
        let announced = methods
            .get_all("x-docker-expose-session-grpc-method")
            .iter()
            .map(|method| method.to_str().unwrap().to_owned())
            .collect();
        let (near, far) = tokio::io::duplex(1 << 20);
        let (read, mut write) = tokio::io::split(far);
        let mut incoming = request.into_inner();
        tokio::spawn(async move {
            while let Some(Ok(message)) = incoming.next().await {
                if write.write_all(&message.data).await.is_err() {
                    break;
                }
            }
        });
        tokio::spawn(async move {
            let (sender, connection) =
                // The windows of gRPC for Go: a call that is not read holds up no other one.
                hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                    .initial_stream_window_size(64 << 10)
                    .initial_connection_window_size(16 << 20)
                    .handshake(TokioIo::new(near))
                    .await
                    .unwrap();
            callers.send(Self { announced, sender }).ok();
            connection.await.ok();
        });
        let outgoing = stream::unfold(read, async |mut read| {
            let mut data = vec![0; 64 << 10];
            let length = read.read(&mut data).await.ok()?;
            data.truncate(length);
            (length > 0).then_some((Ok(proto::BytesMessage { data }), read))
        });
        outgoing.boxed()
    }

    /// Starts a call. Returns when the response begins.
    pub async fn start(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Result<http::Response<Incoming>, hyper::Error> {
        let mut request = http::Request::post(format!("http://localhost{path}"))
            .header("te", "trailers")
            .header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        self.sender.clone().send_request(request).await
    }

    /// Makes a call and returns its first message, or the status with which it failed.
    pub async fn call(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Result<Bytes, Status> {
        let ended = async {
            let response = self.start(path, headers, body).await.unwrap();
            let in_headers = Status::from_header_map(response.headers());
            let collected = response.into_body().collect().await.unwrap();
            let in_trailers = collected.trailers().and_then(Status::from_header_map);
            let status = in_headers.or(in_trailers).expect("a status");
            match status.code() {
                tonic::Code::Ok => Ok(collected.to_bytes().slice(5..)),
                _ => Err(status),
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended)
            .await
            .expect("the call did not end within 10 seconds")
    }

    /// Makes a call with one message.
    pub async fn unary(&self, path: &str, message: &impl prost::Message) -> Result<Bytes, Status> {
        self.call(path, &[], once(message)).await
    }
}

/// The prefix of a message of this length.
fn prefix(length: usize) -> BytesMut {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(length.try_into().unwrap());
    bytes
}

/// A body of one message.
pub fn once(message: &impl prost::Message) -> Body {
    let mut bytes = prefix(message.encoded_len());
    message.encode(&mut bytes).unwrap();
    Full::new(bytes.freeze()).boxed_unsync()
}

/// A body of packets of a file transfer, as frames, that does not end.
pub fn packets(frames: Bytes) -> Body {
    let first = stream::once(async move { frames });
    body(first.chain(stream::pending()))
}

/// A body that does not end, and announces a message of this length.
pub fn endless(length: usize) -> Body {
    let first = stream::once(async move { prefix(length).freeze() });
    let rest = stream::repeat(Bytes::from_static(&[0; 16 << 10]));
    body(first.chain(rest))
}

/// A body that begins with nothing and does not end.
pub fn open() -> Body {
    body(stream::pending())
}

pub fn body(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk)))).boxed_unsync()
}
