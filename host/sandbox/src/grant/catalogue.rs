//! The capabilities that there are.

use crate::bindings::contract::CapabilityRequest;
use crate::pattern::Subject;
use crate::text::nearest;

/// A capability that is granted, not merely imported.
pub struct Capability {
    /// Dotted name.
    pub name: &'static str,
    /// What its scope is matched against.
    pub subject: &'static str,
    /// How that is written.
    pub kind: Subject,
    /// Whoever has it can get hold of the engine's machine, or of what others build or pull there.
    pub high_risk: bool,
    /// What someone who has it can do or see, in one sentence for the person who decides.
    pub means: &'static str,
}

impl Capability {
    /// Whether a scope may hold the word for the node's own endpoint.
    pub(crate) fn has_endpoint(&self) -> bool {
        matches!(self.name, "transport.tcp" | "transport.local")
    }
}

/// All of them.
pub const CATALOGUE: &[Capability] = &[
    Capability {
        name: "container.create",
        subject: "the container's image",
        kind: Subject::Image,
        high_risk: false,
        means: "it runs containers of these images; whoever made the image sees the builds that run there",
    },
    Capability {
        name: "container.privileged",
        subject: "the container's image",
        kind: Subject::Image,
        high_risk: true,
        means: "what runs in these images owns the engine's machine, and sees the builds that run there",
    },
    Capability {
        name: "container.command",
        subject: "the container's image",
        kind: Subject::Image,
        high_risk: true,
        means: "it chooses what runs in containers of these images, and so sees every byte of the builds there",
    },
    Capability {
        name: "container.bind",
        subject: "a path of the engine's machine",
        kind: Subject::Path,
        high_risk: true,
        means: "containers read what is below these paths of the engine's machine, and change what is granted as an exact path",
    },
    Capability {
        name: "container.devices",
        subject: "the devices asked for",
        kind: Subject::Devices,
        high_risk: true,
        means: "containers use these devices of the engine's machine",
    },
    Capability {
        name: "container.network",
        subject: "the network's name or mode",
        kind: Subject::Other,
        high_risk: true,
        means: "containers reach whatever listens in these networks of the engine's machine",
    },
    Capability {
        name: "container.cgroup-parent",
        subject: "the parent cgroup",
        kind: Subject::Group,
        high_risk: false,
        means: "containers are placed below these control groups, and get their share of processor and memory",
    },
    Capability {
        name: "image.pull",
        subject: "the image reference",
        kind: Subject::Image,
        high_risk: false,
        means: "the engine pulls these images with your credentials, and the driver learns which of them it has",
    },
    Capability {
        name: "engine.open",
        subject: "control or session",
        kind: Subject::Other,
        high_risk: true,
        means: "it speaks to the BuildKit in the engine: it sees all builds there, and can run its own",
    },
    Capability {
        name: "engine.load",
        subject: "the image's name",
        kind: Subject::Image,
        high_risk: false,
        means: "builds that name no output replace the images of the engine that have the names of --tag",
    },
    Capability {
        name: "transport.tcp",
        subject: "host:port",
        kind: Subject::Address,
        high_risk: true,
        means: "it connects there from this machine; what listens there sees the builds that are sent to it",
    },
    Capability {
        name: "transport.local",
        subject: "the socket's path",
        kind: Subject::Path,
        high_risk: true,
        means: "it connects to these sockets as you; what listens there sees the builds that are sent to it",
    },
    Capability {
        name: "transport.bytes",
        subject: "what the connection leads to",
        kind: Subject::Other,
        high_risk: true,
        means: "it speaks to BuildKit there itself: it can run builds, and read what others built",
    },
];

/// Whether whoever has that capability can get hold of the engine's machine. One that is not in the
/// [`CATALOGUE`] counts as such: nobody knows what it does.
pub fn is_high_risk(name: &str) -> bool {
    lookup(name).is_none_or(|capability| capability.high_risk)
}

/// The capability of that name.
///
/// # Errors
///
/// That there is none, and which there are.
pub fn find(name: &str) -> Result<&'static Capability, String> {
    lookup(name).ok_or_else(|| {
        let names = CATALOGUE.iter().map(|capability| capability.name);
        let others = match nearest(name, names.clone()) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
        };
        format!("there is no capability {name:?}; {others}")
    })
}

pub(crate) fn lookup(name: &str) -> Option<&'static Capability> {
    CATALOGUE.iter().find(|capability| capability.name == name)
}

/// What is wrong with requests that a driver cannot do without: capabilities that there are not.
pub fn unknown(requests: &[CapabilityRequest]) -> Vec<String> {
    let required = requests.iter().filter(|request| request.required);
    required
        .filter_map(|request| find(&request.name).err())
        .collect()
}

/// Whether who has `granted` has `capability` too.
pub(crate) fn includes(granted: &str, capability: &str) -> bool {
    granted == capability || (granted, capability) == ("container.privileged", "container.create")
}
