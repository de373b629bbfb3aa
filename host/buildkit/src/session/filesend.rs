//! `moby.filesync.v1.FileSend`: receives results from the daemon.
//!
//! The same method carries two protocols: slices of one file, or a directory as diffcopy packets.
//! Which one it is depends on the exporter that the call names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use hyper::body::Incoming;
use iechor_fsutil::Kept;
use prost::Message as _;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use super::MOST_CALLS;
use super::service::{Handler, Method, SessionService, StreamingCall};
use super::violation::Violation;
use crate::error::Error;
use crate::grpc::Messages;
use crate::transfer::{self, Failure};
use crate::wire::BytesMessage;

/// Maximum size of a message, in bytes. Daemons send at most 3 MiB, and mostly 32 KiB.
const MESSAGE_LIMIT: usize = 4 << 20;

/// Maximum time that writing may take after the build has succeeded.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// The destination of one exporter's result.
pub(crate) enum Destination {
    /// A directory, and the list of received files if other files are removed at the end.
    Directory(PathBuf, Option<Arc<Kept>>),
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
}

struct Slot {
    kind: String,
    /// A stream goes to the first call. A directory stays: a build for several platforms delivers
    /// each by a call of its own.
    destination: Option<Destination>,
    /// Number of calls that are being served.
    running: usize,
    delivered: usize,
    failed: bool,
    tasks: Vec<AbortOnDropHandle<()>>,
}

/// The exporters with a destination on this side, by their index in the request.
#[derive(Default)]
pub(crate) struct Exports {
    slots: Mutex<BTreeMap<usize, Slot>>,
    failure: Mutex<Option<Error>>,
    pub(super) violation: Violation,
}

impl SessionService for Exports {
    const NAME: &'static str = "moby.filesync.v1.FileSend";
    const METHODS: &'static [Method<Self>] = &[Method {
        name: "DiffCopy",
        calls_at_once: MOST_CALLS as usize,
        message_limit: MESSAGE_LIMIT,
        handler: Handler::Streaming(|service, call| Box::pin(service.receive(call))),
    }];
}

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

    /// Waits until everything is written, and returns an error for the first exporter whose result is
    /// missing.
    ///
    /// The daemon does not wait for the end of a call that carries a directory. For it, the packet
    /// that confirms the last write is the end.
    pub(crate) async fn missing(&self) -> Option<Error> {
        let running = self.with(|slots| {
            let tasks = slots.values_mut().flat_map(|slot| slot.tasks.drain(..));
            tasks.collect::<Vec<_>>()
        });
        let settled = futures_util::future::join_all(running);
        // What is not written in time is aborted and counts as missing.
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

    /// Removes files that are not in the results from the directories where only the results stay. To be
    /// called after all results have arrived.
    ///
    /// # Errors
    ///
    /// Returns the first exporter whose directory has a file that cannot be removed.
    pub(crate) async fn remove_others(&self) -> Result<(), Error> {
        let directories: Vec<_> = self.with(|slots| {
            let slots = slots.iter();
            slots
                .filter_map(|(index, slot)| match &slot.destination {
                    Some(Destination::Directory(path, Some(kept))) => {
                        Some((*index, slot.kind.clone(), path.clone(), Arc::clone(kept)))
                    }
                    _ => None,
                })
                .collect()
        });
        for (index, kind, path, kept) in directories {
            transfer::remove_others(path, kept)
                .await
                .map_err(|message| Error::Export {
                    index,
                    kind,
                    message,
                })?;
        }
        Ok(())
    }

    /// Returns the first failure on this side. The daemon only repeats its message.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    fn fail(&self, error: Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
    }

    /// Stops all writing.
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
        change(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the exporter that a call names. Daemons before 0.13 support one only and name none.
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
                Some(Destination::Directory(path, kept)) => {
                    Some(Destination::Directory(path.clone(), kept.clone()))
                }
                _ => slot.destination.take(),
            };
            let Some(destination) = destination else {
                return Err(Status::already_exists("target already exists"));
            };
            slot.running += 1;
            Ok((index, slot.kind.clone(), destination))
        })
    }

    async fn receive(self: Arc<Self>, call: StreamingCall) -> Result<(), Status> {
        let named = call
            .headers
            .get("buildkit-attachable-exporter-id")
            .and_then(|value| value.to_str().ok());
        let (index, kind, destination) = self.take(named)?;
        let (ended, outcome) = oneshot::channel();
        let exports = Arc::clone(&self);
        // Not tied to the call, because the call may end before everything is written. The end of the
        // session aborts it.
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let result = match destination {
                Destination::Directory(directory, kept) => {
                    transfer::receive(&directory, kept, call.incoming, call.outgoing).await
                }
                Destination::Stream(writer) => {
                    let result = write(writer, call.incoming).await;
                    // The call ends with its messages, so this waits for the result of writing.
                    drop(call.outgoing);
                    result
                }
            };
            let outcome = match result {
                Ok(()) => Ok(()),
                Err(Failure::Local(message)) => {
                    let status = Status::unknown(message.clone());
                    exports.fail(Error::Export {
                        index,
                        kind,
                        message,
                    });
                    Err(status)
                }
                Err(failure) => {
                    if let Failure::Violation(what) = &failure {
                        exports.violation.report(format!("{kind} export: {what}"));
                    }
                    Err(failure.into())
                }
            };
            exports.ended(index, outcome.is_ok());
            // The receiver is gone if the call has ended.
            let _ = ended.send(outcome);
        }));
        self.with(|slots| {
            if let Some(slot) = slots.get_mut(&index) {
                // The daemon may deliver to a directory any number of times.
                slot.tasks.retain(|task| !task.is_finished());
                slot.tasks.push(task);
            }
        });
        outcome
            .await
            .unwrap_or_else(|_| Err(Status::cancelled("the session was closed")))
    }
}

async fn write(
    mut writer: Box<dyn AsyncWrite + Send + Unpin>,
    mut messages: Messages<Incoming>,
) -> Result<(), Failure> {
    let local = |error: std::io::Error| Failure::Local(error.to_string());
    while let Some(payload) = messages.next().await {
        let payload = payload.map_err(|error| Failure::Remote(error.to_string()))?;
        let message =
            BytesMessage::decode(payload).map_err(|error| Failure::Violation(error.to_string()))?;
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
        exports.add(0, "local", Destination::Directory("out".into(), None));
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
