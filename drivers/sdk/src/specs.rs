//! Specifications with the engine's defaults.

use crate::container::{self, ExecSpec, Limits, RestartPolicy};
use crate::{network, volume};

impl container::Spec {
    /// Returns a container of an image, as [`image::resolve`](crate::image::resolve) returned it:
    /// `Spec { privileged: true, ..Spec::new(name, image) }`.
    pub fn new(name: impl Into<String>, image: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image: image.into(),
            command: Vec::new(),
            env: Vec::new(),
            labels: Vec::new(),
            mounts: Vec::new(),
            network: None,
            privileged: false,
            init: false,
            host_user_namespace: false,
            gpus: None,
            restart: RestartPolicy::default(),
            limits: Limits::default(),
            extra: Vec::new(),
        }
    }
}

impl ExecSpec {
    /// Returns a program and its arguments, as the user and in the directory of the image.
    pub fn new(command: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            user: None,
            workdir: None,
        }
    }
}

impl volume::Spec {
    /// Returns a volume of the engine's default driver.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            driver: None,
            driver_options: Vec::new(),
            labels: Vec::new(),
        }
    }
}

impl network::Spec {
    /// Returns a bridge network with access to other networks.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            driver: None,
            internal: false,
            driver_options: Vec::new(),
            labels: Vec::new(),
        }
    }
}

impl Default for RestartPolicy {
    /// [`RestartPolicy::No`], as for the engine's own command line.
    fn default() -> Self {
        Self::No
    }
}

impl Default for Limits {
    /// No limits.
    fn default() -> Self {
        Self {
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
}
