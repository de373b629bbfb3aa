//! Attributes of the containers in which the steps run, for the Dockerfile frontend of BuildKit.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::spec::steps::{Address, Resources, Steps};

/// Returns the attributes, by name. `host_gateway` is the address of the host machine; hosts that need
/// it are left out if it is missing.
pub(super) fn attributes(
    steps: &Steps,
    host_gateway: Option<IpAddr>,
) -> BTreeMap<&'static str, String> {
    let mut attributes = BTreeMap::new();
    let hosts = steps.hosts.iter().filter_map(|host| {
        let address = match &host.address {
            Address::Ip(address) => address.clone(),
            Address::HostGateway => host_gateway?.to_string(),
        };
        Some(format!("{}={address}", host.name))
    });
    let ulimits = steps.ulimits.iter();
    let ulimits = ulimits.map(|(name, limit)| format!("{name}={limit}"));
    for (name, list) in [
        ("add-hosts", hosts.collect::<Vec<_>>()),
        ("ulimit", ulimits.collect()),
    ] {
        if !list.is_empty() {
            attributes.insert(name, list.join(","));
        }
    }
    if let Some(network) = steps.network.forced() {
        attributes.insert("force-network-mode", network.to_owned());
    }
    // As docker buildx, zero stands for the default.
    if let Some(size) = steps.shm_size.filter(|size| *size > 0) {
        attributes.insert("shm-size", size.to_string());
    }
    if let Some(parent) = &steps.cgroup_parent {
        attributes.insert("cgroup-parent", parent.clone());
    }
    attributes.extend(limits(&steps.resources));
    attributes
}

/// Returns the limits that are set: a BuildKit that knows no limits takes all other builds.
fn limits(resources: &Resources) -> impl Iterator<Item = (&'static str, String)> {
    let Resources {
        memory,
        memory_swap,
        cpu_shares,
        cpu_period,
        cpu_quota,
        cpuset_cpus,
        cpuset_mems,
    } = resources;
    let number = |number: i64| match number {
        0 => String::new(),
        number => number.to_string(),
    };
    [
        (
            "memory",
            match memory {
                0 => String::new(),
                memory => memory.to_string(),
            },
        ),
        ("memswap", number(*memory_swap)),
        ("cpushares", number(*cpu_shares)),
        ("cpuperiod", number(*cpu_period)),
        ("cpuquota", number(*cpu_quota)),
        ("cpusetcpus", cpuset_cpus.clone()),
        ("cpusetmems", cpuset_mems.clone()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::steps::{Network, Ulimit};

    #[test]
    fn all_settings_become_attributes() {
        let mut resources = Resources::default();
        for text in [
            "memory=1k",
            "memory-swap=-1",
            "cpu-shares=2",
            "cpu-period=3",
            "cpu-quota=4",
            "cpuset-cpus=0-1",
            "cpuset-mems=0",
        ] {
            resources.set(text).expect(text);
        }
        let hosts = ["a:1.2.3.4", "b=host-gateway", "c=[::1]"];
        let steps = Steps {
            hosts: hosts.map(|host| host.parse().expect(host)).into(),
            network: Network::None,
            shm_size: Some(4096),
            ulimits: ["nproc=5", "core=1:2"]
                .map(|text| Ulimit::parse(text).expect(text))
                .into(),
            resources,
            cgroup_parent: Some("/mine".into()),
        };
        assert!(steps.need_host_gateway());
        let gateway = "10.0.0.1".parse().expect("an address");
        let attributes = attributes(&steps, Some(gateway));
        let shown: Vec<_> = attributes
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(
            shown,
            [
                "add-hosts: a=1.2.3.4,b=10.0.0.1,c=::1",
                "cgroup-parent: /mine",
                "cpuperiod: 3",
                "cpuquota: 4",
                "cpusetcpus: 0-1",
                "cpusetmems: 0",
                "cpushares: 2",
                "force-network-mode: none",
                "memory: 1024",
                "memswap: -1",
                "shm-size: 4096",
                "ulimit: core=1:2,nproc=5:5",
            ]
        );
    }

    #[test]
    fn defaults_become_no_attributes() {
        let mut steps = Steps {
            shm_size: Some(0),
            ..Steps::default()
        };
        assert!(attributes(&steps, None).is_empty());
        steps.network = Network::Host;
        let expected = BTreeMap::from([("force-network-mode", "host".to_owned())]);
        assert_eq!(attributes(&steps, None), expected);
    }
}
