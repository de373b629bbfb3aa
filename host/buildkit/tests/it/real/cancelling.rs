//! Builds that are cancelled, and connections that break.

use std::time::{Duration, Instant};

use iechor_buildkit::Error;
use tokio_util::sync::CancellationToken;

use super::{context_with_shell, dockerfile, session};
use crate::machine::{Machine, machine};
use crate::{solve, solve_until, vertexes};

/// Waits until a command with this text runs in the container, or does not run any more.
async fn until_running(machine: &Machine, text: &str, running: bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    // The brackets keep the search from finding itself.
    let script = format!("ps | grep -c '[s]leep {text}' || true");
    while (machine.exec(&script).trim() != "0") != running {
        assert!(
            Instant::now() < deadline,
            "sleep {text}: running should be {running}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Returns a number of seconds to sleep that no other test uses.
fn sleep_text() -> String {
    rand::random_range(100_000..999_999).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_ends_the_build() {
    let machine = machine();
    let seconds = sleep_text();
    let context = context_with_shell(machine, &format!("RUN sleep {seconds}\n"));
    let mut daemon = machine.dial().await;
    let client = &daemon.client;
    let child = &mut daemon.child;
    let killing = async {
        until_running(machine, &seconds, true).await;
        child.kill().await.unwrap();
        Instant::now()
    };
    let ((result, _), killed) = tokio::join!(
        solve(client, dockerfile(vec![]), session(&context)),
        killing
    );
    assert!(
        killed.elapsed() < Duration::from_secs(3),
        "{:?}",
        killed.elapsed()
    );
    let error = result.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    until_running(machine, &seconds, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_build_stops_on_the_daemon() {
    let machine = machine();
    let seconds = sleep_text();
    let context = context_with_shell(machine, &format!("RUN sleep {seconds}\n"));
    let daemon = machine.dial().await;
    let cancel = CancellationToken::new();
    let cancelling = async {
        until_running(machine, &seconds, true).await;
        cancel.cancel();
        Instant::now()
    };
    let build = solve_until(
        &daemon.client,
        dockerfile(vec![]),
        session(&context),
        cancel.clone(),
    );
    let ((result, statuses), cancelled) = tokio::join!(build, cancelling);
    assert!(
        cancelled.elapsed() < Duration::from_secs(4),
        "{:?}",
        cancelled.elapsed()
    );
    eprintln!("returned {:?} after the cancellation", cancelled.elapsed());
    assert!(matches!(result.unwrap_err(), Error::Cancelled));
    let vertexes = vertexes(&statuses);
    let run = vertexes
        .iter()
        .find(|vertex| vertex.name.contains("RUN"))
        .unwrap();
    assert!(run.error.ends_with("context canceled"), "{run:?}");
    until_running(machine, &seconds, false).await;

    // The connection still works. A dropped build stops as well.
    let seconds = sleep_text();
    let context = context_with_shell(machine, &format!("RUN sleep {seconds}\n"));
    tokio::select! {
        (result, _) = solve(&daemon.client, dockerfile(vec![]), session(&context)) => panic!("{result:?}"),
        () = until_running(machine, &seconds, true) => {}
    }
    until_running(machine, &seconds, false).await;
    daemon.client.version().await.unwrap();
}
