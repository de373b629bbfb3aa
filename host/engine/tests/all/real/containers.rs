//! Settings of containers, and files in them.

use std::time::{Duration, Instant};

use iechor_engine::Engine;
use iechor_engine::model::{ContainerSpec, ContainerStatus, File, Limits, RestartPolicy};
use iechor_engine::simulated::SimulatedEngine;

use super::{run, running, sh};
use crate::support::{self, Names};

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
    // The size of a directory depends on the file system.
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
    // The engine is notified by an event, which it misses if it is busy: then another run shows it.
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
    // The first process of a container ignores signals that it has no handler for.
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
async fn a_request_can_be_given_up() {
    let engine = support::real().await;
    let names = Names::new(Some(&engine));
    let name = running(&engine, &names).await;
    let stop = engine.stop_container(&name, Some(Duration::from_secs(600)));
    tokio::time::timeout(Duration::from_millis(200), stop)
        .await
        .expect_err("ten minutes");
    // The engine still answers.
    engine.remove_container(&name, true).await.expect("removed");
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

    // What a container can reach is the same on the simulated engine.
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
