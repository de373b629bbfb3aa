//! One build: its request, its session and its status.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as control;
use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message as _;
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::error::{Error, SolveError};
use crate::fields::{Fields, Undecoded};
use crate::grpc::MESSAGE_LIMIT;
use crate::session::{Destination, Exports, Session, new_id};
use crate::status::{LEFT_OUT, Pieces, SolveStatus};
use crate::wire;

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

/// A build, and where its results go.
#[derive(Debug, Default)]
pub struct SolveRequest {
    /// Identifier of the build on the daemon; empty for a new one from [`new_id`].
    pub reference: String,
    /// The frontend: `dockerfile.v0` or `gateway.v0`.
    pub frontend: String,
    /// Attributes of the frontend, for example `filename`, `target`, `build-arg:K`.
    pub frontend_attrs: BTreeMap<String, String>,
    /// Outputs of the build. Daemons before 0.13 support only the first.
    pub exporters: Vec<Exporter>,
    /// Caches to write.
    pub cache_exports: Vec<CacheEntry>,
    /// Caches to read.
    pub cache_imports: Vec<CacheEntry>,
    /// Additional permissions of the build, for example `network.host`.
    pub entitlements: Vec<String>,
    /// Whether to leave the build out of the daemon's history.
    pub internal: bool,
}

impl SolveRequest {
    /// Returns a build with the Dockerfile frontend of the daemon.
    pub fn dockerfile() -> Self {
        Self {
            frontend: "dockerfile.v0".into(),
            ..Self::default()
        }
    }
}

/// One output of a build.
#[derive(Debug, Default)]
pub struct Exporter {
    /// Kind of the exporter: `image`, `local`, `tar`, `oci`, `docker`.
    pub kind: String,
    /// Attributes of the exporter, for example `name` and `push`.
    pub attrs: BTreeMap<String, String>,
    /// Destination of the result on this side.
    pub target: ExportTarget,
}

/// The destination of an exporter's result.
#[derive(Default)]
pub enum ExportTarget {
    /// No destination on this side, as for `image`.
    #[default]
    None,
    /// A directory, whose other files stay (`local`).
    Directory(PathBuf),
    /// A file, a pipe or similar (`tar`, `oci`, `docker`), which is shut down at the end.
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
}

impl fmt::Debug for ExportTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Directory(path) => formatter.debug_tuple("Directory").field(path).finish(),
            Self::Stream(_) => formatter.write_str("Stream(..)"),
        }
    }
}

/// A cache to read or write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheEntry {
    /// Kind of the cache: `registry`, `inline`, `gha`, `s3`, `azblob`.
    pub kind: String,
    /// Attributes of the cache, for example `ref` and `mode`.
    pub attrs: BTreeMap<String, String>,
}

/// The result of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SolveResponse {
    /// Entries that the exporters report, for example `containerimage.digest`.
    pub exporter_response: BTreeMap<String, String>,
    /// Reason why the status broke off, if it did. The build itself succeeded.
    pub status_failure: Option<String>,
}

impl Client {
    /// Runs a build to its end and sends its status to `status`.
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
    /// side; [`Error::Cancelled`]; [`Error::ConnectionLost`] and [`Error::Silent`] as soon as they
    /// are detected.
    pub async fn solve(
        &self,
        request: SolveRequest,
        session: Session,
        status: mpsc::Sender<SolveStatus>,
        cancel: CancellationToken,
    ) -> Result<SolveResponse, Error> {
        let (message, exports) = prepare(request, session.id())?;
        let reference = message.r#ref.clone();
        let open = tokio::select! {
            open = self.open_session(session, exports) => open?,
            () = cancel.cancelled() => return Err(Error::Cancelled),
        };

        let (ending, phase) = watch::channel(Phase::Running);
        let build = async {
            let outcome = self.run(message, &cancel).await;
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
            let outcome = match (outcome, open.exports.take_failure(), missing) {
                // The daemon only repeats a failure of this side.
                (Ok(_) | Err(Error::Solve(_)), Some(failure), _) => Err(failure),
                (Ok(_), None, Some(missing)) => Err(missing),
                (outcome, ..) => outcome,
            };
            drop(open);
            outcome
        };
        let (outcome, status_failure) = tokio::join!(build, self.follow(reference, status, phase));
        let exporter_response = outcome?;
        Ok(SolveResponse {
            exporter_response,
            status_failure: status_failure.err(),
        })
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
                Err(status) => Err(match self.loss_behind(&status).await {
                    Some(loss) => loss,
                    None => Error::Solve(Box::new(SolveError::from_status(&status))),
                }),
            },
            () = cancel.cancelled() => Err(Error::Cancelled),
            error = self.link.state.lost() => Err(error),
            error = self.link.state.silent(self.silence_limit) => Err(error),
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

/// Converts an error of `ready`. The link is always ready, because a call on a lost connection
/// fails.
fn unready(error: hyper::Error) -> tonic::Status {
    tonic::Status::from_error(error.into())
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

/// Creates the message, and takes the destinations out of the request.
fn prepare(
    request: SolveRequest,
    session: &str,
) -> Result<(control::SolveRequest, Exports), Error> {
    if request.frontend.is_empty() {
        return Err(Error::Request("the build has no frontend".into()));
    }
    let caches = request.cache_exports.iter().chain(&request.cache_imports);
    if caches.into_iter().any(|cache| cache.kind == "local") {
        return Err(Error::Request(
            "cache of type local is not supported yet".into(),
        ));
    }

    let exports = Exports::default();
    let mut exporters = Vec::with_capacity(request.exporters.len());
    for (index, exporter) in request.exporters.into_iter().enumerate() {
        let destination = destination(&exporter.kind, &exporter.attrs, exporter.target)?;
        if let Some(destination) = destination {
            exports.add(index, &exporter.kind, destination);
        }
        exporters.push(control::Exporter {
            r#type: exporter.kind,
            attrs: exporter.attrs.into_iter().collect(),
        });
    }
    // For daemons before 0.13.
    let first = exporters.first().cloned().unwrap_or_default();

    let mut frontend_attrs: HashMap<_, _> = request.frontend_attrs.into_iter().collect();
    if !request.cache_imports.is_empty() {
        // With a frontend, the daemon reads the imports only here.
        frontend_attrs.insert("cache-imports".into(), cache_attr(&request.cache_imports)?);
    }
    let entries = |entries: Vec<CacheEntry>| {
        entries
            .into_iter()
            .map(|entry| control::CacheOptionsEntry {
                r#type: entry.kind,
                attrs: entry.attrs.into_iter().collect(),
            })
            .collect()
    };
    let reference = if request.reference.is_empty() {
        new_id()
    } else {
        request.reference
    };
    let message = control::SolveRequest {
        r#ref: reference,
        session: session.to_owned(),
        frontend: request.frontend,
        frontend_attrs,
        exporters,
        exporter_deprecated: first.r#type,
        exporter_attrs_deprecated: first.attrs,
        cache: Some(control::CacheOptions {
            exports: entries(request.cache_exports),
            imports: entries(request.cache_imports),
            ..Default::default()
        }),
        entitlements: request.entitlements,
        internal: request.internal,
        ..Default::default()
    };
    Ok((message, exports))
}

/// Returns the destination of an exporter. Refuses a combination that the daemon would refuse only
/// at the end of the build.
fn destination(
    kind: &str,
    attrs: &BTreeMap<String, String>,
    target: ExportTarget,
) -> Result<Option<Destination>, Error> {
    let refuse = |text: String| Err(Error::Request(text));
    match (kind, target) {
        ("local", ExportTarget::Directory(path)) => {
            match attrs.get("mode").map_or("copy", String::as_str) {
                "copy" => Ok(Some(Destination::Directory(path))),
                mode => refuse(format!("local exporter mode {mode:?} is not supported yet")),
            }
        }
        ("local", _) => refuse("output directory is required for local exporter".into()),
        ("tar" | "oci" | "docker", ExportTarget::Stream(stream)) => {
            Ok(Some(Destination::Stream(stream)))
        }
        ("oci" | "docker", ExportTarget::Directory(_)) => refuse(format!(
            "output to a directory (tar=false) is not supported yet by {kind} exporter"
        )),
        ("tar" | "oci" | "docker", _) => refuse(format!(
            "output file writer is required for {kind} exporter"
        )),
        (_, ExportTarget::None) => Ok(None),
        (_, ExportTarget::Directory(_)) => refuse(format!(
            "output directory is not supported by {kind} exporter"
        )),
        (_, ExportTarget::Stream(_)) => refuse(format!(
            "output file writer is not supported by {kind} exporter"
        )),
    }
}

fn cache_attr(imports: &[CacheEntry]) -> Result<String, Error> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entry<'entry> {
        r#type: &'entry str,
        attrs: &'entry BTreeMap<String, String>,
    }
    let entries: Vec<_> = imports
        .iter()
        .map(|entry| Entry {
            r#type: &entry.kind,
            attrs: &entry.attrs,
        })
        .collect();
    serde_json::to_string(&entries).map_err(|error| Error::Request(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[tokio::test]
    async fn old_and_new_daemons_find_their_fields() {
        let mut request = SolveRequest::dockerfile();
        request.exporters = vec![
            Exporter {
                kind: "image".into(),
                attrs: text(&[("name", "a")]),
                target: ExportTarget::None,
            },
            Exporter {
                kind: "tar".into(),
                target: ExportTarget::Stream(Box::new(tokio::io::sink())),
                ..Exporter::default()
            },
        ];
        request.cache_imports = vec![CacheEntry {
            kind: "registry".into(),
            attrs: text(&[("ref", "r:1")]),
        }];
        let (message, exports) = prepare(request, "s1").unwrap();
        assert_eq!(message.session, "s1");
        assert_eq!(message.r#ref.len(), 25);
        assert_eq!(message.exporters.len(), 2);
        assert_eq!(message.exporter_deprecated, "image");
        assert_eq!(message.exporter_attrs_deprecated["name"], "a");
        assert_eq!(
            message.frontend_attrs["cache-imports"],
            r#"[{"Type":"registry","Attrs":{"ref":"r:1"}}]"#
        );
        assert_eq!(message.cache.unwrap().imports[0].r#type, "registry");
        assert!(matches!(
            exports.missing().await,
            Some(Error::Export { index: 1, .. })
        ));
    }

    #[test]
    fn targets_that_do_not_fit_are_refused_before_the_build() {
        let stream = || ExportTarget::Stream(Box::new(tokio::io::sink()));
        let directory = || ExportTarget::Directory("out".into());
        for (kind, attrs, target, words) in [
            ("local", text(&[]), stream(), "output directory is required"),
            ("local", text(&[("mode", "delete")]), directory(), "mode"),
            ("tar", text(&[]), directory(), "writer is required"),
            ("oci", text(&[]), directory(), "tar=false"),
            (
                "docker",
                text(&[]),
                ExportTarget::None,
                "writer is required",
            ),
            ("image", text(&[]), stream(), "not supported by image"),
            ("image", text(&[]), directory(), "not supported by image"),
        ] {
            let mut request = SolveRequest::dockerfile();
            request.exporters.push(Exporter {
                kind: kind.into(),
                attrs,
                target,
            });
            let error = prepare(request, "s").err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(prepare(SolveRequest::default(), "s").is_err());
    }
}
