//! Engines whose answers are too large, or never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use iechor_engine::config::DockerConfig;
use iechor_engine::docker::DockerEngine;
use iechor_engine::endpoint::{Endpoint, Host};
use iechor_engine::model::{ContainerSpec, ExecSpec, File, NetworkSpec, VolumeSpec};
use iechor_engine::{AnswerLimit, Engine, EngineError, Hijack};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// The answer to every request: a beginning, then a piece again and again.
#[derive(Clone)]
struct Answer {
    begins: String,
    piece: Vec<u8>,
    /// Pause before each piece.
    pause: Duration,
    /// Number of pieces.
    times: u64,
}

impl Answer {
    fn endless(begins: &str, piece: impl Into<Vec<u8>>) -> Self {
        Self {
            begins: begins.into(),
            piece: piece.into(),
            pause: Duration::ZERO,
            times: u64::MAX,
        }
    }

    /// Returns an answer with this status and body.
    fn whole(status: &str, body: &str) -> Self {
        let length = body.len();
        Self {
            times: 0,
            ..Self::endless(
                &format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}"),
                "",
            )
        }
    }
}

/// An engine whose answers depend on the first line of each request.
struct Hostile {
    engine: DockerEngine,
    sent: Arc<AtomicU64>,
    _directory: tempfile::TempDir,
}

impl Hostile {
    fn new(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("engine.sock");
        let listener = UnixListener::bind(&path).expect("bound");
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (answer, counter) = (Arc::clone(&answer), Arc::clone(&counter));
                tokio::spawn(serve(connection, answer, counter));
            }
        });
        let endpoint = Endpoint {
            name: None,
            host: Host::Unix(path),
            tls: None,
        };
        let config = Arc::new(DockerConfig::default());
        Self {
            engine: DockerEngine::connect(&endpoint, config).expect("a socket"),
            sent,
            _directory: directory,
        }
    }

    fn always(answer: Answer) -> Self {
        Self::new(move |_| answer.clone())
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

async fn serve(
    mut connection: UnixStream,
    answer: Arc<impl Fn(&str) -> Answer>,
    sent: Arc<AtomicU64>,
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut buffer = [0; 4096];
        match connection.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let answer = answer(head.lines().next().unwrap_or_default());
    let (mut reading, mut writing) = connection.split();
    let write = async {
        writing.write_all(answer.begins.as_bytes()).await?;
        for _ in 0..answer.times {
            tokio::time::sleep(answer.pause).await;
            writing.write_all(&answer.piece).await?;
            sent.fetch_add(answer.piece.len() as u64, Ordering::Relaxed);
        }
        writing.shutdown().await
    };
    // The rest of the request is read, because the peer could not complete it otherwise.
    let mut nowhere = tokio::io::sink();
    let read = tokio::io::copy(&mut reading, &mut nowhere);
    let _: Result<(), std::io::Error> = write.await;
    let _ = tokio::time::timeout(Duration::from_secs(1), read).await;
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

/// Sends a request by its name. There is one for every operation.
async fn request(engine: &DockerEngine, name: &str) -> Result<(), EngineError> {
    let (events, mut news) = mpsc::channel(1);
    let (loads, mut loaded) = mpsc::channel(1);
    let listen = async { while news.recv().await.is_some() {} };
    let listen_to_loads = async { while loaded.recv().await.is_some() {} };
    let exec = ExecSpec {
        command: vec!["true".into()],
        ..ExecSpec::default()
    };
    let spec = ContainerSpec {
        name: "c".into(),
        image: "i".into(),
        ..ContainerSpec::default()
    };
    let file = File {
        path: "a".into(),
        mode: 0o644,
        contents: vec![1],
    };
    match name {
        "info" => engine.info().await.map(drop),
        "create container" => engine.create_container(&spec).await.map(drop),
        "inspect container" => engine.inspect_container("c").await.map(drop),
        "list containers" => engine.list_containers(&[]).await.map(drop),
        "start container" => engine.start_container("c").await,
        "stop container" => engine.stop_container("c", None).await,
        "remove container" => engine.remove_container("c", true).await,
        "copy into container" => engine.copy_into_container("c", "/", &[file]).await,
        "run in container" => engine.run_in_container("c", &exec, 1000).await.map(drop),
        "dial in container" => engine.dial_in_container("c", &exec).await.map(drop),
        "create volume" => {
            let spec = VolumeSpec {
                name: "v".into(),
                ..VolumeSpec::default()
            };
            engine.create_volume(&spec).await.map(drop)
        }
        "inspect volume" => engine.inspect_volume("v").await.map(drop),
        "list volumes" => engine.list_volumes(&[]).await.map(drop),
        "remove volume" => engine.remove_volume("v", true).await,
        "create network" => {
            let spec = NetworkSpec {
                name: "n".into(),
                ..NetworkSpec::default()
            };
            engine.create_network(&spec).await.map(drop)
        }
        "inspect network" => engine.inspect_network("n").await.map(drop),
        "list networks" => engine.list_networks(&[]).await.map(drop),
        "connect network" => engine.connect_network("n", "c", &[]).await,
        "disconnect network" => engine.disconnect_network("n", "c", true).await,
        "remove network" => engine.remove_network("n").await,
        "inspect image" => engine.inspect_image("i").await.map(drop),
        "pull image" => tokio::join!(engine.pull_image("i", None, events), listen).0,
        "push image" => tokio::join!(engine.push_image("i", events), listen)
            .0
            .map(drop),
        "load images" => {
            let tar = stream::iter([Ok(Bytes::from_static(b"x"))]).boxed();
            tokio::join!(engine.load_images(tar, loads), listen_to_loads).0
        }
        "hijack" => engine.hijack(&Hijack::Control).await.map(drop),
        "inspect any" => engine.inspect_any("x").await.map(drop),
        other => panic!("no request {other}"),
    }
}

const REQUESTS: [&str; 26] = [
    "info",
    "create container",
    "inspect container",
    "list containers",
    "start container",
    "stop container",
    "remove container",
    "copy into container",
    "run in container",
    "dial in container",
    "create volume",
    "inspect volume",
    "list volumes",
    "remove volume",
    "create network",
    "inspect network",
    "list networks",
    "connect network",
    "disconnect network",
    "remove network",
    "inspect image",
    "pull image",
    "push image",
    "load images",
    "hijack",
    "inspect any",
];

/// Sends a request, with a guard against reading for ever. No test depends on its duration.
async fn bounded(engine: &DockerEngine, name: &str) -> Result<(), EngineError> {
    tokio::time::timeout(Duration::from_secs(100_000), request(engine, name))
        .await
        .unwrap_or_else(|_| panic!("{name}: the answer is read for ever"))
}

/// Maximum number of bytes sent in answer to one request: the limit of a list, and bytes in transit.
const MOST: u64 = (16 << 20) + (2 << 20);

/// Asserts for each request that only a limited part of an endless answer is read.
async fn assert_bounded(what: &str, begins: &str, piece: &[u8], requests: &[&str]) {
    let hostile = Hostile::always(Answer::endless(begins, piece));
    for name in requests {
        let before = hostile.sent();
        let result = bounded(&hostile.engine, name).await;
        let sent = hostile.sent() - before;
        // The head is enough to know that a change was made: the body is not read.
        let has_head = begins.contains("\r\n\r\n");
        assert!(result.is_err() || has_head, "{what}: {name}");
        // One operation may consist of several requests.
        assert!(sent < 4 * MOST, "{what}: {name}: {sent}");
    }
}

/// Repeats a small piece, to send it efficiently.
fn many(piece: &str) -> Vec<u8> {
    piece.repeat((16 << 10) / piece.len()).into_bytes()
}

#[tokio::test]
async fn no_request_takes_in_an_answer_without_end() {
    let body = vec![b' '; 64 << 10];
    assert_bounded("a body", &format!("{OK}\r\n"), &body, &REQUESTS).await;
    assert_bounded("headers", OK, &many("X-A: b\r\n"), &REQUESTS).await;
    let provisional = many("HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_bounded("provisional answers", "", &provisional, &REQUESTS).await;
}

#[tokio::test]
async fn no_part_of_an_answer_is_without_end() {
    let body = vec![b' '; 64 << 10];
    let chunk = [b"10000\r\n", &body[..], b"\r\n"].concat();
    let chunked = |behind: &str| format!("{OK}Transfer-Encoding: chunked\r\n\r\n{behind}");
    for (what, begins, piece) in [
        (
            "a body that says how long it is",
            format!("{OK}Content-Length: 9223372036854775807\r\n\r\n"),
            body.clone(),
        ),
        ("chunks", chunked(""), chunk),
        ("chunks of one byte", chunked(""), many("1\r\n \r\n")),
        ("one chunk", chunked("7fffffffffffffff\r\n"), body.clone()),
        (
            "a chunk of a size that is none",
            chunked("ffffffffffffffffff\r\n"),
            body.clone(),
        ),
        ("the size of a chunk", chunked(""), many("1")),
        ("what is said of a chunk", chunked("1;"), many("x")),
        (
            "what is behind the last chunk",
            chunked("0\r\n"),
            many("X-A: b\r\n"),
        ),
        ("the name of a header", OK.to_owned(), many("x")),
        ("the value of a header", format!("{OK}X-A: "), body.clone()),
        ("a status", "HTTP/1.1 200 ".to_owned(), body),
    ] {
        // One of each kind: two queries, one request of bollard, one that takes the connection over.
        let requests = ["info", "list containers", "create container", "hijack"];
        assert_bounded(what, &begins, &piece, &requests).await;
    }
}

#[tokio::test]
async fn what_is_too_large_is_named() {
    let hostile = Hostile::always(Answer::endless(&format!("{OK}\r\n"), vec![b' '; 64 << 10]));
    for (name, request, most) in [
        ("list containers", "GET /containers/json", 16),
        ("inspect container", "GET /containers/c/json", 4),
        ("create network", "POST /networks/create", 2),
        // A request of bollard.
        ("create container", "POST /", 2),
    ] {
        let error = bounded(&hostile.engine, name).await.expect_err(name);
        let EngineError::AnswerTooLarge {
            request: said,
            limit,
            ..
        } = &error
        else {
            panic!("{name}: {error:?}")
        };
        assert!(said.starts_with(request), "{said}");
        assert_eq!(*limit, AnswerLimit::Bytes(most << 20), "{name}");
        assert!(
            error.to_string().contains(&format!("{most} MiB")),
            "{error}"
        );
        assert!(error.to_string().contains("unix:///"), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_without_end_is_a_refusal() {
    let words = "no ".repeat(1000).into_bytes();
    let hostile = Hostile::always(Answer::endless("HTTP/1.1 500 No\r\n\r\n", words));
    for name in [
        "info",
        "pull image",
        "load images",
        "hijack",
        "list volumes",
    ] {
        let error = bounded(&hostile.engine, name).await.expect_err(name);
        let EngineError::Refused {
            status: 500,
            message,
        } = &error
        else {
            panic!("{name}: {error:?}")
        };
        assert!(
            message.contains("no no no") && message.len() < 5000,
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_trickles_is_given_up() {
    let trickle = |begins: &str, piece: &str| {
        Hostile::always(Answer {
            pause: Duration::from_secs(1),
            ..Answer::endless(begins, piece)
        })
    };
    // Reports continue as long as the transfer.
    let answers = REQUESTS
        .into_iter()
        .filter(|name| !["pull image", "push image", "load images"].contains(name));
    for (begins, piece) in [
        (format!("{OK}Content-Length: 1000000\r\n\r\n"), " "),
        (String::new(), "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ] {
        let hostile = trickle(&begins, piece);
        for name in answers.clone() {
            let error = match bounded(&hostile.engine, name).await {
                Err(error) => error,
                // The body of a plain acknowledgement is not read.
                Ok(()) => continue,
            };
            let is_slow = matches!(
                &error,
                EngineError::AnswerTooSlow { seconds: 60, .. } | EngineError::Protocol(_)
            );
            assert!(is_slow, "{name}: {error:?}");
        }
        let error = bounded(&hostile.engine, "list containers").await;
        let error = error.expect_err("it is slow").to_string();
        assert!(
            error.contains("answer to GET /containers/json within 60 s"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_not_answered_is_given_up() {
    let silent = Answer {
        pause: Duration::from_secs(1_000_000),
        ..Answer::endless("", "x")
    };
    let hostile = Hostile::always(silent);
    for name in [
        "info",
        "inspect container",
        "list networks",
        "hijack",
        "inspect any",
    ] {
        let error = bounded(&hostile.engine, name).await.expect_err(name);
        assert!(
            matches!(&error, EngineError::AnswerTooSlow { seconds: 60, .. }),
            "{name}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_list_of_millions_is_none() {
    let object = |count: usize| {
        let objects = vec![r#"{"Id":"1","Name":"n"}"#; count].join(",");
        move |line: &str| {
            let list = format!("[{objects}]");
            let volumes = line.contains("/volumes");
            let list = if volumes {
                format!("{{\"Volumes\":{list}}}")
            } else {
                list
            };
            Answer::whole("200 OK", &list)
        }
    };
    let hostile = Hostile::new(object(20_000));
    for name in ["list containers", "list volumes", "list networks"] {
        let error = bounded(&hostile.engine, name).await.expect_err(name);
        assert!(error.to_string().contains("10000 objects"), "{error}");
    }
    let hostile = Hostile::new(object(10_000));
    let found = hostile.engine.list_containers(&[]).await;
    assert_eq!(found.expect("not too many").len(), 10_000);
}

#[tokio::test]
async fn deep_json_is_no_answer() {
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"Id\":\"1\",\"Labels\":{deep}");
    for body in [deep, nested] {
        let hostile = Hostile::always(Answer::whole("200 OK", &body));
        for name in [
            "info",
            "list containers",
            "inspect image",
            "inspect any",
            "pull image",
        ] {
            let error = bounded(&hostile.engine, name).await.expect_err(name);
            assert!(
                matches!(error, EngineError::Protocol(_)),
                "{name}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_frame_that_lies_about_its_length_takes_no_more_memory() {
    // 4 GiB of stdout, of which 64 MiB arrive; the same of the engine's own messages.
    for (kind, name) in [(1, "stdout"), (3, "words")] {
        let hostile = Hostile::new(move |line| {
            if line.contains("/exec/1/start") {
                let frame = [kind, 0, 0, 0, 0x7f, 0x7f, 0x7f, 0x7f].map(char::from);
                Answer {
                    times: 1024,
                    ..Answer::endless(
                        &format!(
                            "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n{}",
                            String::from_iter(frame)
                        ),
                        vec![b'x'; 64 << 10],
                    )
                }
            } else {
                Answer::whole("201 Created", r#"{"Id":"1"}"#)
            }
        });
        let error = bounded(&hostile.engine, "run in container").await;
        let error = error.expect_err("the frame has no end").to_string();
        assert!(error.len() < 5000, "{name}: {} bytes", error.len());
        let expected = if kind == 1 {
            "middle of a frame"
        } else {
            "xxxx"
        };
        assert!(error.contains(expected), "{name}: {error}");
    }
}
