use iechor_driver::container::MountSource;
use iechor_driver::{Description, Node, testing};

use super::*;
use crate::{ContainerDriver, Policy};

struct Plain;

impl Policy for Plain {
    fn describe() -> Description {
        Description::new("plain", "1", "All options and nothing else")
    }

    fn open(_: &Node, options: &mut Options) -> (Self, Settings) {
        (Self, Settings::read(options))
    }
}

type Driver = ContainerDriver<Plain>;

#[track_caller]
fn read(options: &[(&str, &str)]) -> Settings {
    let driver = testing::open::<Driver>(options);
    driver.expect("it is right").settings().clone()
}

#[test]
fn the_options_are_described_soundly() {
    testing::assert_sound::<Driver>();
}

#[test]
fn nothing_given_is_the_default_but_for_the_parent_of_builders() {
    let expected = Settings {
        cgroup_parent: Some(DEFAULT_CGROUP_PARENT.into()),
        transport: Transport::Auto,
        ..Settings::default()
    };
    assert_eq!(read(&[]), expected);
    // As in docker's command line, zero and an empty text mean "not set".
    let unset = [
        ("memory", "0"),
        ("memory-swap", "0"),
        ("cpu-quota", "0"),
        ("cpu-period", "0"),
        ("cpu-shares", "0"),
        ("cpuset-cpus", ""),
        ("cpuset-mems", ""),
        ("network", ""),
        // Accepted for builders of docker buildx.
        ("provenance-add-gha", "true"),
        ("allow-untrusted-image", "1"),
    ];
    assert_eq!(read(&unset), expected);
    assert!(read(&[("cgroup-parent", "")]).is_cgroup_parent_given);
}

#[test]
fn every_option_is_read() {
    let settings = read(&[
        ("image", "my/image:1"),
        ("memory", "512m"),
        ("memory-swap", "1g"),
        ("cpu-quota", "50000"),
        ("cpu-period", "100000"),
        ("cpu-shares", "512"),
        ("cpuset-cpus", "0-2,4"),
        ("cpuset-mems", "0"),
        ("default-load", "true"),
        ("network", "host"),
        ("cgroup-parent", "/mine"),
        ("restart-policy", "on-failure:3"),
        ("env.A.B", "c=d"),
    ]);
    let expected = Settings {
        image: "my/image:1".into(),
        memory: Some(512 << 20),
        memory_swap: Some(1 << 30),
        cpu_quota: Some(50_000),
        cpu_period: Some(100_000),
        cpu_shares: Some(512),
        cpuset_cpus: Some("0-2,4".into()),
        cpuset_mems: Some("0".into()),
        default_load: true,
        network: Some("host".into()),
        cgroup_parent: Some("/mine".into()),
        is_cgroup_parent_given: true,
        restart_policy: RestartPolicy::OnFailure(3),
        env: vec![("A.B".into(), "c=d".into())],
        transport: Transport::Auto,
        ..Settings::default()
    };
    assert_eq!(settings, expected);
}

fn pair(name: &str, value: &str) -> Pair {
    (name.to_owned(), value.to_owned())
}

#[test]
fn every_additional_option_is_read() {
    let settings = read(&[
        ("pull", "missing"),
        (
            "mount",
            "/srv/a:/a:ro; cache:/c; type=tmpfs,target=/t,tmpfs-size=1m",
        ),
        ("label.com.example.team", "web"),
        ("gpus", "device=0,1"),
        ("add-host", "a:10.0.0.1;b=host-gateway"),
        ("dns", "10.0.0.53;::1"),
        ("dns-search", "example.com"),
        ("dns-option", "ndots:1"),
        ("ulimit", "nofile=1024:4096;nproc=10"),
        ("security-opt", "no-new-privileges;seccomp=unconfined"),
        ("insecure-registry", "a:5000;http://b"),
        ("registry-mirror", "m;ghcr.io=http://n:1/x"),
        ("ca-certs", "ca-certs"),
        ("boot-timeout", "10m"),
        ("idle-stop", "1h30m"),
        ("transport", "auto"),
    ]);
    let mounted = |source, target: &str, read_only| Mounted {
        target: target.into(),
        source,
        read_only,
    };
    let expected = Settings {
        cgroup_parent: Some(DEFAULT_CGROUP_PARENT.into()),
        // Or the engine would start again what ended by itself.
        restart_policy: RestartPolicy::No,
        pull: Pull::Missing,
        mounts: vec![
            mounted(MountSource::Bind("/srv/a".into()), "/a", true),
            mounted(MountSource::Volume("cache".into()), "/c", false),
            mounted(MountSource::Tmpfs(1 << 20), "/t", false),
        ],
        labels: vec![pair("com.example.team", "web")],
        gpus: Some("device=0,1".into()),
        extra: vec![
            pair("add-host", "a:10.0.0.1"),
            pair("add-host", "b=host-gateway"),
            pair("dns", "10.0.0.53"),
            pair("dns", "::1"),
            pair("dns-search", "example.com"),
            pair("dns-option", "ndots:1"),
            pair("ulimit", "nofile=1024:4096"),
            pair("ulimit", "nproc=10"),
            pair("security-opt", "no-new-privileges"),
            pair("security-opt", "seccomp=unconfined"),
        ],
        registries: vec![
            pair("insecure-registry", "a:5000"),
            pair("insecure-registry", "http://b"),
            pair("registry-mirror", "m"),
            pair("registry-mirror", "ghcr.io=http://n:1/x"),
        ],
        ca_certs: Some("ca-certs".into()),
        boot_timeout: Duration::from_secs(600),
        idle_stop: Some(Duration::from_secs(5400)),
        // The container does not see direct connections.
        transport: Transport::Exec,
        ..Settings::default()
    };
    assert_eq!(settings, expected);
    for (gpus, expected) in [("none", None), ("all", Some("all")), ("2", Some("2"))] {
        assert_eq!(read(&[("gpus", gpus)]).gpus.as_deref(), expected);
    }
    assert_eq!(read(&[("idle-stop", "0")]).idle_stop, None);
    let direct = read(&[("transport", "direct")]);
    assert_eq!(direct.transport, Transport::Direct);
}

#[test]
fn every_additional_option_has_a_range() {
    let wrong = [
        ("pull", "sometimes"),
        ("mount", "/a"),
        ("gpus", "many"),
        ("add-host", "a"),
        ("dns", "resolver"),
        ("dns-search", "a b"),
        ("dns-option", "a b"),
        ("ulimit", "files=1"),
        ("security-opt", "seccomp=/profile.json"),
        ("insecure-registry", "a/b"),
        ("registry-mirror", "a b"),
        ("boot-timeout", "11m"),
        ("idle-stop", "721h"),
        ("transport", "carrier pigeon"),
    ];
    let names: Vec<_> = wrong.iter().map(|(name, _)| *name).collect();
    testing::assert_refused::<Driver>(&wrong, &names);
    for (name, value) in [
        ("boot-timeout", "0.5s"),
        ("idle-stop", "10ms"),
        ("gpus", "0"),
        ("gpus", "all,none"),
        ("security-opt", "no-new-privileges=maybe"),
        ("mount", "/a:/var/lib/buildkit"),
        ("mount", "/a:/etc/buildkit/x"),
        ("mount", "/a:/b;/c:/b"),
        ("mount", "/a:/b;/c:/b/d"),
        ("mount", "/a:/b;;/c:/d"),
        ("label.dev.iechor.node", "other"),
        ("label.io.containers.autoupdate", "registry"),
        ("label.", "x"),
        ("label.a b", "x"),
    ] {
        testing::assert_refused::<Driver>(&[(name, value)], &[name]);
    }
    let restarted = [("idle-stop", "1h"), ("restart-policy", "always")];
    testing::assert_refused::<Driver>(&restarted, &["restart-policy"]);
    let direct = [("idle-stop", "1h"), ("transport", "direct")];
    testing::assert_refused::<Driver>(&direct, &["transport"]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (options, at) in [
        (
            &[("memory", "1g"), ("memory-swap", "512m")][..],
            &["memory-swap"][..],
        ),
        (&[("memory-swap", "1g")], &["memory-swap"]),
        (&[("memory", "0"), ("memory-swap", "1g")], &["memory-swap"]),
        // One fault, not two.
        (&[("memory", "x"), ("memory-swap", "1g")], &["memory"]),
        (&[("env.A=B", "c")], &["env.A=B"]),
        (&[("env.A", "\0")], &["env.A"]),
        (
            &[("cpu-period", "-1"), ("cpu-shares", "-1")],
            &["cpu-period", "cpu-shares"],
        ),
        (
            &[("provenance-add-gha", "yes"), ("allow-untrusted-image", "")],
            &["provenance-add-gha", "allow-untrusted-image"],
        ),
    ] {
        testing::assert_refused::<Driver>(options, at);
    }
    assert_eq!(read(&[("memory-swap", "-1")]).memory_swap, Some(-1));
}
