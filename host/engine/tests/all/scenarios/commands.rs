//! Files and commands in containers.

use bytes::Bytes;
use iechor_engine::Engine;
use iechor_engine::model::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{STAYS, Seen, exec};

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
    let dial = async |command: &[&str]| engine.dial_in_container(&spec.name, &exec(command)).await;

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

    // Its first output ends like a message of the engine.
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
