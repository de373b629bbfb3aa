//! What only the simulated engine can do: behave as it is told.

use std::time::Duration;

use iechor_engine::model::{
    ContainerSpec, ContainerStatus, ExecSpec, LogStream, Mount, MountSource, RestartPolicy,
};
use iechor_engine::simulated::{Behavior, Command, Fault, SimulatedEngine};
use iechor_engine::{Engine, EngineError, Hijack};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

const BUILDKIT: &str = "moby/buildkit:buildx-stable-1";

fn spec() -> ContainerSpec {
    ContainerSpec {
        name: "b0".into(),
        image: BUILDKIT.into(),
        ..ContainerSpec::default()
    }
}

async fn started(behavior: Behavior) -> SimulatedEngine {
    let engine = SimulatedEngine::new();
    engine.add_image(BUILDKIT);
    engine.set_behavior("docker.io/moby/buildkit:buildx-stable-1", behavior);
    engine.create_container(&spec()).await.expect("made");
    engine.start_container("b0").await.expect("started");
    engine
}

fn lost() -> EngineError {
    EngineError::Unreachable {
        endpoint: "x".into(),
        reason: "connection reset".into(),
    }
}

#[tokio::test]
async fn containers_behave_as_they_are_told() {
    let behavior = Behavior::runs_out_of_memory()
        .after_calls(2)
        .with_log(LogStream::Stderr, "starting");
    let engine = started(behavior).await;
    let status = async || {
        let container = engine.inspect_container("b0").await.expect("an answer");
        container.expect("there").status
    };
    assert_eq!(status().await, ContainerStatus::Running);
    assert_eq!(status().await, ContainerStatus::Running);
    assert_eq!(status().await, ContainerStatus::Exited);
    let container = engine
        .inspect_container("b0")
        .await
        .expect("an answer")
        .expect("there");
    assert_eq!(container.exit_code, Some(137));
    assert!(container.out_of_memory);
    let log = engine.container_logs("b0", None, 100).await.expect("a log");
    assert_eq!(log[0].data, "starting\n");

    let engine = started(Behavior::stays_up().stops_with(0)).await;
    engine.stop_container("b0", None).await.expect("stopped");
    let container = engine
        .inspect_container("b0")
        .await
        .expect("an answer")
        .expect("there");
    assert_eq!(container.exit_code, Some(0));
    engine.start_container("b0").await.expect("started");
    engine.end_container("b0", 7, false).expect("there");
    let container = engine
        .inspect_container("b0")
        .await
        .expect("an answer")
        .expect("there");
    assert_eq!(
        (container.status, container.exit_code),
        (ContainerStatus::Exited, Some(7))
    );
}

#[tokio::test]
async fn commands_are_the_tests_own() {
    let engine = started(Behavior::stays_up()).await;
    engine.on_command(|container, exec| {
        assert_eq!(container, "b0");
        match exec.command[0].as_str() {
            "buildctl" => Command::serves(|mut io| async move {
                io.stderr.write("hello");
                let mut request = String::new();
                io.stream
                    .read_to_string(&mut request)
                    .await
                    .expect("to its end");
                let answer = request.to_uppercase();
                io.stream
                    .write_all(answer.as_bytes())
                    .await
                    .expect("a reader");
                0
            }),
            _ => Command::no_such_program(exec),
        }
    });
    let exec = |program: &str| ExecSpec {
        command: vec![program.into()],
        ..ExecSpec::default()
    };
    let mut dialled = engine
        .dial_in_container("b0", &exec("buildctl"))
        .await
        .expect("served");
    dialled.stream.write_all(b"loud").await.expect("written");
    dialled.stream.shutdown().await.expect("half closed");
    let mut answer = String::new();
    dialled
        .stream
        .read_to_string(&mut answer)
        .await
        .expect("to its end");
    assert_eq!(answer, "LOUD");
    assert_eq!(dialled.stderr.recv().await.expect("a chunk"), "hello");
    assert_eq!(dialled.stderr.recv().await, None);
    let error = engine
        .dial_in_container("b0", &exec("nope"))
        .await
        .err()
        .expect("none");
    assert!(
        error.to_string().contains("executable file not found"),
        "{error}"
    );
    let run = engine
        .run_in_container("b0", &exec("buildctl"), 100)
        .await
        .expect("run");
    assert_eq!((run.exit_code, run.stderr), (0, b"hello".to_vec()));

    // A function that serves ends with its container.
    let mut dialled = engine
        .dial_in_container("b0", &exec("buildctl"))
        .await
        .expect("served");
    engine.stop_container("b0", None).await.expect("stopped");
    assert_eq!(dialled.stream.read(&mut [0]).await.expect("the end"), 0);
}

#[tokio::test]
async fn hijacks_are_the_tests_own() {
    let engine = SimulatedEngine::new();
    let error = engine.hijack(&Hijack::Control).await.err().expect("none");
    assert!(matches!(error, EngineError::Unsupported(_)), "{error:?}");
    engine.on_hijack(|_| Some(Box::new(std::io::Cursor::new(b"hi".to_vec()))));
    let mut stream = engine.hijack(&Hijack::Control).await.expect("set");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("read");
    assert_eq!(text, "hi");
}

#[tokio::test]
async fn faults_come_when_they_are_due() {
    let engine = SimulatedEngine::new();
    engine.add_image(BUILDKIT);
    engine.fail_call(1, lost());
    engine.set_fault(2, Fault::LoseAnswer(lost()));
    engine.hang_call(4);
    engine
        .create_container(&spec())
        .await
        .expect_err("call 1 fails");
    assert_eq!(engine.calls(), 1);
    engine
        .create_container(&spec())
        .await
        .expect_err("call 2 loses its answer");
    let error = engine
        .create_container(&spec())
        .await
        .expect_err("it was made nevertheless");
    assert!(
        matches!(error, EngineError::AlreadyExists { .. }),
        "{error:?}"
    );
    let hangs = engine.start_container("b0");
    tokio::time::timeout(Duration::from_millis(20), hangs)
        .await
        .expect_err("call 4 hangs");
    let status = engine
        .inspect_container("b0")
        .await
        .expect("call 5")
        .expect("there")
        .status;
    assert_eq!(status, ContainerStatus::Created);
    assert_eq!(
        engine.journal(),
        [
            "create_container b0 image=moby/buildkit:buildx-stable-1 -> error: cannot reach the \
             engine at x: connection reset",
            "create_container b0 image=moby/buildkit:buildx-stable-1 -> error: cannot reach the \
             engine at x: connection reset",
            "create_container b0 image=moby/buildkit:buildx-stable-1 -> error: container b0 \
             already exists",
            "start_container b0 -> hangs",
            "inspect_container b0 -> ok",
        ]
    );
}

#[tokio::test]
async fn the_journal_tells_what_was_asked() {
    let engine = SimulatedEngine::new();
    engine.add_to_registry(
        BUILDKIT,
        iechor_engine::model::Image {
            id: format!("sha256:{}", "0".repeat(64)),
            repo_digests: Vec::new(),
            platform: iechor_engine::model::Platform::new("linux", "amd64", ""),
            labels: Default::default(),
            startup: Default::default(),
        },
    );
    let (events, mut news) = mpsc::channel(10);
    engine
        .pull_image(BUILDKIT, None, events)
        .await
        .expect("it is in the registry");
    assert!(
        news.recv()
            .await
            .expect("news")
            .status
            .starts_with("Pulling from")
    );
    let spec = ContainerSpec {
        command: vec!["--debug".into()],
        env: vec![("A".into(), "b".into())],
        labels: [("l".to_owned(), "m".to_owned())].into(),
        mounts: vec![Mount {
            target: "/var/lib/buildkit".into(),
            source: MountSource::Volume("b0_state".into()),
            read_only: false,
        }],
        privileged: true,
        init: true,
        restart: RestartPolicy::UnlessStopped,
        ..spec()
    };
    engine.create_container(&spec).await.expect("made");
    assert_eq!(engine.spec("b0").expect("there"), spec);
    let exec = ExecSpec {
        command: vec!["sh".into(), "-c".into(), "a b".into()],
        ..ExecSpec::default()
    };
    engine
        .run_in_container("b0", &exec, 1)
        .await
        .expect_err("not running");
    let (events, _) = mpsc::channel(1);
    let error = engine
        .pull_image("nobody/nothing", None, events)
        .await
        .expect_err("not there");
    assert!(
        error.to_string().contains("docker login docker.io"),
        "{error}"
    );
    let (events, _) = mpsc::channel(1);
    let error = engine.push_image("r.example/own:1", events).await;
    error.expect_err("there is no such image");
    engine.add_image("r.example/own:1");
    let (events, _) = mpsc::channel(1);
    let digest = engine.push_image("r.example/own:1", events).await;
    assert!(digest.expect("it is there").is_some());
    engine.remove_image("r.example/own:1");
    let (events, _) = mpsc::channel(1);
    let pulled = engine.pull_image("r.example/own:1", None, events).await;
    pulled.expect("it is in the registry");
    let journal = engine.journal();
    assert_eq!(journal[0], "pull_image moby/buildkit:buildx-stable-1 -> ok");
    assert_eq!(
        journal[1],
        "create_container b0 image=moby/buildkit:buildx-stable-1 args=--debug env=A=b labels=l=m \
         mounts=b0_state:/var/lib/buildkit privileged init restart=UnlessStopped -> ok"
    );
    assert!(journal[2].starts_with("run_in_container b0 command=sh -c \"a b\" -> error: "));

    // The same calls give the same journal, IDs and times.
    let again = async || {
        let engine = started(Behavior::stays_up()).await;
        let container = engine.inspect_container("b0").await.expect("an answer");
        (engine.journal(), container)
    };
    assert_eq!(again().await, again().await);
}
