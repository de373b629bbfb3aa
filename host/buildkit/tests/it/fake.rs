//! Faults that a real daemon does not produce on demand.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bollard_buildkit_proto::google::{protobuf::Any, rpc};
use bollard_buildkit_proto::health::HealthCheckRequest;
use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bollard_buildkit_proto::moby::buildkit::v1::types::WorkerRecord;
use futures_util::{StreamExt as _, stream};
use iechor_buildkit::{
    Client, Code, Error, ExportTarget, Exporter, Session, SolveRequest, source_snippet,
};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming};

use crate::caller::Caller;
use crate::control::{Daemon, Statuses, Tunnel, serve, until_closed};
use crate::session::HEALTH;
use crate::{solve, solve_until};

/// Actions of the fake daemon for each call.
#[derive(Clone)]
pub struct Script {
    pub info: Result<proto::InfoResponse, Status>,
    pub session: Result<(), Status>,
    /// Receives the daemon's end of each session. `None`: the daemon makes no calls.
    pub callers: Option<mpsc::UnboundedSender<Caller>>,
    /// Counts the sessions that the daemon has forgotten: some time after their end.
    pub forgotten: Option<Arc<AtomicUsize>>,
    pub workers: usize,
    /// Response of Solve. `None`: no response.
    pub solve: Option<Result<proto::SolveResponse, Status>>,
    pub status: Arc<dyn Fn() -> Statuses + Send + Sync>,
    /// Notified when Solve begins, and when it is cancelled.
    pub solving: Arc<Notify>,
    pub given_up: Arc<Notify>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            info: Err(Status::unimplemented("unknown method Info")),
            session: Ok(()),
            callers: None,
            forgotten: None,
            workers: 0,
            solve: Some(Ok(proto::SolveResponse::default())),
            status: Arc::new(|| stream::empty().boxed()),
            solving: Arc::default(),
            given_up: Arc::default(),
        }
    }
}

#[tonic::async_trait]
impl Daemon for Script {
    async fn info(&self) -> Result<proto::InfoResponse, Status> {
        self.info.clone()
    }

    async fn workers(&self) -> Result<proto::ListWorkersResponse, Status> {
        let record = vec![WorkerRecord::default(); self.workers];
        Ok(proto::ListWorkersResponse { record })
    }

    async fn solve(&self, _: proto::SolveRequest) -> Result<proto::SolveResponse, Status> {
        struct GivenUp(Arc<Notify>);
        impl Drop for GivenUp {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let _given_up = GivenUp(Arc::clone(&self.given_up));
        self.solving.notify_one();
        match self.solve.clone() {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn status(&self) -> Statuses {
        (self.status)()
    }

    fn session(&self, request: Request<Streaming<proto::BytesMessage>>) -> Result<Tunnel, Status> {
        self.session.clone()?;
        let id = request.metadata().get("x-docker-expose-session-uuid");
        assert_eq!(id.unwrap().len(), 25);
        let tunnel = match &self.callers {
            Some(callers) => Caller::open(request, callers.clone()),
            None => until_closed(request),
        };
        let Some(forgotten) = self.forgotten.clone() else {
            return Ok(tunnel);
        };
        let end = stream::once(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            forgotten.fetch_add(1, Ordering::Relaxed);
            Ok(proto::BytesMessage::default())
        });
        Ok(tunnel.chain(end).boxed())
    }
}

/// Connects to a fake daemon. Aborting the handle breaks the connection.
pub async fn daemon(script: Script) -> (Client, JoinHandle<()>) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let task = tokio::spawn(serve(far, script));
    let client = Client::connect_within(near, Duration::from_secs(2))
        .await
        .unwrap();
    (client, task)
}

fn session() -> Session {
    Session::builder().build()
}

pub fn status_of(bytes: usize) -> proto::StatusResponse {
    proto::StatusResponse {
        logs: vec![proto::VertexLog {
            msg: vec![b'x'; bytes],
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[tokio::test]
async fn text_instead_of_http2_is_told() {
    let text = "OCI runtime exec failed: exec: \"buildctl\": executable file not found\r\n";
    for size in [1, 4, 1000] {
        let (near, mut far) = tokio::io::duplex(4096);
        let said = tokio::spawn(async move {
            for piece in text.as_bytes().chunks(size) {
                // The client stops reading once it has seen enough.
                if far.write_all(piece).await.is_err() {
                    break;
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
        let error = Client::connect(near).await.unwrap_err();
        assert!(matches!(error, Error::ConnectionLost { .. }));
        let error = error.to_string();
        assert!(
            error.contains("does not speak HTTP/2; it sent: O"),
            "{error}"
        );
        if size > 99 {
            assert!(error.ends_with("executable file not found"), "{error}");
        }
        said.abort();
    }
}

#[tokio::test]
async fn tls_where_none_is_spoken_is_told() {
    let (near, mut far) = tokio::io::duplex(4096);
    // A fatal alert: unexpected message.
    far.write_all(&[0x15, 3, 3, 0, 2, 2, 10]).await.unwrap();
    let error = Client::connect(near).await.unwrap_err().to_string();
    assert!(error.contains("the other side uses TLS"), "{error}");
}

#[tokio::test]
async fn a_stream_that_ends_or_says_nothing_is_no_connection() {
    let (near, far) = tokio::io::duplex(4096);
    drop(far);
    let error = Client::connect(near).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");

    let (near, _far) = tokio::io::duplex(4096);
    let limit = Duration::from_millis(200);
    let error = Client::connect_within(near, limit).await.unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
}

#[tokio::test]
async fn a_daemon_without_info_has_no_version() {
    let (client, _daemon) = daemon(Script::default()).await;
    assert_eq!(client.version().await.unwrap(), None);

    let refusing = Script {
        info: Err(Status::permission_denied("not you")),
        ..Script::default()
    };
    let (client, _daemon) = daemon(refusing).await;
    let error = client.version().await.unwrap_err();
    assert_eq!(error.code(), Some(Code::PermissionDenied));
    assert_eq!(error.to_string(), "Control.Info: PermissionDenied: not you");
}

#[tokio::test]
async fn a_connection_that_breaks_fails_the_build_at_once() {
    let script = Script {
        solve: None,
        status: Arc::new(|| stream::pending().boxed()),
        ..Script::default()
    };
    let solving = Arc::clone(&script.solving);
    let (client, task) = daemon(script).await;
    let build = solve(&client, SolveRequest::dockerfile(), session());
    let breaking = async {
        solving.notified().await;
        task.abort();
        Instant::now()
    };
    let ((result, _), broken) = tokio::join!(build, breaking);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "lost the connection to BuildKit: the other side closed the stream"
    );
    assert!(broken.elapsed() < Duration::from_secs(1));
    // Every later call fails, too.
    let error = client.version().await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
}

/// A stream that stands still while `frozen` is set.
struct Freezing<S> {
    stream: S,
    frozen: Arc<AtomicBool>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Freezing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.frozen.load(Ordering::Relaxed) {
            let waker = context.waker().clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                waker.wake();
            });
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Freezing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Connects to a fake daemon that reads nothing while the flag is set.
async fn freezing_daemon(script: Script) -> (Client, Arc<AtomicBool>) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let frozen = Arc::new(AtomicBool::new(false));
    let stream = Freezing {
        stream: far,
        frozen: Arc::clone(&frozen),
    };
    tokio::spawn(serve(stream, script));
    let client = Client::connect_within(near, Duration::from_secs(2)).await;
    (client.unwrap(), frozen)
}

fn building() -> Script {
    Script {
        solve: None,
        status: Arc::new(|| stream::pending().boxed()),
        ..Script::default()
    }
}

#[tokio::test]
async fn a_daemon_that_freezes_is_given_up() {
    let script = building();
    let solving = Arc::clone(&script.solving);
    let (client, frozen) = freezing_daemon(script).await;
    let build = solve(&client, SolveRequest::dockerfile(), session());
    let freezing = async {
        solving.notified().await;
        frozen.store(true, Ordering::Relaxed);
        Instant::now()
    };
    let ((result, _), since) = tokio::join!(build, freezing);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    assert_eq!(error.to_string(), "BuildKit did not answer for 2 seconds");
    assert!(since.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn a_quiet_build_on_a_daemon_that_answers_goes_on() {
    let script = building();
    let (client, _daemon) = daemon(script).await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        // Twice the time for which this client waits for an answer.
        tokio::time::sleep(Duration::from_secs(4)).await;
        stop.cancel();
    });
    let build = solve_until(&client, SolveRequest::dockerfile(), session(), cancel);
    let (result, _) = build.await;
    assert!(matches!(result.unwrap_err(), Error::Cancelled));
}

#[tokio::test]
async fn a_pause_of_this_side_is_no_silence_of_the_daemon() {
    let script = building();
    let solving = Arc::clone(&script.solving);
    let (client, _daemon) = daemon(script).await;
    let cancel = CancellationToken::new();
    let build = solve_until(
        &client,
        SolveRequest::dockerfile(),
        session(),
        cancel.clone(),
    );
    let pausing = async {
        solving.notified().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        // Nothing of this process runs, as after SIGSTOP: the runtime has one thread.
        std::thread::sleep(Duration::from_secs(3));
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
    };
    let ((result, _), ()) = tokio::join!(build, pausing);
    assert!(matches!(result.unwrap_err(), Error::Cancelled));
}

#[tokio::test]
async fn a_session_that_the_daemon_ended_is_opened_again() {
    let (callers, mut sessions) = mpsc::unbounded_channel();
    let forgotten = Arc::<AtomicUsize>::default();
    let script = Script {
        callers: Some(callers),
        forgotten: Some(Arc::clone(&forgotten)),
        ..building()
    };
    let (client, _daemon) = daemon(script).await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let ending = async {
        let mut opened = 0;
        let wait = Duration::from_secs(1);
        while let Ok(Some(caller)) = tokio::time::timeout(wait, sessions.recv()).await {
            let health = caller.unary(HEALTH, &HealthCheckRequest::default()).await;
            health.expect("it is served");
            assert_eq!(caller.announced, [HEALTH]);
            // Not before: the daemon would forget the new one with the old one.
            assert_eq!(forgotten.load(Ordering::Relaxed), opened);
            opened += 1;
            // The last handle: the daemon ends the session.
            drop(caller);
        }
        stop.cancel();
        opened
    };
    let build = solve_until(&client, SolveRequest::dockerfile(), session(), cancel);
    let ((result, _), opened) = tokio::join!(build, ending);
    assert!(matches!(result.unwrap_err(), Error::Cancelled));
    // Not for ever.
    assert_eq!(opened, 6);
}

#[tokio::test]
async fn an_unanswered_question_is_noticed_soon_and_an_answer_ends_it() {
    let (client, frozen) = freezing_daemon(building()).await;
    let limit = Duration::from_millis(800);
    let patient = tokio::time::timeout(Duration::from_secs(2), client.unanswered(limit));
    patient.await.expect_err("the daemon answers");
    frozen.store(true, Ordering::Relaxed);
    let noticed = tokio::time::timeout(Duration::from_secs(4), client.unanswered(limit));
    noticed.await.expect("noticed");
    frozen.store(false, Ordering::Relaxed);
    client.version().await.unwrap();
    let patient = tokio::time::timeout(Duration::from_secs(2), client.unanswered(limit));
    patient.await.expect_err("the daemon answers again");
}

#[tokio::test]
async fn a_daemon_that_only_reports_status_is_alive() {
    let script = Script {
        solve: None,
        status: Arc::new(|| {
            stream::repeat_with(|| Ok(status_of(1)))
                .then(async |status| {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    status
                })
                .boxed()
        }),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stop.cancel();
    });
    let build = solve_until(&client, SolveRequest::dockerfile(), session(), cancel);
    let start = Instant::now();
    let (result, statuses) = build.await;
    assert!(matches!(result.unwrap_err(), Error::Cancelled));
    assert!(statuses.len() > 20);
    // The client leaves a status without end some seconds after the cancellation.
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn cancelling_and_dropping_reach_the_daemon() {
    let script = Script {
        solve: None,
        ..Script::default()
    };
    let (solving, given_up) = (Arc::clone(&script.solving), Arc::clone(&script.given_up));
    let (client, _daemon) = daemon(script).await;

    let cancel = CancellationToken::new();
    let build = solve_until(
        &client,
        SolveRequest::dockerfile(),
        session(),
        cancel.clone(),
    );
    let cancelling = async {
        solving.notified().await;
        cancel.cancel();
        given_up.notified().await;
    };
    let start = Instant::now();
    let ((result, _), ()) = tokio::join!(build, cancelling);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Cancelled));
    assert_eq!(error.code(), Some(Code::Canceled));
    assert!(
        start.elapsed() < Duration::from_millis(1500),
        "{:?}",
        start.elapsed()
    );

    let build = solve(&client, SolveRequest::dockerfile(), session());
    tokio::select! {
        _ = build => panic!("the daemon does not answer"),
        () = solving.notified() => {}
    }
    tokio::time::timeout(Duration::from_secs(1), given_up.notified())
        .await
        .expect("a dropped build must be cancelled on the daemon");
}

#[tokio::test]
async fn a_refused_session_is_the_error() {
    let script = Script {
        session: Err(Status::already_exists("session x already exists")),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let (result, _) = solve(&client, SolveRequest::dockerfile(), session()).await;
    assert_eq!(
        result.unwrap_err().to_string(),
        "Control.Session: AlreadyExists: session x already exists"
    );
}

#[tokio::test]
async fn a_status_beyond_the_daemons_own_limit_arrives() {
    let script = Script {
        status: Arc::new(|| stream::iter([Ok(status_of(20 << 20))]).boxed()),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let (result, statuses) = solve(&client, SolveRequest::dockerfile(), session()).await;
    assert_eq!(result.unwrap().status_failure, None);
    let logs = statuses.iter().flat_map(|status| &status.logs);
    assert_eq!(logs.map(|log| log.data.len()).sum::<usize>(), 20 << 20);
}

#[tokio::test]
async fn a_status_that_breaks_off_does_not_fail_the_build() {
    let script = Script {
        status: Arc::new(|| stream::iter([Ok(status_of(65 << 20))]).boxed()),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let (result, _) = solve(&client, SolveRequest::dockerfile(), session()).await;
    let failure = result.unwrap().status_failure.unwrap();
    assert!(failure.contains("too large"), "{failure}");
}

#[tokio::test]
async fn a_status_of_very_many_vertexes_comes_in_pieces() {
    let vertexes = vec![proto::Vertex::default(); 400_000];
    let status = proto::StatusResponse {
        vertexes,
        ..Default::default()
    };
    let script = Script {
        status: Arc::new(move || stream::iter([Ok(status.clone())]).boxed()),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let (result, statuses) = solve(&client, SolveRequest::dockerfile(), session()).await;
    assert_eq!(result.unwrap().status_failure, None);
    let counts = statuses.iter().map(|status| status.vertexes.len());
    assert_eq!(counts.clone().sum::<usize>(), 400_000);
    assert!(counts.max() <= Some(1000));
}

#[tokio::test]
async fn a_vertex_that_is_too_long_is_left_out_and_said() {
    let vertex = |name: String| proto::Vertex {
        name,
        ..Default::default()
    };
    let status = proto::StatusResponse {
        vertexes: vec![vertex("x".repeat(5 << 20)), vertex("short".into())],
        ..Default::default()
    };
    let script = Script {
        status: Arc::new(move || stream::iter([Ok(status.clone())]).boxed()),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let (result, statuses) = solve(&client, SolveRequest::dockerfile(), session()).await;
    let failure = result.unwrap().status_failure.unwrap();
    assert!(failure.contains("longer than 4 MiB"), "{failure}");
    assert_eq!(statuses[0].vertexes.len(), 1);
}

#[tokio::test]
async fn of_very_many_facts_some_are_kept() {
    let facts = (0..200_000).map(|number| (number.to_string(), String::new()));
    let script = Script {
        solve: Some(Ok(proto::SolveResponse {
            exporter_response: facts.collect(),
        })),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let (result, _) = solve(&client, SolveRequest::dockerfile(), session()).await;
    assert_eq!(result.unwrap().exporter_response.len(), 10_000);
}

#[tokio::test]
async fn very_many_workers_are_refused() {
    let script = |workers| Script {
        workers,
        ..Script::default()
    };
    let (client, _daemon) = daemon(script(1000)).await;
    assert_eq!(client.workers().await.unwrap().len(), 1000);
    let (client, _daemon) = daemon(script(1_000_000)).await;
    let error = client.workers().await.unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
}

#[tokio::test]
async fn a_status_that_nobody_reads_does_not_hold_the_build_up() {
    let script = Script {
        status: Arc::new(|| {
            stream::repeat_with(|| Ok(status_of(1 << 20)))
                .take(50)
                .boxed()
        }),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    drop(receiver);
    let build = client.solve(
        SolveRequest::dockerfile(),
        session(),
        sender,
        CancellationToken::new(),
    );
    build.await.unwrap();
}

#[tokio::test]
async fn a_result_that_does_not_come_is_an_error() {
    let (client, _daemon) = daemon(Script::default()).await;
    let mut request = SolveRequest::dockerfile();
    request.exporters.push(Exporter {
        kind: "tar".into(),
        target: ExportTarget::Stream(Box::new(tokio::io::sink())),
        ..Exporter::default()
    });
    let (result, _) = solve(&client, request, session()).await;
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Export { index: 0, .. }), "{error}");
}

#[tokio::test]
async fn a_status_that_does_not_end_is_left_after_five_seconds() {
    let script = Script {
        status: Arc::new(|| {
            stream::iter([Ok(status_of(1))])
                .chain(stream::pending())
                .boxed()
        }),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let start = Instant::now();
    let (result, statuses) = solve(&client, SolveRequest::dockerfile(), session()).await;
    result.unwrap();
    assert_eq!(statuses.len(), 1);
    let seconds = start.elapsed().as_secs_f32();
    assert!((4.5..7.0).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_typed_error_with_a_whole_dockerfile_arrives() {
    // More than hyper's default limit of 16 KiB for headers.
    let dockerfile = "# a comment that is long\n".repeat(4000) + "RUN false\n";
    let source = serde_json::json!({
        "info": {
            "filename": "Dockerfile",
            "data": base64(dockerfile.as_bytes()),
            "language": "Dockerfile",
        },
        "ranges": [{"start": {"line": 4001}, "end": {"line": 4001}}],
    });
    let detail = |name: &str, value: String| Any {
        type_url: format!("github.com/moby/buildkit/errdefs.{name}+json"),
        value: value.into_bytes(),
    };
    let details = rpc::Status {
        code: 2,
        message: "exit code: 1".into(),
        details: vec![
            detail("Vertex", r#"{"digest":"sha256:v"}"#.into()),
            detail("Source", source.to_string()),
        ],
    };
    let script = Script {
        solve: Some(Err(Status::with_details(
            tonic::Code::Unknown,
            "exit code: 1",
            details.encode_to_vec().into(),
        ))),
        status: Arc::new(|| stream::iter([Err(Status::unknown("no such job x"))]).boxed()),
        ..Script::default()
    };
    let (client, _daemon) = daemon(script).await;
    let (result, _) = solve(&client, SolveRequest::dockerfile(), session()).await;
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "failed to solve: exit code: 1");
    assert_eq!(error.code(), Some(Code::Unknown));
    let snippet = source_snippet(&error.sources()[0]);
    assert!(snippet.contains(&" 4001 | >>> RUN false".to_owned()));
    let Error::Solve(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.vertex.as_deref(), Some("sha256:v"));
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
