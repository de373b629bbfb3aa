//! One behaviour, in a process of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use iechor_engine::model::LogStream;
use iechor_sandbox::contract::{Error, File, RemoveOptions, StopOptions};
use iechor_sandbox::{
    Driver, DriverError, Grant, Grants, Log, LogLevel, Node, NodeContext, Progress, StepId,
};
use iechor_testkit::failure_kind;
use serde::{Deserialize, Serialize};

use crate::behaviours::{Behaviour, Call};
use crate::support::{Answers, Stage, config, load, pairs};

/// The first argument of a child.
pub const MARKER: &str = "--in-a-process-of-its-own";

/// Wall time of boot; with the ten minutes of a real one the table would take an hour.
const BOOT: Duration = Duration::from_secs(8);

/// Most characters of an answer in the table.
const WORDS: usize = 110;

/// What a behaviour came to.
#[derive(Serialize, Deserialize)]
pub struct Outcome {
    /// The kind of answer.
    pub kind: String,
    /// Its words, or what came through.
    pub words: String,
    /// From the call to the answer.
    pub milliseconds: u64,
    /// The most memory that the process had, in MiB.
    pub peak: u64,
    /// What is in the engine.
    left: Vec<String>,
    /// How the next operation went.
    next: Result<(), String>,
    /// The words have what moves a cursor.
    dirty: bool,
}

impl Outcome {
    /// What is not as it has to be, where a process may have `most` MiB.
    pub fn faults(&self, behaviour: &Behaviour, most: u64) -> Vec<String> {
        let mut faults = Vec::new();
        if self.kind != behaviour.expected {
            faults.push(format!("expected {}", behaviour.expected));
        }
        if !self.left.is_empty() {
            faults.push(format!("left in the engine: {}", self.left.join(", ")));
        }
        if let Err(error) = &self.next {
            faults.push(format!("the next operation: {error}"));
        }
        if self.peak > most {
            faults.push(format!("more than {most} MiB"));
        }
        if self.dirty {
            faults.push("control characters reach the user".into());
        }
        faults
    }
}

/// Leaves the compiled component in the cache, as any earlier command would have.
#[tokio::main]
pub async fn compile(file: &str) {
    load(Path::new(file)).await;
}

/// Does it, and prints the outcome as JSON.
#[tokio::main]
pub async fn run(behaviour: &Behaviour, file: &str) {
    let driver = load(Path::new(file)).await;
    let sink = Arc::new(Sink::default());
    let stage = Stage::new(Answers::AtOnce);
    let grants = match behaviour.call {
        Call::Ordered(_) => Grants::none(),
        // It asks for everything, and gets ordinary containers.
        Call::Told(..) => Grants::new(
            &driver.descriptor().await.unwrap().capabilities,
            vec![Grant::parse("container.create").unwrap()],
        ),
    };
    let context = NodeContext {
        grants,
        progress: Arc::clone(&sink) as Arc<dyn Progress>,
        log: Arc::clone(&sink) as Arc<dyn Log>,
        boot_limit: BOOT,
        direct: None,
        ..stage.context()
    };
    let start = Instant::now();
    let result = match behaviour.call {
        Call::Ordered(function) => pure(&driver, function, behaviour.name).await,
        Call::Told(export, value) => {
            let options = [("behave", behaviour.name), ("value", value)];
            match node(&driver, &options, context.clone()).await {
                Ok(node) => call(&node, export).await,
                Err(error) => Err(error),
            }
        }
    };
    let milliseconds = start.elapsed().as_millis() as u64;
    // The memory of before the next operation.
    let peak = peak();
    let next = match behaviour.call {
        // What is wrong with a driver before its first call stays wrong.
        Call::Ordered(_) => Ok(()),
        Call::Told(..) => match node(&driver, &[], context).await {
            Ok(node) => node.boot().await,
            Err(error) => Err(error),
        },
    };
    let (kind, words) = match &result {
        Ok(words) => ("ok".to_owned(), words.clone()),
        Err(error) => (failure_kind(error).to_owned(), said(error)),
    };
    let passed = sink.bytes.load(Ordering::Relaxed);
    let words = match words.as_str() {
        "" if passed > 0 => format!("{} KiB of it reach the user", passed >> 10),
        _ => words,
    };
    let outcome = Outcome {
        dirty: sink.dirty.load(Ordering::Relaxed) > 0
            || words.chars().any(|c| c.is_control() && c != '\n'),
        kind,
        words: words.chars().take(WORDS).collect(),
        milliseconds,
        peak,
        left: stage.objects().await,
        next: next.map_err(|error| error.to_string()),
    };
    println!("{}", serde_json::to_string(&outcome).unwrap());
}

async fn node(
    driver: &Arc<Driver>,
    options: &[(&str, &str)],
    context: NodeContext,
) -> Result<Node, DriverError> {
    let config = iechor_sandbox::contract::Config {
        options: pairs(options),
        files: vec![File {
            path: "key.pem".into(),
            mode: 0o600,
            contents: b"secret key".to_vec(),
        }],
        ..config()
    };
    let (config, _) = driver.validate(&config).await?;
    Ok(driver.node(config, context))
}

async fn pure(driver: &Driver, function: &str, behaviour: &str) -> Result<String, DriverError> {
    match function {
        "describe" => Ok(driver.descriptor().await?.summary.clone()),
        "priority" => driver.priority("unix:///x").await.map(|_| String::new()),
        "validate" => {
            let config = iechor_sandbox::contract::Config {
                options: pairs(&[("behave", behaviour)]),
                ..config()
            };
            driver.validate(&config).await.map(|_| String::new())
        }
        other => panic!("no function {other}"),
    }
}

async fn call(node: &Node, export: &str) -> Result<String, DriverError> {
    let silent = |()| String::new();
    let stop = StopOptions {
        force: false,
        grace: None,
    };
    let remove = RemoveOptions {
        force: false,
        keep_state: false,
        keep_daemon: false,
    };
    match export {
        "boot" => node.boot().await.map(silent),
        "info" => node.info().await.map(|info| info.extra[0].1.clone()),
        "dial" => node.dial().await.map(|_| String::new()),
        "version" => node.version().await,
        "features" => node.features().await.map(|found| format!("{found:?}")),
        "stop" => node.stop(stop).await.map(silent),
        "remove" => node.remove(remove).await.map(silent),
        "host-gateway" => node.host_gateway().await,
        other => panic!("no export {other}"),
    }
}

/// The part of an error that is not the name of the driver.
fn said(error: &DriverError) -> String {
    match error {
        DriverError::Crashed { reason, .. } => {
            let of_the_runtime =
                |line: &str| line.starts_with("thread '") || line.starts_with("note:");
            let lines = reason.lines().map(str::trim);
            let lines: Vec<_> = lines.filter(|line| !of_the_runtime(line)).collect();
            lines.join(" ")
        }
        DriverError::OverBudget { budget, .. } => budget.clone(),
        DriverError::TimedOut { limit, .. } => format!("not done within {} s", limit.as_secs()),
        DriverError::Denied { denial, .. } => format!("{}: {}", denial.capability, denial.detail()),
        DriverError::InvalidConfiguration { issues, .. } => issues[0].message.clone(),
        DriverError::Failed {
            error: Error::Other(words),
            ..
        } => words.clone(),
        DriverError::Failed { driver, .. } => {
            let text = error.to_string();
            let its = format!("driver {driver}: ");
            text.strip_prefix(&its).unwrap_or(&text).to_owned()
        }
        other => other.to_string(),
    }
}

/// The most memory that this process had in its life, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

/// Counts what would be shown.
#[derive(Default)]
struct Sink {
    bytes: AtomicU64,
    dirty: AtomicU64,
}

impl Sink {
    fn take(&self, text: &str) {
        self.bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
        if text.chars().any(|c| c.is_control() && c != '\n') {
            self.dirty.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Progress for Sink {
    fn begin(&self, _: StepId, _: Option<StepId>, name: &str) {
        self.take(name);
    }
    fn output(&self, _: StepId, _: LogStream, data: Bytes) {
        self.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
    }
    fn count(&self, _: StepId, counter: &str, _: u64, _: Option<u64>) {
        self.take(counter);
    }
    fn finish(&self, _: StepId, outcome: Result<(), String>) {
        self.take(&outcome.err().unwrap_or_default());
    }
}

impl Log for Sink {
    fn enabled(&self, _: LogLevel) -> bool {
        true
    }
    fn write(&self, _: LogLevel, _: &str, message: &str, fields: &[(String, String)]) {
        self.take(message);
        for (name, value) in fields {
            self.take(name);
            self.take(value);
        }
    }
}
