//! Commands in containers, and their streams.

use std::time::Duration;

use iechor_engine::Engine;
use iechor_engine::EngineError;
use iechor_engine::model::ExecSpec;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{run, running, sh};
use crate::support::{self, Names};

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
