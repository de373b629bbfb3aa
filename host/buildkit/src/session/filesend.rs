//! `moby.filesync.v1.FileSend`: results from the daemon.
//!
//! The same method carries two protocols: slices of one file, or a directory as diffcopy packets.
//! Which one, only the exporter knows that the call names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::Request;
use hyper::body::Incoming;
use prost::Message as _;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use super::Services;
use super::filesync::QUEUE;
use crate::error::Error;
use crate::grpc::{Messages, Reply, refuse, stream_reply};
use crate::transfer;
use crate::wire::BytesMessage;

/// How long writing may go on after the build has succeeded.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// Where the result of one exporter goes.
pub(crate) enum Destination {
    Directory(PathBuf),
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
}

struct Slot {
    kind: String,
    /// A stream is given to the one call that comes for it. A directory stays: a build for several
    /// platforms delivers each by a call of its own.
    destination: Option<Destination>,
    /// Calls that are being served.
    running: usize,
    delivered: usize,
    failed: bool,
    tasks: Vec<AbortOnDropHandle<()>>,
}

/// The exporters with a destination on this side, by their index in the request.
#[derive(Default)]
pub(crate) struct Exports(Mutex<BTreeMap<usize, Slot>>);

impl Exports {
    pub(crate) fn add(&self, index: usize, kind: &str, destination: Destination) {
        self.with(|slots| {
            slots.insert(
                index,
                Slot {
                    kind: kind.to_owned(),
                    destination: Some(destination),
                    running: 0,
                    delivered: 0,
                    failed: false,
                    tasks: Vec::new(),
                },
            )
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.with(|slots| slots.is_empty())
    }

    /// Waits for what is being written, and gives the first exporter whose result did not come.
    ///
    /// The daemon does not wait for the end of a call that carries a directory: it is content
    /// with the packet which says that all was written.
    pub(crate) async fn missing(&self) -> Option<Error> {
        let running = self.with(|slots| {
            let tasks = slots.values_mut().flat_map(|slot| slot.tasks.drain(..));
            tasks.collect::<Vec<_>>()
        });
        let settled = futures_util::future::join_all(running);
        // Not in time: aborted, and missing.
        let _ = tokio::time::timeout(SETTLE_LIMIT, settled).await;
        self.with(|slots| {
            let (index, slot) = slots
                .iter()
                .find(|(_, slot)| slot.failed || slot.running > 0 || slot.delivered == 0)?;
            Some(Error::Export {
                index: *index,
                kind: slot.kind.clone(),
                message: "the build succeeded but BuildKit did not send its result".into(),
            })
        })
    }

    /// Stops what is being written.
    pub(super) fn abort(&self) {
        self.with(BTreeMap::clear);
    }

    fn ended(&self, index: usize, delivered: bool) {
        self.with(|slots| {
            if let Some(slot) = slots.get_mut(&index) {
                slot.running -= 1;
                slot.delivered += usize::from(delivered);
                slot.failed |= !delivered;
            }
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut BTreeMap<usize, Slot>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The exporter that a call names. Daemons before 0.13 know of one only and name none.
    fn take(&self, named: Option<&str>) -> Result<(usize, String, Destination), Status> {
        self.with(|slots| {
            let index = match named {
                Some(text) => text.parse().ok(),
                None => slots.keys().next().copied(),
            };
            let found = index.and_then(|index| Some((index, slots.get_mut(&index)?)));
            let Some((index, slot)) = found else {
                return Err(Status::not_found(format!(
                    "exporter {} not found",
                    named.unwrap_or("0")
                )));
            };
            let destination = match &slot.destination {
                Some(Destination::Directory(path)) => Some(Destination::Directory(path.clone())),
                _ => slot.destination.take(),
            };
            let Some(destination) = destination else {
                return Err(Status::already_exists("target already exists"));
            };
            slot.running += 1;
            Ok((index, slot.kind.clone(), destination))
        })
    }
}

pub(super) fn serve(services: Arc<Services>, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let named = head
        .headers
        .get("buildkit-attachable-exporter-id")
        .and_then(|value| value.to_str().ok());
    let (index, kind, destination) = match services.exports.take(named) {
        Ok(taken) => taken,
        Err(status) => return refuse(status),
    };
    let (sender, receiver) = mpsc::channel::<Bytes>(QUEUE);
    let messages = Messages::new(body);
    let (ended, outcome) = oneshot::channel();
    let writing = Arc::clone(&services);
    // Not tied to the call: its end may overtake what is still to be written. Whoever holds the
    // session aborts it.
    let task = tokio::spawn(async move {
        let result = match destination {
            Destination::Directory(directory) => {
                transfer::receive(&directory, messages, sender).await
            }
            Destination::Stream(writer) => {
                let result = write(writer, messages).await;
                // Lives as long as the call: the end of the messages is its end.
                drop(sender);
                result
            }
        };
        let outcome = match result {
            Ok(()) => Ok(()),
            Err(Failure::Local(message)) => {
                let status = Status::unknown(message.clone());
                writing.fail(Error::Export {
                    index,
                    kind,
                    message,
                });
                Err(status)
            }
            Err(Failure::Remote(message)) => Err(Status::unknown(message)),
        };
        writing.exports.ended(index, outcome.is_ok());
        // Nobody waits for it where the session was closed.
        let _ = ended.send(outcome);
    });
    services.exports.with(|slots| {
        if let Some(slot) = slots.get_mut(&index) {
            // The daemon may deliver to a directory as often as it likes.
            slot.tasks.retain(|task| !task.is_finished());
            slot.tasks.push(AbortOnDropHandle::new(task));
        }
    });
    stream_reply(receiver, async move {
        outcome
            .await
            .unwrap_or_else(|_| Err(Status::cancelled("the session was closed")))
    })
}

/// Whose failure it was.
pub(crate) enum Failure {
    /// This side's: a disk that is full, a pipe that nobody reads.
    Local(String),
    /// The daemon gave up or went away: Solve has the reason.
    Remote(String),
}

async fn write(
    mut writer: Box<dyn AsyncWrite + Send + Unpin>,
    mut messages: Messages<Incoming>,
) -> Result<(), Failure> {
    let local = |error: std::io::Error| Failure::Local(error.to_string());
    while let Some(payload) = messages.next().await {
        let payload = payload.map_err(|error| Failure::Remote(error.to_string()))?;
        let message =
            BytesMessage::decode(payload).map_err(|error| Failure::Remote(error.to_string()))?;
        writer.write_all(&message.data).await.map_err(local)?;
    }
    writer.flush().await.map_err(local)?;
    writer.shutdown().await.map_err(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_finds_its_exporter_once() {
        let sink = || Destination::Stream(Box::new(tokio::io::sink()));
        let exports = Exports::default();
        assert!(exports.is_empty());
        exports.add(1, "tar", sink());
        exports.add(3, "oci", sink());
        let taken = |named| {
            exports
                .take(named)
                .map(|(index, kind, _)| (index, kind))
                .map_err(|status| status.code())
        };
        assert_eq!(taken(Some("3")), Ok((3, "oci".into())));
        assert_eq!(taken(Some("3")), Err(tonic::Code::AlreadyExists));
        assert_eq!(taken(Some("0")), Err(tonic::Code::NotFound));
        assert_eq!(taken(Some("x")), Err(tonic::Code::NotFound));
        // As a daemon before 0.13 calls.
        assert_eq!(taken(None), Ok((1, "tar".into())));

        exports.ended(1, true);
        let missing = exports.missing().await.unwrap().to_string();
        assert!(missing.starts_with("oci export: "), "{missing}");
        exports.ended(3, true);
        assert!(exports.missing().await.is_none());
    }

    #[tokio::test]
    async fn a_directory_is_delivered_to_by_every_platform() {
        let exports = Exports::default();
        exports.add(0, "local", Destination::Directory("out".into()));
        assert!(exports.take(Some("0")).is_ok());
        assert!(exports.take(Some("0")).is_ok());
        exports.ended(0, true);
        assert!(exports.missing().await.is_some());
        exports.ended(0, true);
        assert!(exports.missing().await.is_none());
        assert!(exports.take(Some("0")).is_ok());
        exports.ended(0, false);
        assert!(exports.missing().await.is_some());
    }
}
