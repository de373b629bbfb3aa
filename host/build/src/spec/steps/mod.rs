//! Settings of the containers in which the steps of a build run. Each setting with a syntax has one
//! file.

mod host;
mod network;
pub mod parse;
mod resource;
mod ulimit;

use std::collections::BTreeMap;

pub use host::{Address, Host, HostError};
pub use network::{Network, NetworkError};
pub use resource::{ResourceError, Resources};
pub use ulimit::{Ulimit, UlimitError};

/// Settings of the containers in which the steps of a build run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steps {
    /// Additional names of hosts, in the order in which they were given.
    pub hosts: Vec<Host>,
    /// The network.
    pub network: Network,
    /// Size of the shared memory, in bytes; `None` for the default of BuildKit.
    pub shm_size: Option<u64>,
    /// Limits of the processes, by name.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Limits of the containers.
    pub resources: Resources,
    /// The parent control group; `None` for that of BuildKit.
    pub cgroup_parent: Option<String>,
}

impl Steps {
    /// Returns whether the address of the host machine is needed.
    pub fn need_host_gateway(&self) -> bool {
        let mut hosts = self.hosts.iter();
        hosts.any(|host| host.address == Address::HostGateway)
    }
}
