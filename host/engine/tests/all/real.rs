//! What only a real engine shows.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use iechor_engine::config::DockerConfig;
use iechor_engine::docker::DockerEngine;
use iechor_engine::endpoint::{Endpoint, Host};
use iechor_engine::model::{ContainerSpec, ContainerStatus, ExecSpec, File, Limits, RestartPolicy};
use iechor_engine::simulated::SimulatedEngine;
use iechor_engine::{Engine, EngineError, Hijack};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::support::{self, Names};

fn sh(script: &str) -> ExecSpec {
    ExecSpec {
        command: vec!["sh".into(), "-c".into(), script.into()],
        ..ExecSpec::default()
    }
}

async fn running(engine: &DockerEngine, names: &Names) -> String {
    let spec = names.container("c", &["sleep", "600"]);
    engine.create_container(&spec).await.expect("made");
    engine.start_container(&spec.name).await.expect("started");
    spec.name
}

async fn run(engine: &DockerEngine, name: &str, spec: &ExecSpec) -> String {
    let output = engine
        .run_in_container(name, spec, 10_000)
        .await
        .expect("run");
    assert_eq!(output.exit_code, 0, "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn the_engine_describes_itself() {
    let info = support::real().await.info().await.expect("an answer");
    assert!(
        ["docker", "podman"].contains(&info.name.as_str()),
        "{info:?}"
    );
    let minor = info.api_version.strip_prefix("1.").expect("version 1");
    assert!(minor.parse::<u32>().expect("a number") >= 41);
    assert_eq!(info.platform.os, "linux");
    assert!(!info.version.is_empty());
}

#[tokio::test]
async fn bulk_goes_through_whole_and_both_ways_at_once() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    let name = running(&engine, &names).await;
    let connection = engine
        .dial_in_container(&name, &sh("exec cat"))
        .await
        .expect("dialled");
    let (mut from, mut to) = tokio::io::split(connection.stream);
    const SIZE: usize = 32 << 20;
    let pattern = |at: usize| (at * 31 % 251) as u8;
    let write = async {
        let mut at = 0;
        while at < SIZE {
            let part: Vec<u8> = (at..(at + 100_003).min(SIZE)).map(pattern).collect();
            to.write_all(&part).await.expect("written");
            at += part.len();
        }
        to.shutdown().await.expect("half closed");
    };
    let read = async {
        let mut at = 0;
        let mut part = vec![0; 70_001];
        loop {
            let n = from.read(&mut part).await.expect("read");
            if n == 0 {
                return at;
            }
            assert!(
                part[..n]
                    .iter()
                    .enumerate()
                    .all(|(i, b)| *b == pattern(at + i))
            );
            at += n;
        }
    };
    let ((), read) = tokio::join!(write, read);
    assert_eq!(read, SIZE);
}

#[tokio::test]
async fn stderr_that_nobody_reads_holds_nothing_up() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    let name = running(&engine, &names).await;
    let script = sh("dd if=/dev/zero bs=65536 count=80 >&2; echo last >&2; echo done");
    let mut connection = engine
        .dial_in_container(&name, &script)
        .await
        .expect("dialled");
    let mut out = String::new();
    connection
        .stream
        .read_to_string(&mut out)
        .await
        .expect("read");
    assert_eq!(out, "done\n");
    let mut kept = Vec::new();
    while let Some(chunk) = connection.stderr.recv().await {
        kept.extend_from_slice(&chunk);
    }
    assert!(kept.len() < 600_000, "{}", kept.len());
    assert!(kept.ends_with(b"last\n"));
}

#[tokio::test]
async fn dropping_the_stream_ends_stdin() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    let name = running(&engine, &names).await;
    let script = sh("cat >/tmp/got; echo ended >>/tmp/got");
    let mut connection = engine
        .dial_in_container(&name, &script)
        .await
        .expect("dialled");
    connection
        .stream
        .write_all(b"some\n")
        .await
        .expect("written");
    drop(connection);
    for _ in 0..100 {
        if run(&engine, &name, &sh("cat /tmp/got")).await == "some\nended\n" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the command still waits for input");
}

#[tokio::test]
async fn commands_run_as_asked() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    let mut spec = names.container("c", &["sleep", "600"]);
    spec.env = vec![("A".into(), "of container".into())];
    engine.create_container(&spec).await.expect("made");
    engine.start_container(&spec.name).await.expect("started");
    let exec = ExecSpec {
        env: vec![("B".into(), "b = \"b\"".into())],
        user: Some("nobody".into()),
        workdir: Some("/tmp".into()),
        ..sh("echo $A; echo $B; id -u; pwd")
    };
    let output = run(&engine, &spec.name, &exec).await;
    assert_eq!(output, "of container\nb = \"b\"\n65534\n/tmp\n");
    let exec = ExecSpec {
        user: Some("no-such-user".into()),
        ..sh("true")
    };
    for error in [
        engine
            .run_in_container(&spec.name, &exec, 10)
            .await
            .map(|_| ()),
        engine
            .dial_in_container(&spec.name, &exec)
            .await
            .map(|_| ()),
    ] {
        let error = error.expect_err("no such user");
        assert!(
            matches!(error, EngineError::CannotStart { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("no-such-user"), "{error}");
    }
    let missing = ExecSpec {
        command: vec!["no-such-program".into()],
        ..ExecSpec::default()
    };
    for error in [
        engine
            .run_in_container(&spec.name, &missing, 10)
            .await
            .map(|_| ()),
        engine
            .dial_in_container(&spec.name, &missing)
            .await
            .map(|_| ()),
    ] {
        let error = error.expect_err("no such program").to_string();
        assert!(
            error.contains("cannot run \"no-such-program\" in container"),
            "{error}"
        );
        assert!(error.contains("executable file not found"), "{error}");
        assert!(!error.ends_with(['\r', '\n']), "{error:?}");
    }
}

#[tokio::test]
async fn files_are_roots_with_their_modes() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    let name = running(&engine, &names).await;
    let long = format!("{}/file", "long".repeat(40));
    let files =
        [("d/e/key", 0o600), ("d/run", 0o755), (long.as_str(), 0o640)].map(|(path, mode)| File {
            path: path.into(),
            mode,
            contents: vec![b'x'; 3],
        });
    engine
        .copy_into_container(&name, "/etc", &files)
        .await
        .expect("copied");
    let script = format!("cd /etc; stat -c '%n %a %u %g %s' d d/e d/e/key d/run {long}");
    let listed = run(&engine, &name, &sh(&script)).await;
    let listed: Vec<_> = listed.lines().collect();
    // The size of a directory is the file system's affair.
    assert!(listed[0].starts_with("d 755 0 0 ") && listed[1].starts_with("d/e 755 0 0 "));
    assert_eq!(listed[2..4], ["d/e/key 600 0 0 3", "d/run 755 0 0 3"]);
    assert_eq!(listed[4], format!("{long} 640 0 0 3"));
}

#[tokio::test]
async fn limits_are_set_and_memory_runs_out() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    let script = "tail -c 100000000 /dev/zero >/dev/null; sleep 1; echo alive";
    let spec = ContainerSpec {
        limits: Limits {
            memory: Some(16 << 20),
            memory_swap: Some(16 << 20),
            cpu_shares: Some(512),
            cpu_period: Some(100_000),
            cpu_quota: Some(50_000),
            cpuset_cpus: Some("0".into()),
            pids: Some(64),
            ..Limits::default()
        },
        ..names.container("c", &["sh", "-c", script])
    };
    engine.create_container(&spec).await.expect("made");
    let raw = engine
        .inspect_any(&spec.name)
        .await
        .expect("an answer")
        .expect("there");
    let host = &raw["HostConfig"];
    assert_eq!(host["Memory"], 16 << 20);
    assert_eq!(host["CpuShares"], 512);
    assert_eq!(host["CpuQuota"], 50_000);
    assert_eq!(host["CpusetCpus"], "0");
    assert_eq!(host["PidsLimit"], 64);
    // The engine learns of it by an event, which it misses where it is busy: another run shows it.
    let mut container = None;
    for _ in 0..3 {
        if let Err(e) = engine.start_container(&spec.name).await {
            panic!("{e}: this engine cannot limit memory");
        }
        for _ in 0..200 {
            container = engine
                .inspect_container(&spec.name)
                .await
                .expect("an answer");
            if container
                .as_ref()
                .is_some_and(|c| c.status == ContainerStatus::Exited)
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if container.as_ref().is_some_and(|c| c.out_of_memory) {
            break;
        }
    }
    let container = container.expect("there");
    assert!(container.out_of_memory, "{container:?}");
}

#[tokio::test]
async fn a_stop_waits_as_long_as_it_is_told() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    // The first process of a container takes no signal that it has no handler for.
    let name = running(&engine, &names).await;
    let begin = Instant::now();
    let grace = Some(Duration::from_millis(1200));
    engine.stop_container(&name, grace).await.expect("stopped");
    assert!(
        begin.elapsed() > Duration::from_millis(1200),
        "{:?}",
        begin.elapsed()
    );
    let container = engine
        .inspect_container(&name)
        .await
        .expect("an answer")
        .expect("there");
    assert_eq!(container.exit_code, Some(137));
    assert!(!container.out_of_memory);
}

#[tokio::test]
async fn a_pull_that_cannot_work_says_why() {
    let engine = support::real().await;
    let (events, _) = mpsc::channel(1);
    let pull = engine.pull_image("localhost:1/nothing:here", None, events);
    let error = tokio::time::timeout(Duration::from_secs(60), pull)
        .await
        .expect("at once")
        .expect_err("nothing is there");
    let text = error.to_string();
    assert!(
        text.contains("cannot pull localhost:1/nothing:here: "),
        "{text}"
    );
    assert!(
        text.contains("does not reach the registry localhost:1"),
        "{text}"
    );
    let (events, _) = mpsc::channel(1);
    let error = engine
        .pull_image("not a reference", None, events)
        .await
        .expect_err("bad");
    assert!(
        error.to_string().contains("invalid reference format"),
        "{error}"
    );
}

#[tokio::test]
async fn hijacks_lead_to_buildkit() {
    let engine = support::real().await;
    let mut control = engine.hijack(&Hijack::Control).await.expect("taken over");
    // Its settings come at once, with the answer itself: they must not be lost with it.
    let mut head = [0; 9];
    control.read_exact(&mut head).await.expect("a frame");
    assert_eq!(
        (head[0], head[1], head[3]),
        (0, 0, 4),
        "a SETTINGS frame: {head:?}"
    );

    let id = Names::new(None).of("session");
    let headers = [
        ("X-Docker-Expose-Session-Uuid", id.as_str()),
        ("X-Docker-Expose-Session-Sharedkey", "key"),
        (
            "X-Docker-Expose-Session-Grpc-Method",
            "/grpc.health.v1.Health/Check",
        ),
        (
            "X-Docker-Expose-Session-Grpc-Method",
            "/moby.filesync.v1.FileSync/DiffCopy",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut session = engine
        .hijack(&Hijack::Session(headers.to_vec()))
        .await
        .expect("taken over");
    let mut preface = [0; 24];
    session
        .read_exact(&mut preface)
        .await
        .expect("the engine is the client here");
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    let bad = vec![("no header".to_owned(), "x".to_owned())];
    let error = engine
        .hijack(&Hijack::Session(bad))
        .await
        .err()
        .expect("refused");
    assert!(error.to_string().contains("\"no header\""), "{error}");
}

/// Says when it is dropped.
struct Endless(Arc<AtomicBool>);

impl Stream for Endless {
    type Item = std::io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        cx.waker().wake_by_ref();
        Poll::Ready(Some(Ok(Bytes::from(vec![0; 4096]))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_can_be_given_up_and_can_break_off() {
    let engine = support::real().await;
    // An archive that never ends: a header of a file larger than all that follows.
    let mut header = tar::Header::new_gnu();
    header.set_path("manifest.json").expect("short");
    header.set_size(1 << 40);
    header.set_mode(0o644);
    header.set_cksum();
    let head = Bytes::copy_from_slice(header.as_bytes());
    let dropped = Arc::new(AtomicBool::new(false));
    let endless = stream::iter([Ok(head.clone())])
        .chain(Endless(dropped.clone()))
        .boxed();
    let (events, _) = mpsc::channel(1);
    let load = engine.load_images(endless, events);
    tokio::time::timeout(Duration::from_millis(300), load)
        .await
        .expect_err("it has no end");
    for _ in 0..100 {
        if dropped.load(Ordering::Relaxed) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        dropped.load(Ordering::Relaxed),
        "the load goes on although nobody waits for it"
    );

    let broken = stream::iter([Ok(head), Err(std::io::Error::other("disk on fire"))]);
    let (events, _) = mpsc::channel(1);
    let error = engine
        .load_images(broken.boxed(), events)
        .await
        .expect_err("broken");
    assert!(error.to_string().contains("disk on fire"), "{error}");
}

#[tokio::test]
async fn an_archive_that_breaks_off_at_its_end_names_no_image() {
    let engine = support::real().await;
    // The same image by another name of the same length.
    let name = support::IMAGE.replacen("engine", "broken", 1);
    assert_eq!(name.len(), support::IMAGE.len());
    let mut archive = support::image();
    let named = archive
        .windows(name.len())
        .position(|part| part == support::IMAGE.as_bytes());
    let named = named.expect("it names the image");
    archive[named..named + name.len()].copy_from_slice(name.as_bytes());
    // All but the mark of the end, which is where what is loaded is decided about.
    archive.truncate(archive.len() - 1024);
    let parts = vec![
        Ok(Bytes::from(archive)),
        Err(std::io::Error::other("a name that nobody asked for")),
    ];
    let (events, _) = mpsc::channel(1);
    let error = engine
        .load_images(stream::iter(parts).boxed(), events)
        .await
        .expect_err("broken");
    assert!(error.to_string().contains("nobody asked for"), "{error}");
    let found = engine.inspect_image(&name).await.expect("it answers");
    assert!(found.is_none(), "{found:?}");
}

#[tokio::test]
async fn a_request_can_be_given_up() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    let name = running(&engine, &names).await;
    let stop = engine.stop_container(&name, Some(Duration::from_secs(600)));
    tokio::time::timeout(Duration::from_millis(200), stop)
        .await
        .expect_err("ten minutes");
    // The engine is not held up by it.
    engine.remove_container(&name, true).await.expect("removed");
}

fn at(host: Host) -> DockerEngine {
    let endpoint = Endpoint {
        name: None,
        host,
        tls: None,
    };
    DockerEngine::connect(&endpoint, Arc::new(DockerConfig::default())).expect("no round trip yet")
}

#[tokio::test]
async fn engines_that_are_not_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("none.sock");
    let error = at(Host::Unix(socket.clone()))
        .info()
        .await
        .expect_err("none there");
    let text = error.to_string();
    assert!(
        text.contains(&format!("unix://{}", socket.display())),
        "{text}"
    );
    assert!(text.contains("no such socket"), "{text}");

    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
    drop(listener);
    let engine = at(Host::Unix(socket));
    let error = engine
        .list_containers(&[])
        .await
        .expect_err("nobody listens");
    assert!(
        error
            .to_string()
            .contains("connection refused; is the engine running?"),
        "{error}"
    );
    // The same on the way through bollard.
    let error = engine
        .start_container("x")
        .await
        .expect_err("nobody listens");
    assert!(
        matches!(error, EngineError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("connection refused; is the engine running?"),
        "{error}"
    );

    let tcp = |port| Host::Tcp {
        host: "127.0.0.1".into(),
        port,
    };
    let error = at(tcp(1)).info().await.expect_err("nobody listens");
    assert!(error.to_string().contains("tcp://127.0.0.1:1"), "{error}");

    // One that accepts and hangs up.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = connection.read(&mut request).await;
        }
    });
    let error = at(tcp(port)).info().await.expect_err("no answer");
    assert!(
        matches!(error, EngineError::Unreachable { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_container_is_made_as_asked() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    let spec = ContainerSpec {
        privileged: true,
        init: true,
        host_user_namespace: true,
        restart: RestartPolicy::OnFailure(4),
        gpus: Some("all".into()),
        network: Some("host".into()),
        ..names.container("c", &["a", "b"])
    };
    engine.create_container(&spec).await.expect("made");
    let raw = engine
        .inspect_any(&spec.name)
        .await
        .expect("an answer")
        .expect("there");
    let host = &raw["HostConfig"];
    assert_eq!(host["Privileged"], true);
    assert_eq!(host["Init"], true);
    assert_eq!(host["UsernsMode"], "host");
    assert_eq!(host["NetworkMode"], "host");
    assert_eq!(host["RestartPolicy"]["Name"], "on-failure");
    assert_eq!(host["RestartPolicy"]["MaximumRetryCount"], 4);
    assert_eq!(host["DeviceRequests"][0]["Count"], -1);
    assert_eq!(host["DeviceRequests"][0]["Capabilities"][0][0], "gpu");
    assert_eq!(raw["Config"]["Cmd"], serde_json::json!(["a", "b"]));

    // What a container reaches is read from it, and the same in memory.
    let plain = names.container("plain", &["a"]);
    let simulated = SimulatedEngine::new();
    simulated.add_image(&spec.image);
    engine.create_container(&plain).await.expect("made");
    for spec in [spec, plain] {
        simulated.create_container(&spec).await.expect("made");
        let look = async |engine: &dyn Engine| {
            let found = engine.inspect_container(&spec.name).await;
            found.expect("an answer").expect("there").reach
        };
        let reach = look(&engine).await;
        assert_eq!(reach, look(&simulated).await);
        assert_eq!(reach.privileges.is_empty(), !spec.privileged, "{reach:?}");
    }
}
