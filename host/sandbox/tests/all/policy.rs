//! What an organisation's policy does to drivers: to one that was granted everything, and to the
//! built-in one. Nothing that it refuses happens.

use std::sync::Arc;

use iechor_engine::Engine;
use iechor_engine::model::ContainerSpec;
use iechor_sandbox::contract::Error;
use iechor_sandbox::policy::{Forbidden, ForcedLimits, ImagePattern, Rules};
use iechor_sandbox::{Driver, DriverError, Grants, Policy, Sandbox};

use crate::support::{Answers, CONTAINER, IMAGE, Nodes, Stage, VOLUME, guest, load};

const FILE: &str = "/etc/iechor/policy.toml";

fn images(patterns: &[&str]) -> Rules {
    let parse = |pattern: &&str| ImagePattern::parse(pattern).unwrap();
    Rules {
        images: Some(patterns.iter().map(parse).collect()),
        ..Rules::default()
    }
}

fn forbidding(rules: &[&str]) -> Rules {
    Rules {
        forbidden: rules
            .iter()
            .map(|rule| Forbidden::parse(rule).unwrap())
            .collect(),
        ..Rules::default()
    }
}

fn limits() -> Rules {
    Rules {
        limits: ForcedLimits {
            memory: Some(64 << 20),
            memory_swap: Some(64 << 20),
            millicpus: Some(1500),
            pids: Some(100),
        },
        ..Rules::default()
    }
}

fn policy(rules: Rules) -> Arc<Policy> {
    Arc::new(Policy {
        files: vec![Rules {
            file: FILE.into(),
            ..rules
        }],
    })
}

/// A bench on which the driver may do all that it asks for, as far as the rules allow it.
async fn bench(driver: &Driver, rules: Rules) -> Stage {
    let requests = &driver.descriptor().await.unwrap().capabilities;
    Stage {
        grants: Grants::trusted(requests).under(policy(rules)),
        ..Stage::new(Answers::AtOnce)
    }
}

async fn misbehave(bench: &Stage, behaviour: &str, value: &str) -> Result<(), DriverError> {
    let driver = load(guest()).await;
    let node = bench
        .with_options(&driver, &[("behave", behaviour), ("value", value)])
        .await;
    node.boot().await
}

#[track_caller]
fn assert_denied(result: &Result<(), DriverError>, capability: &str, rule: &str) {
    let Err(error @ DriverError::Denied { denial, .. }) = result else {
        panic!("{result:?}")
    };
    assert_eq!(denial.capability, capability);
    let text = error.to_string();
    assert!(text.contains(&format!("{FILE}: {rule}: ")), "{text}");
    assert!(text.contains("have "), "what to do: {text}");
}

/// Asserts that nothing was asked of the engine that changes it.
fn assert_nothing_happened(bench: &Stage) {
    bench.assert_no_creations();
    for verb in ["pull", "start", "exec", "run", "dial", "hijack"] {
        let journal = bench.engine.journal();
        assert!(
            !journal.iter().any(|line| line.starts_with(verb)),
            "{journal:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_allowed_is_neither_pulled_nor_run_however_it_is_written() {
    let driver = load(guest()).await;
    for image in [
        "image",
        "image:latest",
        "docker.io/library/image",
        "index.docker.io/image",
        "localhost/moby/buildkit:v1",
        "evil.example/moby/buildkit:v1",
        "evil.example/docker.io/moby/buildkit",
        "moby/buildkit-evil:v1",
        "MOBY/buildkit:v1",
        "sha256:0123",
        "0123456789ab",
        "moby/tool:v1@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ] {
        for behaviour in ["pull", "image"] {
            let bench = bench(&driver, images(&["moby/buildkit:*"])).await;
            let result = misbehave(&bench, behaviour, image).await;
            assert_denied(&result, "policy", "images.allow");
            assert_nothing_happened(&bench);
        }
    }
    let bench = bench(&driver, images(&["docker.io/library/image"])).await;
    misbehave(&bench, "image", "image").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_no_name_of_an_image_is_refused_without_any_policy() {
    for image in ["", "moby/../image", "a b", "image?x=y", "image#x", "-image"] {
        for behaviour in ["pull", "image"] {
            let driver = load(guest()).await;
            let bench = bench(&driver, Rules::default()).await;
            let error = misbehave(&bench, behaviour, image).await.unwrap_err();
            let DriverError::Failed {
                error: Error::InvalidArgument(_),
                ..
            } = error
            else {
                panic!("{image:?}: {error:?}")
            };
            assert_nothing_happened(&bench);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_from_before_the_rule_can_be_removed_and_not_used() {
    let driver = load(guest()).await;
    let bench = bench(&driver, images(&["moby/buildkit:*"])).await;
    let spec = ContainerSpec {
        name: CONTAINER.into(),
        image: "image".into(),
        ..ContainerSpec::default()
    };
    bench.engine.create_container(&spec).await.unwrap();
    for behaviour in ["start what is there", "run in what is there"] {
        let result = misbehave(&bench, behaviour, "").await;
        assert_denied(&result, "policy", "images.allow");
    }
    misbehave(&bench, "remove what is there", "").await.unwrap();
    assert_eq!(bench.objects().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_forbidden_no_grant_allows() {
    let driver = load(guest()).await;
    for (rule, behaviour, value, capability) in [
        (
            "container.privileged",
            "privileged",
            "",
            "container.privileged",
        ),
        (
            "container.privileged",
            "host user namespace",
            "",
            "container.privileged",
        ),
        (
            "container.privileged=image",
            "privileged",
            "",
            "container.privileged",
        ),
        ("container.bind", "bind", "/srv", "container.bind"),
        ("container.bind=/etc/*", "bind", "/", "container.bind"),
        (
            "container.bind=/etc/*",
            "volume options",
            "",
            "container.bind",
        ),
        (
            "container.network=host",
            "network",
            "host",
            "container.network",
        ),
        (
            "container.network=container:*",
            "network",
            "container:x",
            "container.network",
        ),
        ("container.devices", "devices", "", "container.devices"),
        (
            "container.cgroup-parent",
            "cgroup-parent",
            "/x",
            "container.cgroup-parent",
        ),
        ("image.pull=library/image", "pull", "image", "image.pull"),
        (
            "transport.local=/run/*",
            "dial local",
            "/run/docker.sock",
            "transport.local",
        ),
    ] {
        let bench = bench(&driver, forbidding(&[rule])).await;
        let result = misbehave(&bench, behaviour, value).await;
        assert_denied(&result, capability, "grants.forbid");
        assert_nothing_happened(&bench);
    }
    let bench = bench(&driver, forbidding(&["container.network=host"])).await;
    misbehave(&bench, "network", "container:x").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn limits_are_forced_on_whatever_is_created() {
    let driver = load(guest()).await;
    let forced = "memory=67108864 memory-swap=67108864 cpu-period=100000 cpu-quota=150000 pids=100";
    for (asked, given) in [
        ("", forced),
        // An engine takes 0 for no limit.
        ("memory=0 memory-swap=0 cpu-quota=0 cpu-period=0", forced),
        (
            "memory=8388608 cpu-quota=1000",
            "memory=8388608 cpu-quota=1000 pids=100",
        ),
    ] {
        let bench = bench(&driver, limits()).await;
        misbehave(&bench, "limits", asked).await.unwrap();
        let journal = bench.engine.journal();
        let created = journal
            .iter()
            .find(|line| line.starts_with("create_container"))
            .unwrap();
        assert!(
            created.contains(&format!(" {given} ->")),
            "{asked:?}: {created}"
        );
    }
    for (asked, rule) in [
        ("memory=67108865", "limits.memory"),
        ("memory=-1", "limits.memory"),
        ("memory=1048576 memory-swap=-1", "limits.memory-swap"),
        ("memory-swap=67108865", "limits.memory-swap"),
        ("cpu-quota=-1", "limits.cpus"),
        ("cpu-quota=150001", "limits.cpus"),
        ("cpu-quota=150000 cpu-period=1000", "limits.cpus"),
        ("cpu-period=-100000", "limits.cpus"),
    ] {
        let bench = bench(&driver, limits()).await;
        let result = misbehave(&bench, "limits", asked).await;
        assert_denied(&result, "policy", rule);
        assert_nothing_happened(&bench);
    }
}

/// The rules that stop the built-in driver, each by itself.
#[tokio::test(start_paused = true)]
async fn the_built_in_driver_obeys_too() {
    let driver = Sandbox::embedded("iechor-container").unwrap().unwrap();
    for (rules, capability, rule) in [
        (
            images(&["registry.example.com/*"]),
            "policy",
            "images.allow",
        ),
        (forbidding(&["image.pull"]), "image.pull", "grants.forbid"),
        (
            forbidding(&["container.privileged"]),
            "container.privileged",
            "grants.forbid",
        ),
    ] {
        let bench = bench(&driver, rules).await;
        bench.engine.add_image(IMAGE);
        let result = bench.with_options(&driver, &[]).await.boot().await;
        assert_denied(&result, capability, rule);
        assert_eq!(bench.objects().await, [""; 0]);
    }

    let bench = bench(&driver, limits()).await;
    bench.engine.add_image(IMAGE);
    bench.with_options(&driver, &[]).await.boot().await.unwrap();
    let journal = bench.engine.journal();
    assert!(
        journal
            .iter()
            .any(|line| line.starts_with("create_container")
                && line.contains(" memory=67108864 ")
                && line.contains(" pids=100 ->")),
        "{journal:#?}"
    );
    assert_eq!(
        bench.objects().await,
        [format!("container {CONTAINER}"), format!("volume {VOLUME}")]
    );
    let asked = [("memory", "1g")];
    let bench = self::bench(&driver, limits()).await;
    bench.engine.add_image(IMAGE);
    let result = bench.with_options(&driver, &asked).await.boot().await;
    assert_denied(&result, "policy", "limits.memory");
    assert_eq!(bench.objects().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_symbolic_link_is_no_way_to_a_forbidden_socket() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let socket = directory.join("real.sock");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let link = directory.join("link.sock");
    std::os::unix::fs::symlink(&socket, &link).unwrap();
    let driver = load(guest()).await;
    let link = link.to_str().unwrap();
    let rule = format!("transport.local={}", socket.display());
    let forbidden = bench(&driver, forbidding(&[&rule])).await;
    assert_denied(
        &misbehave(&forbidden, "dial local", link).await,
        "transport.local",
        "grants.forbid",
    );
    // Without the rule it connects: the refusal was not for another reason.
    let free = bench(&driver, Rules::default()).await;
    misbehave(&free, "dial local", link).await.unwrap();
    let dotted = format!("{}/../{link}", directory.display());
    let error = misbehave(&free, "dial local", &dotted).await.unwrap_err();
    assert!(
        error.to_string().contains("without '.' and '..'"),
        "{error}"
    );
}
