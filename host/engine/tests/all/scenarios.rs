//! The same calls on the simulated and on the real engine show the same. This is what keeps the
//! simulated engine honest.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use iechor_engine::model::{
    Container, ContainerStatus, ExecSpec, File, Limits, LogStream, Mount, MountSource, NetworkSpec,
    RestartPolicy, VolumeSpec,
};
use iechor_engine::simulated::{Behavior, Command, SimulatedEngine};
use iechor_engine::{Engine, EngineError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{self, IMAGE, Names};

const STAYS: [&str; 2] = ["sleep", "600"];
/// The engine reads stdout and stderr each for itself: without the pause their order is chance.
const ENDS: [&str; 3] = [
    "sh",
    "-c",
    "echo one; echo two; sleep 0.3; echo three >&2; exit 3",
];
const MISSING: [&str; 1] = ["no-such-program"];

/// What a scenario saw.
struct Seen<'a> {
    names: &'a Names,
    lines: Vec<String>,
}

impl Seen<'_> {
    fn note(&mut self, what: &str, value: impl Debug) {
        let line = format!("{what}: {value:?}");
        self.lines.push(line.replace(self.names.base(), "TEST"));
    }

    /// A result: what it means, without the words in which engines differ.
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

/// What is the same on every engine.
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

/// A simulated engine on which this file's commands do what busybox does.
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
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let real = support::real().await;
            let names = Names::new(Some(&real));
            let mut on_real = Seen { names: &names, lines: Vec::new() };
            scenario::$name(&real, &mut on_real).await;

            let simulated = simulated();
            support::load(&simulated, support::image()).await;
            let same = names.again(None);
            let mut on_simulated = Seen { names: &same, lines: Vec::new() };
            scenario::$name(&simulated, &mut on_simulated).await;

            assert!(!on_real.lines.is_empty());
            assert_eq!(
                on_simulated.lines.join("\n"),
                on_real.lines.join("\n"),
                "left is simulated, right is real"
            );
        }
    )*};
}

scenarios!(
    life_of_a_container,
    a_container_that_ends,
    a_container_that_cannot_start,
    restarts,
    names_and_what_is_missing,
    refused_settings,
    files,
    commands,
    streams,
    commands_where_none_can_run,
    volumes,
    networks,
    images,
    lists,
    anything,
);

/// Waits until a container is as it should be.
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
    panic!("{name} never came to be as it should: {seen:?}");
}

mod scenario {
    use super::*;

    pub async fn life_of_a_container(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let mut spec = seen.names.container("c", &STAYS);
        spec.init = true;
        spec.mounts = vec![
            Mount {
                target: "/state".into(),
                source: MountSource::Volume(seen.names.of("v")),
                read_only: false,
            },
            Mount {
                target: "/memory".into(),
                source: MountSource::Tmpfs(1 << 20),
                read_only: true,
            },
            Mount {
                target: "/host".into(),
                source: MountSource::Bind("/tmp".into()),
                read_only: true,
            },
        ];
        let id = engine.create_container(&spec).await.expect("made");
        assert_eq!(id.len(), 64);
        let name = &spec.name;
        let look = async |seen: &mut Seen<'_>, what| {
            let container = engine.inspect_container(name).await.expect("an answer");
            seen.note(what, container.as_ref().map(shown));
        };
        look(seen, "created").await;
        seen.done("again", engine.create_container(&spec).await);
        let volume = engine.inspect_volume(&seen.names.of("v")).await;
        seen.result("its volume", volume.map(|v| v.is_some()));
        seen.done("start", engine.start_container(name).await);
        look(seen, "started").await;
        seen.done("start again", engine.start_container(name).await);
        let by_id = engine.inspect_container(&id[..12]).await;
        seen.result("by id", by_id.map(|c| c.map(|c| c.id == id)));
        seen.done(
            "remove while running",
            engine.remove_container(name, false).await,
        );
        let grace = Some(Duration::from_millis(1500));
        seen.done("stop", engine.stop_container(name, grace).await);
        look(seen, "stopped").await;
        seen.done("stop again", engine.stop_container(name, grace).await);
        seen.done("start once more", engine.start_container(name).await);
        look(seen, "runs again").await;
        seen.done("remove by force", engine.remove_container(name, true).await);
        look(seen, "gone").await;
        let volume = engine.inspect_volume(&seen.names.of("v")).await;
        seen.result("its volume stays", volume.map(|v| v.is_some()));
    }

    pub async fn a_container_that_ends(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let spec = seen.names.container("c", &ENDS);
        engine.create_container(&spec).await.expect("made");
        let logs = async |seen: &mut Seen<'_>, what, tail, limit| {
            let chunks = engine.container_logs(&spec.name, tail, limit).await;
            let text = |stream| {
                let chunks = chunks.as_ref().expect("a log").iter();
                let bytes: Vec<u8> = chunks
                    .filter(|c| c.stream == stream)
                    .flat_map(|c| c.data.to_vec())
                    .collect();
                String::from_utf8(bytes).expect("text")
            };
            seen.note(what, (text(LogStream::Stdout), text(LogStream::Stderr)));
        };
        logs(seen, "log before", None, 1000).await;
        seen.done("start", engine.start_container(&spec.name).await);
        let ended = wait_for(engine, &spec.name, |c| c.status == ContainerStatus::Exited).await;
        seen.note("ended", ended.as_ref().map(shown));
        logs(seen, "log", None, 1000).await;
        logs(seen, "last lines", Some(2), 1000).await;
        logs(seen, "no lines", Some(0), 1000).await;
        logs(seen, "last bytes", None, 8).await;
        seen.done("remove", engine.remove_container(&spec.name, false).await);
        let missing = engine.container_logs(&spec.name, None, 10).await;
        seen.result("no log", missing);
    }

    pub async fn a_container_that_cannot_start(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let spec = seen.names.container("c", &MISSING);
        engine.create_container(&spec).await.expect("made");
        seen.done("start", engine.start_container(&spec.name).await);
        let container = engine
            .inspect_container(&spec.name)
            .await
            .expect("an answer");
        seen.note("after", container.as_ref().map(shown));

        let mut spec = seen.names.container("n", &STAYS);
        spec.network = Some(seen.names.of("nowhere"));
        seen.done(
            "create without network",
            engine.create_container(&spec).await,
        );
        seen.done(
            "start without network",
            engine.start_container(&spec.name).await,
        );
        let container = engine
            .inspect_container(&spec.name)
            .await
            .expect("an answer");
        seen.note("after", container.as_ref().map(shown));
    }

    pub async fn restarts(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let mut spec = seen.names.container("always", &ENDS);
        spec.restart = RestartPolicy::Always;
        engine.create_container(&spec).await.expect("made");
        seen.done("start", engine.start_container(&spec.name).await);
        let restarted = wait_for(engine, &spec.name, |c| {
            c.restart_count >= 2 && c.status == ContainerStatus::Restarting
        });
        let restarted = restarted.await;
        seen.note("restarts", restarted.map(|c| (c.status, c.exit_code)));
        let run = engine
            .run_in_container(&spec.name, &exec(&["true"]), 10)
            .await;
        seen.result("a command meanwhile", run);
        seen.done("remove", engine.remove_container(&spec.name, false).await);
        seen.done("stop", engine.stop_container(&spec.name, None).await);
        let stopped = engine
            .inspect_container(&spec.name)
            .await
            .expect("an answer");
        seen.note("stopped", stopped.map(|c| c.status));

        let mut spec = seen.names.container("twice", &ENDS);
        spec.restart = RestartPolicy::OnFailure(2);
        engine.create_container(&spec).await.expect("made");
        seen.done("start", engine.start_container(&spec.name).await);
        let ended = wait_for(engine, &spec.name, |c| c.status == ContainerStatus::Exited).await;
        seen.note("gave up", ended.map(|c| (c.restart_count, c.exit_code)));
    }

    pub async fn names_and_what_is_missing(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let name = seen.names.of("nobody");
        let name = name.as_str();
        let command = exec(&["true"]);
        let inspected = engine.inspect_container(name).await;
        seen.result("inspect", inspected.map(|c| c.is_some()));
        for odd in ["", ".", "..", "a/b", "a?b", "a b"] {
            let inspected = engine.inspect_container(odd).await;
            seen.result("inspect an odd name", inspected.map(|c| c.is_some()));
        }
        seen.done("start", engine.start_container(name).await);
        seen.done("stop", engine.stop_container(name, None).await);
        seen.done("remove", engine.remove_container(name, false).await);
        seen.done("remove by force", engine.remove_container(name, true).await);
        seen.done("copy", engine.copy_into_container(name, "/", &[]).await);
        seen.done("run", engine.run_in_container(name, &command, 1).await);
        seen.done("dial", engine.dial_in_container(name, &command).await);
        seen.done("log", engine.container_logs(name, None, 1).await);
        let mut spec = seen.names.container("c", &STAYS);
        spec.image = seen.names.of("image");
        seen.done("create", engine.create_container(&spec).await);
    }

    pub async fn refused_settings(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let text = |set: &str| Some(set.to_owned());
        type Set = Box<dyn Fn(&mut Limits)>;
        let settings: Vec<(&str, Set)> = vec![
            ("little memory", Box::new(|l| l.memory = Some(1024))),
            (
                "just too little",
                Box::new(|l| l.memory = Some((6 << 20) - 1)),
            ),
            ("just enough", Box::new(|l| l.memory = Some(6 << 20))),
            ("none said", Box::new(|l| l.memory = Some(0))),
            (
                "less with swap than without",
                Box::new(|l| (l.memory, l.memory_swap) = (Some(10 << 20), Some(7 << 20))),
            ),
            ("swap alone", Box::new(|l| l.memory_swap = Some(10 << 20))),
            ("swap without end", Box::new(|l| l.memory_swap = Some(-1))),
            ("a short period", Box::new(|l| l.cpu_period = Some(10))),
            (
                "a long period",
                Box::new(|l| l.cpu_period = Some(1_000_001)),
            ),
            ("a period", Box::new(|l| l.cpu_period = Some(1_000))),
            ("a small quota", Box::new(|l| l.cpu_quota = Some(999))),
            ("a quota", Box::new(|l| l.cpu_quota = Some(1_000))),
            ("no quota", Box::new(|l| l.cpu_quota = Some(-5))),
            ("shares", Box::new(|l| l.cpu_shares = Some(1))),
            ("a processor", Box::new(move |l| l.cpuset_cpus = text("0"))),
            (
                "one too many",
                Box::new(move |l| l.cpuset_cpus = text("0,900")),
            ),
            (
                "one that is none",
                Box::new(move |l| l.cpuset_cpus = text("x")),
            ),
            (
                "turned round",
                Box::new(move |l| l.cpuset_cpus = text("1-0")),
            ),
            (
                "a memory node",
                Box::new(move |l| l.cpuset_mems = text("0")),
            ),
            (
                "one that is not",
                Box::new(move |l| l.cpuset_mems = text("9")),
            ),
        ];
        for (number, (what, set)) in settings.into_iter().enumerate() {
            let mut spec = seen.names.container(&number.to_string(), &STAYS);
            set(&mut spec.limits);
            let created = engine.create_container(&spec).await;
            // Its words are passed on, but not those about the machine.
            if let Err(EngineError::Refused { message, .. }) = &created {
                seen.note(what, message.split("available:").next());
            }
            seen.done(what, created);
        }
        let mut spec = seen.names.container("c", &STAYS);
        spec.image = seen.names.of("image");
        spec.limits.memory = Some(1024);
        seen.done("before the image", engine.create_container(&spec).await);
    }

    pub async fn files(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let spec = seen.names.container("c", &STAYS);
        engine.create_container(&spec).await.expect("made");
        let file = |path: &str| File {
            path: path.into(),
            mode: 0o640,
            contents: format!("contents of /etc/{path}").into(),
        };
        let copy = async |target, paths: &[&str]| {
            let files: Vec<_> = paths.iter().map(|path| file(path)).collect();
            engine.copy_into_container(&spec.name, target, &files).await
        };
        seen.done(
            "copy before the start",
            copy("/etc", &["a/b/c.toml", "d"]).await,
        );
        seen.done("copy nothing", copy("/etc", &[]).await);
        seen.done("copy to what was made", copy("/etc/a/b", &["e"]).await);
        seen.done("copy nowhere", copy("/nowhere", &["x"]).await);
        let bad = copy("/etc", &["../x"]).await;
        seen.note("copy out of there", bad.map_err(|e| e.to_string()));
        engine.start_container(&spec.name).await.expect("started");
        seen.done("copy while it runs", copy("/etc", &["f"]).await);
        for path in ["/etc/a/b/c.toml", "/etc/d", "/etc/f"] {
            let read = engine
                .run_in_container(&spec.name, &exec(&["cat", path]), 100)
                .await;
            seen.result("read", read.map(|r| String::from_utf8(r.stdout)));
        }
    }

    pub async fn commands(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let spec = seen.names.container("c", &STAYS);
        engine.create_container(&spec).await.expect("made");
        engine.start_container(&spec.name).await.expect("started");
        let run = async |seen: &mut Seen<'_>, command: &[&str], limit| {
            let output = engine
                .run_in_container(&spec.name, &exec(command), limit)
                .await;
            seen.result(&format!("{command:?}"), output);
        };
        let script = ["sh", "-c", "echo out; echo err >&2; exit 3"];
        run(seen, &script, 100).await;
        run(seen, &script, 2).await;
        run(seen, &script, 4).await;
        run(seen, &["true"], 0).await;
        run(seen, &["no-such-program", "x"], 100).await;
        run(seen, &["sh", "-c", "exit 127"], 100).await;
        // It has no stdin to wait for.
        run(seen, &["cat"], 100).await;
    }

    pub async fn streams(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let spec = seen.names.container("c", &STAYS);
        engine.create_container(&spec).await.expect("made");
        engine.start_container(&spec.name).await.expect("started");
        let dial =
            async |command: &[&str]| engine.dial_in_container(&spec.name, &exec(command)).await;

        let mut cat = dial(&["cat"]).await.expect("it waits for input");
        cat.stream.write_all(b"ping").await.expect("written");
        let mut answer = [0; 4];
        cat.stream.read_exact(&mut answer).await.expect("echoed");
        seen.note("echo", Bytes::copy_from_slice(&answer));
        cat.stream.write_all(b"last words").await.expect("written");
        cat.stream.shutdown().await.expect("half closed");
        let mut rest = String::new();
        cat.stream
            .read_to_string(&mut rest)
            .await
            .expect("to the end");
        seen.note("after half close", rest);
        seen.note("stderr", cat.stderr.recv().await);

        let mut both = dial(&["sh", "-c", "cat; echo after >&2"])
            .await
            .expect("started");
        both.stream.shutdown().await.expect("half closed");
        let mut rest = String::new();
        both.stream
            .read_to_string(&mut rest)
            .await
            .expect("to the end");
        seen.note("stdout", rest);
        seen.note("stderr", both.stderr.recv().await);
        seen.note("stderr ends", both.stderr.recv().await);

        // Its first words end as the engine's own do.
        let command = ["sh", "-c", "printf 'text\\r\\n'; exec cat"];
        let mut text = dial(&command).await.expect("started");
        text.stream.shutdown().await.expect("half closed");
        let mut rest = String::new();
        text.stream
            .read_to_string(&mut rest)
            .await
            .expect("to the end");
        seen.note("looks like a refusal", rest);

        let mut short = dial(&["true"]).await.expect("a command that ends at once");
        let mut rest = String::new();
        short
            .stream
            .read_to_string(&mut rest)
            .await
            .expect("to the end");
        seen.note("nothing", &rest);

        let mut failed = dial(&["sh", "-c", "exit 127"])
            .await
            .expect("the shell was started");
        failed
            .stream
            .read_to_string(&mut rest)
            .await
            .expect("to the end");
        seen.note("nothing", &rest);

        seen.done("missing", dial(&["no-such-program"]).await);

        let mut cut = dial(&["cat"]).await.expect("started");
        engine
            .remove_container(&spec.name, true)
            .await
            .expect("removed");
        let mut rest = Vec::new();
        let read = cut.stream.read_to_end(&mut rest).await;
        seen.note("its container went", read.map_err(|e| e.kind()));
    }

    pub async fn commands_where_none_can_run(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let spec = seen.names.container("c", &STAYS);
        engine.create_container(&spec).await.expect("made");
        let command = exec(&["true"]);
        let run = engine.run_in_container(&spec.name, &command, 10).await;
        seen.result("run before the start", run);
        let dial = engine.dial_in_container(&spec.name, &command).await;
        seen.done("dial before the start", dial);
    }

    pub async fn volumes(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let name = seen.names.of("v");
        let spec = VolumeSpec {
            name: name.clone(),
            labels: [seen.names.label(), ("a".into(), "b".into())].into(),
            ..VolumeSpec::default()
        };
        seen.result("inspect none", engine.inspect_volume(&name).await);
        seen.result("create", engine.create_volume(&spec).await);
        seen.result("create again", engine.create_volume(&spec).await);
        seen.result("inspect", engine.inspect_volume(&name).await);
        let mut container = seen.names.container("c", &STAYS);
        container.mounts = vec![Mount {
            target: "/v".into(),
            source: MountSource::Volume(name.clone()),
            read_only: false,
        }];
        engine.create_container(&container).await.expect("made");
        seen.done("remove in use", engine.remove_volume(&name, false).await);
        seen.done(
            "remove in use by force",
            engine.remove_volume(&name, true).await,
        );
        engine
            .remove_container(&container.name, false)
            .await
            .expect("removed");
        seen.result("still there", engine.inspect_volume(&name).await);
        seen.done("remove", engine.remove_volume(&name, false).await);
        seen.done("remove again", engine.remove_volume(&name, false).await);
        seen.done(
            "remove again by force",
            engine.remove_volume(&name, true).await,
        );
    }

    pub async fn networks(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let name = seen.names.of("n");
        let spec = NetworkSpec {
            name: name.clone(),
            internal: true,
            labels: [("a".into(), "b".into())].into(),
            ..NetworkSpec::default()
        };
        let look = |result: Result<iechor_engine::model::Network, EngineError>| {
            result.map(|n| (n.name, n.driver, n.scope, n.internal, n.labels))
        };
        let inspected = engine.inspect_network(&name).await;
        seen.result("inspect none", inspected.map(|n| n.is_some()));
        let created = engine.create_network(&spec).await;
        let id = created.as_ref().map(|n| n.id.clone()).unwrap_or_default();
        seen.result("create", look(created));
        seen.result("create again", look(engine.create_network(&spec).await));
        let by_id = engine.inspect_network(&id).await;
        seen.result("by id", by_id.map(|n| n.map(|n| n.name)));
        let mut container = seen.names.container("c", &STAYS);
        container.network = Some(name.clone());
        engine.create_container(&container).await.expect("made");
        engine
            .start_container(&container.name)
            .await
            .expect("started");
        let c = container.name.as_str();
        let nobody = seen.names.of("nobody");
        let nobody = nobody.as_str();
        let aliases = ["alias".to_owned()];
        seen.done(
            "connect twice",
            engine.connect_network(&name, c, &aliases).await,
        );
        seen.done(
            "connect nobody",
            engine.connect_network(&name, nobody, &[]).await,
        );
        seen.done(
            "connect to nothing",
            engine.connect_network(nobody, c, &[]).await,
        );
        seen.done("neither", engine.connect_network(nobody, nobody, &[]).await);
        seen.done("remove in use", engine.remove_network(&name).await);
        seen.done(
            "disconnect",
            engine.disconnect_network(&name, c, false).await,
        );
        seen.done(
            "disconnect again",
            engine.disconnect_network(&name, c, false).await,
        );
        seen.done(
            "from nothing",
            engine.disconnect_network(nobody, c, false).await,
        );
        seen.done(
            "nobody",
            engine.disconnect_network(&name, nobody, false).await,
        );
        seen.done("connect", engine.connect_network(&name, c, &aliases).await);
        engine
            .stop_container(c, Some(Duration::ZERO))
            .await
            .expect("stopped");
        seen.done("remove", engine.remove_network(&name).await);
        seen.done("remove again", engine.remove_network(&name).await);
        seen.done("predefined", engine.remove_network("bridge").await);
    }

    pub async fn images(engine: &dyn Engine, seen: &mut Seen<'_>) {
        for reference in [
            IMAGE,
            "iechor-test/engine",
            "docker.io/iechor-test/engine:latest",
            "iechor-test/engine:other",
            "iechor-test/none",
        ] {
            let image = engine.inspect_image(reference).await;
            seen.result(
                reference,
                image.map(|i| i.map(|i| (i.id, i.platform, i.labels))),
            );
        }
        let image = engine
            .inspect_image(IMAGE)
            .await
            .expect("an answer")
            .expect("loaded");
        let by_id = engine.inspect_image(&image.id).await;
        seen.result("by id", by_id.map(|i| i == Some(image)));
        let odd = engine.inspect_image("a/../b").await;
        seen.result("odd", odd.map(|i| i.is_some()).or(Ok(false)));
        let broken = support::try_load(engine, b"this is no archive".to_vec()).await;
        seen.note("no archive", broken.is_err());
    }

    pub async fn lists(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let label = seen.names.label();
        for (suffix, value) in [("a", "1"), ("b", "2")] {
            let mut labels = std::collections::BTreeMap::from([label.clone()]);
            labels.insert("part".into(), value.into());
            let mut spec = seen.names.container(suffix, &STAYS);
            spec.labels.clone_from(&labels);
            spec.mounts = vec![Mount {
                target: "/v".into(),
                source: MountSource::Volume(seen.names.of(suffix)),
                read_only: false,
            }];
            engine
                .create_volume(&VolumeSpec {
                    name: seen.names.of(suffix),
                    labels: labels.clone(),
                    ..VolumeSpec::default()
                })
                .await
                .expect("made");
            engine
                .create_network(&NetworkSpec {
                    name: seen.names.of(suffix),
                    labels,
                    ..NetworkSpec::default()
                })
                .await
                .expect("made");
            engine.create_container(&spec).await.expect("made");
        }
        engine
            .start_container(&seen.names.of("b"))
            .await
            .expect("started");
        let part = |value: &str| vec![label.clone(), ("part".to_owned(), value.to_owned())];
        for labels in [vec![label.clone()], part("1"), part("3")] {
            let containers = engine.list_containers(&labels).await.expect("an answer");
            seen.note(
                "containers",
                containers.iter().map(shown).collect::<Vec<_>>(),
            );
            let mut volumes = engine.list_volumes(&labels).await.expect("an answer");
            volumes.sort_by(|a, b| a.name.cmp(&b.name));
            seen.note("volumes", volumes);
            let mut networks: Vec<_> = engine
                .list_networks(&labels)
                .await
                .expect("an answer")
                .into_iter()
                .map(|n| (n.name, n.driver, n.scope, n.internal, n.labels))
                .collect();
            networks.sort();
            seen.note("networks", networks);
        }
    }

    pub async fn anything(engine: &dyn Engine, seen: &mut Seen<'_>) {
        let spec = seen.names.container("c", &STAYS);
        engine.create_container(&spec).await.expect("made");
        let volume = VolumeSpec {
            name: seen.names.of("V"),
            ..VolumeSpec::default()
        };
        engine.create_volume(&volume).await.expect("made");
        for name in [
            &spec.name,
            IMAGE,
            "bridge",
            &volume.name,
            "iechor-test/none",
            "..",
        ] {
            let value = engine.inspect_any(name).await;
            seen.result(
                name,
                value.map(|v| v.map(|v| (v["Name"].clone(), v["RestartCount"].clone()))),
            );
        }
    }
}
