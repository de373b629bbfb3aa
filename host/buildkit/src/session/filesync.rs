//! `moby.filesync.v1.FileSync`: directories to the daemon.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use iechor_fsutil::Filter;
use tokio::sync::{Semaphore, mpsc};
use tonic::Status;

use super::list;
use crate::grpc::{Messages, Reply, refuse, stream_reply};
use crate::transfer;

/// Buffers on their way to the daemon before the files wait.
pub(super) const QUEUE: usize = 16;

pub(super) fn serve(
    directories: &BTreeMap<String, PathBuf>,
    transfers: &Arc<Semaphore>,
    request: Request<Incoming>,
) -> Reply {
    let (head, body) = request.into_parts();
    let name = first(&head.headers, "dir-name");
    let Some(directory) = directories.get(name) else {
        return refuse(Status::not_found(format!(
            "no access allowed to dir {name:?}"
        )));
    };
    let filter = Filter {
        include: list(&head.headers, "include-patterns"),
        exclude: list(&head.headers, "exclude-patterns"),
        follow_paths: list(&head.headers, "followpaths"),
    };
    let (sender, receiver) = mpsc::channel::<Bytes>(QUEUE);
    let directory = directory.clone();
    let transfers = Arc::clone(transfers);
    stream_reply(receiver, async move {
        // The semaphore is never closed.
        let _turn = transfers.acquire().await;
        transfer::send(&directory, filter, Messages::new(body), sender)
            .await
            .map_err(Status::unknown)
    })
}

fn first<'headers>(headers: &'headers HeaderMap, name: &str) -> &'headers str {
    headers
        .get(name)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .unwrap_or_default()
}
