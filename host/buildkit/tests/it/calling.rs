//! Builds whose session is called by a test.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use iechor_buildkit::{Error, Session, SolveRequest, SolveResponse};
use tokio::sync::mpsc;

use crate::caller::Caller;
use crate::fake::{Script, daemon, status_of};
use crate::solve;

/// A daemon that does not end a build, and passes on its end of each session.
fn endless(callers: mpsc::UnboundedSender<Caller>) -> Script {
    Script {
        solve: None,
        callers: Some(callers),
        // The client gives up on a silent daemon.
        status: Arc::new(|| {
            stream::repeat_with(|| Ok(status_of(1)))
                .then(async |status| {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    status
                })
                .boxed()
        }),
        ..Script::default()
    }
}

/// Runs a build that does not end by itself, and calls its session.
pub async fn calling<T>(
    session: Session,
    request: SolveRequest,
    test: impl AsyncFnOnce(Caller) -> T,
) -> T {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (client, _daemon) = daemon(endless(sender)).await;
    tokio::select! {
        (result, _) = solve(&client, request, session) => panic!("the build ended: {result:?}"),
        value = async { test(receiver.recv().await.expect("a session")).await } => value,
    }
}

/// Runs a build until it ends because of a call of its session. The call may go on until then.
pub async fn ended_by(
    session: Session,
    request: SolveRequest,
    call: impl AsyncFnOnce(Caller),
) -> Result<SolveResponse, Error> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (client, _daemon) = daemon(endless(sender)).await;
    let build = solve(&client, request, session);
    let calls = async {
        call(receiver.recv().await.expect("a session")).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        (result, _) = build => result,
        () = calls => unreachable!("it does not end"),
    }
}
