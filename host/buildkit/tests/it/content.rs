//! The content service, called by the fake daemon: `reading` and `writing`. `messages` has the messages again,
//! so that a mistake in those of the client does not go unnoticed.

pub mod messages;
mod reading;
mod writing;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use iechor_buildkit::session::content::ContentStore;
use iechor_buildkit::{Session, SolveRequest};
use prost::Message;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use crate::caller::{Caller, body, once};
use crate::calling::calling;
use messages::{WriteRequest, WriteResponse};

pub const INFO: &str = "/containerd.services.content.v1.Content/Info";
pub const LIST: &str = "/containerd.services.content.v1.Content/List";
pub const READ: &str = "/containerd.services.content.v1.Content/Read";
pub const WRITE: &str = "/containerd.services.content.v1.Content/Write";
pub const STATUS: &str = "/containerd.services.content.v1.Content/Status";
pub const LIST_STATUSES: &str = "/containerd.services.content.v1.Content/ListStatuses";
pub const ABORT: &str = "/containerd.services.content.v1.Content/Abort";
pub const UPDATE: &str = "/containerd.services.content.v1.Content/Update";

/// Time after which a call counts as hung.
const LIMIT: Duration = Duration::from_secs(10);

/// The store of the tests.
pub const STORE: (&str, &str) = ("buildkit-attachable-store-id", "local:cache");

fn digest(content: &[u8]) -> String {
    let digits = Sha256::digest(content);
    let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// Returns the path of a blob.
fn path(directory: &TempDir, digest: &str) -> PathBuf {
    let digits = digest.strip_prefix("sha256:").unwrap();
    directory.path().join("blobs/sha256").join(digits)
}

/// Creates a blob, and returns its digest.
fn blob(directory: &TempDir, content: &[u8]) -> String {
    let digest = digest(content);
    let path = path(directory, &digest);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    digest
}

/// Returns the names of the files below a directory, without empty directories.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

/// Waits until a directory has only these files.
async fn until_files_are(directory: &TempDir, expected: &[PathBuf]) {
    let settled = async {
        while files(directory.path()) != expected {
            tokio::task::yield_now().await;
        }
    };
    let settled = tokio::time::timeout(LIMIT, settled).await;
    assert!(settled.is_ok(), "{:?}", files(directory.path()));
}

/// Runs a build with a store, and calls its session.
async fn with(store: ContentStore, test: impl AsyncFnOnce(Caller)) {
    let session = Session::builder().content_store(STORE.1, store).build();
    calling(session, SolveRequest::dockerfile(), test).await;
}

/// Runs a build with a writable store in a directory, and calls its session.
async fn writing(directory: &TempDir, test: impl AsyncFnOnce(Caller)) {
    with(ContentStore::writable(directory).unwrap(), test).await;
}

async fn call<R: Message + Default>(
    caller: &Caller,
    path: &str,
    request: &impl Message,
) -> Result<R, Status> {
    let response = caller.call(path, &[STORE], once(request)).await?;
    Ok(R::decode(response).unwrap())
}

/// Returns the messages of a response, each of which has a prefix with its length.
fn split<R: Message + Default>(mut bytes: Bytes) -> Vec<R> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        let mut message = bytes.split_to(5 + length);
        found.push(R::decode(message.split_off(5)).unwrap());
    }
    found
}

/// Makes a call whose response has any number of messages.
async fn stream_of<R: Message + Default>(
    caller: &Caller,
    path: &str,
    request: &impl Message,
) -> Result<Vec<R>, Status> {
    let response = caller.start(path, &[STORE], once(request)).await.unwrap();
    let in_headers = Status::from_header_map(response.headers());
    let collecting = tokio::time::timeout(LIMIT, response.into_body().collect());
    let collected = collecting.await.expect("the call ends").unwrap();
    let in_trailers = collected.trailers().and_then(Status::from_header_map);
    let status = in_headers.or(in_trailers).expect("a status");
    match status.code() {
        Code::Ok => Ok(split(collected.to_bytes())),
        _ => Err(status),
    }
}

/// A write in progress. Dropping it breaks the call off.
struct Writer {
    requests: mpsc::Sender<Bytes>,
    responses: Incoming,
}

impl Writer {
    async fn open(caller: &Caller) -> Self {
        let (requests, receiver) = mpsc::channel::<Bytes>(1);
        let chunks = stream::unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        });
        let response = caller.start(WRITE, &[STORE], body(chunks)).await.unwrap();
        Self {
            requests,
            responses: response.into_body(),
        }
    }

    /// Sends a message and returns the response.
    async fn send(&mut self, request: &WriteRequest) -> Result<WriteResponse, Status> {
        let bytes = once(request).collect().await.unwrap().to_bytes();
        // A call that was refused reads nothing.
        let _ = self.requests.send(bytes).await;
        loop {
            let frame = tokio::time::timeout(LIMIT, self.responses.frame()).await;
            let frame = frame.expect("in time").expect("a response").unwrap();
            match frame.into_data() {
                Ok(data) => return Ok(split(data).remove(0)),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap();
                    return Err(Status::from_header_map(&trailers).unwrap());
                }
            }
        }
    }
}
