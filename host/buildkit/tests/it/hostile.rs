//! File transfers of a hostile daemon: it gets nothing, and the error of the build says what it tried,
//! although this daemon does not repeat it and never ends the build.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use iechor_buildkit::{Error, ExportTarget, Session, SolveRequest};
use iechor_fsutil::mode;
use iechor_fsutil::wire::{self, StatRef};
use tempfile::TempDir;
use tonic::Code;

use crate::caller::{Caller, open, packets};
use crate::calling::{calling, ended_by};
use crate::session::{exporting, to_directory};

const FILE_SYNC: &str = "/moby.filesync.v1.FileSync/DiffCopy";
const FILE_SEND: &str = "/moby.filesync.v1.FileSend/DiffCopy";

/// Starts a call that sends some packets and goes on.
async fn attack(caller: &Caller, path: &str, headers: &[(&str, &str)], frames: &Bytes) {
    let response = caller.start(path, headers, packets(frames.clone())).await;
    // What comes back is read, as a real daemon does.
    if let Ok(response) = response {
        let _ = response.into_body().collect().await;
    }
}

fn frames(put: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut frames = BytesMut::new();
    put(&mut frames);
    frames.freeze()
}

fn stat(frames: &mut BytesMut, path: &str, mode: u32, size: i64, link_name: &str) {
    let stat = StatRef {
        path: path.as_bytes(),
        mode,
        size,
        link_name: link_name.as_bytes(),
        ..StatRef::default()
    };
    wire::put_stat(frames, &stat);
}

/// A message with a field that is not closed.
fn garbage(frames: &mut BytesMut) {
    frames.extend_from_slice(b"\0\0\0\0\x03\xff\xff\xff");
}

#[track_caller]
fn assert_violation(outcome: &Result<iechor_buildkit::SolveResponse, Error>, expected: &str) {
    let error = outcome.as_ref().unwrap_err();
    assert!(matches!(error, Error::Violation { .. }), "{error:?}");
    let expected = format!("BuildKit violated the protocol of the build: {expected}");
    assert_eq!(error.to_string(), expected);
}

/// A context with an entry 0, `Dockerfile`, and 1, the directory `dir`.
fn context() -> TempDir {
    let context = TempDir::new().unwrap();
    fs::write(context.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    fs::create_dir(context.path().join("dir")).unwrap();
    context
}

#[tokio::test]
async fn requests_for_what_was_not_offered_end_the_build() {
    for (put, expected) in [
        (
            &(|frames: &mut BytesMut| wire::put_request(frames, 7)) as &dyn Fn(&mut BytesMut),
            "the receiver requested invalid file id 7",
        ),
        (
            &|frames| wire::put_request(frames, u32::MAX),
            "the receiver requested invalid file id 4294967295",
        ),
        (
            &|frames| wire::put_data(frames, 0, b"x"),
            "the receiver sent an unexpected packet of kind 2",
        ),
        (
            &|frames| stat(frames, "x", 0o644, 0, ""),
            "the receiver sent an unexpected packet of kind 0",
        ),
        (
            &|frames| garbage(frames),
            "the receiver sent a malformed packet: failed to decode Protobuf message: invalid varint",
        ),
    ] {
        let context = context();
        let session = Session::builder()
            .directory("context", context.path())
            .build();
        let frames = frames(put);
        let outcome = ended_by(session, SolveRequest::dockerfile(), async |caller| {
            attack(&caller, FILE_SYNC, &[("dir-name", "context")], &frames).await;
        })
        .await;
        assert_violation(&outcome, &format!("directory `context`: {expected}"));
    }
}

/// With a filter that the daemon itself chose, so a number of a file that it excluded is none.
#[tokio::test]
async fn requests_for_excluded_files_end_the_build() {
    let context = context();
    let session = Session::builder()
        .directory("context", context.path())
        .build();
    let frames = frames(|frames| wire::put_request(frames, 1));
    let headers = [("dir-name", "context"), ("exclude-patterns", "dir")];
    let outcome = ended_by(session, SolveRequest::dockerfile(), async |caller| {
        attack(&caller, FILE_SYNC, &headers, &frames).await;
    })
    .await;
    assert_violation(
        &outcome,
        "directory `context`: the receiver requested invalid file id 1",
    );
}

/// A frontend may ask for directories and exporters that there are not, so this ends only the call.
#[tokio::test]
async fn what_a_build_does_not_have_is_only_refused() {
    let context = context();
    let out = TempDir::new().unwrap();
    let session = Session::builder()
        .directory("context", context.path())
        .build();
    calling(session, to_directory(out.path()), async |caller| {
        for id in ["1", "-1", "x", "", "18446744073709551616"] {
            let headers = [("buildkit-attachable-exporter-id", id)];
            let status = caller.call(FILE_SEND, &headers, open()).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{id}: {status}");
        }
        let long = "x".repeat(20_000);
        for (name, value, expected) in [
            (
                "exclude-patterns",
                "[",
                "invalid exclude pattern: syntax error in pattern `[`",
            ),
            (
                "include-patterns",
                "!",
                "invalid include pattern: illegal exclusion pattern",
            ),
            (
                "exclude-patterns",
                &long,
                "a pattern of 20000 bytes is longer than 16384 bytes",
            ),
            (
                "include-patterns",
                r"x\q",
                "pattern `x\\q` cannot be matched",
            ),
        ] {
            let headers = [("dir-name", "context"), (name, value)];
            let status = caller.call(FILE_SYNC, &headers, open()).await.unwrap_err();
            assert!(status.message().contains(expected), "{value}: {status}");
        }
        // The session still serves.
        let headers = [("dir-name", "context")];
        let frames = frames(wire::put_finish);
        caller
            .call(FILE_SYNC, &headers, packets(frames))
            .await
            .unwrap();
    })
    .await;
}

/// Calls that begin with these packets, and the error.
type Attack = (&'static str, &'static dyn Fn(&mut BytesMut), &'static str);

const ATTACKS: &[Attack] = &[
    (
        "a path above",
        &|frames| stat(frames, "../escaped", 0o644, 0, ""),
        "the sender offered an invalid entry: path `../escaped` is not a clean relative path without \
         `..`",
    ),
    (
        "an absolute path",
        &|frames| stat(frames, "/tmp/escaped", 0o644, 0, ""),
        "the sender offered an invalid entry: path `/tmp/escaped` is not a clean relative path without \
         `..`",
    ),
    (
        "a path through a directory and back",
        &|frames| {
            stat(frames, "a", mode::DIRECTORY | 0o755, 0, "");
            stat(frames, "a/../../escaped", 0o644, 0, "");
        },
        "the sender offered an invalid entry: path `a/../../escaped` is not a clean relative path \
         without `..`",
    ),
    (
        "a file below a symlink that leads out",
        &|frames| {
            stat(frames, "link", mode::SYMLINK | 0o777, 0, "../outside");
            stat(frames, "link/escaped", 0o644, 0, "");
        },
        "the sender offered an invalid entry: `link/escaped` is out of order: its directory does not \
         come before it",
    ),
    (
        "a file below a symlink that was there",
        &|frames| stat(frames, "there/escaped", 0o644, 0, ""),
        "the sender offered an invalid entry: `there/escaped` is out of order: its directory does not \
         come before it",
    ),
    (
        "a hard link to a file outside",
        &|frames| stat(frames, "x", 0o644, 0, "../outside/kept"),
        "`x` is a hard link to `../outside/kept`, which was not sent before",
    ),
    (
        "a hard link to a symlink that was sent",
        &|frames| {
            stat(frames, "link", mode::SYMLINK | 0o777, 0, "../outside/kept");
            stat(frames, "x", 0o644, 0, "link");
        },
        "`x` is a hard link to `link`, which was not sent before",
    ),
    (
        "the same entry twice",
        &|frames| {
            stat(frames, "a", mode::DIRECTORY | 0o755, 0, "");
            stat(frames, "a", mode::SYMLINK | 0o777, 0, "../outside");
        },
        "the sender offered an invalid entry: `a` is out of order: it comes after `a`",
    ),
    (
        "content for nothing",
        &|frames| wire::put_data(frames, 3, b"x"),
        "the sender sent content for invalid file id 3",
    ),
    (
        "more content than announced",
        &|frames| {
            stat(frames, "x", 0o644, 1, "");
            wire::put_data(frames, 0, b"12");
        },
        "the sender sent more than the 1 bytes of `x`",
    ),
    (
        "less content than announced",
        &|frames| {
            stat(frames, "x", 0o644, i64::MAX, "");
            wire::put_data(frames, 0, b"");
        },
        "the sender sent only 0 of the 9223372036854775807 bytes of `x`",
    ),
    (
        "a negative size",
        &|frames| stat(frames, "x", 0o644, -1, ""),
        "the sender offered `x` with the invalid size -1",
    ),
    (
        "an end before anything",
        &|frames| wire::put_finish(frames),
        "the sender sent an unexpected packet of kind 3",
    ),
    (
        "a request",
        &|frames| wire::put_request(frames, 0),
        "the sender sent an unexpected packet of kind 1",
    ),
    (
        "no message",
        &|frames| garbage(frames),
        "the sender sent a malformed packet: failed to decode Protobuf message: invalid varint",
    ),
];

#[tokio::test]
async fn an_export_that_leads_elsewhere_ends_the_build() {
    for (what, put, expected) in ATTACKS {
        let outer = TempDir::new().unwrap();
        let at = |path: &str| outer.path().join(path);
        fs::create_dir(at("outside")).unwrap();
        fs::write(at("outside/kept"), "kept").unwrap();
        fs::create_dir(at("out")).unwrap();
        symlink("../outside", at("out/there")).unwrap();
        let frames = frames(put);
        let session = Session::builder().build();
        let outcome = ended_by(session, to_directory(&at("out")), async |caller| {
            attack(&caller, FILE_SEND, &[], &frames).await;
        })
        .await;
        assert_violation(&outcome, &format!("local export: {expected}"));
        let names = |path: &str| {
            let mut names: Vec<_> = fs::read_dir(at(path))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(""), ["out", "outside"], "{what}");
        assert_eq!(names("outside"), ["kept"], "{what}");
        assert_eq!(fs::read_to_string(at("outside/kept")).unwrap(), "kept");
        assert!(
            names("out").iter().all(|name| !name.contains("tmp")),
            "{what}"
        );
        assert!(!Path::new("/tmp/escaped").exists());
    }
}

/// A result for a pipe that is not a message.
#[tokio::test]
async fn a_stream_of_something_else_ends_the_build() {
    let request = exporting("tar", ExportTarget::Stream(Box::new(tokio::io::sink())));
    let frames = frames(garbage);
    let outcome = ended_by(Session::builder().build(), request, async |caller| {
        attack(&caller, FILE_SEND, &[], &frames).await;
    })
    .await;
    assert_violation(
        &outcome,
        "tar export: failed to decode Protobuf message: invalid varint",
    );
}

/// A daemon that stops in the middle of a result: what came is not taken for the whole, and nothing
/// else of the session waits.
#[tokio::test]
async fn a_result_that_stalls_holds_nothing_up() {
    let out = TempDir::new().unwrap();
    let context = context();
    let session = Session::builder()
        .directory("context", context.path())
        .build();
    calling(session, to_directory(out.path()), async |caller| {
        let frames = frames(|frames| {
            stat(frames, "x", 0o644, 10, "");
            wire::put_data(frames, 0, b"12345");
        });
        let stalled = caller.clone();
        let stalled = tokio::spawn(async move {
            attack(&stalled, FILE_SEND, &[], &frames).await;
        });
        let headers = [("dir-name", "context")];
        let finish = self::frames(wire::put_finish);
        caller
            .call(FILE_SYNC, &headers, packets(finish))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!stalled.is_finished());
        assert!(!out.path().join("x").exists());
        stalled.abort();
    })
    .await;
    // The end of the build removes what is not whole.
    for _ in 0..1000 {
        if fs::read_dir(out.path()).unwrap().count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("something is left");
}
