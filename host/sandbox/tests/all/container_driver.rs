//! What is special to the driver `iechor-container`, the embedded component, on an engine in memory.
//! What holds for every driver is asked of it by the test kit.

use std::sync::Arc;

use iechor_engine::Engine;
use iechor_engine::model::{
    Container, ContainerSpec, ContainerStatus, EngineInfo, File, Image, Limits, LogStream, Mount,
    MountSource, RestartPolicy, VolumeSpec,
};
use iechor_engine::simulated::Behavior;
use iechor_sandbox::contract::{self, Config, Error, Feature, RemoveOptions, Severity};
use iechor_sandbox::{Driver, DriverError, Grants, Node, Sandbox};

use crate::support::{
    Answers, CONTAINER, IMAGE, Nodes, Stage, VOLUME, bounded, config, embedded_component, granting,
    load, pairs,
};

const KEEP_NOTHING: RemoveOptions = RemoveOptions {
    force: false,
    keep_state: false,
    keep_daemon: false,
};

async fn embedded() -> Arc<Driver> {
    Sandbox::embedded("iechor-container").unwrap().unwrap()
}

fn image(reference: &str) -> Image {
    Image {
        id: format!("sha256:{reference}"),
        repo_digests: Vec::new(),
        platform: iechor_engine::model::Platform::new("linux", "amd64", ""),
        labels: Default::default(),
        startup: Default::default(),
    }
}

/// The driver with all that it asks for, on an engine that can pull its image.
async fn bench(answers: Answers) -> (Stage, Arc<Driver>) {
    let driver = embedded().await;
    let grants: Grants = driver.grants(&[]).await.unwrap();
    let bench = Stage {
        grants,
        ..Stage::new(answers)
    };
    bench.engine.add_to_registry(IMAGE, image(IMAGE));
    (bench, driver)
}

/// A node without options, and what it stands on.
async fn node(answers: Answers) -> (Stage, Node) {
    let (bench, driver) = bench(answers).await;
    let node = bench.with_options(&driver, &[]).await;
    (bench, node)
}

async fn container(bench: &Stage) -> Container {
    bench
        .engine
        .inspect_container(CONTAINER)
        .await
        .unwrap()
        .expect("no container")
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
    bench
        .with_options(&driver, options)
        .await
        .boot()
        .await
        .unwrap();
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
        let node = bench
            .with_options(&driver, &[("default-load", value)])
            .await;
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
async fn a_failed_pull_falls_back_to_the_local_image_and_says_so() {
    let (bench, driver) = bench(Answers::AtOnce).await;
    bench.engine.add_image("my/image:1");
    bench
        .with_options(&driver, &[("image", "my/image:1")])
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
        .with_options(&driver, &[("image", "my/image:1")])
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
async fn a_container_that_was_about_to_end_is_started_again() {
    let (bench, node) = node(Answers::AtOnce).await;
    node.boot().await.unwrap();
    let id = container(&bench).await.id;
    // A boot finds it running, and it ends before it answers.
    bench.buildkit.set_answers(Answers::Never);
    let tries = bench.buildkit.tries();
    let end = async {
        while bench.buildkit.tries() == tries {
            tokio::task::yield_now().await;
        }
        bench.engine.stop_container(CONTAINER, None).await.unwrap();
        bench.buildkit.set_answers(Answers::AtOnce);
    };
    let (booted, ()) = bounded(async { tokio::join!(node.boot(), end) }).await;
    booted.unwrap();
    let again = container(&bench).await;
    assert_eq!((again.id, again.status), (id, ContainerStatus::Running));
    let shown = bench.watcher.shown();
    let started = format!("begin starting container {CONTAINER}");
    assert!(shown.contains(&started), "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn buildkit_that_never_answers_ends_the_boot() {
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
        assert_eq!(bench.objects().await, nothing());
    }
    let (bench, node) = node(Answers::Hangs).await;
    bounded(node.boot()).await.unwrap_err();
    assert_eq!(bench.objects().await, nothing());
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_during_boot_says_why() {
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
        bench.engine.set_behavior(IMAGE, behavior);
        let node = bench
            .with_options(&driver, &[("restart-policy", policy)])
            .await;
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
        assert!(words.contains(expected), "{words}");
        assert_eq!(bench.objects().await, nothing());
    }
}

/// A configuration with files and flags.
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
            .with_options(&driver, &[("cgroup-parent", "/mine")])
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
    bench.with_options(&driver, &[]).await.boot().await.unwrap();
    assert!(
        !bench
            .watcher
            .shown()
            .iter()
            .any(|line| line.contains("cgroup-parent"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_parent_cgroup_that_nobody_asked_for_is_done_without() {
    let driver = load(&embedded_component()).await;
    let bench = granting(&driver, &["container.privileged", "image.pull"]).await;
    bench.engine.add_to_registry(IMAGE, image(IMAGE));
    let asked = bench
        .with_options(&driver, &[("cgroup-parent", "/mine")])
        .await;
    let error = asked.boot().await.unwrap_err();
    let DriverError::Denied { denial, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(denial.capability, "container.cgroup-parent");

    bench.with_options(&driver, &[]).await.boot().await.unwrap();
    let spec = bench.engine.spec(CONTAINER).unwrap();
    assert_eq!(spec.limits.cgroup_parent, None);
    let shown = bench.watcher.shown();
    let said = shown.iter().any(|line| line.contains("is not granted"));
    assert!(said, "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn configuration_files_are_where_buildkit_looks_for_them() {
    let (bench, driver) = bench(Answers::AtOnce).await;
    bench
        .with_config(&driver, full_config())
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
