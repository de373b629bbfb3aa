//! What a driver may not do, and that nothing of it happens.

use std::collections::BTreeMap;

use iechor_engine::Engine;
use iechor_engine::model::{ContainerSpec, Mount, MountSource, NetworkSpec, VolumeSpec};
use iechor_engine::simulated::SimulatedEngine;
use iechor_sandbox::contract::{Config, Error, RemoveOptions, StopOptions};
use iechor_sandbox::{DenialReason, DriverError, Grant, Missing};

use crate::support::{
    Answers, CONTAINER, Nodes, Stage, VOLUME, config, embedded_component, granting, guest, load,
    ordered_guest, pairs, stage,
};

/// Boots the guest with a behaviour on the bench.
async fn boot(bench: &Stage, behaviour: &str, value: &str) -> Result<(), DriverError> {
    let driver = load(guest()).await;
    let node = bench
        .with_options(&driver, &[("behave", behaviour), ("value", value)])
        .await;
    node.boot().await
}

async fn boot_granted(granted: &[&str], behaviour: &str, value: &str) -> Result<(), DriverError> {
    let driver = load(guest()).await;
    boot(&granting(&driver, granted).await, behaviour, value).await
}

#[tokio::test(start_paused = true)]
async fn an_untrusted_driver_is_refused_with_what_it_lacks() {
    for path in [guest().to_owned(), embedded_component()] {
        let driver = load(&path).await;
        let error = driver.grants(&[]).await.unwrap_err();
        let DriverError::Untrusted {
            driver: named,
            requests,
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!(named, path.to_str().unwrap());
        let names: Vec<_> = requests.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["container.privileged", "image.pull"]);
        let one = [Grant::parse("image.pull").unwrap()];
        let error = driver.grants(&one).await.unwrap_err().to_string();
        assert!(!error.contains("image.pull"), "{error}");
        let all = [
            one[0].clone(),
            Grant::parse("container.privileged").unwrap(),
        ];
        driver.grants(&all).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_granted_is_denied_by_name_and_does_not_happen() {
    for (behaviour, value, capability) in [
        ("privileged", "", "container.privileged"),
        ("host user namespace", "", "container.privileged"),
        ("bind", "/etc", "container.bind"),
        ("network", "host", "container.network"),
        ("network", "container:other", "container.network"),
        ("network", "foonet", "container.network"),
        ("network", "buildx_buildkit_node0..net", "container.network"),
        ("devices", "", "container.devices"),
        ("cgroup-parent", "/other", "container.cgroup-parent"),
        ("volume options", "", "container.bind"),
        ("pull", "image", "image.pull"),
        ("dial tcp", "", "transport.tcp"),
        ("dial local", "/run/docker.sock", "transport.local"),
        ("hijack", "", "engine.open"),
    ] {
        let bench = granting(&*load(guest()).await, &[]).await;
        let error = boot(&bench, behaviour, value).await.unwrap_err();
        let DriverError::Denied { driver, denial } = &error else {
            panic!("{behaviour}: {error:?}")
        };
        assert_eq!(denial.capability, capability, "{behaviour}");
        assert_eq!(driver, guest().to_str().unwrap());
        bench.assert_no_creations();
        let journal = bench.engine.journal();
        assert!(
            !journal
                .iter()
                .any(|line| line.starts_with("pull") || line.starts_with("hijack"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_reaches_as_far_as_its_pattern() {
    boot_granted(&["container.bind=/srv/*"], "bind read-only", "/srv/data")
        .await
        .unwrap();
    boot_granted(&["container.privileged"], "privileged", "")
        .await
        .unwrap();
    boot_granted(&["container.network=host"], "network", "host")
        .await
        .unwrap();
    for (granted, behaviour, value) in [
        ("container.bind=/srv/*", "bind", "/etc"),
        ("container.privileged=moby/*", "privileged", ""),
        ("container.network=host", "network", "container:other"),
    ] {
        let error = boot_granted(&[granted], behaviour, value)
            .await
            .unwrap_err();
        assert!(
            matches!(error, DriverError::Denied { .. }),
            "{behaviour}: {error:?}"
        );
    }
    // The engine resolves these after the pattern was matched.
    for path in ["/srv/../etc", "/srv/./../etc", "/srv//etc", "srv/data", ""] {
        let error = boot_granted(&["container.bind=/srv/*"], "bind", path)
            .await
            .unwrap_err();
        let DriverError::Failed {
            error: Error::InvalidArgument(_),
            ..
        } = error
        else {
            panic!("{path}: {error:?}")
        };
    }
    let error = boot_granted(
        &["container.cgroup-parent=/iechor/*"],
        "cgroup-parent",
        "/iechor/../x",
    );
    let error = error.await.unwrap_err();
    assert!(matches!(
        error,
        DriverError::Failed {
            error: Error::InvalidArgument(_),
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_proposed_only_where_it_allows_no_more_than_was_asked() {
    let missing = |value: &'static str| async move {
        match boot_granted(&[], "network", value).await.unwrap_err() {
            DriverError::Denied { denial, .. } => match denial.reason {
                DenialReason::NotGranted { grant, .. } => grant,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(missing("foonet").await, Missing::Pattern("foonet".into()));
    for value in ["*", "x --grant container.privileged", "$(reboot)"] {
        assert_eq!(missing(value).await, Missing::Unknown, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn names_outside_the_node_are_refused_before_the_engine_is_asked() {
    for behaviour in [
        "create",
        "create volume",
        "mount volume",
        "find",
        "find volume",
        "find network",
    ] {
        for name in [
            "postgres",
            "../x",
            "buildx_buildkit_node01",
            "buildx_buildkit_node0/../x",
            "",
        ] {
            let bench = stage();
            let error = boot(&bench, behaviour, name).await.unwrap_err();
            // Another volume can be granted, if it can exist.
            if behaviour == "mount volume"
                && let DriverError::Denied { denial, .. } = &error
            {
                assert_eq!(denial.capability, "container.bind", "{name}");
                assert!(!name.is_empty() && !name.contains('/'), "{name}");
                continue;
            }
            assert!(
                matches!(
                    error,
                    DriverError::Failed {
                        error: Error::InvalidArgument(_),
                        ..
                    }
                ),
                "{behaviour} {name}: {error:?}"
            );
            assert_eq!(bench.engine.calls(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn names_of_other_nodes_cannot_be_taken() {
    for (behaviour, name) in [
        // Container and state of a node `node0_y0`.
        ("create", "buildx_buildkit_node0_y0"),
        ("create volume", "buildx_buildkit_node0_y0_state"),
        // The container of a node `node0_state`, and the state of a node whose name ends before this
        // one's does.
        ("create", VOLUME),
        ("create volume", CONTAINER),
        // Nobody's, but next to the separator.
        ("create", "buildx_buildkit_node0.."),
        ("create", "buildx_buildkit_node0...x"),
    ] {
        let bench = stage();
        let error = boot(&bench, behaviour, name).await.unwrap_err();
        assert!(
            matches!(
                error,
                DriverError::Failed {
                    error: Error::InvalidArgument(_),
                    ..
                }
            ),
            "{behaviour} {name}: {error:?}"
        );
        assert_eq!(bench.engine.calls(), 0);
    }
    for (behaviour, name) in [
        ("create", "buildx_buildkit_node0..y0"),
        ("create volume", "buildx_buildkit_node0..y0_state"),
    ] {
        let bench = stage();
        boot(&bench, behaviour, name).await.unwrap();
        assert_eq!(bench.objects().await.len(), 1, "{name}");
    }
}

/// What a driver of before the separator created is the node's as before.
#[tokio::test(start_paused = true)]
async fn objects_of_older_drivers_are_found_by_their_labels() {
    for (builder, expected) in [("builder", "found"), ("other", "not found")] {
        let bench = stage();
        let spec = ContainerSpec {
            name: "buildx_buildkit_node0_two".into(),
            image: "image".into(),
            labels: labels(builder),
            ..ContainerSpec::default()
        };
        bench.engine.create_container(&spec).await.unwrap();
        let error = boot(&bench, "find", &spec.name).await.unwrap_err();
        assert!(
            error.to_string().ends_with(&format!(": {expected}")),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn files_stay_below_their_target() {
    for (behaviour, path) in [
        ("copy", "../x"),
        ("copy", "a/../../x"),
        ("copy", "/etc/passwd"),
        ("copy", ""),
        ("copy", "a\0b"),
        ("copy to", "relative"),
        ("copy to", "/etc/../root"),
    ] {
        let bench = stage();
        let error = boot(&bench, behaviour, path).await.unwrap_err();
        assert!(
            matches!(
                error,
                DriverError::Failed {
                    error: Error::InvalidArgument(_),
                    ..
                }
            ),
            "{path:?}: {error:?}"
        );
        let journal = bench.engine.journal();
        assert!(
            !journal.iter().any(|line| line.starts_with("copy_into")),
            "{journal:?}"
        );
        assert_eq!(bench.objects().await, [""; 0]);
    }
}

/// Containers that were there before, each with something that takes a grant, and that grant.
fn special_containers() -> Vec<(ContainerSpec, &'static str, &'static str)> {
    let plain = ContainerSpec {
        name: CONTAINER.into(),
        image: "image".into(),
        ..ContainerSpec::default()
    };
    let mounted = |source| ContainerSpec {
        mounts: vec![Mount {
            target: "/data".into(),
            source,
            read_only: true,
        }],
        ..plain.clone()
    };
    vec![
        (
            ContainerSpec {
                privileged: true,
                ..plain.clone()
            },
            "container.privileged",
            "image",
        ),
        (
            ContainerSpec {
                host_user_namespace: true,
                ..plain.clone()
            },
            "container.privileged",
            "image",
        ),
        (
            mounted(MountSource::Bind("/etc".into())),
            "container.bind",
            "/etc",
        ),
        (
            mounted(MountSource::Volume("postgres".into())),
            "container.bind",
            "volume postgres",
        ),
        (
            ContainerSpec {
                network: Some("host".into()),
                ..plain.clone()
            },
            "container.network",
            "host",
        ),
        (
            ContainerSpec {
                gpus: Some("all".into()),
                ..plain.clone()
            },
            "container.devices",
            "all",
        ),
        (plain, "container.create", "image"),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_container_is_used_by_whoever_may_have_created_it() {
    let driver = load(guest()).await;
    for (spec, capability, subject) in special_containers() {
        for (what, needs_it) in [
            ("start what is there", true),
            ("run in what is there", true),
            ("connect to what is there", true),
            ("copy into what is there", true),
            ("look at what is there", false),
            ("stop what is there", false),
            ("remove what is there", false),
        ] {
            // Without labels, as a person would make it, and as a driver that had the grant would.
            for labels in [BTreeMap::new(), labels("builder")] {
                let bench = if capability == "container.create" {
                    Stage::new(Answers::AtOnce)
                } else {
                    granting(&driver, &[]).await
                };
                let engine = &bench.engine;
                engine.add_image("image");
                let spec = ContainerSpec {
                    labels,
                    ..spec.clone()
                };
                engine.create_container(&spec).await.unwrap();
                engine.start_container(CONTAINER).await.unwrap();
                let before = engine.journal().len();
                let result = boot(&bench, what, "").await;
                if !needs_it {
                    result.unwrap();
                    continue;
                }
                let Err(DriverError::Denied { denial, .. }) = &result else {
                    panic!("{what}, {capability}: {result:?}")
                };
                assert_eq!(denial.capability, capability, "{what}");
                for words in ["exists already", subject] {
                    assert!(denial.detail().contains(words), "{}", denial.detail());
                }
                let journal = engine.journal().split_off(before);
                assert!(
                    journal.iter().all(|line| line.starts_with("inspect")),
                    "{what}: {journal:?}"
                );

                let grant = format!("{capability}={subject}");
                let bench = Stage {
                    grants: granting(&driver, &[&grant]).await.grants,
                    ..bench
                };
                let result = boot(&bench, what, "").await;
                assert!(
                    !matches!(result, Err(DriverError::Denied { .. })),
                    "{what}: {result:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_speaks_for_itself_only() {
    // It claims that a grant would help; only the host knows.
    let error = boot(&stage(), "forge a denial", "").await.unwrap_err();
    assert!(
        matches!(
            error,
            DriverError::Failed {
                error: Error::Denied(_),
                ..
            }
        ),
        "{error:?}"
    );
    // What it was refused it cannot put in words of its own.
    let error = boot(&stage(), "reword a denial", "").await.unwrap_err();
    let DriverError::Denied { denial, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(!denial.detail().contains("please"), "{}", denial.detail());
    // No line of it begins as one of the program's would.
    let error = boot(&stage(), "speak as the host", "").await.unwrap_err();
    let text = error.to_string();
    let mut lines = text.lines();
    let first = lines.next().unwrap();
    assert!(first.starts_with("driver "), "{text}");
    assert!(lines.clone().count() > 0);
    assert!(lines.all(|line| line.starts_with("  ")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn steps_of_a_driver_carry_its_name() {
    let bench = stage();
    boot(&bench, "imitate the program", "").await.unwrap_err();
    let name = format!("[driver {}] ", guest().display());
    let shown = bench.watcher.shown();
    let of_steps: Vec<_> = shown
        .iter()
        .filter(|line| !line.starts_with("finish"))
        .collect();
    assert_eq!(of_steps.len(), 3, "{shown:#?}");
    for line in of_steps {
        let (_, words) = line.split_once(' ').unwrap();
        assert!(words.starts_with(&name), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_could_decide_by_is_refused() {
    for (order, words) in [
        ("colour the reasons", "each of which is seen"),
        ("turn the reasons round", "each of which is seen"),
        ("give long reasons", "at most 140 characters"),
        ("give no reasons", "is empty"),
        (
            "ask with 3001 patterns",
            "there are 3001 patterns for container.create",
        ),
        ("ask for a long pattern", "have 100000 characters"),
        ("ask for no pattern", "is no pattern for"),
        (
            "ask for what is not seen",
            "a character that is not of ASCII",
        ),
        ("ask twice", "image.pull is asked for twice"),
        ("ask without end", "there are 10013 capabilities"),
        ("options without end", "there are 10008 options"),
        ("an option with a period", "the option's name \"behave.x\""),
        ("an option twice", "the option behave is declared twice"),
        ("call itself something", "the driver's name"),
    ] {
        let driver = ordered_guest(order).await;
        for refused in [
            driver.descriptor().await.err(),
            driver.grants(&[]).await.err(),
            driver.validate(&config()).await.err(),
        ] {
            let error = refused.expect(order);
            let said = error.to_string();
            assert!(matches!(error, DriverError::Description { .. }), "{said}");
            assert!(said.contains(words), "{order}: {said}");
            assert!(
                said.len() < 3000 && !said.contains(char::is_control),
                "{said}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_object_is_described_with_is_bounded() {
    for behaviour in [
        "volume with large labels",
        "container with many labels",
        "container with a long command",
    ] {
        let bench = stage();
        let error = boot(&bench, behaviour, "").await.unwrap_err();
        assert!(
            matches!(
                error,
                DriverError::Failed {
                    error: Error::LimitExceeded(_),
                    ..
                }
            ),
            "{behaviour}: {error:?}"
        );
        bench.assert_no_creations();
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_that_something_was_put_into_is_undone_too() {
    let bench = stage();
    let spec = ContainerSpec {
        name: CONTAINER.into(),
        image: "image".into(),
        ..ContainerSpec::default()
    };
    bench.engine.create_container(&spec).await.unwrap();
    bench.engine.start_container(CONTAINER).await.unwrap();
    let before = bench.objects().await;
    let error = boot(&bench, "join and fail", "").await.unwrap_err();
    assert!(error.to_string().contains("changed my mind"), "{error}");
    assert_eq!(bench.objects().await, before);
}

#[tokio::test(start_paused = true)]
async fn only_boot_creates() {
    let driver = load(guest()).await;
    let bench = stage();
    let node = bench
        .with_options(&driver, &[("behave", "create in queries")])
        .await;
    let refused = |result: Result<(), DriverError>| {
        let text = result.expect_err("refused").to_string();
        assert!(text.contains("only boot creates, not "), "{text}");
    };
    refused(node.info().await.map(drop));
    refused(node.version().await.map(drop));
    refused(node.features().await.map(drop));
    refused(node.dial().await.map(drop));
    refused(node.host_gateway().await.map(drop));
    refused(
        node.stop(StopOptions {
            force: false,
            grace: None,
        })
        .await,
    );
    refused(
        node.remove(RemoveOptions {
            force: true,
            keep_state: false,
            keep_daemon: false,
        })
        .await,
    );
    bench.assert_no_creations();
}

#[tokio::test(start_paused = true)]
async fn no_grant_is_one_for_the_engine_itself() {
    let driver = load(guest()).await;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("engine.sock");
    std::fs::write(&socket, "").unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&socket, &link).unwrap();
    let socket = socket.to_str().unwrap();
    // The word for the node's endpoint is nothing where that is the engine's.
    for (grant, path, words) in [
        ("transport.local", socket, "the engine itself"),
        (
            "transport.local",
            link.to_str().unwrap(),
            "the engine itself",
        ),
        ("transport.local=endpoint", socket, "it was not granted"),
    ] {
        let bench = Stage {
            engine: SimulatedEngine::at(format!("unix://{socket}")),
            ..granting(&driver, &[grant]).await
        };
        let node = Config {
            endpoint: format!("unix://{socket}"),
            options: pairs(&[("behave", "dial local"), ("value", path)]),
            ..config()
        };
        let node = bench.with_config(&driver, node).await;
        let error = node.boot().await.unwrap_err();
        let DriverError::Denied { denial, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(denial.detail().contains(words), "{}", denial.detail());
    }
}

#[tokio::test(start_paused = true)]
async fn settings_that_the_host_does_not_know_are_unsupported() {
    let error = boot(&stage(), "extra", "").await.unwrap_err();
    assert!(
        matches!(
            error,
            DriverError::Failed {
                error: Error::Unsupported(_),
                ..
            }
        ),
        "{error:?}"
    );
}

/// Labels of the builder of that name, for the tests' node.
fn labels(builder: &str) -> BTreeMap<String, String> {
    [
        ("dev.iechor.builder", builder),
        ("dev.iechor.node", "node0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// An engine on which another builder has everything that a driver may want.
async fn beside_another_builder() -> Stage {
    let bench = stage();
    let engine = &bench.engine;
    for name in [CONTAINER, "buildx_buildkit_node0_two"] {
        let spec = ContainerSpec {
            name: name.into(),
            image: "image".into(),
            labels: labels("other"),
            ..ContainerSpec::default()
        };
        engine.create_container(&spec).await.unwrap();
    }
    for name in [VOLUME, "buildx_buildkit_node0_0_state"] {
        let spec = VolumeSpec {
            name: name.into(),
            labels: labels("other"),
            ..VolumeSpec::default()
        };
        engine.create_volume(&spec).await.unwrap();
    }
    let name = "buildx_buildkit_node0..net".to_owned();
    let spec = NetworkSpec {
        name,
        labels: labels("other"),
        ..NetworkSpec::default()
    };
    engine.create_network(&spec).await.unwrap();
    bench
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_another_builder_is_not_there() {
    let bench = beside_another_builder().await;
    let before = bench.objects().await;
    for (behaviour, name) in [
        ("find", CONTAINER),
        ("find", "buildx_buildkit_node0_two"),
        ("find volume", VOLUME),
        ("find network", "buildx_buildkit_node0..net"),
        ("list", ""),
    ] {
        let error = boot(&bench, behaviour, name).await.unwrap_err();
        let DriverError::Failed {
            error: Error::Other(found),
            ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert!(
            ["not found", ""].contains(&found.as_str()),
            "{behaviour} {name}: {found}"
        );
    }
    for (behaviour, name) in [("create", CONTAINER), ("create volume", VOLUME)] {
        let error = boot(&bench, behaviour, name).await.unwrap_err();
        let DriverError::Failed {
            error: Error::Conflict(words),
            ..
        } = &error
        else {
            panic!("{behaviour}: {error:?}")
        };
        assert!(
            words.contains(name) && words.contains("builder other"),
            "{words}"
        );
    }
    // The state volume of a node whose name begins as this one's does.
    let name = "buildx_buildkit_node0_0_state";
    let error = boot(&bench, "mount volume", name).await.unwrap_err();
    let DriverError::Denied { denial, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(denial.capability, "container.bind");
    let error = boot(&bench, "network", "buildx_buildkit_node0..net")
        .await
        .unwrap_err();
    assert!(matches!(error, DriverError::Denied { .. }), "{error:?}");
    assert_eq!(bench.objects().await, before);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_not_there_is_not_mounted_into_being() {
    let bench = stage();
    let error = boot(&bench, "mount volume", VOLUME).await.unwrap_err();
    assert!(
        matches!(
            error,
            DriverError::Failed {
                error: Error::NotFound(_),
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(bench.objects().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_environment_is_empty_and_pure_functions_reach_nothing() {
    let error = boot(&stage(), "see the environment", "").await.unwrap_err();
    assert!(error.to_string().ends_with(": 0 0"), "{error}");
    let driver = ordered_guest("reach out in describe").await;
    let summary = &driver.descriptor().await.unwrap().summary;
    assert!(summary.starts_with("denied: "), "{summary}");
}
