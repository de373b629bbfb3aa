//! The trait of a session service, and the table of the methods that a session serves.
//!
//! Each service is one file beside this one. It implements [`SessionService`], which gives the name of
//! the gRPC service and, for each method, the handler and the bounds on the daemon's calls. The
//! [`MethodTable`] announces the methods, finds the method of a call and enforces the bounds, so a
//! handler sees only calls that are within them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use tokio::sync::{Semaphore, mpsc};
use tonic::Status;

use crate::grpc::{Messages, Reply, answer, refuse, stream_reply};

/// Maximum size of a request that only names something, in bytes.
pub(super) const SMALL_MESSAGE: usize = 64 << 10;

/// Maximum number of buffers that wait for the daemon before a handler waits.
const QUEUE: usize = 16;

/// A gRPC service that the daemon may call while a session is open.
pub(super) trait SessionService: Send + Sync + Sized + 'static {
    /// Full name of the gRPC service, for example `moby.filesync.v1.Auth`.
    const NAME: &'static str;

    /// Methods of the service. All of them are announced to the daemon.
    const METHODS: &'static [Method<Self>];
}

/// A method of a session service.
pub(super) struct Method<S: 'static> {
    /// Name of the method, for example `DiffCopy`.
    pub(super) name: &'static str,
    /// Maximum number of calls that are served at the same time. Further calls wait for their turn.
    pub(super) calls_at_once: usize,
    /// Maximum size of a message from the daemon, in bytes. A call with a larger one fails.
    pub(super) message_limit: usize,
    /// Function that serves a call.
    pub(super) handler: Handler<S>,
}

/// The function that serves a call, by the kind of the method.
pub(super) enum Handler<S> {
    /// One message from the daemon, one message as the response.
    Unary(fn(Arc<S>, Bytes) -> UnaryFuture),
    /// Any number of messages in both directions.
    Streaming(fn(Arc<S>, StreamingCall) -> StreamingFuture),
}

/// The encoded response with its gRPC prefix (see [`framed`](crate::grpc::framed)), or a refusal.
pub(super) type UnaryFuture = BoxFuture<'static, Result<Bytes, Status>>;

/// The status with which a streaming call ends.
pub(super) type StreamingFuture = BoxFuture<'static, Result<(), Status>>;

/// A call of a streaming method.
pub(super) struct StreamingCall {
    /// Metadata of the call.
    pub(super) headers: HeaderMap,
    /// Messages from the daemon, without their gRPC prefix.
    pub(super) incoming: Messages<Incoming>,
    /// Messages to the daemon, with their gRPC prefix. The call ends after this is dropped.
    pub(super) outgoing: mpsc::Sender<Bytes>,
}

/// Decodes the message of a unary call.
pub(super) fn decode<M: prost::Message + Default>(message: Bytes) -> Result<M, Status> {
    M::decode(message).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// The methods that a session serves, by their path: `/moby.filesync.v1.Auth/Credentials`.
#[derive(Default)]
pub(super) struct MethodTable(BTreeMap<String, Entry>);

struct Entry {
    turns: Arc<Semaphore>,
    message_limit: usize,
    handler: Attached,
}

/// A handler together with the service that it belongs to.
enum Attached {
    Unary(Box<dyn Fn(Bytes) -> UnaryFuture + Send + Sync>),
    Streaming(Box<dyn Fn(StreamingCall) -> StreamingFuture + Send + Sync>),
}

impl MethodTable {
    /// Adds the methods of a service. They replace those of a service with the same name.
    pub(super) fn attach<S: SessionService>(&mut self, service: &Arc<S>) {
        for method in S::METHODS {
            let service = Arc::clone(service);
            let handler = match method.handler {
                Handler::Unary(serve) => Attached::Unary(Box::new(move |message| {
                    serve(Arc::clone(&service), message)
                })),
                Handler::Streaming(serve) => {
                    Attached::Streaming(Box::new(move |call| serve(Arc::clone(&service), call)))
                }
            };
            let entry = Entry {
                turns: Arc::new(Semaphore::new(method.calls_at_once)),
                message_limit: method.message_limit,
                handler,
            };
            self.0
                .insert(format!("/{}/{}", S::NAME, method.name), entry);
        }
    }

    /// Returns the paths of all methods.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Serves a call of the daemon.
    pub(super) async fn serve(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let Some(entry) = self.0.get(path) else {
            return refuse(Status::unimplemented(format!("{path} is not offered")));
        };
        let incoming = Messages::new(body).limited(entry.message_limit);
        // The semaphore is never closed, so this only waits.
        let turn = Arc::clone(&entry.turns).acquire_owned();
        match &entry.handler {
            Attached::Unary(serve) => {
                let _turn = turn.await;
                match only_message(incoming).await {
                    Ok(message) => answer(serve(message).await),
                    Err(status) => refuse(status),
                }
            }
            Attached::Streaming(serve) => {
                let (outgoing, receiver) = mpsc::channel(QUEUE);
                let serving = serve(StreamingCall {
                    headers: head.headers,
                    incoming,
                    outgoing,
                });
                stream_reply(receiver, async move {
                    let _turn = turn.await;
                    serving.await
                })
            }
        }
    }
}

/// Reads the message of a unary call.
async fn only_message(mut incoming: Messages<Incoming>) -> Result<Bytes, Status> {
    match incoming.next().await {
        Some(message) => message.map_err(|error| Status::unknown(error.to_string())),
        None => Err(Status::invalid_argument("the call has no message")),
    }
}
