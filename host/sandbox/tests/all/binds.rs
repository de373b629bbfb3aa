//! Directories of the machine: a grant of one does not become a grant of another.

use std::os::unix::fs::symlink;

use iechor_engine::Engine;
use iechor_engine::model::{ContainerSpec, Mount, MountSource};
use iechor_engine::simulated::SimulatedEngine;
use iechor_sandbox::DriverError;

use crate::support::{Nodes, Stage, granting, guest, load};

async fn bench(granted: &[&str]) -> Stage {
    granting(&*load(guest()).await, granted).await
}

async fn boot(bench: &Stage, behaviour: &str, value: &str) -> Result<(), DriverError> {
    let driver = load(guest()).await;
    let node = bench
        .with_options(&driver, &[("behave", behaviour), ("value", value)])
        .await;
    node.boot().await
}

#[track_caller]
fn assert_denied(result: Result<(), DriverError>, words: &str) {
    match result {
        Err(DriverError::Denied { denial, .. }) => {
            assert_eq!(denial.capability, "container.bind");
            assert!(denial.detail().contains(words), "{}", denial.detail());
        }
        other => panic!("{words}: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pattern_covers_is_for_reading_only() {
    let pattern = ["container.bind=/nowhere/*"];
    let result = boot(&bench(&pattern).await, "bind", "/nowhere/data").await;
    assert_denied(result, "for reading only");
    boot(&bench(&pattern).await, "bind read-only", "/nowhere/data")
        .await
        .unwrap();
    let exact = ["container.bind=/nowhere/*", "container.bind=/nowhere/data"];
    boot(&bench(&exact).await, "bind", "/nowhere/data")
        .await
        .unwrap();
    // Whoever may mount anything has the machine already.
    for any in ["container.bind", "container.bind=*", "container.bind=/*"] {
        boot(&bench(&[any]).await, "bind", "/nowhere/data")
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_mounted_below_what_a_container_may_write_to() {
    let granted = ["container.bind=/nowhere/data", "container.bind=/nowhere/*"];
    for (behaviour, value) in [
        ("bind below a bind", "/nowhere/data /nowhere/data/link"),
        // In another boot than the one that wrote.
        ("bind read-only", "/nowhere/data/link"),
        ("bind read-only", "/nowhere/data/a/b"),
    ] {
        let bench = bench(&granted).await;
        assert_denied(
            boot(&bench, behaviour, value).await,
            "is below /nowhere/data",
        );
        assert_eq!(bench.objects().await, [""; 0]);
    }
    // Beside it there is no such link.
    for path in ["/nowhere/data", "/nowhere/data2"] {
        boot(&bench(&granted).await, "bind read-only", path)
            .await
            .unwrap();
    }
    // A grant of the path itself does not help.
    let both = [
        "container.bind=/nowhere/data",
        "container.bind=/nowhere/data/link",
    ];
    let result = boot(&bench(&both).await, "bind read-only", "/nowhere/data/link").await;
    assert_denied(result, "is below /nowhere/data");
}

/// A container of another builder that sees this directory.
async fn other_builder(bench: &Stage, path: &str, read_only: bool) {
    let spec = ContainerSpec {
        name: "buildx_buildkit_other0".into(),
        image: "image".into(),
        labels: [
            ("dev.iechor.builder".to_owned(), "other".to_owned()),
            ("dev.iechor.node".to_owned(), "other0".to_owned()),
        ]
        .into(),
        mounts: vec![Mount {
            target: "/mnt".into(),
            source: MountSource::Bind(path.into()),
            read_only,
        }],
        ..ContainerSpec::default()
    };
    bench.engine.create_container(&spec).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn builders_do_not_lead_one_another_elsewhere() {
    for (theirs, read_only, granted, behaviour, refused) in [
        ("/nowhere", false, "/nowhere/data", "bind", true),
        ("/nowhere", false, "/nowhere/data", "bind read-only", true),
        ("/nowhere", true, "/nowhere/data", "bind", false),
        ("/nowhere/data", false, "/nowhere/data", "bind", false),
        ("/nowhere/data/a", true, "/nowhere/data", "bind", true),
        (
            "/nowhere/data/a",
            true,
            "/nowhere/data",
            "bind read-only",
            false,
        ),
        ("/nowhere/dat", false, "/nowhere/data", "bind", false),
    ] {
        let bench = bench(&[&format!("container.bind={granted}")]).await;
        other_builder(&bench, theirs, read_only).await;
        let result = boot(&bench, behaviour, granted).await;
        if refused {
            assert_denied(result, "container buildx_buildkit_other0");
        } else {
            result.unwrap_or_else(|error| panic!("{theirs} {granted}: {error}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_is_no_other_name_for_what_is_not_granted() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().canonicalize().unwrap();
    let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("data")).unwrap();
    symlink("/", path("out")).unwrap();
    symlink("/etc", path("etc")).unwrap();
    symlink("data", path("near")).unwrap();
    let pattern = format!("container.bind={}", path("*"));
    for (granted, value, expected) in [
        (&pattern, path("data"), None),
        (&pattern, path("near"), None),
        (&pattern, path("out"), Some("leads to /: ")),
        (&pattern, path("etc"), Some("leads to /etc: ")),
        (&pattern, path("out/etc/ssl"), Some("leads to /etc/ssl: ")),
        // It is granted, and yet led elsewhere since.
        (
            &format!("container.bind={}", path("out")),
            path("out"),
            Some("leads to /: "),
        ),
    ] {
        let bench = bench(&[granted]).await;
        let result = boot(&bench, "bind read-only", &value).await;
        match expected {
            None => result.unwrap_or_else(|error| panic!("{value}: {error}")),
            Some(words) => {
                assert_denied(result, words);
                bench.assert_no_creations();
            }
        }
    }
    // Of another machine nothing is known: there, links are followed as before.
    let elsewhere = Stage {
        engine: SimulatedEngine::at("tcp://192.0.2.1:2375"),
        ..bench(&[&pattern]).await
    };
    elsewhere.engine.add_image("image");
    boot(&elsewhere, "bind read-only", &path("out"))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_link_that_came_later_is_seen_when_the_container_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().canonicalize().unwrap();
    let data = home.join("data").to_str().unwrap().to_owned();
    std::fs::create_dir(&data).unwrap();
    let bench = bench(&[&format!("container.bind={data}")]).await;
    let spec = ContainerSpec {
        name: "buildx_buildkit_node0".into(),
        image: "image".into(),
        mounts: vec![Mount {
            target: "/mnt".into(),
            source: MountSource::Bind(data.clone()),
            read_only: false,
        }],
        ..ContainerSpec::default()
    };
    bench.engine.create_container(&spec).await.unwrap();
    boot(&bench, "start what is there", "").await.unwrap();
    std::fs::remove_dir(&data).unwrap();
    symlink("/", &data).unwrap();
    assert_denied(
        boot(&bench, "start what is there", "").await,
        "leads to /: ",
    );
}
