//! What the language of a driver costs: the same work by the built-in driver, in Rust, and by the
//! example in Python, both loaded from files.
//!
//! Medians in one process, but for memory, which is that of a process with the driver and nothing
//! else. The engine is the simulated one, so nothing else is timed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use iechor_engine::BoxByteStream;
use iechor_engine::model::Platform;
use iechor_engine::simulated::{Command as Program, SimulatedEngine};
use iechor_sandbox::contract::Config;
use iechor_sandbox::report::{NoLog, NoProgress};
use iechor_sandbox::{
    BuildKit, BuildKitClient, BuildKitVersion, BuildKitWorker, Driver, Grants, Node, NodeContext,
    Sandbox, SystemDialer, limits,
};

/// Has this program measure its own memory with one driver, or without any where it is empty.
const MEMORY_OF: &str = "IECHOR_BENCH_MEMORY_OF";

fn main() {
    iechor_sandbox::compiler::serve_if_asked();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if let Ok(path) = std::env::var(MEMORY_OF) {
        let kept = (!path.is_empty()).then(|| {
            runtime.block_on(async {
                let driver = load(Path::new(&path)).await;
                driver.descriptor().await.expect("an answer");
                driver
            })
        });
        print(&resident_memory().to_string());
        return drop(kept);
    }

    let cache = tempfile::tempdir().expect("a directory");
    // SAFETY: nothing else runs in this process yet.
    unsafe { std::env::set_var("XDG_CACHE_HOME", cache.path()) };
    let rust = Path::new(env!("OUT_DIR")).join("iechor-container.wasm");
    let [rust, python] = [rust, python()].map(|path| runtime.block_on(figures(&path)));
    print(&format!("{:<36} {:>12} {:>12}", "", "Rust", "Python"));
    for ((what, rust), (_, python)) in rust.into_iter().zip(python) {
        print(&format!("{what:<36} {rust:>12} {python:>12}"));
    }
}

async fn figures(path: &Path) -> Vec<(&'static str, String)> {
    let size = std::fs::metadata(path).expect("built").len();
    let compiled = Instant::now();
    let driver = load(path).await;
    let compiled = compiled.elapsed();
    let (mut loads, mut descriptions) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let start = Instant::now();
        let loaded = load(path).await;
        loads.push(start.elapsed());
        // The first question; the answer is kept.
        let start = Instant::now();
        loaded.descriptor().await.expect("an answer");
        descriptions.push(start.elapsed());
    }
    let mut questions = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        driver.priority("unix:///x").await.expect("an answer");
        questions.push(start.elapsed());
    }
    let mut boots = Vec::new();
    for _ in 0..100 {
        let node = node(&driver).await;
        let start = Instant::now();
        node.boot().await.expect("it boots");
        boots.push(start.elapsed());
    }
    let idle = memory_of(Some(path)).saturating_sub(memory_of(None));
    vec![
        ("component", mebibytes(size)),
        ("compiled, the first time", format!("{compiled:.1?}")),
        ("loaded from the cache", format!("{:.1?}", median(loads))),
        (
            "describe, instance included",
            format!("{:.2?}", median(descriptions)),
        ),
        (
            "priority, instance included",
            format!("{:.2?}", median(questions)),
        ),
        ("boot, simulated engine", format!("{:.2?}", median(boots))),
        ("memory of an idle driver", mebibytes(idle)),
    ]
}

async fn load(path: &Path) -> Arc<Driver> {
    Sandbox::file(path).await.expect("loads")
}

/// A node on a simulated engine of its own, where everything is granted and BuildKit answers.
async fn node(driver: &Arc<Driver>) -> Node {
    let config = Config {
        name: "bench0".into(),
        endpoint: "simulated".into(),
        options: vec![("image".into(), "image".into())],
        buildkitd_flags: Vec::new(),
        files: Vec::new(),
        platforms: Vec::new(),
        extra: Vec::new(),
    };
    let engine = SimulatedEngine::new();
    engine.add_image("image");
    engine.on_command(|_, _| {
        Program::serves(|io| async move {
            let _open = io;
            std::future::pending().await
        })
    });
    let requests = &driver.descriptor().await.expect("an answer").capabilities;
    let (config, _) = driver.validate(&config).await.expect("in order");
    driver.node(
        config,
        NodeContext {
            builder: "bench".into(),
            engine: Some(Arc::new(engine)),
            engines: Arc::default(),
            grants: Grants::trusted(requests),
            buildkit: Arc::new(Ready),
            dialer: Arc::new(SystemDialer),
            progress: Arc::new(NoProgress),
            log: Arc::new(NoLog),
            ledger: Arc::new(iechor_sandbox::NoLedger),
            cancel: Default::default(),
            boot_limit: limits::BOOT,
            direct: None,
        },
    )
}

/// A BuildKit that answers at once.
struct Ready;

#[async_trait]
impl BuildKit for Ready {
    async fn connect(&self, _: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl BuildKitClient for Ready {
    async fn version(&self) -> Result<BuildKitVersion, String> {
        Ok(BuildKitVersion::default())
    }

    async fn workers(&self) -> Result<Vec<BuildKitWorker>, String> {
        Ok(vec![BuildKitWorker {
            id: "worker".into(),
            labels: Vec::new(),
            platforms: vec![Platform::new("linux", "amd64", "")],
        }])
    }
}

/// The example in Python, built where it is not there yet.
fn python() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python-driver");
    let built = Command::new(script).output().expect("bash runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    String::from_utf8_lossy(&built.stdout).trim_end().into()
}

/// Bytes that a process of this program holds in memory when it has loaded and asked a driver.
fn memory_of(path: Option<&Path>) -> u64 {
    let this = std::env::current_exe().expect("this program");
    let measured = Command::new(this)
        .env(MEMORY_OF, path.unwrap_or(Path::new("")))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&measured.stdout);
    text.trim().parse().expect("a number")
}

fn resident_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    1024 * kibibytes.expect("a size").parse::<u64>().expect("a number")
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn median(mut spans: Vec<Duration>) -> Duration {
    spans.sort();
    spans[spans.len() / 2]
}

#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn print(line: &str) {
    println!("{line}");
}
