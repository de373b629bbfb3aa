//! How containers live and end.

use std::time::Duration;

use iechor_engine::model::{ContainerStatus, Limits, LogStream, Mount, MountSource, RestartPolicy};
use iechor_engine::{Engine, EngineError};

use super::{ENDS, MISSING, STAYS, Seen, exec, shown, wait_for};

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
        // The engine's message is the same, apart from the description of the machine.
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
