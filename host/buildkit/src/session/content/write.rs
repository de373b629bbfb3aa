//! The call `Write`: the daemon sends a blob in pieces, and each message gets a response.

use futures_util::StreamExt as _;
use tokio::sync::OwnedMutexGuard;
use tonic::Status;

use super::digest::BlobDigest;
use super::ingest::Ingest;
use super::messages::{WriteAction, WriteContentRequest, WriteContentResponse};
use super::store::{ContentStore, blocking};
use super::{respond, timestamp};
use crate::session::service::{StreamingCall, decode};

/// What the daemon has announced about a blob.
#[derive(Clone, Default)]
struct Expected {
    digest: Option<BlobDigest>,
    /// Size, in bytes; 0 if it is not known.
    total: u64,
}

/// Serves a call. The write stays unfinished if the call ends without a commit, and a later call may resume it.
pub(super) async fn serve(store: ContentStore, mut call: StreamingCall) -> Result<(), Status> {
    let Some(mut request) = next(&mut call).await? else {
        return Err(Status::invalid_argument("the call has no message"));
    };
    let name = request.r#ref.clone();
    let mut expected = Expected::default();
    expected.update(&request)?;
    let mut ingest = blocking({
        let (store, name, expected) = (store.clone(), name.clone(), expected.clone());
        move || {
            refuse_existing(&store, &expected)?;
            store.ingests()?.open(&name, expected.total)
        }
    })
    .await?;
    loop {
        expected.update(&request)?;
        let is_commit = request.action() == WriteAction::Commit;
        let (store_, expected_) = (store.clone(), expected.clone());
        let done = blocking(move || {
            let response = step(&store_, &mut ingest, &request, &expected_);
            Ok((ingest, response))
        });
        let (returned, response) = done.await?;
        ingest = returned;
        let response = match response {
            Ok(response) => response,
            Err(status) => {
                // A blob that cannot be committed is sent again from its beginning.
                if is_commit || status.code() == tonic::Code::AlreadyExists {
                    let _ = store.ingests()?.forget(&name);
                }
                return Err(status);
            }
        };
        if is_commit {
            let _ = store.ingests()?.forget(&name);
        }
        respond(&call, &response).await?;
        if is_commit {
            return Ok(());
        }
        match next(&mut call).await? {
            Some(following) => request = following,
            None => return Ok(()),
        }
    }
}

async fn next(call: &mut StreamingCall) -> Result<Option<WriteContentRequest>, Status> {
    match call.incoming.next().await {
        Some(message) => {
            let message = message.map_err(|error| Status::unknown(error.to_string()))?;
            decode(message).map(Some)
        }
        None => Ok(None),
    }
}

impl Expected {
    fn update(&mut self, request: &WriteContentRequest) -> Result<(), Status> {
        if !request.expected.is_empty() {
            self.digest = Some(BlobDigest::parse(&request.expected)?);
        }
        if let Ok(total @ 1..) = u64::try_from(request.total) {
            self.total = total;
        }
        Ok(())
    }
}

/// Refuses to write a blob that the store has. A file of another size is damaged and may be replaced.
fn refuse_existing(store: &ContentStore, expected: &Expected) -> Result<(), Status> {
    let Some(digest) = &expected.digest else {
        return Ok(());
    };
    match store.open(digest) {
        Ok(blob) if expected.total == 0 || expected.total == blob.size() => Err(
            Status::already_exists(format!("content {digest}: already exists")),
        ),
        _ => Ok(()),
    }
}

/// Handles one message. This may block.
fn step(
    store: &ContentStore,
    ingest: &mut OwnedMutexGuard<Ingest>,
    request: &WriteContentRequest,
    expected: &Expected,
) -> Result<WriteContentResponse, Status> {
    let failed = |error: std::io::Error| {
        let directory = store.directory().display();
        Status::unknown(format!("cannot write a blob to {directory}: {error}"))
    };
    if !request.expected.is_empty() {
        refuse_existing(store, expected)?;
    }
    let action = request.action();
    if action != WriteAction::Stat {
        let offset = u64::try_from(request.offset).unwrap_or_default();
        if offset > 0 && offset != ingest.offset {
            return Err(Status::out_of_range(format!(
                "write @{offset} must occur at current offset {}",
                ingest.offset
            )));
        }
        if offset == 0 && ingest.offset > 0 {
            ingest.restart().map_err(failed)?;
        }
        let end = ingest.offset + request.data.len() as u64;
        if expected.total > 0 && end > expected.total {
            return Err(Status::out_of_range(format!(
                "the blob has more than the announced {} bytes",
                expected.total
            )));
        }
        ingest.write(&request.data).map_err(failed)?;
    }
    let digest = ingest.digest();
    if action == WriteAction::Commit {
        check(ingest, &digest, expected)?;
        ingest.commit(store.blobs()).map_err(failed)?;
    }
    Ok(WriteContentResponse {
        action: request.action,
        started_at: Some(timestamp(ingest.started)),
        updated_at: Some(timestamp(ingest.updated)),
        offset: ingest.offset.try_into().unwrap_or(i64::MAX),
        total: expected.total.try_into().unwrap_or(i64::MAX),
        digest: digest.to_string(),
    })
}

/// Checks that everything that was announced has arrived.
fn check(ingest: &Ingest, digest: &BlobDigest, expected: &Expected) -> Result<(), Status> {
    if expected.total > 0 && ingest.offset != expected.total {
        return Err(Status::failed_precondition(format!(
            "unexpected commit size {}, expected {}",
            ingest.offset, expected.total
        )));
    }
    match &expected.digest {
        Some(expected) if expected != digest => Err(Status::failed_precondition(format!(
            "unexpected commit digest {digest}, expected {expected}"
        ))),
        _ => Ok(()),
    }
}
