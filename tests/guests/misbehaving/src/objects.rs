//! Containers and volumes for the misbehaviour.

use iechor_driver::Error;
use iechor_driver::container::{Container, Limits, MountSource, Mounted, RestartPolicy, Spec};
use iechor_driver::volume::{self, Volume};

pub fn create_both(base: &str) -> Result<(), Error> {
    create_volume(&format!("{base}_state"))?;
    let source = MountSource::Volume(format!("{base}_state"));
    create(Spec {
        mounts: vec![mount(source)],
        ..plain(base)
    })?
    .start()
}

pub fn create(spec: Spec) -> Result<Container, Error> {
    Container::create(&spec)
}

pub fn create_volume(name: &str) -> Result<Volume, Error> {
    Volume::create(&volume::Spec {
        name: name.into(),
        driver: None,
        driver_options: Vec::new(),
        labels: Vec::new(),
    })
}

pub fn mount(source: MountSource) -> Mounted {
    Mounted {
        target: "/data".into(),
        source,
        read_only: false,
    }
}

pub fn found(name: &str) -> Result<Container, Error> {
    Container::find(name)?.ok_or_else(|| Error::Other("not found".into()))
}

/// Parses limits such as `memory=1 memory-swap=-1 cpu-quota=2 cpu-period=3`; each is optional.
pub fn limits(text: &str) -> Limits {
    let number = |name: &str| {
        text.split(' ')
            .filter_map(|word| word.split_once('='))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.parse::<i128>().ok())
    };
    Limits {
        memory: number("memory").map(|n| n as u64),
        memory_swap: number("memory-swap").map(|n| n as i64),
        cpu_quota: number("cpu-quota").map(|n| n as i64),
        cpu_period: number("cpu-period").map(|n| n as i64),
        ..no_limits()
    }
}

pub fn no_limits() -> Limits {
    Limits {
        memory: None,
        memory_swap: None,
        cpu_shares: None,
        cpu_period: None,
        cpu_quota: None,
        cpuset_cpus: None,
        cpuset_mems: None,
        cgroup_parent: None,
    }
}

pub fn plain(base: &str) -> Spec {
    Spec {
        name: base.into(),
        image: "image".into(),
        command: Vec::new(),
        env: Vec::new(),
        labels: Vec::new(),
        mounts: Vec::new(),
        network: None,
        privileged: false,
        init: false,
        host_user_namespace: false,
        gpus: None,
        restart: RestartPolicy::No,
        limits: no_limits(),
        extra: Vec::new(),
    }
}
