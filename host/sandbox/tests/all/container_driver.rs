//! The driver `iechor-container`, the embedded component, on an engine in memory.

use std::sync::Arc;

use iechor_engine::model::{
    Container, ContainerSpec, ContainerStatus, EngineInfo, File, Image, Limits, LogStream, Mount,
    MountSource, RestartPolicy, VolumeSpec,
};
use iechor_engine::simulated::{Behavior, Fault};
use iechor_engine::{Engine, EngineError};
use iechor_sandbox::contract::{
    self, Config, Error, Feature, RemoveOptions, Severity, Status, StopOptions,
};
use iechor_sandbox::{Driver, DriverError, Grants, Node, Sandbox};

use crate::support::{Answers, Bench, CONTAINER, IMAGE, VOLUME, bounded, config, pairs};

const KEEP_NOTHING: RemoveOptions = RemoveOptions {
    force: false,
    keep_state: false,
    keep_daemon: false,
};
const STOP: StopOptions = StopOptions {
    force: false,
    grace: None,
};

async fn embedded() -> Arc<Driver> {
    Sandbox::embedded("iechor-container").unwrap().unwrap()
}

fn image(reference: &str) -> Image {
    Image {
        id: format!("sha256:{reference}"),
        repo_digests: Vec::new(),
        platform: iechor_engine::model::Platform {
            os: "linux".into(),
            architecture: "amd64".into(),
            variant: None,
        },
        labels: Default::default(),
    }
}

/// The driver with all that it asks for, on an engine that can pull its image.
async fn bench(answers: Answers) -> (Bench, Arc<Driver>) {
    let driver = embedded().await;
    let grants: Grants = driver.grants(&[]).await.unwrap();
    let bench = Bench {
        grants,
        ..Bench::new(answers)
    };
    bench.engine.add_to_registry(IMAGE, image(IMAGE));
    (bench, driver)
}

/// A node without options, and what it stands on.
async fn node(answers: Answers) -> (Bench, Node) {
    let (bench, driver) = bench(answers).await;
    let node = bench.node(&driver, &[]).await;
    (bench, node)
}

async fn container(bench: &Bench) -> Container {
    bench
        .engine
        .inspect_container(CONTAINER)
        .await
        .unwrap()
        .expect("no container")
}

fn both() -> Vec<String> {
    vec![format!("container {CONTAINER}"), format!("volume {VOLUME}")]
}

fn nothing() -> Vec<String> {
    Vec::new()
}

/// What a container is created with where no option says otherwise, without its labels.
fn default_spec() -> ContainerSpec {
    ContainerSpec {
        name: CONTAINER.into(),
        image: IMAGE.into(),
        mounts: vec![Mount {
            target: "/var/lib/buildkit".into(),
            source: MountSource::Volume(VOLUME.into()),
            read_only: false,
        }],
        privileged: true,
        init: true,
        restart: RestartPolicy::UnlessStopped,
        limits: Limits {
            cgroup_parent: Some("/iechor/buildx".into()),
            ..Limits::default()
        },
        ..ContainerSpec::default()
    }
}

async fn spec_for(options: &[(&str, &str)]) -> ContainerSpec {
    let (bench, driver) = bench(Answers::AtOnce).await;
    bench
        .engine
        .add_to_registry("my/image:1", image("my/image:1"));
    let network = iechor_engine::model::NetworkSpec {
        name: "foonet".into(),
        ..Default::default()
    };
    bench.engine.create_network(&network).await.unwrap();
    bench.node(&driver, options).await.boot().await.unwrap();
    let mut spec = bench.engine.spec(CONTAINER).unwrap();
    let labels = std::mem::take(&mut spec.labels);
    assert_eq!(labels["dev.iechor.builder"], "builder");
    assert_eq!(labels["dev.iechor.node"], "node0");
    assert_eq!(labels["dev.iechor.driver"], "iechor-container");
    spec
}

#[tokio::test(start_paused = true)]
async fn every_option_has_its_effect() {
    type Change = fn(&mut ContainerSpec);
    let table: &[(&[(&str, &str)], Change)] = &[
        (&[], |_| {}),
        (&[("image", "my/image:1")], |spec| {
            spec.image = "my/image:1".into()
        }),
        (&[("memory", "1g")], |spec| {
            spec.limits.memory = Some(1 << 30)
        }),
        (&[("memory", "512m"), ("memory-swap", "1g")], |spec| {
            spec.limits.memory = Some(512 << 20);
            spec.limits.memory_swap = Some(1 << 30);
        }),
        (&[("memory-swap", "-1")], |spec| {
            spec.limits.memory_swap = Some(-1)
        }),
        (&[("cpu-quota", "50000")], |spec| {
            spec.limits.cpu_quota = Some(50_000)
        }),
        (&[("cpu-period", "100000")], |spec| {
            spec.limits.cpu_period = Some(100_000)
        }),
        (&[("cpu-shares", "512")], |spec| {
            spec.limits.cpu_shares = Some(512)
        }),
        (&[("cpuset-cpus", "0-2,4")], |spec| {
            spec.limits.cpuset_cpus = Some("0-2,4".into())
        }),
        (&[("cpuset-mems", "0")], |spec| {
            spec.limits.cpuset_mems = Some("0".into())
        }),
        (&[("default-load", "true")], |_| {}),
        (&[("network", "foonet")], |spec| {
            spec.network = Some("foonet".into())
        }),
        (&[("network", "host")], |spec| {
            spec.network = Some("host".into())
        }),
        (&[("cgroup-parent", "/mine")], |spec| {
            spec.limits.cgroup_parent = Some("/mine".into())
        }),
        (&[("restart-policy", "no")], |spec| {
            spec.restart = RestartPolicy::No
        }),
        (&[("restart-policy", "always")], |spec| {
            spec.restart = RestartPolicy::Always
        }),
        (&[("restart-policy", "on-failure:3")], |spec| {
            spec.restart = RestartPolicy::OnFailure(3)
        }),
        (&[("env.FOO", "bar"), ("env.A.B", "c=d")], |spec| {
            spec.env = pairs(&[("FOO", "bar"), ("A.B", "c=d")]);
        }),
        (&[("memory", "banana"), ("memory", "2g")], |spec| {
            spec.limits.memory = Some(2 << 30)
        }),
        (
            &[("memory", "0"), ("network", ""), ("cpuset-cpus", "")],
            |_| {},
        ),
    ];
    for (options, change) in table {
        let mut expected = default_spec();
        change(&mut expected);
        assert_eq!(spec_for(options).await, expected, "{options:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn default_load_is_a_feature() {
    let (bench, driver) = bench(Answers::AtOnce).await;
    for (value, expected) in [("true", true), ("0", false)] {
        let node = bench.node(&driver, &[("default-load", value)]).await;
        let features = node.features().await.unwrap();
        let has = features
            .iter()
            .any(|feature| matches!(feature, Feature::DefaultLoad));
        assert_eq!(has, expected, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_a_configuration_is_reported_in_one_go() {
    let driver = embedded().await;
    let options = [
        ("image", ""),
        ("memory", "banana"),
        ("memory-swap", "much"),
        ("cpu-quota", "half"),
        ("cpu-period", "-1"),
        ("cpu-shares", "x"),
        ("cpuset-cpus", "2-1"),
        ("cpuset-mems", "a"),
        ("default-load", "maybe"),
        ("restart-policy", "sometimes"),
        ("env.", "x"),
        ("colour", "red"),
    ];
    let config = Config {
        options: pairs(&options),
        ..config()
    };
    let error = driver.validate(&config).await.unwrap_err();
    let DriverError::InvalidConfiguration { issues, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(issues.iter().all(|issue| issue.severity == Severity::Error));
    let mut subjects: Vec<_> = issues
        .iter()
        .filter_map(|issue| issue.subject.as_deref())
        .collect();
    let mut expected: Vec<_> = options.iter().map(|(name, _)| *name).collect();
    subjects.sort_unstable();
    expected.sort_unstable();
    assert_eq!(subjects, expected);
    let text = error.to_string();
    assert!(
        options
            .iter()
            .all(|(name, _)| text.contains(&format!("option {name}: "))),
        "{text}"
    );

    for (options, subject) in [
        (
            &[("memory", "1g"), ("memory-swap", "512m")][..],
            "memory-swap",
        ),
        (&[("memory-swap", "1g")], "memory-swap"),
    ] {
        let config = Config {
            options: pairs(options),
            ..config.clone()
        };
        let error = driver.validate(&config).await.unwrap_err().to_string();
        assert!(error.contains(subject), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_boot_changes_nothing() {
    let (bench, node) = node(Answers::AtOnce).await;
    assert_eq!(node.info().await.unwrap().status, Status::Inactive);
    node.boot().await.unwrap();
    assert_eq!(bench.objects().await, both());
    let before = container(&bench).await;
    assert_eq!(node.info().await.unwrap().status, Status::Running);
    let calls = bench.engine.calls() as usize;
    node.boot().await.unwrap();
    assert_eq!(container(&bench).await, before);
    let journal = bench.engine.journal().split_off(calls);
    let changes = ["create_", "start_", "pull_", "copy_", "remove_"];
    assert!(
        !journal
            .iter()
            .any(|line| changes.iter().any(|c| line.starts_with(c))),
        "{journal:?}"
    );
    assert_eq!(node.version().await.unwrap(), "v0.25.1");
    node.dial().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stopped_container_is_started_again() {
    let (bench, node) = node(Answers::AtOnce).await;
    node.boot().await.unwrap();
    let id = container(&bench).await.id;
    node.stop(STOP).await.unwrap();
    assert_eq!(node.info().await.unwrap().status, Status::Stopped);
    let error = node.dial().await.err().unwrap();
    assert!(
        matches!(
            error,
            DriverError::Failed {
                error: Error::NotRunning,
                ..
            }
        ),
        "{error:?}"
    );
    node.boot().await.unwrap();
    let again = container(&bench).await;
    assert_eq!((again.id, again.status), (id, ContainerStatus::Running));
}

#[tokio::test(start_paused = true)]
async fn what_docker_buildx_made_is_adopted() {
    let (bench, node) = node(Answers::AtOnce).await;
    bench
        .engine
        .create_volume(&VolumeSpec {
            name: VOLUME.into(),
            ..Default::default()
        })
        .await
        .unwrap();
    let theirs = ContainerSpec {
        name: CONTAINER.into(),
        image: "image".into(),
        ..Default::default()
    };
    let id = bench.engine.create_container(&theirs).await.unwrap();
    node.boot().await.unwrap();
    assert_eq!(container(&bench).await.id, id);
    node.remove(KEEP_NOTHING).await.unwrap();
    assert_eq!(bench.objects().await, nothing());
}

#[tokio::test(start_paused = true)]
async fn what_another_builder_owns_is_left_alone() {
    let (bench, node) = node(Answers::AtOnce).await;
    let labels = pairs(&[
        ("dev.iechor.builder", "other"),
        ("dev.iechor.node", "node0"),
    ]);
    let theirs = ContainerSpec {
        name: CONTAINER.into(),
        image: "image".into(),
        labels: labels.into_iter().collect(),
        ..Default::default()
    };
    bench.engine.create_container(&theirs).await.unwrap();
    let before = (bench.objects().await, container(&bench).await);
    let error = node.boot().await.unwrap_err();
    let DriverError::Failed {
        error: Error::Conflict(words),
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert!(
        words.contains(CONTAINER) && words.contains("builder other"),
        "{words}"
    );
    assert_eq!(node.info().await.unwrap().status, Status::Inactive);
    node.stop(STOP).await.unwrap();
    node.remove(KEEP_NOTHING).await.unwrap();
    assert_eq!((bench.objects().await, container(&bench).await), before);
}

#[tokio::test(start_paused = true)]
async fn a_failed_pull_falls_back_to_the_local_image_and_says_so() {
    let (bench, driver) = bench(Answers::AtOnce).await;
    bench.engine.add_image("my/image:1");
    bench
        .node(&driver, &[("image", "my/image:1")])
        .await
        .boot()
        .await
        .unwrap();
    let shown = bench.watcher.shown();
    assert!(
        shown.contains(&"begin using local image my/image:1".to_owned()),
        "{shown:#?}"
    );
    assert!(
        shown.iter().any(|line| line.contains("pull access denied")),
        "{shown:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_an_image_there_is_nothing() {
    let (bench, driver) = bench(Answers::AtOnce).await;
    let error = bench
        .node(&driver, &[("image", "my/image:1")])
        .await
        .boot()
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("cannot pull my/image:1"),
        "{error}"
    );
    assert_eq!(bench.objects().await, nothing());
    bench.assert_no_creations();
}

#[tokio::test(start_paused = true)]
async fn buildkit_that_takes_its_time_is_waited_for() {
    let (bench, node) = node(Answers::After(20)).await;
    bounded(node.boot()).await.unwrap();
    assert_eq!(bench.objects().await, both());
    assert_eq!(
        bench
            .buildkit
            .tries
            .load(std::sync::atomic::Ordering::SeqCst),
        21
    );
}

#[tokio::test(start_paused = true)]
async fn buildkit_that_never_answers_ends_the_boot_with_its_log() {
    for answers in [Answers::Never, Answers::WithoutWorkers] {
        let (bench, node) = node(answers).await;
        bench.engine.set_behavior(
            IMAGE,
            Behavior::stays_up().with_log(LogStream::Stderr, "could not use snapshotter"),
        );
        let error = bounded(node.boot()).await.unwrap_err();
        let DriverError::Failed {
            error: Error::Unavailable(words),
            ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert!(words.contains("does not answer"), "{words}");
        assert!(words.contains("could not use snapshotter"), "{words}");
        assert_eq!(bench.objects().await, nothing());
    }
    let (bench, node) = node(Answers::Hangs).await;
    bounded(node.boot()).await.unwrap_err();
    assert_eq!(bench.objects().await, nothing());
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_during_boot_says_why() {
    let line = "buildkitd: invalid argument";
    for (policy, behavior, expected) in [
        ("no", Behavior::exits(3), "exit code 3"),
        ("no", Behavior::exits(3).after_calls(4), "exit code 3"),
        (
            "no",
            Behavior::runs_out_of_memory(),
            "killed for want of memory",
        ),
        // The engine starts it again and again.
        ("unless-stopped", Behavior::exits(1), "exit code 1"),
        (
            "on-failure:2",
            Behavior::exits(1).after_calls(3),
            "exit code 1",
        ),
    ] {
        let (bench, driver) = bench(Answers::Never).await;
        bench
            .engine
            .set_behavior(IMAGE, behavior.with_log(LogStream::Stderr, line));
        let node = bench.node(&driver, &[("restart-policy", policy)]).await;
        let error = bounded(node.boot()).await.unwrap_err();
        let DriverError::Failed {
            error: Error::Unavailable(words),
            ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert!(
            words.contains("ended while BuildKit was starting"),
            "{words}"
        );
        assert!(words.contains(expected) && words.contains(line), "{words}");
        assert_eq!(bench.objects().await, nothing());
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_start_leaves_nothing() {
    let (bench, node) = node(Answers::AtOnce).await;
    bench
        .engine
        .set_behavior(IMAGE, Behavior::never_starts("exec format error"));
    let error = node.boot().await.unwrap_err();
    assert!(error.to_string().contains("exec format error"), "{error}");
    assert_eq!(bench.objects().await, nothing());
}

/// The configuration of the sweeps: one that makes every call that boot can make.
fn full_config() -> Config {
    let file = |path: &str, mode| contract::File {
        path: path.into(),
        mode,
        contents: vec![b'x'],
    };
    Config {
        buildkitd_flags: vec!["--debug".into()],
        files: vec![
            file("buildkitd.toml", 0o644),
            file("certs/registry/key.pem", 0o600),
        ],
        ..config()
    }
}

/// How many calls a boot makes, and a fresh bench for each of them.
async fn calls_of_a_boot() -> u64 {
    let (bench, driver) = bench(Answers::AtOnce).await;
    bench
        .configured(&driver, full_config())
        .await
        .boot()
        .await
        .unwrap();
    bench.engine.calls()
}

#[tokio::test(start_paused = true)]
async fn an_engine_error_at_any_call_leaves_nothing_or_does_not_matter() {
    for call in 1..=calls_of_a_boot().await {
        for lose_answer in [false, true] {
            let (bench, driver) = bench(Answers::AtOnce).await;
            let node = bench.configured(&driver, full_config()).await;
            let error = EngineError::Refused {
                status: 500,
                message: "injected".into(),
            };
            let fault = if lose_answer {
                Fault::LoseAnswer(error)
            } else {
                Fault::Error(error)
            };
            bench.engine.set_fault(call, fault);
            match bounded(node.boot()).await {
                // Readiness is tried again, and a pull may fail.
                Ok(()) => assert_eq!(bench.objects().await, both(), "call {call}"),
                Err(error) => {
                    let typed = matches!(
                        &error,
                        DriverError::Failed {
                            operation: "boot",
                            ..
                        }
                    );
                    assert!(
                        typed && error.to_string().contains("injected"),
                        "{call}: {error:?}"
                    );
                    assert_eq!(bench.objects().await, nothing(), "call {call}");
                }
            }
            bench.engine.clear_faults();
            bench
                .configured(&driver, full_config())
                .await
                .boot()
                .await
                .unwrap();
            assert_eq!(bench.objects().await, both());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_at_any_call_leaves_nothing() {
    for call in 1..=calls_of_a_boot().await {
        let (bench, driver) = bench(Answers::AtOnce).await;
        let node = bench.configured(&driver, full_config()).await;
        let cancel = async {
            while bench.engine.calls() < call {
                tokio::task::yield_now().await;
            }
            bench.cancel.cancel();
        };
        let (result, ()) = bounded(async { tokio::join!(node.boot(), cancel) }).await;
        match result {
            Err(DriverError::Cancelled { operation: "boot" }) => {
                assert_eq!(bench.objects().await, nothing(), "call {call}");
            }
            // The cancel came after the last call was answered.
            Ok(()) => assert_eq!(bench.objects().await, both(), "call {call}"),
            other => panic!("call {call}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_returns_is_cancelled_or_times_out_and_leaves_nothing() {
    for call in 1..=calls_of_a_boot().await {
        let (bench, driver) = bench(Answers::AtOnce).await;
        let node = bench.configured(&driver, full_config()).await;
        bench.engine.hang_call(call);
        let result = bounded(node.boot()).await;
        let journal = bench.engine.journal();
        if journal[call as usize - 1].starts_with("dial_") {
            // A command that the engine never starts costs one try.
            assert!(result.is_ok(), "{result:?}");
            assert_eq!(bench.objects().await, both());
            continue;
        }
        assert!(
            matches!(
                result,
                Err(DriverError::TimedOut {
                    operation: "boot",
                    ..
                })
            ),
            "{result:?}"
        );
        let left = bench.objects().await;
        let journal = bench.engine.journal();
        if journal[call as usize - 1].starts_with("create_") {
            // Nobody knows what came of the request that is still under way; the user is told.
            let logged = bench.watcher.logged();
            assert!(
                logged
                    .iter()
                    .any(|line| line.contains("may be left behind")),
                "{logged:?}"
            );
        } else {
            assert_eq!(left, nothing(), "call {call}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_container_nothing_runs_and_stop_and_remove_are_fine() {
    let (bench, node) = node(Answers::AtOnce).await;
    for error in [
        node.dial().await.err().unwrap(),
        node.version().await.err().unwrap(),
    ] {
        assert!(
            matches!(
                error,
                DriverError::Failed {
                    error: Error::NotRunning,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    for booted in [false, true] {
        if booted {
            node.boot().await.unwrap();
        }
        for _ in 0..2 {
            node.stop(STOP).await.unwrap();
        }
        for _ in 0..2 {
            node.remove(KEEP_NOTHING).await.unwrap();
        }
        assert_eq!(bench.objects().await, nothing());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_kept_is_kept() {
    let (bench, node) = node(Answers::AtOnce).await;
    node.boot().await.unwrap();
    node.remove(RemoveOptions {
        keep_daemon: true,
        ..KEEP_NOTHING
    })
    .await
    .unwrap();
    assert_eq!(bench.objects().await, both());
    assert_eq!(node.info().await.unwrap().status, Status::Running);
    node.remove(RemoveOptions {
        keep_state: true,
        ..KEEP_NOTHING
    })
    .await
    .unwrap();
    assert_eq!(bench.objects().await, [format!("volume {VOLUME}")]);
    // The next builder of that name starts with it, and a failed boot does not take it away.
    bench
        .engine
        .set_behavior(IMAGE, Behavior::never_starts("no"));
    node.boot().await.unwrap_err();
    assert_eq!(bench.objects().await, [format!("volume {VOLUME}")]);
    bench.engine.set_behavior(IMAGE, Behavior::stays_up());
    node.boot().await.unwrap();
    assert_eq!(bench.objects().await, both());
    // The container went by other hands: the volume goes all the same.
    bench
        .engine
        .remove_container(CONTAINER, true)
        .await
        .unwrap();
    node.remove(KEEP_NOTHING).await.unwrap();
    assert_eq!(bench.objects().await, nothing());
}

#[tokio::test(start_paused = true)]
async fn the_parent_cgroup_counts_only_where_the_engine_makes_cgroups() {
    for driver_name in [Some("systemd"), None] {
        let (bench, driver) = bench(Answers::AtOnce).await;
        let info = bench.engine.info().await.unwrap();
        let cgroup_driver = driver_name.map(str::to_owned);
        bench.engine.set_info(EngineInfo {
            cgroup_driver,
            user_namespaces: true,
            ..info
        });
        bench
            .node(&driver, &[("cgroup-parent", "/mine")])
            .await
            .boot()
            .await
            .unwrap();
        let spec = bench.engine.spec(CONTAINER).unwrap();
        assert_eq!(spec.limits.cgroup_parent, None);
        assert!(spec.host_user_namespace);
        let shown = bench.watcher.shown();
        let said = shown
            .iter()
            .any(|line| line.contains("ignoring cgroup-parent /mine"));
        assert!(said, "{shown:#?}");
    }
    let (bench, driver) = bench(Answers::AtOnce).await;
    let info = bench.engine.info().await.unwrap();
    bench.engine.set_info(EngineInfo {
        cgroup_driver: Some("systemd".into()),
        ..info
    });
    // Whoever did not ask for a parent is told nothing.
    bench.node(&driver, &[]).await.boot().await.unwrap();
    assert!(
        !bench
            .watcher
            .shown()
            .iter()
            .any(|line| line.contains("cgroup-parent"))
    );
}

#[tokio::test(start_paused = true)]
async fn configuration_files_are_where_buildkit_looks_for_them() {
    let (bench, driver) = bench(Answers::AtOnce).await;
    bench
        .configured(&driver, full_config())
        .await
        .boot()
        .await
        .unwrap();
    let files = bench.engine.files(CONTAINER).unwrap();
    let found: Vec<_> = files
        .iter()
        .map(|(path, File { mode, contents, .. })| (path.as_str(), *mode, contents.as_slice()))
        .collect();
    assert_eq!(
        found,
        [
            ("/etc/buildkit/buildkitd.toml", 0o644, &b"x"[..]),
            ("/etc/buildkit/certs/registry/key.pem", 0o600, b"x"),
        ]
    );
    let spec = bench.engine.spec(CONTAINER).unwrap();
    assert_eq!(
        spec.command,
        ["--config", "/etc/buildkit/buildkitd.toml", "--debug"]
    );
    let journal = bench.engine.journal();
    let place = |start: &str| {
        journal
            .iter()
            .position(|line| line.starts_with(start))
            .unwrap()
    };
    assert!(
        place("copy_into_container") < place("start_container"),
        "{journal:#?}"
    );
}
