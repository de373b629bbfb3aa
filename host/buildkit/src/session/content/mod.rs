//! `containerd.services.content.v1.Content`: the stores of blobs that the daemon reads caches and images from
//! and writes them to.
//!
//! - [`store`](ContentStore) is a directory with blobs; `ingest` has its unfinished writes, `digest` the names
//!   of its files.
//! - `write` is the call that adds a blob.
//!
//! A call names its store in the header `buildkit-attachable-store-id`: `local:<directory>` is a cache,
//! `oci:<id>` an OCI layout, `export` the destination of the exporters `oci` and `docker`.

mod digest;
mod ingest;
mod messages;
mod store;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bollard_buildkit_proto::google::protobuf::Timestamp;
use futures_util::StreamExt as _;
use http::HeaderMap;
use tonic::Status;

use super::SessionBuilder;
use super::service::{Handler, Method, SMALL_MESSAGE, SessionService, StreamingCall, decode};
use crate::grpc::framed;
use crate::wire::{ReadContentRequest, ReadContentResponse};
use digest::BlobDigest;
use messages::{
    Empty, Info, InfoRequest, InfoResponse, ListContentRequest, ListContentResponse,
    ListStatusesResponse, RefRequest, StatusResponse,
};
use store::{Blob, blocking};

pub use store::ContentStore;

/// The store of the exporters `oci` and `docker` without an archive (`tar=false`).
pub const EXPORT_STORE: &str = "export";

/// The header that names the store of a call.
const STORE_ID: &str = "buildkit-attachable-store-id";

/// Maximum number of blobs that are read at the same time, and that are written at the same time.
const TRANSFERS_AT_ONCE: usize = 16;

/// Maximum number of other calls of a method that are served at the same time.
const QUERIES_AT_ONCE: usize = 8;

/// Maximum size of a message of a write, in bytes. Daemons send at most 1 MiB of data at a time.
const WRITE_LIMIT: usize = 4 << 20;

/// Size of a piece of a blob that is read, in bytes.
const PIECE: usize = 128 << 10;

/// Maximum number of blobs in one message of a list.
const LISTED_AT_ONCE: usize = 100;

impl SessionBuilder {
    /// Offers a store of blobs. `id` is the name by which the daemon calls it: printable ASCII. A store with
    /// the same name is replaced.
    #[must_use]
    pub fn content_store(mut self, id: impl Into<String>, store: ContentStore) -> Self {
        self.contents.0.insert(id.into(), store);
        self
    }
}

/// The stores that a session offers, by their names.
#[derive(Default)]
pub(super) struct Contents(BTreeMap<String, ContentStore>);

impl SessionService for Contents {
    const NAME: &'static str = "containerd.services.content.v1.Content";
    const METHODS: &'static [Method<Self>] = &[
        query("Info", |service, call| Box::pin(service.info(call))),
        query("List", |service, call| Box::pin(service.list(call))),
        query("Status", |service, call| Box::pin(service.status(call))),
        query("ListStatuses", |service, call| {
            Box::pin(service.list_statuses(call))
        }),
        query("Abort", |service, call| Box::pin(service.abort(call))),
        query("Update", |_, _| Box::pin(async { Err(immutable()) })),
        Method {
            name: "Read",
            calls_at_once: TRANSFERS_AT_ONCE,
            message_limit: SMALL_MESSAGE,
            handler: Handler::Streaming(|service, call| Box::pin(service.read(call))),
        },
        Method {
            name: "Write",
            calls_at_once: TRANSFERS_AT_ONCE,
            message_limit: WRITE_LIMIT,
            handler: Handler::Streaming(|service, call| Box::pin(service.write(call))),
        },
    ];
}

/// Returns a method whose request is a single small message. Its handler gets the headers of the call, so it
/// is a streaming one.
const fn query(
    name: &'static str,
    serve: fn(Arc<Contents>, StreamingCall) -> super::service::StreamingFuture,
) -> Method<Contents> {
    Method {
        name,
        calls_at_once: QUERIES_AT_ONCE,
        message_limit: SMALL_MESSAGE,
        handler: Handler::Streaming(serve),
    }
}

impl Contents {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the store that a call names.
    fn store(&self, headers: &HeaderMap) -> Result<ContentStore, Status> {
        let id = headers.get(STORE_ID).ok_or_else(|| {
            Status::invalid_argument(format!("request lacks metadata {STORE_ID:?}"))
        })?;
        let id = String::from_utf8_lossy(id.as_bytes());
        let store = self.0.get(&*id).cloned();
        store.ok_or_else(|| Status::not_found(format!("unknown store {id}")))
    }

    async fn info(self: Arc<Self>, mut call: StreamingCall) -> Result<(), Status> {
        let store = self.store(&call.headers)?;
        let digest = BlobDigest::parse(&request::<InfoRequest>(&mut call).await?.digest)?;
        let info = blocking(move || Ok(info(&digest, &store.open(&digest)?))).await?;
        respond(&call, &InfoResponse { info: Some(info) }).await
    }

    async fn list(self: Arc<Self>, mut call: StreamingCall) -> Result<(), Status> {
        let store = self.store(&call.headers)?;
        if !request::<ListContentRequest>(&mut call)
            .await?
            .filters
            .is_empty()
        {
            return Err(Status::unimplemented("filters are not supported"));
        }
        let mut digests = blocking({
            let store = store.clone();
            move || store.digests().map_err(unlisted)
        })
        .await?;
        loop {
            let store = store.clone();
            let (list, rest) = blocking(move || {
                let mut infos = Vec::new();
                for digest in digests.by_ref().take(LISTED_AT_ONCE) {
                    let digest = digest.map_err(unlisted)?;
                    // What cannot be opened is not a blob.
                    if let Ok(blob) = store.open(&digest) {
                        infos.push(info(&digest, &blob));
                    }
                }
                Ok((infos, digests))
            })
            .await?;
            if list.is_empty() {
                return Ok(());
            }
            respond(&call, &ListContentResponse { info: list }).await?;
            digests = rest;
        }
    }

    async fn read(self: Arc<Self>, mut call: StreamingCall) -> Result<(), Status> {
        let store = self.store(&call.headers)?;
        let request: ReadContentRequest = request(&mut call).await?;
        let digest = BlobDigest::parse(&request.digest)?;
        let blob = blocking({
            let store = store.clone();
            move || store.open(&digest)
        })
        .await?;
        store.verify(&blob).await?;

        let mut offset = u64::try_from(request.offset).unwrap_or_default();
        let Some(available) = blob.size().checked_sub(offset) else {
            let size = blob.size();
            let text = format!("read past object length {size} bytes");
            return Err(Status::out_of_range(text));
        };
        let mut rest = match u64::try_from(request.size) {
            Ok(size @ 1..) => size.min(available),
            _ => available,
        };
        while rest > 0 {
            let length = usize::try_from(rest).unwrap_or(PIECE).min(PIECE);
            let data = blob.read_at(offset, length).await?;
            if data.is_empty() {
                return Err(Status::data_loss("the blob was cut while it was read"));
            }
            let read = data.len() as u64;
            let response = ReadContentResponse {
                offset: offset.try_into().unwrap_or(i64::MAX),
                data: data.into(),
            };
            respond(&call, &response).await?;
            offset += read;
            rest -= read;
        }
        Ok(())
    }

    async fn status(self: Arc<Self>, mut call: StreamingCall) -> Result<(), Status> {
        let store = self.store(&call.headers)?;
        let name = request::<RefRequest>(&mut call).await?.r#ref;
        let status = Some(store.ingests()?.status(&name)?);
        respond(&call, &StatusResponse { status }).await
    }

    async fn list_statuses(self: Arc<Self>, mut call: StreamingCall) -> Result<(), Status> {
        let store = self.store(&call.headers)?;
        request::<Empty>(&mut call).await?;
        let statuses = store.ingests()?.statuses();
        respond(&call, &ListStatusesResponse { statuses }).await
    }

    async fn abort(self: Arc<Self>, mut call: StreamingCall) -> Result<(), Status> {
        let store = self.store(&call.headers)?;
        let name = request::<RefRequest>(&mut call).await?.r#ref;
        store.ingests()?.forget(&name)?;
        respond(&call, &Empty {}).await
    }

    async fn write(self: Arc<Self>, call: StreamingCall) -> Result<(), Status> {
        let store = self.store(&call.headers)?;
        store.ingests()?;
        write::serve(store, call).await
    }
}

/// The refusal to change labels. Stores on disk have none, in containerd as well.
fn immutable() -> Status {
    Status::failed_precondition("update not supported on immutable content store")
}

fn unlisted(error: std::io::Error) -> Status {
    Status::unknown(format!("cannot list blobs: {error}"))
}

fn info(digest: &BlobDigest, blob: &Blob) -> Info {
    let time = timestamp(blob.modified());
    Info {
        digest: digest.to_string(),
        size: blob.size().try_into().unwrap_or(i64::MAX),
        created_at: Some(time),
        updated_at: Some(time),
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let elapsed = time.duration_since(SystemTime::UNIX_EPOCH);
    let elapsed = elapsed.unwrap_or_default();
    Timestamp {
        seconds: elapsed.as_secs().try_into().unwrap_or(i64::MAX),
        nanos: elapsed.subsec_nanos().try_into().unwrap_or_default(),
    }
}

/// Reads the only message of a call.
async fn request<M: prost::Message + Default>(call: &mut StreamingCall) -> Result<M, Status> {
    match call.incoming.next().await {
        Some(message) => decode(message.map_err(|error| Status::unknown(error.to_string()))?),
        None => Err(Status::invalid_argument("the call has no message")),
    }
}

/// Sends a message to the daemon.
async fn respond(call: &StreamingCall, message: &impl prost::Message) -> Result<(), Status> {
    let sent = call.outgoing.send(framed(message)).await;
    sent.map_err(|_| Status::cancelled("the call was cancelled"))
}
