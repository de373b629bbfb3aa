//! What the capability to run containers declares.

use crate::declaration::{Capability, Function, Needs, Subject};

/// The grants that say what a container may have.
pub(super) const GRANTS: &[Capability] = &[
    Capability {
        name: "container.create",
        subject: "the container's image",
        kind: Subject::Image,
        endpoint: None,
        includes: None,
        high_risk: false,
        means: "the driver can run containers of these images; their programs see the builds that run there",
    },
    Capability {
        name: "container.privileged",
        subject: "the container's image",
        kind: Subject::Image,
        endpoint: None,
        includes: Some("container.create"),
        high_risk: true,
        means: "programs in these images get full control of the engine's machine and see the builds that run there",
    },
    Capability {
        name: "container.command",
        subject: "the container's image",
        kind: Subject::Image,
        endpoint: None,
        includes: None,
        high_risk: true,
        means: "the driver can choose the commands that run in containers of these images, so it can see all data of the builds there",
    },
    Capability {
        name: "container.bind",
        subject: "a path of the engine's machine",
        kind: Subject::Path,
        endpoint: None,
        includes: None,
        high_risk: true,
        means: "containers can read files below these paths of the engine's machine, and change those granted as an exact path",
    },
    Capability {
        name: "container.devices",
        subject: "the devices asked for",
        kind: Subject::Devices,
        endpoint: None,
        includes: None,
        high_risk: true,
        means: "containers can use these devices of the engine's machine",
    },
    Capability {
        name: "container.network",
        subject: "the network's name or mode",
        kind: Subject::Other,
        endpoint: None,
        includes: None,
        high_risk: true,
        means: "containers can reach all services in these networks of the engine's machine",
    },
    Capability {
        name: "container.cgroup-parent",
        subject: "the parent cgroup",
        kind: Subject::Group,
        endpoint: None,
        includes: None,
        high_risk: false,
        means: "containers run in these control groups and share their processor time and memory",
    },
];

/// Their names.
pub(in crate::capability) const CONTAINER: &[&str] = &[
    "container.create",
    "container.privileged",
    "container.command",
    "container.bind",
    "container.devices",
    "container.network",
    "container.cgroup-parent",
];

/// The functions, with what each needs.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("container.create", Needs::Creation(CONTAINER)),
    Function::new("container.find", Needs::Own),
    Function::new("container.list-all", Needs::Own),
    Function::new("container.inspect", Needs::Own),
    Function::new("container.stop", Needs::Own),
    Function::new("container.remove", Needs::Own),
    Function::new("container.forward-logs", Needs::Own),
    Function::new("container.last-logs", Needs::Own),
    Function::new("container.start", Needs::Use(CONTAINER)),
    Function::new("container.copy-in", Needs::Use(CONTAINER)),
    Function::new("container.configure", Needs::Use(CONTAINER)),
    Function::new("container.trust", Needs::Use(CONTAINER)),
    Function::new("container.run", Needs::Use(CONTAINER)),
    Function::new("container.dial", Needs::Use(CONTAINER)),
    Function::new("container.stop-when-idle", Needs::Use(CONTAINER)),
];
