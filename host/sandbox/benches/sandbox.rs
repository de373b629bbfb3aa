//! What the sandbox itself costs: loading, instantiating, calls in both directions.
//!
//! Medians of many runs in one process. The engine is the simulated one, so nothing else is timed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use iechor_engine::BoxByteStream;
use iechor_engine::simulated::SimulatedEngine;
use iechor_sandbox::contract::Config;
use iechor_sandbox::report::{NoLog, NoProgress};
use iechor_sandbox::{
    BuildKit, BuildKitClient, Driver, Node, NodeContext, Sandbox, SystemDialer, limits,
};

const CALLS: u32 = 1_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
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

    let guest = build_guest();
    Sandbox::file(guest.as_ref()).await.expect("loads");
    let mut cached = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        let loaded = Sandbox::file(guest.as_ref()).await.expect("loads");
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

    let node = node(&driver, Vec::new()).await;
    let mut infos = Vec::new();
    for _ in 0..2000 {
        let start = Instant::now();
        node.info().await.expect("an answer");
        infos.push(start.elapsed());
    }
    row("info, simulated engine", median(infos));

    let guest = Sandbox::file(guest.as_ref()).await.expect("loads");
    let idle = boot_time(&guest, "0").await;
    let busy = boot_time(&guest, &CALLS.to_string()).await;
    row("a call to the host", busy.saturating_sub(idle) / CALLS);
}

async fn boot_time(driver: &Arc<Driver>, calls: &str) -> Duration {
    let options = vec![
        ("behave".to_owned(), "ask the time".to_owned()),
        ("value".to_owned(), calls.to_owned()),
    ];
    let node = node(driver, options).await;
    let start = Instant::now();
    node.boot().await.expect("it only asks the time");
    start.elapsed()
}

async fn node(driver: &Arc<Driver>, options: Vec<(String, String)>) -> Node {
    let config = Config {
        name: "bench0".into(),
        endpoint: "simulated".into(),
        options,
        buildkitd_flags: Vec::new(),
        files: Vec::new(),
        platforms: Vec::new(),
        extra: Vec::new(),
    };
    let (config, _) = driver.validate(&config).await.expect("in order");
    driver.node(
        config,
        NodeContext {
            builder: "bench".into(),
            engine: Some(Arc::new(SimulatedEngine::new())),
            grants: iechor_sandbox::Grants::none(),
            buildkit: Arc::new(Nobody),
            dialer: Arc::new(SystemDialer),
            progress: Arc::new(NoProgress),
            log: Arc::new(NoLog),
            cancel: Default::default(),
            boot_limit: limits::BOOT,
        },
    )
}

struct Nobody;

#[async_trait]
impl BuildKit for Nobody {
    async fn connect(&self, _: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        Err("nobody is asked".into())
    }
}

/// The guest whose behaviour its options choose, as the tests build it.
fn build_guest() -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target: PathBuf = workspace.join("target/guests");
    let built = Command::new(env!("CARGO"))
        .current_dir(&workspace)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "iechor-guest-misbehaving",
        ])
        .args([
            "--profile",
            "guest",
            "--target",
            "wasm32-wasip2",
            "--target-dir",
        ])
        .arg(&target)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the guest cannot be built");
    let file = target.join("wasm32-wasip2/guest/iechor_guest_misbehaving.wasm");
    file.display().to_string()
}

fn median(mut spans: Vec<Duration>) -> Duration {
    spans.sort();
    spans[spans.len() / 2]
}

#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn row(what: &str, span: Duration) {
    println!("{what:<40} {span:>12.2?}");
}
