//! What the sandbox itself costs: loading, instantiating, calls in both directions.
//!
//! Medians of many runs in one process. The engine is the simulated one, so nothing else is timed.
#![expect(clippy::unwrap_used, reason = "a measurement ends where it goes wrong")]

#[path = "../tests/all/support.rs"]
#[expect(dead_code, reason = "what only tests use")]
mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iechor_sandbox::{Driver, Sandbox};

use support::{Answers, Nodes, Stage, guest};

const CALLS: u32 = 1_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    iechor_sandbox::compiler::serve_if_asked();
    if std::env::args().nth(1).as_deref() == Some(IDLE) {
        print(&idle_memory().await.to_string());
        return;
    }
    let first = Instant::now();
    let driver = Sandbox::embedded("iechor-container")
        .expect("loads")
        .expect("built in");
    row("first load in a process", first.elapsed());

    let mut loads = Vec::new();
    let mut loads_and_calls = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        let loaded = Sandbox::embedded("iechor-container")
            .expect("loads")
            .expect("built in");
        loads.push(start.elapsed());
        loaded.priority("unix:///x").await.expect("an answer");
        loads_and_calls.push(start.elapsed());
    }
    row("load the built-in driver", median(loads));
    row("load, instantiate and call it", median(loads_and_calls));

    let guest = guest();
    Sandbox::file(guest).await.expect("loads");
    let mut cached = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        let loaded = Sandbox::file(guest).await.expect("loads");
        loaded.priority("unix:///x").await.expect("an answer");
        cached.push(start.elapsed());
    }
    row("load from the cache, instantiate, call", median(cached));

    let mut pure = Vec::new();
    for _ in 0..2000 {
        let start = Instant::now();
        driver.priority("unix:///x").await.expect("an answer");
        pure.push(start.elapsed());
    }
    row("a pure call, instance included", median(pure));

    let node = Stage::new(Answers::AtOnce).with_options(&driver, &[]).await;
    let mut infos = Vec::new();
    for _ in 0..2000 {
        let start = Instant::now();
        node.info().await.expect("an answer");
        infos.push(start.elapsed());
    }
    row("info, simulated engine", median(infos));

    let guest = Sandbox::file(guest).await.expect("loads");
    let idle = boot_time(&guest, "0").await;
    let busy = boot_time(&guest, &CALLS.to_string()).await;
    row("a call to the host", busy.saturating_sub(idle) / CALLS);
    let idle = idle_memory_of_a_child();
    print(&format!("{:<40} {idle:>8} KiB", "memory of an idle driver"));
}

async fn boot_time(driver: &Arc<Driver>, calls: &str) -> Duration {
    let stage = Stage::new(Answers::AtOnce);
    let options = [("behave", "ask the time"), ("value", calls)];
    let node = stage.with_options(driver, &options).await;
    let start = Instant::now();
    node.boot().await.expect("it only asks the time");
    start.elapsed()
}

/// The argument of a child that tells what a loaded driver keeps in memory.
const IDLE: &str = "--idle-memory";

/// What a driver that is loaded and has been asked keeps in memory, beside the runtime that all
/// share; in KiB.
async fn idle_memory() -> u64 {
    let load = async |name: &str| {
        let driver = Sandbox::embedded(name).expect("loads").expect("built in");
        driver.descriptor().await.expect("an answer");
        driver
    };
    // Brings the runtime up.
    let first = load("remote").await;
    let before = resident();
    let driver = load("iechor-container").await;
    let after = resident();
    drop((first, driver));
    after.saturating_sub(before)
}

/// The memory of this process that is resident, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.expect("a figure").trim().trim_end_matches(" kB");
    figure.parse().expect("a number")
}

fn idle_memory_of_a_child() -> u64 {
    let this = std::env::current_exe().expect("a path");
    let output = Command::new(this).arg(IDLE).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("a number")
}

fn median(mut spans: Vec<Duration>) -> Duration {
    spans.sort();
    spans[spans.len() / 2]
}

fn row(what: &str, span: Duration) {
    print(&format!("{what:<40} {span:>12.2?}"));
}

#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn print(line: &str) {
    println!("{line}");
}
