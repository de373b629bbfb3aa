//! Who decides what runs in a container: its image and the user, or a driver that was allowed to.

use std::collections::BTreeMap;
use std::sync::Arc;

use iechor_engine::Engine;
use iechor_engine::model::{ContainerSpec, Mount, MountSource};
use iechor_engine::simulated::Command;
use iechor_sandbox::contract::{Config, Error, File};
use iechor_sandbox::{Denial, Driver, DriverError, Remedy, Sandbox};

use crate::support::{
    Answers, CONTAINER, Nodes, Stage, config, granting, guest, load, pairs, stage,
};

const CHOICE: &str = "container.command";
const RUNS: &str = "dev.iechor.runs";

async fn boot(bench: &Stage, behaviour: &str, value: &str) -> Result<(), DriverError> {
    let driver = load(guest()).await;
    let node = bench
        .with_options(&driver, &[("behave", behaviour), ("value", value)])
        .await;
    node.boot().await
}

/// A bench of the guest with these grants beside ordinary containers.
async fn bench(granted: &[&str]) -> Stage {
    granting(&*load(guest()).await, granted).await
}

#[track_caller]
fn denied(result: Result<(), DriverError>, what: &str) -> Denial {
    match result {
        Err(DriverError::Denied { denial, .. }) => denial,
        other => panic!("{what}: {other:?}"),
    }
}

/// What a driver may choose only with the capability, by behaviour and value.
const CHOICES: &[(&str, &str)] = &[
    ("command", "sh -c x"),
    ("command", "--addr tcp://0.0.0.0:1234"),
    ("command", "--config=/tmp/x.toml"),
    ("command", "--oci-worker-binary=/var/lib/buildkit/x"),
    ("command", "--debug"),
    ("environment", "LD_PRELOAD=/var/lib/buildkit/x.so"),
    ("environment", "PATH=/var/lib/buildkit"),
    ("environment", "HTTPS_PROXY=http://evil.example"),
    ("environment", "SSL_CERT_FILE=/var/lib/buildkit/ca"),
    (
        "environment",
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://evil.example",
    ),
    ("environment", "XDG_CONFIG_HOME=/var/lib/buildkit"),
    ("label", "io.containers.autoupdate"),
    ("setting", "add-host=registry-1.docker.io:6.6.6.6"),
    ("setting", "dns=6.6.6.6"),
    ("setting", "ulimit=nofile=1"),
    ("set registries", "registry-mirror=evil.example"),
    ("set registries", "insecure-registry=registry-1.docker.io"),
    ("mount at", "/usr/bin"),
    ("mount at", "/etc/buildkit"),
    ("mount at", "/run/buildkit"),
    ("mount at", "//usr/./bin/"),
    ("mount at", "/var/lib/buildkit /var/lib/buildkit/link"),
    ("mount at", "/var/lib/buildkit /usr/lib"),
    ("chain volumes", ""),
    ("copy program", "usr/bin/buildctl"),
    ("copy program", "etc/buildkit/cdi/x.yaml"),
    ("copy program", "etc/buildkit/x"),
    ("configure", "[worker.oci]\nbinary = '/var/lib/buildkit/x'"),
    (
        "configure",
        "[registry.'docker.io']\nmirrors = ['evil.example']",
    ),
    ("configure", "debug = true"),
    ("run", "cat /etc/shadow"),
    ("run", "buildctl du"),
    ("dial through", "sh -c tee|buildctl"),
    ("dial through", "buildctl --addr tcp://6.6.6.6:1 dial-stdio"),
    ("dial with", "env"),
    ("dial with", "user"),
    ("dial with", "directory"),
];

#[tokio::test(start_paused = true)]
async fn what_the_user_gave_as_an_option_is_handed_on() {
    let driver = load(guest()).await;
    for (behaviour, value, option, given, call) in [
        (
            "setting",
            "add-host=a:10.0.0.1",
            "add-host",
            "b:10.0.0.2; a:10.0.0.1",
            "extra-hosts=a:10.0.0.1",
        ),
        (
            "set registries",
            "registry-mirror=m.example",
            "registry-mirror",
            "m.example",
            "copy_into",
        ),
        (
            "mount at",
            "/mnt /usr/share/x",
            "mount",
            "type=tmpfs,target=/usr/share/x",
            "tmpfs:0:/usr/share/x",
        ),
    ] {
        for (given, is_handed_on) in [(given, true), ("other.example", false)] {
            let bench = bench(&[]).await;
            let options = [("behave", behaviour), ("value", value), (option, given)];
            let result = bench.with_options(&driver, &options).await.boot().await;
            let what = format!("{behaviour} {value} of {given}: {result:?}");
            let journal = bench.engine.journal();
            let happened = journal.iter().any(|line| line.contains(call));
            assert_eq!(result.is_ok(), is_handed_on, "{what}");
            assert_eq!(happened, is_handed_on, "{what}: {journal:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_driver_chooses_to_run_is_denied_and_does_not_happen() {
    for (behaviour, value) in CHOICES {
        let bench = bench(&[]).await;
        let what = format!("{behaviour} {value}");
        let denial = denied(boot(&bench, behaviour, value).await, &what);
        assert_eq!(denial.capability, CHOICE, "{what}");
        assert!(denial.detail().contains("it was not granted"), "{denial:?}");
        assert_eq!(bench.objects().await, [""; 0], "{what}");
        let journal = bench.engine.journal();
        let happened = |line: &String| {
            ["run_in", "dial_in", "copy_into"]
                .iter()
                .any(|call| line.starts_with(call))
                || line.contains(&format!("create_container {CONTAINER} "))
                    && [
                        "command",
                        "environment",
                        "label",
                        "setting",
                        "mount at",
                        "chain volumes",
                    ]
                    .contains(behaviour)
        };
        assert!(!journal.iter().any(happened), "{what}: {journal:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_was_granted_the_choice_has_it() {
    for (behaviour, value) in CHOICES {
        let bench = bench(&["container.command=image"]).await;
        bench
            .engine
            .on_command(|_, _| Command::prints("as you like"));
        boot(&bench, behaviour, value)
            .await
            .unwrap_or_else(|error| panic!("{behaviour} {value}: {error}"));
        let made = bench.engine.spec(CONTAINER).unwrap();
        assert_eq!(made.labels[RUNS], "command", "{behaviour} {value}");
    }
    // For this image, and for no other.
    let bench = bench(&["container.command=other"]).await;
    denied(boot(&bench, "command", "sh").await, "another image");
}

#[tokio::test(start_paused = true)]
async fn paths_that_lead_elsewhere_are_refused_whatever_is_granted() {
    for target in ["/var/lib/buildkit/../../usr/bin", "relative", "/a\\..\\b"] {
        let bench = bench(&[CHOICE]).await;
        let result = boot(&bench, "mount at", target).await;
        assert!(
            matches!(
                &result,
                Err(DriverError::Failed {
                    error: Error::InvalidArgument(_),
                    ..
                })
            ),
            "{target}: {result:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_loads_nothing_and_sends_nothing_is_a_drivers_to_choose() {
    for (behaviour, value) in [
        (
            "command",
            "--config /etc/buildkit/buildkitd.toml --oci-worker-gc=false",
        ),
        ("environment", "TZ=Europe/Berlin"),
        ("mount at", "/var/lib/buildkit"),
        ("mount at", "/mnt//x/ /tmp"),
        ("configure", "[worker.oci]\ngc = false\nmax-parallelism = 2"),
        ("label", "com.example.owner"),
        ("run", "buildkitd --version"),
        ("run", "buildctl debug workers"),
        ("dial through", "buildctl dial-stdio"),
    ] {
        let bench = bench(&[]).await;
        boot(&bench, behaviour, value)
            .await
            .unwrap_or_else(|error| panic!("{behaviour} {value}: {error}"));
        assert_eq!(bench.engine.spec(CONTAINER).unwrap().labels[RUNS], "image");
    }
}

#[tokio::test(start_paused = true)]
async fn a_configuration_is_written_anew_and_is_no_program() {
    let bench = bench(&[]).await;
    boot(&bench, "configure", "worker.oci.gc = false # a comment")
        .await
        .unwrap();
    let files = bench.engine.files(CONTAINER).unwrap();
    let written = &files["/etc/buildkit/buildkitd.toml"];
    assert_eq!(written.mode, 0o644);
    assert_eq!(written.contents, b"[worker.oci]\ngc = false\n");
}

#[tokio::test(start_paused = true)]
async fn what_the_user_said_himself_is_no_choice_of_the_driver() {
    let text = "debug = true\n[registry.a]\nhttp = true\n";
    for (behaviour, value) in [
        ("command", "--debug --addr tcp://0.0.0.0:1"),
        ("command", "--addr tcp://0.0.0.0:1 --oci-worker-gc"),
        ("environment", "HTTPS_PROXY=http://proxy.example"),
    ] {
        let driver = load(guest()).await;
        let said = Config {
            options: pairs(&[
                ("behave", behaviour),
                ("value", value),
                ("env.HTTPS_PROXY", "http://proxy.example"),
            ]),
            buildkitd_flags: ["--debug", "--addr", "tcp://0.0.0.0:1"]
                .map(String::from)
                .into(),
            files: vec![File {
                path: "buildkitd.toml".into(),
                mode: 0o644,
                contents: text.into(),
            }],
            ..config()
        };
        let bench = bench(&[]).await;
        let node = bench.with_config(&driver, said.clone()).await;
        node.boot()
            .await
            .unwrap_or_else(|error| panic!("{behaviour} {value}: {error}"));
        assert_eq!(bench.engine.spec(CONTAINER).unwrap().labels[RUNS], "image");
        // The same words from the driver alone.
        let unsaid = Config {
            options: pairs(&[("behave", behaviour), ("value", value)]),
            ..config()
        };
        let bench = granting(&driver, &[]).await;
        let node = bench.with_config(&driver, unsaid).await;
        denied(node.boot().await, value);
    }
}

#[tokio::test(start_paused = true)]
async fn no_driver_says_by_a_label_that_it_chose_nothing() {
    let bench = bench(&[CHOICE]).await;
    boot(&bench, "label", RUNS).await.unwrap();
    assert_eq!(
        bench.engine.spec(CONTAINER).unwrap().labels[RUNS],
        "command"
    );
}

/// Labels of the tests' builder, and these besides.
fn labels(others: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = [
        ("dev.iechor.builder", "builder"),
        ("dev.iechor.node", "node0"),
    ];
    let all = own.iter().chain(others);
    all.map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

/// Puts a container there, and starts it.
async fn present(bench: &Stage, spec: ContainerSpec) {
    let spec = ContainerSpec {
        name: CONTAINER.into(),
        image: "image".into(),
        ..spec
    };
    bench.engine.create_container(&spec).await.unwrap();
    bench.engine.start_container(CONTAINER).await.unwrap();
}

/// All that uses a container that is there.
const USES: [&str; 4] = [
    "start what is there",
    "run in what is there",
    "connect to what is there",
    "copy into what is there",
];

#[tokio::test(start_paused = true)]
async fn what_an_unknown_container_runs_is_judged_by_what_is_seen() {
    let mounted = |target: &str| ContainerSpec {
        mounts: vec![Mount {
            target: target.into(),
            source: MountSource::Tmpfs(0),
            read_only: false,
        }],
        ..ContainerSpec::default()
    };
    let command = |words: &[&str]| ContainerSpec {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        ..ContainerSpec::default()
    };
    for (spec, ordinary) in [
        (ContainerSpec::default(), true),
        (command(&["--rootless"]), true),
        (mounted("/var/lib/buildkit"), true),
        (command(&["--addr", "tcp://0.0.0.0:1"]), false),
        (command(&["sh"]), false),
        (mounted("/usr/bin"), false),
        (
            ContainerSpec {
                env: pairs(&[("LD_PRELOAD", "/x")]),
                ..ContainerSpec::default()
            },
            false,
        ),
    ] {
        for behaviour in USES {
            let bench = bench(&[]).await;
            present(&bench, spec.clone()).await;
            let result = boot(&bench, behaviour, "").await;
            if ordinary {
                result.unwrap_or_else(|error| panic!("{behaviour} {spec:?}: {error}"));
                continue;
            }
            let denial = denied(result, behaviour);
            assert_eq!(denial.capability, CHOICE);
            assert!(denial.detail().contains("exists already"), "{denial:?}");
        }
        // It can be looked at, stopped and removed.
        for behaviour in [
            "look at what is there",
            "stop what is there",
            "remove what is there",
        ] {
            let bench = bench(&[]).await;
            present(&bench, spec.clone()).await;
            boot(&bench, behaviour, "").await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_choice_of_a_driver_does_not_outlive_its_grant() {
    let made = [
        // With the capability; by an older version, for a driver that is not built in.
        (
            labels(&[(RUNS, "command"), ("dev.iechor.driver", "team")]),
            false,
        ),
        (
            labels(&[(RUNS, "something"), ("dev.iechor.driver", "team")]),
            false,
        ),
        (labels(&[("dev.iechor.driver", "/tmp/driver.wasm")]), false),
        // Without it; by an older version, for a driver that is built in.
        (
            labels(&[(RUNS, "image"), ("dev.iechor.driver", "team")]),
            true,
        ),
        (labels(&[("dev.iechor.driver", "iechor-container")]), true),
        (labels(&[("dev.iechor.driver", "docker-container")]), true),
    ];
    for (labels, ordinary) in made {
        for behaviour in USES {
            let bench = bench(&[]).await;
            let spec = ContainerSpec {
                labels: labels.clone(),
                ..ContainerSpec::default()
            };
            present(&bench, spec).await;
            let result = boot(&bench, behaviour, "").await;
            if ordinary {
                result.unwrap_or_else(|error| panic!("{behaviour} {labels:?}: {error}"));
                continue;
            }
            let denial = denied(result, behaviour);
            assert_eq!(denial.capability, CHOICE, "{labels:?}");
            let remedy = Remedy::Recreate {
                builder: "builder".into(),
            };
            assert_eq!(denial.remedy, Some(remedy), "{denial:?}");

            let bench = Stage {
                grants: granting(&*load(guest()).await, &[CHOICE]).await.grants,
                ..bench
            };
            boot(&bench, behaviour, "").await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_chosen_where_it_would_leave_no_trace() {
    for labels in [
        BTreeMap::new(),
        labels(&[(RUNS, "image"), ("dev.iechor.driver", "team")]),
    ] {
        for behaviour in [
            "run of its own in what is there",
            "dial of its own into what is there",
            "copy of its own into what is there",
        ] {
            let bench = bench(&[CHOICE]).await;
            let spec = ContainerSpec {
                labels: labels.clone(),
                ..ContainerSpec::default()
            };
            present(&bench, spec).await;
            let before = bench.engine.journal().len();
            let result = boot(&bench, behaviour, "").await;
            let Err(DriverError::Failed {
                error: Error::Conflict(_),
                remedy: Some(Remedy::Recreate { builder }),
                ..
            }) = &result
            else {
                panic!("{behaviour}: {result:?}")
            };
            assert_eq!(builder, "builder");
            let journal = bench.engine.journal().split_off(before);
            assert!(
                journal.iter().all(|line| line.starts_with("inspect")),
                "{journal:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_connection_are_for_who_was_granted_them() {
    let local = "read a local connection";
    for (behaviour, value, subject) in [
        ("read a connection", "", "container:buildx_buildkit_node0"),
        (
            "write to a connection",
            "",
            "container:buildx_buildkit_node0",
        ),
        ("finish a connection", "", "container:buildx_buildkit_node0"),
        (local, "/run/other.sock", "unix:///run/other.sock"),
    ] {
        let bench = bench(&["transport.local=/run/other.sock"]).await;
        let denial = denied(boot(&bench, behaviour, value).await, behaviour);
        assert_eq!(denial.capability, "transport.bytes");
        assert!(denial.detail().contains(subject), "{denial:?}");
    }
    for (behaviour, value) in [
        ("write to a connection", ""),
        ("finish a connection", ""),
        (local, "/run/other.sock"),
    ] {
        let bench = bench(&["transport.local=/run/other.sock", "transport.bytes"]).await;
        boot(&bench, behaviour, value).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_ends_an_idle_daemon_without_a_choice_of_the_driver() {
    let bench = bench(&[]).await;
    bench
        .engine
        .on_command(|_, exec| match exec.command[0].as_str() {
            "sh" => Command::prints(""),
            _ => Command::no_such_program(exec),
        });
    boot(&bench, "stop when idle", "60000000000").await.unwrap();
    let journal = bench.engine.journal();
    let ran = journal.iter().find(|line| line.starts_with("run_in"));
    let ran = ran.expect("it watches");
    assert!(ran.contains("iechor-idle-stop 60 3"), "{ran}");

    // The time is nothing that a shell reads.
    let error = boot(&self::bench(&[]).await, "stop when idle", "0").await;
    assert!(
        matches!(
            error,
            Err(DriverError::Failed {
                error: Error::InvalidArgument(_),
                ..
            })
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn drivers_that_are_built_in_choose_nothing() {
    for name in ["iechor-container", "iechor", "remote"] {
        let driver: Arc<Driver> = Sandbox::embedded(name).unwrap().unwrap();
        let requests = driver.requests().await.unwrap();
        let asks = |name: &str| requests.iter().any(|request| request.name == name);
        assert!(!asks(CHOICE) && !asks("transport.bytes"), "{name}");
    }
    let _ = (Answers::AtOnce, stage());
}
