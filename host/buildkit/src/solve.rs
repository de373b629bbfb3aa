//! One build: its session and its status. `request` has the request.

mod request;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as control;
use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::capabilities::Capabilities;
use crate::client::Client;
use crate::error::Error;
use crate::fields::{Fields, Undecoded, unready};
use crate::gateway::{CACHE_IMPORTS, FrontendResult, Gateway, Work};
use crate::grpc::MESSAGE_LIMIT;
use crate::session::Session;
use crate::status::{LEFT_OUT, Pieces, SolveStatus};
use crate::wire;
use request::prepare;

pub use request::{CacheEntry, ExportTarget, Exporter, SolveRequest};

/// Maximum size of a message of the status, in bytes. For a huge Dockerfile it can exceed 16 MiB
/// (moby#48164).
const STATUS_LIMIT: usize = 64 << 20;

/// Maximum number of entries of the exporters' response. Real builds have some dozens for each
/// platform. Further ones are left out.
const MOST_FACTS: usize = 10_000;

/// Maximum time that the status may be idle after the end of a build, as in buildx.
const STATUS_IDLE: Duration = Duration::from_secs(5);

/// Maximum time that the status may continue after the end of a build.
const STATUS_END: Duration = Duration::from_secs(60);

/// The same two limits after a cancellation, when the user waits.
const CANCELLED_IDLE: Duration = Duration::from_secs(1);
const CANCELLED_END: Duration = Duration::from_secs(3);

/// Maximum time that a build may go on after the work of the gateway failed, as in buildx.
const GATEWAY_FAILED: Duration = Duration::from_secs(5);

/// The result of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SolveResponse {
    /// Entries that the exporters report, for example `containerimage.digest`.
    pub exporter_response: BTreeMap<String, String>,
    /// The result of the frontend, with its metadata; `None` if it is empty.
    pub result: Option<FrontendResult>,
    /// Reason why the status broke off, if it did. The build itself succeeded.
    pub status_failure: Option<String>,
}

impl Client {
    /// Runs a build of one frontend to its end and sends its status to `status`.
    ///
    /// A slow reader of `status` slows the build down; a dropped receiver does not. The session
    /// opens before the build starts and closes after it. The status is read to its end, or until
    /// it has been idle for 5 s after the end of the build.
    ///
    /// Cancelling the token, or dropping the future, cancels the build on the daemon. With the
    /// token, the last status (cancelled vertexes) is still sent.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] if the request is invalid; [`Error::Solve`] with the place in the
    /// Dockerfile if the build failed; [`Error::Export`] if a result could not be written on this
    /// side; [`Error::Cancelled`]; [`Error::Violation`], [`Error::ConnectionLost`] and
    /// [`Error::Silent`] as soon as they are detected.
    pub async fn solve(
        &self,
        request: SolveRequest,
        session: Session,
        status: mpsc::Sender<SolveStatus>,
        cancel: CancellationToken,
    ) -> Result<SolveResponse, Error> {
        if request.frontend.is_empty() {
            return Err(Error::Request("the build has no frontend".into()));
        }
        let of_frontend = request.of_frontend();
        self.build(
            request,
            session,
            status,
            cancel,
            async |gateway: Gateway| gateway.solve(of_frontend).await.map(Some),
        )
        .await
    }

    /// Runs a build like [`solve`](Self::solve), whose result `function` makes with the calls of a
    /// [`Gateway`]. `None` is an empty result. The frontend of the request is not used.
    ///
    /// An error of the function becomes the error of the build on the daemon. The function is dropped
    /// when the build ends before it.
    ///
    /// # Errors
    ///
    /// As [`solve`](Self::solve), and the error of the function.
    pub async fn build<F, W>(
        &self,
        request: SolveRequest,
        session: Session,
        status: mpsc::Sender<SolveStatus>,
        cancel: CancellationToken,
        function: F,
    ) -> Result<SolveResponse, Error>
    where
        F: FnOnce(Gateway) -> W,
        W: Future<Output = Result<Option<FrontendResult>, Error>>,
    {
        let (message, exports) = prepare(request, session.id())?;
        let reference = message.r#ref.clone();
        let cache_imports = message.frontend_attrs.get(CACHE_IMPORTS).cloned();
        let began = Instant::now();
        let open = tokio::select! {
            open = self.open_session(session, exports) => open?,
            () = cancel.cancelled() => return Err(Error::Cancelled),
        };

        let work = Work::default();
        let (ending, phase) = watch::channel(Phase::Running);
        let build = async {
            let outcome = {
                let mut solve = pin!(self.run(message, &cancel));
                let gateway = pin!(work.run(self, &reference, cache_imports, function));
                let ending = async {
                    tokio::select! {
                        biased;
                        outcome = &mut solve => outcome,
                        is_result = gateway => if is_result {
                            solve.await
                        } else {
                            // The daemon ends the build, unless something is wrong.
                            match tokio::time::timeout(GATEWAY_FAILED, solve).await {
                                Ok(outcome) => outcome,
                                Err(_) => Err(work.take().and_then(Result::err).unwrap_or(
                                    Error::Silent { limit: GATEWAY_FAILED },
                                )),
                            }
                        }
                    }
                };
                tokio::select! {
                    biased;
                    error = open.violated() => Err(error),
                    outcome = ending => outcome,
                }
            };
            let (idle, end) = match &outcome {
                Ok(_) | Err(Error::Solve(_)) => (STATUS_IDLE, STATUS_END),
                Err(Error::Cancelled) => (CANCELLED_IDLE, CANCELLED_END),
                Err(_) => (Duration::ZERO, Duration::ZERO),
            };
            let by = Instant::now() + end;
            ending.send_replace(Phase::Ended { idle, by });
            let missing = match outcome {
                Ok(_) => open.exports.missing().await,
                Err(_) => None,
            };
            let outcome = match (outcome, open.exports.take_failure(), missing, work.take()) {
                // The daemon only repeats a failure of this side.
                (Ok(_) | Err(Error::Solve(_)), Some(failure), ..) => Err(failure),
                (Ok(_), None, Some(missing), _) => Err(missing),
                (Err(Error::Solve(error)), None, None, Some(Err(cause))) => Err(match cause {
                    // This comes from the daemon, too, which tells it more completely in the end.
                    Error::Solve(_) => Error::Solve(error),
                    cause => cause,
                }),
                (Ok(facts), None, None, made) => {
                    let made = made.and_then(Result::ok).flatten();
                    open.exports.remove_others().await.map(|()| (facts, made))
                }
                (outcome, ..) => outcome.map(|facts| (facts, None)),
            };
            let stopped = self.link.state.stopped(began);
            let stopped = stopped.filter(|_| open.was_ended());
            drop(open);
            (outcome, stopped)
        };
        let follow = self.follow(reference.clone(), status, phase);
        let ((outcome, stopped), status_failure) = tokio::join!(build, follow);
        match outcome {
            Ok((exporter_response, result)) => Ok(SolveResponse {
                exporter_response,
                result,
                status_failure: status_failure.err(),
            }),
            Err(Error::Solve(mut error)) => {
                error.stopped = stopped;
                Err(Error::Solve(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns what the daemon supports. The first call asks it, with a build that has no result.
    ///
    /// # Errors
    ///
    /// The connection is lost or silent, or the daemon refuses the build.
    pub async fn capabilities(&self) -> Result<&Capabilities, Error> {
        let asking = self.probe(Vec::new());
        self.capabilities.get_or_try_init(|| asking).await
    }

    /// Starts a build that has no result, with these entitlements, and returns what the daemon
    /// supports. The build is not part of the daemon's history.
    ///
    /// # Errors
    ///
    /// [`Error::Solve`] if the daemon does not allow an entitlement; the connection is lost or silent.
    pub async fn probe(&self, entitlements: Vec<String>) -> Result<Capabilities, Error> {
        let request = SolveRequest {
            entitlements,
            internal: true,
            ..SolveRequest::default()
        };
        let (found, capabilities) = tokio::sync::oneshot::channel();
        let (status, _) = mpsc::channel(1);
        let session = Session::builder().build();
        let cancel = CancellationToken::new();
        self.build(
            request,
            session,
            status,
            cancel,
            async |gateway: Gateway| {
                // The receiver waits for the end of the build.
                let _ = found.send(gateway.capabilities().clone());
                Ok(None)
            },
        )
        .await?;
        Ok(capabilities.await.unwrap_or_default())
    }

    /// Calls Solve. Dropping the future resets its HTTP/2 stream, which cancels the build.
    async fn run(
        &self,
        message: control::SolveRequest,
        cancel: &CancellationToken,
    ) -> Result<BTreeMap<String, String>, Error> {
        const PATH: &str = "/moby.buildkit.v1.Control/Solve";
        let mut grpc = self.undecoded(MESSAGE_LIMIT);
        let call = async {
            grpc.ready().await.map_err(unready)?;
            let path = PathAndQuery::from_static(PATH);
            grpc.unary(tonic::Request::new(message), path, Undecoded::new())
                .await
        };
        tokio::select! {
            biased;
            answer = call => match answer {
                Ok(answer) => Ok(facts(answer.into_inner())),
                Err(status) => Err(self.solve_error(&status).await),
            },
            () = cancel.cancelled() => Err(Error::Cancelled),
            error = self.link.state.lost() => Err(error),
            error = self.unresponsive() => Err(error),
        }
    }

    /// Reads the status and passes it on. The error is a message for the user.
    async fn follow(
        &self,
        reference: String,
        status: mpsc::Sender<SolveStatus>,
        mut phase: watch::Receiver<Phase>,
    ) -> Result<(), String> {
        const PATH: &str = "/moby.buildkit.v1.Control/Status";
        let mut grpc = self.undecoded(STATUS_LIMIT);
        let request = control::StatusRequest { r#ref: reference };
        let mut opening = pin!(async {
            grpc.ready().await.map_err(unready)?;
            let path = PathAndQuery::from_static(PATH);
            grpc.server_streaming(tonic::Request::new(request), path, Undecoded::new())
                .await
        });
        let opened = until_idle(&mut phase, opening.as_mut()).await;
        let mut stream = match opened {
            Some(Ok(response)) => response.into_inner(),
            Some(Err(error)) => return Err(error.message().to_owned()),
            None => return Ok(()),
        };
        let mut left_out = false;
        let ended = |left_out| match left_out {
            true => Err(LEFT_OUT.to_owned()),
            false => Ok(()),
        };
        loop {
            if let Phase::Ended { by, .. } = *phase.borrow()
                && by < Instant::now()
            {
                return ended(left_out);
            }
            let mut next = pin!(stream.message());
            match until_idle(&mut phase, next.as_mut()).await {
                Some(Ok(Some(message))) => {
                    let mut pieces = Pieces::new(message);
                    for piece in &mut pieces {
                        let piece = piece.map_err(|error| error.to_string())?;
                        // The stream is read to its end even without a receiver, because unread
                        // messages would block the daemon.
                        let _ = status.send(piece).await;
                    }
                    left_out |= pieces.left_out;
                }
                Some(Ok(None)) | None => return ended(left_out),
                Some(Err(error)) => return Err(error.message().to_owned()),
            }
        }
    }
}

/// Reads the exporters' entries from the response of Solve. Leaves out what cannot be decoded,
/// because the build succeeded.
fn facts(answer: Bytes) -> BTreeMap<String, String> {
    Fields::new(answer)
        .filter_map(Result::ok)
        .filter(|(number, _)| *number == 1)
        .take(MOST_FACTS)
        .filter_map(|(_, entry)| wire::Entry::decode(entry).ok())
        .map(|entry| (entry.key, entry.value))
        .collect()
}

/// The phase of the build, for reading its status.
#[derive(Clone, Copy)]
enum Phase {
    Running,
    /// The build has ended: how long the status may be idle, and when it has to end.
    Ended {
        idle: Duration,
        by: Instant,
    },
}

/// Waits for the future while the build runs, and after that for as long as the status may be idle.
async fn until_idle<T>(
    phase: &mut watch::Receiver<Phase>,
    mut future: std::pin::Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    let ended = phase.wait_for(|phase| matches!(phase, Phase::Ended { .. }));
    let deadline = tokio::select! {
        biased;
        output = &mut future => return Some(output),
        ended = ended => match ended.as_deref() {
            Ok(Phase::Ended { idle, by }) => (Instant::now() + *idle).min(*by),
            _ => Instant::now(),
        },
    };
    tokio::time::timeout_at(deadline, future).await.ok()
}
