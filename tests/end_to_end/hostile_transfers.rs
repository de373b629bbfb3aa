//! A BuildKit that misuses the file transfers of a build, as the user sees it. It never ends the build.

use std::fs;
use std::path::Path;

use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bollard_buildkit_proto::moby::buildkit::v1::types;
use bollard_buildkit_proto::pb;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use iechor_fsutil::mode;
use iechor_fsutil::wire::{self, StatRef};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tonic::{Request, Status, Streaming};

use crate::caller::{Caller, packets};
use crate::context::Context;
use crate::control::{Daemon, Statuses, Tunnel, serve};
use crate::support::{Sandbox, native_architecture};

/// A call that a hostile BuildKit makes on each session.
#[derive(Clone)]
struct Call {
    method: &'static str,
    headers: &'static [(&'static str, &'static str)],
    frames: Bytes,
}

/// A BuildKit that makes a call, and runs as long as this value exists.
struct Hostile(#[expect(dead_code, reason = "it runs the daemon")] Runtime);

impl Hostile {
    fn start(socket: &Path, call: Call) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let inside = runtime.enter();
        let listener = tokio::net::UnixListener::bind(socket).expect("bound");
        drop(inside);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Answers(call.clone())));
            }
        });
        Self(runtime)
    }
}

struct Answers(Call);

#[tonic::async_trait]
impl Daemon for Answers {
    async fn info(&self) -> Result<proto::InfoResponse, Status> {
        Ok(proto::InfoResponse::default())
    }

    async fn workers(&self) -> Result<proto::ListWorkersResponse, Status> {
        let platform = pb::Platform {
            os: "linux".into(),
            architecture: native_architecture().into(),
            ..Default::default()
        };
        let worker = types::WorkerRecord {
            platforms: vec![platform],
            ..Default::default()
        };
        Ok(proto::ListWorkersResponse {
            record: vec![worker],
        })
    }

    async fn solve(&self, _: proto::SolveRequest) -> Result<proto::SolveResponse, Status> {
        std::future::pending().await
    }

    fn status(&self) -> Statuses {
        stream::pending().boxed()
    }

    fn session(&self, request: Request<Streaming<proto::BytesMessage>>) -> Result<Tunnel, Status> {
        let (sender, mut callers) = mpsc::unbounded_channel();
        let call = self.0.clone();
        tokio::spawn(async move {
            let caller: Caller = callers.recv().await?;
            let body = packets(call.frames);
            let response = caller.start(call.method, call.headers, body).await.ok()?;
            response.into_body().collect().await.ok()
        });
        Ok(Caller::open(request, sender))
    }
}

fn frames(put: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut frames = BytesMut::new();
    put(&mut frames);
    frames.freeze()
}

fn stat(frames: &mut BytesMut, path: &str, mode: u32, link_name: &str) {
    let stat = StatRef {
        path: path.as_bytes(),
        mode,
        link_name: link_name.as_bytes(),
        ..StatRef::default()
    };
    wire::put_stat(frames, &stat);
}

/// Runs a build with this BuildKit, which must fail with a message.
#[track_caller]
fn assert_caught(call: Call, expected: &str) {
    let sandbox = Sandbox::new();
    let socket = sandbox.path("buildkit.sock");
    let _daemon = Hostile::start(&socket, call);
    let name = sandbox.remote("hostile", &socket);
    let context = Context::bare("FROM scratch\n");
    let out = sandbox.path("out");
    fs::create_dir(&out).expect("made");
    sandbox
        .buildx("build --output out")
        .argument(context.word())
        .failure(1)
        .says(&format!(
            "BuildKit violated the protocol of the build: {expected}"
        ));
    assert_eq!(fs::read_dir(&out).expect("it is there").count(), 0);
    assert!(!sandbox.path("escaped").exists());
    sandbox.buildx(&format!("rm {name}")).success();
}

#[test]
fn a_result_that_leads_out_of_its_directory() {
    let send = |frames| Call {
        method: "/moby.filesync.v1.FileSend/DiffCopy",
        headers: &[],
        frames,
    };
    assert_caught(
        send(frames(|frames| stat(frames, "../escaped", 0o644, ""))),
        "local export: the sender offered an invalid entry: path `../escaped` is not a clean relative \
         path without `..`",
    );
    assert_caught(
        send(frames(|frames| {
            stat(frames, "x", 0o644, "/etc/passwd");
        })),
        "local export: `x` is a hard link to `/etc/passwd`, which was not sent before",
    );
    assert_caught(
        send(frames(|frames| {
            wire::put_data(frames, 0, b"x");
        })),
        "local export: the sender sent content for invalid file id 0",
    );
    // Characters that control the terminal are escaped.
    assert_caught(
        send(frames(|frames| {
            stat(frames, "\u{1b}[2J/x", mode::DIRECTORY, "");
        })),
        "local export: the sender offered an invalid entry: `\\u{1b}[2J/x` is out of order: its \
         directory does not come before it",
    );
}

#[test]
fn a_request_for_a_file_that_was_not_offered() {
    assert_caught(
        Call {
            method: "/moby.filesync.v1.FileSync/DiffCopy",
            headers: &[("dir-name", "context")],
            frames: frames(|frames| wire::put_request(frames, 1000)),
        },
        "directory `context`: the receiver requested invalid file id 1000",
    );
}
