//! Every function that a driver can call, with the capability that it takes: granted, not granted,
//! granted for something else, taken back, and under every rule of a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use iechor_engine::Engine;
use iechor_engine::model::{ContainerSpec, Limits, Mount, MountSource, NetworkSpec, VolumeSpec};
use iechor_sandbox::contract::Error;
use iechor_sandbox::grant::{CATALOGUE, FUNCTIONS, Needs};
use iechor_sandbox::policy::{Forbidden, ImagePattern, Rules};
use iechor_sandbox::{DriverError, Grant, Grants, Policy};
use wit_parser::{FunctionKind, Resolve, WorldItem};

use crate::support::{Answers, CONTAINER, Nodes, Stage, VOLUME, guest, load};

const NETWORK: &str = "buildx_buildkit_node0..net";

/// Something that takes a capability, and how a driver comes by it.
struct Thing {
    what: &'static str,
    capability: &'static str,
    subject: &'static str,
    /// A pattern that covers the subject, and one that does not.
    covering: &'static str,
    other: &'static str,
    /// The behaviour and value of the guest by which it creates it, where it can.
    made: Option<(&'static str, &'static str)>,
}

/// What a container can have.
const THINGS: &[Thing] = &[
    Thing {
        what: "image",
        capability: "container.create",
        subject: "image",
        covering: "docker.io/library/ima*",
        other: "image:5000/x",
        made: Some(("create", CONTAINER)),
    },
    Thing {
        what: "privileged",
        capability: "container.privileged",
        subject: "image",
        covering: "library/image:*",
        other: "moby/*",
        made: Some(("privileged", "")),
    },
    Thing {
        what: "user namespace",
        capability: "container.privileged",
        subject: "image",
        covering: "image",
        other: "moby/*",
        made: Some(("host user namespace", "")),
    },
    Thing {
        what: "bind",
        capability: "container.bind",
        subject: "/srv/data",
        covering: "/srv/*",
        other: "/srv/other",
        made: Some(("bind read-only", "/srv/data")),
    },
    Thing {
        what: "foreign volume",
        capability: "container.bind",
        subject: "volume postgres",
        covering: "volume post*",
        other: "/srv/*",
        made: Some(("mount volume", "postgres")),
    },
    Thing {
        what: "security option",
        capability: "container.privileged",
        subject: "image",
        covering: "image",
        other: "moby/*",
        made: Some(("setting", "security-opt=seccomp=unconfined")),
    },
    Thing {
        what: "own volume with options",
        capability: "container.bind",
        subject: "volume buildx_buildkit_node0_state",
        covering: "volume buildx_*",
        other: "volume other",
        made: None,
    },
    Thing {
        what: "devices",
        capability: "container.devices",
        subject: "all",
        covering: "al*",
        other: "device=0",
        made: Some(("devices", "")),
    },
    Thing {
        what: "network of the machine",
        capability: "container.network",
        subject: "host",
        covering: "ho*",
        other: "container:*",
        made: Some(("network", "host")),
    },
    Thing {
        what: "network of a container",
        capability: "container.network",
        subject: "container:other",
        covering: "container:*",
        other: "host",
        made: Some(("network", "container:other")),
    },
    Thing {
        what: "foreign network",
        capability: "container.network",
        subject: "foonet",
        covering: "foo*",
        other: "host",
        made: Some(("network", "foonet")),
    },
    Thing {
        what: "further network",
        capability: "container.network",
        subject: "foonet",
        covering: "foo*",
        other: "host",
        made: None,
    },
    Thing {
        what: "own network with options",
        capability: "container.network",
        subject: "network buildx_buildkit_node0..net",
        covering: "network buildx_*",
        other: "host",
        made: Some(("network", NETWORK)),
    },
    Thing {
        what: "command",
        capability: "container.command",
        subject: "image",
        covering: "library/*",
        other: "image:5000/x",
        made: Some(("command", "sleep 600")),
    },
    Thing {
        what: "control group",
        capability: "container.cgroup-parent",
        subject: "/other/group",
        covering: "/other/*",
        other: "/iechor/*",
        made: Some(("cgroup-parent", "/other/group")),
    },
];

/// The behaviours by which the guest calls a function on what is there already.
const USES: &[(&str, &str)] = &[
    ("container.start", "start what is there"),
    ("container.run", "run in what is there"),
    ("container.dial", "connect to what is there"),
    ("container.copy-in", "copy into what is there"),
    ("container.stop-when-idle", "stop what is there when idle"),
    ("container.configure", "configure what is there"),
    ("container.trust", "trust in what is there"),
    ("direct.dial", "connect directly to what is there"),
    ("network.connect", "join what is there"),
];

/// The same for what takes no grant.
const OWN: &[(&str, &str)] = &[
    ("container.find", "look at what is there"),
    ("container.inspect", "look at what is there"),
    ("container.last-logs", "look at what is there"),
    ("container.forward-logs", "read the log of what is there"),
    ("container.list-all", "list"),
    ("container.stop", "stop what is there"),
    ("network.disconnect", "leave what is there"),
    ("network.find", "look at the network"),
    ("network.inspect", "look at the network"),
    ("network.list-all", "list networks"),
    ("network.remove", "remove the network"),
    ("volume.find", "look at the volume"),
    ("volume.inspect", "look at the volume"),
    ("volume.list-all", "list volumes"),
    ("container.remove", "remove what is there"),
    ("volume.remove", "remove the volume"),
];

/// The functions that create, beside containers: what they take, and the behaviour.
const CREATIONS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "volume.create",
        "container.bind",
        "volume buildx_buildkit_node0_state",
        "volume options",
        "",
    ),
    (
        "network.create",
        "container.network",
        "network buildx_buildkit_node0..net",
        "network options",
        "",
    ),
    (
        "network.create",
        "container.network",
        "network buildx_buildkit_node0..net",
        "network of a kind",
        "macvlan",
    ),
];

/// The functions that take one capability: subject, a pattern that covers it and one that does not,
/// and the behaviour.
const GRANTED: &[(&str, &str, [&str; 3], &str)] = &[
    (
        "engine.open",
        "engine.open",
        ["control", "con*", "session"],
        "hijack",
    ),
    (
        "image.resolve",
        "image.pull",
        ["image", "library/*", "image:5000/x"],
        "pull",
    ),
    (
        "direct.create",
        "direct.connect",
        ["image", "library/*", "image:5000/x"],
        "create directly",
    ),
    (
        "transport.dial-local",
        "transport.local",
        ["/nonexistent/socket", "/nonexistent/*", "/run/*"],
        "dial local",
    ),
    (
        "transport.dial-tcp",
        "transport.tcp",
        ["127.0.0.1:1", "127.0.0.1:*", "127.0.0.1:2"],
        "dial tcp",
    ),
];

/// The functions by which a driver reads and writes a connection itself, and the behaviours.
const BYTES: &[(&str, &str)] = &[
    ("connection.read", "read a connection"),
    ("connection.write", "write to a connection"),
    ("connection.finish", "finish a connection"),
];

/// The functions that connect past the engine to what is there, and the behaviours.
const DIRECT: &[(&str, &str)] = &[("direct.dial", "connect directly to what is there")];

/// The functions of the contract that a driver can import, as a trace names them.
fn contract() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    resolve.push_dir(folder).expect("it parses");
    let mut functions = BTreeSet::new();
    for (_, world) in &resolve.worlds {
        for item in world.imports.values() {
            let WorldItem::Interface { id, .. } = item else {
                continue;
            };
            let interface = &resolve.interfaces[*id];
            for function in interface.functions.values() {
                let resource = function.kind.resource();
                let owner = match resource {
                    Some(id) => resolve.types[id].name.as_deref(),
                    None => interface.name.as_deref(),
                };
                let name = match function.kind {
                    FunctionKind::Constructor(_) => "new",
                    _ => function.item_name(),
                };
                functions.insert(format!("{}.{name}", owner.expect("named")));
            }
        }
    }
    functions
}

#[test]
fn the_table_has_every_function_of_the_contract_and_this_file_tries_every_row() {
    let table: BTreeSet<_> = FUNCTIONS.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(table.len(), FUNCTIONS.len(), "a row twice");
    assert_eq!(table, contract());
    let tried = |function: &str| {
        let in_pairs = |pairs: &[(&str, &str)]| pairs.iter().any(|(name, _)| *name == function);
        match FUNCTIONS
            .iter()
            .find(|row| row.name == function)
            .unwrap()
            .needs
        {
            Needs::Nothing => true,
            Needs::Own => in_pairs(OWN),
            Needs::Use(_) => in_pairs(USES),
            Needs::Creation(_) => {
                function == "container.create" || CREATIONS.iter().any(|row| row.0 == function)
            }
            Needs::Grant(capability) => {
                let in_granted = GRANTED
                    .iter()
                    .any(|row| (row.0, row.1) == (function, capability));
                in_granted
                    || (capability == "transport.bytes" && in_pairs(BYTES))
                    || (capability == "direct.connect" && in_pairs(DIRECT))
            }
        }
    };
    for row in FUNCTIONS {
        assert!(tried(row.name), "{} is not tried", row.name);
        let (Needs::Creation(named) | Needs::Use(named)) = row.needs else {
            continue;
        };
        for capability in named {
            let known = CATALOGUE.iter().any(|known| known.name == *capability);
            let thing = THINGS.iter().any(|thing| thing.capability == *capability);
            assert!(known && thing, "{}: {capability}", row.name);
        }
    }
}

/// Grants of everything but that capability, and these.
async fn all_but(capability: &str, and: &[String]) -> Grants {
    let driver = load(guest()).await;
    let requests = &driver.descriptor().await.unwrap().capabilities;
    let is_part = |name: &str| {
        name == capability || (capability, name) == ("container.create", "container.privileged")
    };
    let granted = CATALOGUE
        .iter()
        .filter(|known| !is_part(known.name))
        .map(|known| known.name.to_owned())
        .chain(and.iter().cloned());
    Grants::new(
        requests,
        granted.map(|grant| Grant::parse(&grant).unwrap()).collect(),
    )
}

async fn everything() -> Grants {
    all_but("none", &[]).await
}

fn stage(grants: Grants) -> Stage {
    Stage {
        grants,
        ..Stage::new(Answers::AtOnce)
    }
}

async fn boot(bench: &Stage, behaviour: &str, value: &str) -> Result<(), DriverError> {
    let driver = load(guest()).await;
    let options = [("behave", behaviour), ("value", value)];
    bench.with_options(&driver, &options).await.boot().await
}

/// The capability of a denial.
fn denied(result: &Result<(), DriverError>) -> Option<&str> {
    match result {
        Err(DriverError::Denied { denial, .. }) => Some(&denial.capability),
        _ => None,
    }
}

fn policy(rules: Rules) -> Arc<Policy> {
    let file = "/etc/iechor/policy.toml".into();
    Arc::new(Policy {
        files: vec![Rules { file, ..rules }],
    })
}

fn forbidding(rule: String) -> Arc<Policy> {
    policy(Rules {
        forbidden: vec![Forbidden::parse(&rule).unwrap()],
        ..Rules::default()
    })
}

/// Every way to have or not to have a capability for a subject, each with whether it suffices.
async fn cells(
    capability: &str,
    [subject, covering, other]: [&str; 3],
) -> Vec<(String, Grants, bool)> {
    let granting = |pattern: &str| vec![format!("{capability}={pattern}")];
    let mut cells = vec![
        ("granted".to_owned(), everything().await, true),
        ("not granted".into(), all_but(capability, &[]).await, false),
    ];
    for (pattern, suffices) in [(subject, true), (covering, true), (other, false)] {
        let grants = all_but(capability, &granting(pattern)).await;
        cells.push((format!("granted for {pattern}"), grants, suffices));
    }
    for (rule, suffices) in [
        (capability.to_owned(), false),
        (format!("{capability}={subject}"), false),
        (format!("{capability}={covering}"), false),
    ] {
        let under = everything().await.under(forbidding(rule.clone()));
        cells.push((format!("{rule} is forbidden"), under, suffices));
    }
    cells
}

/// Labels of what the node's driver made.
fn labels() -> BTreeMap<String, String> {
    [
        ("dev.iechor.builder", "builder"),
        ("dev.iechor.node", "node0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Puts a container with a thing on the engine, and a network and a volume beside it.
async fn present(bench: &Stage, what: &str) {
    let engine = &bench.engine;
    engine.add_image("image");
    let mounted = |source| {
        vec![Mount {
            target: "/data".into(),
            source,
            read_only: false,
        }]
    };
    let network = |name: &str, special: bool| NetworkSpec {
        name: name.into(),
        labels: if name == NETWORK {
            labels()
        } else {
            BTreeMap::new()
        },
        driver_options: match special {
            true => BTreeMap::from([("parent".into(), "eth0".into())]),
            false => BTreeMap::new(),
        },
        ..NetworkSpec::default()
    };
    let special = what == "own network with options";
    engine
        .create_network(&network(NETWORK, special))
        .await
        .unwrap();
    engine
        .create_network(&network("foonet", false))
        .await
        .unwrap();
    let volume = VolumeSpec {
        name: VOLUME.into(),
        labels: labels(),
        driver_options: match what {
            "own volume with options" => BTreeMap::from([("device".into(), "/".into())]),
            _ => BTreeMap::new(),
        },
        ..VolumeSpec::default()
    };
    engine.create_volume(&volume).await.unwrap();
    let mut spec = ContainerSpec {
        name: CONTAINER.into(),
        image: "image".into(),
        labels: labels(),
        ..ContainerSpec::default()
    };
    match what {
        "privileged" => spec.privileged = true,
        "command" => spec.command = vec!["sleep".into(), "600".into()],
        "user namespace" => spec.host_user_namespace = true,
        // A pattern is for reading only.
        "bind" => {
            spec.mounts = mounted(MountSource::Bind("/srv/data".into()));
            spec.mounts[0].read_only = true;
        }
        "foreign volume" => spec.mounts = mounted(MountSource::Volume("postgres".into())),
        "own volume with options" => spec.mounts = mounted(MountSource::Volume(VOLUME.into())),
        "security option" => spec.security_options = vec!["seccomp=unconfined".into()],
        "devices" => spec.gpus = Some("all".into()),
        "network of the machine" => spec.network = Some("host".into()),
        "network of a container" => spec.network = Some("container:other".into()),
        "foreign network" => spec.network = Some("foonet".into()),
        "own network with options" => spec.network = Some(NETWORK.into()),
        "control group" => {
            spec.limits = Limits {
                cgroup_parent: Some("/other/group".into()),
                ..Limits::default()
            }
        }
        _ => {}
    }
    engine.create_container(&spec).await.unwrap();
    engine.start_container(CONTAINER).await.unwrap();
    if what == "further network" {
        engine
            .connect_network("foonet", CONTAINER, &[])
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_used_with_the_grants_that_creating_it_would_take() {
    for thing in THINGS {
        let patterns = [thing.subject, thing.covering, thing.other];
        for (function, behaviour) in USES {
            for (cell, grants, suffices) in cells(thing.capability, patterns).await {
                let bench = stage(grants);
                present(&bench, thing.what).await;
                let before = bench.engine.journal().len();
                let result = boot(&bench, behaviour, "").await;
                let what = format!("{function} with {}, {cell}: {result:?}", thing.what);
                if suffices {
                    assert_ne!(denied(&result), Some(thing.capability), "{what}");
                    continue;
                }
                assert_eq!(denied(&result), Some(thing.capability), "{what}");
                let after = bench.engine.journal().split_off(before);
                let looked =
                    |line: &String| line.starts_with("inspect") || line.starts_with("info");
                assert!(after.iter().all(looked), "{what}: {after:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_new_takes_the_grant_and_is_not_used_once_that_is_taken_back() {
    let containers = THINGS.iter().filter_map(|thing| {
        let (behaviour, value) = thing.made?;
        let patterns = [thing.subject, thing.covering, thing.other];
        Some((thing.what, thing.capability, patterns, behaviour, value))
    });
    let others = CREATIONS
        .iter()
        .map(|(function, capability, subject, behaviour, value)| {
            let covering = match *capability {
                "container.bind" => "volume buildx_*",
                _ => "network buildx_*",
            };
            (
                *function,
                *capability,
                [*subject, covering, "none"],
                *behaviour,
                *value,
            )
        });
    for (what, capability, mut patterns, behaviour, value) in containers.chain(others) {
        if patterns[2] == "none" {
            patterns[2] = if capability == "container.bind" {
                "/srv/*"
            } else {
                "host"
            };
        }
        for (cell, grants, suffices) in cells(capability, patterns).await {
            let bench = stage(grants);
            let engine = &bench.engine;
            engine.add_image("image");
            let spec = NetworkSpec {
                name: "foonet".into(),
                ..NetworkSpec::default()
            };
            engine.create_network(&spec).await.unwrap();
            let spec = VolumeSpec {
                name: "postgres".into(),
                ..VolumeSpec::default()
            };
            engine.create_volume(&spec).await.unwrap();
            if value == NETWORK {
                let spec = NetworkSpec {
                    name: NETWORK.into(),
                    labels: labels(),
                    driver: Some("macvlan".into()),
                    ..NetworkSpec::default()
                };
                engine.create_network(&spec).await.unwrap();
            }
            let before = bench.objects().await;
            let result = boot(&bench, behaviour, value).await;
            let what = format!("{what}, {cell}: {result:?}");
            if !suffices {
                assert_eq!(denied(&result), Some(capability), "{what}");
                assert_eq!(bench.objects().await, before, "{what}");
                continue;
            }
            assert!(result.is_ok(), "{what}");
            // It is there now; the grant is taken back.
            if bench
                .engine
                .inspect_container(CONTAINER)
                .await
                .unwrap()
                .is_some()
            {
                let bench = Stage {
                    grants: all_but(capability, &[]).await,
                    ..bench
                };
                let result = boot(&bench, "start what is there", "").await;
                assert_eq!(denied(&result), Some(capability), "{what}: {result:?}");
                boot(&bench, "remove what is there", "").await.unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_takes_one_capability_is_had_with_it_alone() {
    for (function, capability, patterns, behaviour) in GRANTED {
        for (cell, grants, suffices) in cells(capability, *patterns).await {
            let bench = stage(grants);
            bench.engine.add_image("image");
            let result = boot(&bench, behaviour, patterns[0]).await;
            let what = format!("{function}, {cell}: {result:?}");
            let expected = (!suffices).then_some(*capability);
            assert_eq!(denied(&result), expected, "{what}");
            if !suffices {
                let journal = bench.engine.journal();
                assert!(journal.is_empty(), "{what}: {journal:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_direct_connection_takes_its_grant() {
    let patterns = ["image", "library/*", "image:5000/x"];
    for (function, behaviour) in DIRECT {
        for (cell, grants, suffices) in cells("direct.connect", patterns).await {
            let bench = stage(grants);
            present(&bench, "image").await;
            let result = boot(&bench, behaviour, "").await;
            let expected = (!suffices).then_some("direct.connect");
            assert_eq!(denied(&result), expected, "{function}, {cell}: {result:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_connection_take_the_grant_for_where_it_leads() {
    let patterns = [
        "container:buildx_buildkit_node0",
        "container:*",
        "unix:///run/*",
    ];
    for (function, behaviour) in BYTES {
        for (cell, grants, suffices) in cells("transport.bytes", patterns).await {
            let bench = stage(grants);
            bench.engine.add_image("image");
            let result = boot(&bench, behaviour, "").await;
            let what = format!("{function}, {cell}: {result:?}");
            assert_eq!(
                denied(&result),
                (!suffices).then_some("transport.bytes"),
                "{what}"
            );
            if !suffices {
                assert_eq!(bench.objects().await, [""; 0], "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_lost_every_grant_can_still_look_and_clean_up() {
    for thing in THINGS {
        for under in [
            None,
            Some(Rules {
                images: Some(vec![ImagePattern::parse("moby/*").unwrap()]),
                forbidden: CATALOGUE
                    .iter()
                    .map(|known| Forbidden::parse(known.name).unwrap())
                    .collect(),
                ..Rules::default()
            }),
        ] {
            let grants = Grants::none().under(under.map(policy).unwrap_or_default());
            let bench = stage(grants);
            present(&bench, thing.what).await;
            if thing.what != "own network with options" {
                bench
                    .engine
                    .connect_network(NETWORK, CONTAINER, &[])
                    .await
                    .unwrap();
            }
            for (function, behaviour) in OWN {
                let result = boot(&bench, behaviour, "").await;
                let what = format!("{function} with {}: {result:?}", thing.what);
                match (behaviour.strip_prefix("list"), &result) {
                    (
                        Some(_),
                        Err(DriverError::Failed {
                            error: Error::Other(names),
                            ..
                        }),
                    ) => {
                        assert!(names.starts_with(CONTAINER), "{what}");
                    }
                    (Some(_), _) => panic!("{what}"),
                    (None, result) => assert!(result.is_ok(), "{what}"),
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_allowed_any_more_is_not_used() {
    let rules = || Rules {
        images: Some(vec![ImagePattern::parse("moby/*").unwrap()]),
        ..Rules::default()
    };
    for (function, behaviour) in USES.iter().chain(&[("container.create", "create")]) {
        let bench = stage(everything().await.under(policy(rules())));
        present(&bench, "image").await;
        let result = boot(&bench, behaviour, CONTAINER).await;
        assert_eq!(denied(&result), Some("policy"), "{function}: {result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_container_joins_no_network_that_its_creation_could_not_name() {
    for (cell, grants, suffices) in cells(
        "container.network",
        [
            "network buildx_buildkit_node0..net",
            "network buildx_*",
            "host",
        ],
    )
    .await
    {
        let bench = stage(grants);
        present(&bench, "own network with options").await;
        bench
            .engine
            .remove_container(CONTAINER, true)
            .await
            .unwrap();
        let before = bench.objects().await;
        let result = boot(&bench, "create and join what is there", "").await;
        let what = format!("{cell}: {result:?}");
        assert_eq!(result.is_ok(), suffices, "{what}");
        if !suffices {
            assert_eq!(denied(&result), Some("container.network"), "{what}");
            assert_eq!(bench.objects().await, before, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_further_name_in_a_network_is_no_host_elsewhere() {
    for (aliases, fits) in [
        ("", true),
        ("buildkit other_1", true),
        ("registry-1.docker.io", false),
        ("-x/y", false),
        ("16", true),
        ("17", false),
    ] {
        let bench = stage(everything().await);
        present(&bench, "image").await;
        let result = boot(&bench, "join what is there", aliases).await;
        assert_eq!(result.is_ok(), fits, "{aliases}: {result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn labels_alone_make_nothing_the_nodes_own() {
    // An image can carry any label, and what runs from it carries them too.
    let bench = stage(everything().await);
    bench.engine.add_image("image");
    let spec = ContainerSpec {
        name: "postgres".into(),
        image: "image".into(),
        labels: labels(),
        ..ContainerSpec::default()
    };
    bench.engine.create_container(&spec).await.unwrap();
    for (behaviour, spec) in [("list networks", "net"), ("list volumes", "vol")] {
        let name = format!("postgres_{spec}");
        let network = NetworkSpec {
            name: name.clone(),
            labels: labels(),
            ..NetworkSpec::default()
        };
        let volume = VolumeSpec {
            name,
            labels: labels(),
            ..VolumeSpec::default()
        };
        bench.engine.create_network(&network).await.unwrap();
        bench.engine.create_volume(&volume).await.unwrap();
        let said = boot(&bench, behaviour, "").await.unwrap_err().to_string();
        assert!(!said.contains("postgres"), "{said}");
    }
    let said = boot(&bench, "list", "").await.unwrap_err().to_string();
    assert!(!said.contains("postgres"), "{said}");
}
