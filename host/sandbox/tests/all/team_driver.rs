//! The driver `team`, which puts a policy around the life of a container, on an engine in memory.

use std::sync::{Arc, Mutex};

use iechor_engine::Engine;
use iechor_engine::model::{ExecSpec, Image, Limits, Platform, RestartPolicy};
use iechor_engine::simulated::Command as Program;
use iechor_sandbox::contract::{Config, RemoveOptions, Status, StopOptions};
use iechor_sandbox::{Driver, DriverError, Grant, Sandbox};

use crate::support::{CONTAINER, IMAGE, Nodes, Stage, VOLUME, config, granting, load, pairs, team};

const GRANTS: [&str; 2] = ["container.privileged", "image.pull"];
/// What its release v0.25 is.
const PINNED: &str =
    "moby/buildkit:v0.25.1@sha256:79cc6476ab1a3371c9afd8b44e7c55610057c43e18d9b39b68e2b0c2475cc1b6";

/// The driver on an engine whose containers have no shell.
async fn bench() -> (Stage, Arc<Driver>) {
    bench_granting(&GRANTS).await
}

async fn bench_granting(granted: &[&str]) -> (Stage, Arc<Driver>) {
    let driver = load(team()).await;
    let bench = granting(&driver, granted).await;
    let image = Image {
        id: "sha256:1".into(),
        repo_digests: Vec::new(),
        platform: Platform::new("linux", "amd64", ""),
        labels: Default::default(),
        startup: Default::default(),
    };
    bench.engine.add_to_registry(IMAGE, image.clone());
    bench.engine.add_to_registry(PINNED, image);
    (bench, driver)
}

/// The driver on an engine whose containers have a shell, and what is run with that.
async fn bench_with_shell() -> (Stage, Arc<Driver>, Arc<Mutex<Vec<ExecSpec>>>) {
    let (bench, driver) = bench().await;
    let watches = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&watches);
    let daemon = Arc::clone(&bench.buildkit);
    bench
        .engine
        .on_command(move |_, exec| match exec.command[0].as_str() {
            "buildctl" => {
                let daemon = Arc::clone(&daemon);
                Program::serves(|io| async move {
                    daemon.serve(io.stream).await;
                    0
                })
            }
            "sh" => {
                seen.lock().unwrap().push(exec.clone());
                Program::prints("")
            }
            _ => Program::no_such_program(exec),
        });
    (bench, driver, watches)
}

#[tokio::test(start_paused = true)]
async fn image_and_limits_are_the_teams_and_the_engine_does_not_undo_an_idle_stop() {
    let (bench, driver) = bench().await;
    let node = bench
        .with_options(&driver, &[("memory", "1g"), ("processors", "1")])
        .await;
    node.boot().await.unwrap();
    let spec = bench.engine.spec(CONTAINER).unwrap();
    assert_eq!(spec.image, IMAGE);
    assert_eq!(spec.restart, RestartPolicy::No);
    assert_eq!(spec.network, None);
    assert_eq!(spec.labels["com.example.owner"], "build-team");
    let expected = Limits {
        memory: Some(1 << 30),
        memory_swap: Some(1 << 30),
        cpu_period: Some(100_000),
        cpu_quota: Some(100_000),
        ..Limits::default()
    };
    assert_eq!(spec.limits, expected);
}

#[tokio::test(start_paused = true)]
async fn an_image_by_digest_can_be_all_that_is_granted() {
    let scoped = |image: &str| GRANTS.map(|name| format!("{name}={image}"));
    let other = PINNED.replace("79cc", "0000");
    for (granted, works) in [
        (scoped(PINNED), ["v0.25"].as_slice()),
        (scoped(IMAGE), &["stable"]),
        (scoped("moby/buildkit:*"), &["v0.25", "stable"]),
        (scoped(&other), &[]),
        (scoped("moby/buildkit:v0.25.1"), &[]),
    ] {
        for (release, image) in [("v0.25", PINNED), ("stable", IMAGE)] {
            let granted: Vec<_> = granted.iter().map(String::as_str).collect();
            let (bench, driver) = bench_granting(&granted).await;
            let options = [("release", release)];
            let booted = bench.with_options(&driver, &options).await.boot().await;
            if works.contains(&release) {
                booted.unwrap();
                assert_eq!(bench.engine.spec(CONTAINER).unwrap().image, image);
            } else {
                let denied = matches!(&booted, Err(DriverError::Denied { .. }));
                assert!(denied, "{granted:?} {release}: {booted:?}");
                bench.assert_no_creations();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_more_is_told_what_there_is() {
    let (bench, driver) = bench().await;
    let asked = pairs(&[
        ("memory", "64g"),
        ("processors", "64"),
        ("release", "latest"),
        ("image", "my/own"),
    ]);
    let asked = Config {
        options: asked,
        ..config()
    };
    let error = driver.validate(&asked).await.unwrap_err();
    assert!(
        matches!(&error, DriverError::InvalidConfiguration { issues, .. } if issues.len() == 4),
        "{error:?}"
    );
    let words = error.to_string();
    for expected in [
        "option memory: the team allows 8g at most",
        "option processors: the team allows 4 at most",
        "option release: \"latest\" is none of: stable, v0.25",
        "option image: there is no such option",
    ] {
        assert!(words.contains(expected), "{words}");
    }
    bench.assert_no_creations();
}

#[tokio::test(start_paused = true)]
async fn each_boot_sees_to_the_watch_that_stops_an_idle_daemon() {
    let (bench, driver, watches) = bench_with_shell().await;
    let node = bench.with_options(&driver, &[("idle-stop", "1m")]).await;
    for boots in 1..=2 {
        node.boot().await.unwrap();
        let watches = watches.lock().unwrap();
        assert_eq!(watches.len(), boots);
        let command = &watches[boots - 1].command;
        assert_eq!(command[..2], ["sh", "-c"]);
        assert_eq!(command[3..], ["iechor-idle-stop", "60", "3"]);
    }
    let shown = bench.watcher.shown();
    // With the driver's name, since it does not come with the program.
    let step = format!(
        "begin [driver {}] stopping BuildKit after 60 s without a build",
        driver.name()
    );
    assert!(shown.contains(&step), "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn without_an_idle_stop_there_is_no_watch() {
    let (bench, driver, watches) = bench_with_shell().await;
    let node = bench.with_options(&driver, &[("idle-stop", "0")]).await;
    node.boot().await.unwrap();
    assert!(watches.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_image_without_a_shell_is_used_and_the_boot_says_so() {
    let (bench, driver) = bench().await;
    let node = bench.with_options(&driver, &[]).await;
    node.boot().await.unwrap();
    assert_eq!(node.info().await.unwrap().status, Status::Running);
    let shown = bench.watcher.shown();
    assert!(
        shown
            .iter()
            .any(|line| line.starts_with("finish Err(") && line.contains("\\\"sh\\\"")),
        "{shown:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_an_idle_stop_the_next_boot_starts_the_same_container() {
    let (bench, driver, watches) = bench_with_shell().await;
    let node = bench.with_options(&driver, &[]).await;
    node.boot().await.unwrap();
    let found = || async { bench.engine.inspect_container(CONTAINER).await.unwrap() };
    let id = found().await.unwrap().id;
    // As the watch does.
    bench.engine.stop_container(CONTAINER, None).await.unwrap();
    assert_eq!(node.info().await.unwrap().status, Status::Stopped);
    node.boot().await.unwrap();
    assert_eq!(found().await.unwrap().id, id);
    assert_eq!(watches.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_builder_changes_drivers_and_keeps_its_cache() {
    let (bench, team) = bench().await;
    let plain = Sandbox::embedded("iechor-container").unwrap().unwrap();
    let keep_state = RemoveOptions {
        force: true,
        keep_state: true,
        keep_daemon: false,
    };
    for driver in [&plain, &team, &plain] {
        let grants = GRANTS.iter().map(|grant| Grant::parse(grant).unwrap());
        let bench = Stage {
            grants: driver.grants(&grants.collect::<Vec<_>>()).await.unwrap(),
            ..bench.clone()
        };
        let node = bench.with_options(driver, &[]).await;
        node.boot().await.unwrap();
        let volumes = bench.engine.list_volumes(&[]).await.unwrap();
        assert_eq!(volumes.len(), 1);
        assert_eq!(volumes[0].name, VOLUME);
        // The first driver's: nobody has made another.
        assert_eq!(volumes[0].labels["dev.iechor.driver"], "iechor-container");
        let options = StopOptions {
            force: false,
            grace: None,
        };
        node.stop(options).await.unwrap();
        node.remove(keep_state).await.unwrap();
        assert_eq!(bench.objects().await, [format!("volume {VOLUME}")]);
    }
}
