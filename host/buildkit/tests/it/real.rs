//! Builds on a real BuildKit.

mod answers;
mod cancelling;
mod content;
mod gateway;
mod transfers;

use std::fs;
use std::path::Path;

use iechor_buildkit::{
    Code, Error, ExportTarget, Exporter, PruneRequest, Session, SessionBuilder, SolveRequest,
    new_id, source_snippet,
};
use tempfile::TempDir;

use crate::machine::{Machine, machine};
use crate::{solve, vertexes};

/// Creates a build context with a Dockerfile.
fn context(dockerfile: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("Dockerfile"), dockerfile).unwrap();
    directory
}

/// Creates a build context whose Dockerfile can run commands. `dockerfile` follows `FROM` and the
/// shell.
fn context_with_shell(machine: &Machine, dockerfile: &str) -> TempDir {
    let directory = context(&format!("FROM scratch\nADD busybox.tar /\n{dockerfile}"));
    fs::copy(&machine.base, directory.path().join("busybox.tar")).unwrap();
    directory
}

fn offering(context: &Path) -> SessionBuilder {
    Session::builder()
        .shared_key(context.to_string_lossy())
        .directory("context", context)
        .directory("dockerfile", context)
}

fn session(context: &TempDir) -> Session {
    offering(context.path()).build()
}

fn to_directory(path: &Path) -> Exporter {
    Exporter {
        kind: "local".into(),
        target: ExportTarget::Directory(path.to_owned()),
        ..Exporter::default()
    }
}

async fn to_file(kind: &str, path: &Path) -> Exporter {
    Exporter {
        kind: kind.into(),
        target: ExportTarget::Stream(Box::new(tokio::fs::File::create(path).await.unwrap())),
        ..Exporter::default()
    }
}

fn dockerfile(exporters: Vec<Exporter>) -> SolveRequest {
    SolveRequest {
        exporters,
        ..SolveRequest::dockerfile()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn version_and_workers() {
    let daemon = machine().dial().await;
    let version = daemon.client.version().await.unwrap().unwrap();
    assert!(version.version.starts_with('v'), "{version:?}");
    assert_eq!(version.package, "github.com/moby/buildkit");
    let workers = daemon.client.workers().await.unwrap();
    let worker = &workers[0];
    assert!(worker.id.len() > 10);
    assert!(
        worker
            .labels
            .contains_key("org.mobyproject.buildkit.worker.executor")
    );
    assert!(
        worker
            .platforms
            .iter()
            .any(|platform| platform.to_string() == "linux/amd64")
    );
    assert!(!worker.gc_policy.is_empty());
    eprintln!("{version:?} {worker:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syntax_error_names_its_place() {
    let context = context("FROM scratch\n\nFROB nicate\nCOPY a b\n");
    let daemon = machine().dial().await;
    let (result, _) = solve(&daemon.client, dockerfile(vec![]), session(&context)).await;
    let error = result.unwrap_err();
    assert!(
        error.to_string().starts_with(
            "failed to solve: dockerfile parse error on line 3: unknown instruction: FROB"
        ),
        "{error}"
    );
    assert_eq!(
        source_snippet(&error.sources()[0]).join("\n") + "\n",
        "Dockerfile:3\n--------------------\n   1 |     FROM scratch\n   2 |     \n   3 | >>> FROB nicate\n   4 |     COPY a b\n   5 |     \n--------------------\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_names_its_place_and_vertex() {
    let machine = machine();
    let context = context_with_shell(machine, "RUN echo out; echo err >&2; exit 7\n");
    let daemon = machine.dial().await;
    let (result, statuses) = solve(&daemon.client, dockerfile(vec![]), session(&context)).await;
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to solve: process \"/bin/sh -c echo out; echo err >&2; exit 7\" did not complete successfully: exit code: 7"
    );
    assert_eq!(error.code(), Some(Code::Unknown));
    assert!(
        source_snippet(&error.sources()[0])
            .join("\n")
            .contains("   3 | >>> RUN echo out")
    );
    let Error::Solve(error) = error else {
        panic!("{error}")
    };
    let vertexes = vertexes(&statuses);
    let failed = vertexes
        .iter()
        .find(|vertex| !vertex.error.is_empty())
        .unwrap();
    assert_eq!(error.vertex.as_ref(), Some(&failed.digest));
    let output = |stream| -> Vec<u8> {
        let logs = statuses.iter().flat_map(|status| &status.logs);
        logs.filter(|log| log.stream == stream && log.vertex == failed.digest)
            .flat_map(|log| log.data.to_vec())
            .collect()
    };
    assert_eq!(
        (output(1), output(2)),
        (b"out\n".to_vec(), b"err\n".to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_is_listed_and_pruned() {
    // The daemon is shared, so a filter leaves out the records of other tests.
    let context = context("FROM scratch\nCOPY mark /\n");
    fs::write(context.path().join("mark"), new_id()).unwrap();
    let daemon = machine().dial().await;
    let (result, _) = solve(&daemon.client, dockerfile(vec![]), session(&context)).await;
    result.unwrap();
    let all = daemon.client.disk_usage(Vec::new()).await.unwrap();
    let copy = all
        .iter()
        .find(|record| record.description.contains("COPY mark"))
        .unwrap();
    assert_eq!(copy.record_type, "regular");
    assert!(copy.size > 0 && !copy.in_use);
    let filter = vec![format!("id=={}", copy.id)];
    assert_eq!(
        daemon.client.disk_usage(filter.clone()).await.unwrap(),
        std::slice::from_ref(copy)
    );

    let (sender, mut receiver) = tokio::sync::mpsc::channel(9);
    let request = PruneRequest {
        filters: filter.clone(),
        ..PruneRequest::default()
    };
    daemon.client.prune(request, sender).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().id, copy.id);
    assert!(receiver.recv().await.is_none());
    assert!(daemon.client.disk_usage(filter).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_share_a_connection() {
    let contexts: Vec<_> = (0..2)
        .map(|n| {
            let context = context("FROM scratch\nCOPY file /\n");
            fs::write(context.path().join("file"), format!("{n} {}", new_id())).unwrap();
            context
        })
        .collect();
    let daemon = machine().dial().await;
    let build = async |context: &TempDir| {
        let out = TempDir::new().unwrap();
        let request = dockerfile(vec![to_directory(out.path())]);
        let (result, statuses) = solve(&daemon.client, request, session(context)).await;
        result.unwrap();
        assert!(!statuses.is_empty());
        assert_eq!(
            fs::read(out.path().join("file")).unwrap(),
            fs::read(context.path().join("file")).unwrap()
        );
    };
    tokio::join!(build(&contexts[0]), build(&contexts[1]));
}
