//! The client against a fake daemon with faults (`fake`), which also calls the session (`session`, `auth`,
//! `secrets`, `ssh`, `content`, `hostile`), and against a real BuildKit (`real`).

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    reason = "these are tests"
)]

mod auth;
mod caller;
mod calling;
mod content;
mod control;
mod fake;
mod gateway;
mod history;
mod hostile;
mod machine;
mod real;
mod secrets;
mod session;
mod ssh;
mod upload;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use iechor_buildkit::status::{SolveStatus, Vertex};
use iechor_buildkit::{Client, Error, Session, SolveRequest, SolveResponse};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

/// Runs a build that is not cancelled, and returns everything that it reported.
async fn solve(
    client: &Client,
    request: SolveRequest,
    session: Session,
) -> (Result<SolveResponse, Error>, Vec<SolveStatus>) {
    solve_until(client, request, session, CancellationToken::new()).await
}

async fn solve_until(
    client: &Client,
    request: SolveRequest,
    session: Session,
    cancel: CancellationToken,
) -> (Result<SolveResponse, Error>, Vec<SolveStatus>) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let collect = async {
        let mut all = Vec::new();
        while let Some(status) = receiver.recv().await {
            all.push(status);
        }
        all
    };
    let build = client.solve(request, session, sender, cancel);
    let both = async { tokio::join!(build, collect) };
    tokio::time::timeout(Duration::from_secs(120), both)
        .await
        .expect("the build neither ended nor failed within two minutes")
}

/// Returns the last state of every vertex.
fn vertexes(statuses: &[SolveStatus]) -> Vec<Vertex> {
    let mut last: Vec<Vertex> = Vec::new();
    for vertex in statuses.iter().flat_map(|status| &status.vertexes) {
        match last.iter_mut().find(|known| known.digest == vertex.digest) {
            Some(known) => *known = vertex.clone(),
            None => last.push(vertex.clone()),
        }
    }
    last
}

/// Counts the bytes that go through a stream.
struct Counted<S> {
    stream: S,
    written: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.written.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
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

/// Recorded from buildx 0.29.1. The `definition` of the warning's `sourceInfo` is left out; it only
/// repeats where the Dockerfile came from.
#[test]
fn status_is_written_as_buildx_writes_it() {
    for line in include_str!("buildx-rawjson.txt").lines() {
        let status: SolveStatus = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&status).unwrap(), line);
    }
}

/// Callers run builds in spawned tasks.
#[test]
fn builds_are_send() {
    fn is_send_and_sync<T: Send + Sync>() {}
    fn is_send<T: Send>(_: impl Fn(&'static Client) -> T) {}
    is_send_and_sync::<Client>();
    is_send_and_sync::<Error>();
    is_send(|client| {
        let (sender, _) = tokio::sync::mpsc::channel(1);
        let session = Session::builder().build();
        client.solve(
            SolveRequest::dockerfile(),
            session,
            sender,
            CancellationToken::new(),
        )
    });
}
