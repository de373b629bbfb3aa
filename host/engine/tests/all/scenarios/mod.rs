//! The same calls on the simulated and on the real engine give the same results.

mod commands;
mod containers;
mod objects;

use std::fmt::Debug;
use std::time::Duration;

use iechor_engine::model::{Container, ExecSpec, LogStream};
use iechor_engine::simulated::{Behavior, Command, SimulatedEngine};
use iechor_engine::{Engine, EngineError};
use tokio::io::AsyncWriteExt;

use crate::support::{self, Names};

const STAYS: [&str; 2] = ["sleep", "600"];
/// The engine reads stdout and stderr independently: without the pause, their order is random.
const ENDS: [&str; 3] = [
    "sh",
    "-c",
    "echo one; echo two; sleep 0.3; echo three >&2; exit 3",
];
const MISSING: [&str; 1] = ["no-such-program"];

/// The results of a scenario.
struct Seen<'a> {
    names: &'a Names,
    lines: Vec<String>,
}

impl Seen<'_> {
    fn note(&mut self, what: &str, value: impl Debug) {
        let line = format!("{what}: {value:?}");
        self.lines.push(line.replace(self.names.base(), "TEST"));
    }

    /// Notes what a result means, without the text, in which engines differ.
    fn result<T: Debug>(&mut self, what: &str, result: Result<T, EngineError>) {
        match result {
            Ok(value) => self.note(what, value),
            Err(e) => self.note(what, meaning(&e)),
        }
    }

    fn done<T>(&mut self, what: &str, result: Result<T, EngineError>) {
        self.result(what, result.map(|_| ()));
    }
}

fn meaning(error: &EngineError) -> String {
    match error {
        EngineError::NotFound { .. } | EngineError::AlreadyExists { .. } => error.to_string(),
        EngineError::Conflict(_) => "conflict".into(),
        EngineError::Refused { status, .. } => format!("refused {status}"),
        EngineError::CannotStart {
            container, command, ..
        } => format!("cannot start {command} in {container}"),
        other => format!("{other:?}"),
    }
}

/// Returns the properties that are the same on every engine.
fn shown(container: &Container) -> impl Debug + use<> {
    let mut labels = container.labels.clone();
    labels.remove("iechor.test");
    (
        container.name.clone(),
        container.status,
        container.image.clone(),
        labels,
        container.mounts.clone(),
        container.exit_code,
        container.out_of_memory,
        !container.error.is_empty(),
        container.started_at.is_some(),
    )
}

fn exec(command: &[&str]) -> ExecSpec {
    ExecSpec {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        ..ExecSpec::default()
    }
}

/// Returns a simulated engine on which the scenarios' commands do what busybox does.
fn simulated() -> SimulatedEngine {
    let engine = SimulatedEngine::new();
    engine.on_start(|spec| {
        let command: Vec<_> = spec.command.iter().map(String::as_str).collect();
        Some(match command.as_slice() {
            command if command == STAYS => Behavior::stays_up(),
            command if command == ENDS => Behavior::exits(3)
                .with_log(LogStream::Stdout, "one")
                .with_log(LogStream::Stdout, "two")
                .with_log(LogStream::Stderr, "three"),
            command if command == MISSING => Behavior::never_starts("executable file not found"),
            other => panic!("what does {other:?} do?"),
        })
    });
    engine.on_command(|_, exec| {
        let command: Vec<_> = exec.command.iter().map(String::as_str).collect();
        match command.as_slice() {
            ["true"] => Command::prints(""),
            ["sh", "-c", "echo out; echo err >&2; exit 3"] => Command::Exits {
                code: 3,
                stdout: "out\n".into(),
                stderr: "err\n".into(),
            },
            ["sh", "-c", "exit 127"] => Command::fails(127, ""),
            ["sh", "-c", "printf 'text\\r\\n'; exec cat"] => Command::serves(|mut io| async move {
                io.stream.write_all(b"text\r\n").await.expect("a reader");
                copy(io.stream).await
            }),
            ["cat"] => Command::serves(|io| copy(io.stream)),
            ["sh", "-c", "cat; echo after >&2"] => Command::serves(|io| async move {
                let code = copy(io.stream).await;
                io.stderr.write("after\n");
                code
            }),
            ["cat", path] => Command::Exits {
                code: 0,
                stdout: format!("contents of {path}").into(),
                stderr: Vec::new(),
            },
            _ => Command::no_such_program(exec),
        }
    });
    engine
}

async fn copy(stream: iechor_engine::BoxByteStream) -> i64 {
    let (mut from, mut to) = tokio::io::split(stream);
    let result = tokio::io::copy(&mut from, &mut to).await;
    i64::from(result.is_err())
}

/// Runs a scenario on both engines and compares.
macro_rules! scenarios {
    ($group:ident: $($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let real = support::real().await;
            let names = Names::new(Some(&real));
            let mut on_real = Seen { names: &names, lines: Vec::new() };
            $group::$name(&real, &mut on_real).await;

            let simulated = simulated();
            support::load(&simulated, support::image()).await;
            let same = names.again(None);
            let mut on_simulated = Seen { names: &same, lines: Vec::new() };
            $group::$name(&simulated, &mut on_simulated).await;

            assert!(!on_real.lines.is_empty());
            assert_eq!(
                on_simulated.lines.join("\n"),
                on_real.lines.join("\n"),
                "left is simulated, right is real"
            );
        }
    )*};
}

scenarios!(containers: life_of_a_container, a_container_that_ends, a_container_that_cannot_start, restarts, names_and_what_is_missing, refused_settings);
scenarios!(commands: files, commands, streams, commands_where_none_can_run);
scenarios!(objects: volumes, networks, images, lists, anything);

/// Waits until a container has the expected state.
async fn wait_for(
    engine: &dyn Engine,
    name: &str,
    is: impl Fn(&Container) -> bool,
) -> Option<Container> {
    let mut seen = None;
    for _ in 0..200 {
        seen = engine.inspect_container(name).await.expect("an answer");
        if seen.as_ref().is_some_and(&is) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name} never had the expected state: {seen:?}");
}
