//! What a capability declares: the grants that it knows, and what its functions need.

/// The pattern that stands for the node's own endpoint.
pub const ENDPOINT: &str = "endpoint";

/// Something that a driver may do if it is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Dotted name, for example `container.bind`.
    pub name: &'static str,
    /// What its scope is matched against.
    pub subject: &'static str,
    /// How that is written.
    pub kind: Subject,
    /// Scheme of the endpoints that [`ENDPOINT`] stands for in a scope, with its `://`; `None` where
    /// the word has no meaning.
    pub endpoint: Option<&'static str>,
    /// The name of the capability that this one includes.
    pub includes: Option<&'static str>,
    /// Whether it gives access to the engine's machine, or to what others build or pull there.
    pub high_risk: bool,
    /// What a driver with it can do or see, in one sentence for the user who decides.
    pub means: &'static str,
}

impl Capability {
    /// Returns whether whoever has this capability has `other` too.
    pub fn grants(&self, other: &str) -> bool {
        self.name == other || self.includes == Some(other)
    }
}

/// How the subject of a capability is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The name of an image.
    Image,
    /// An absolute path, or `volume NAME`.
    Path,
    /// `HOST:PORT`.
    Address,
    /// What the Docker CLI's `--gpus` takes, or a device of an existing container.
    Devices,
    /// A control group.
    Group,
    /// A word of its own, such as the name of a network.
    Other,
}

/// A function of the contract that a driver can call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its name in a trace, for example `container.create`.
    pub name: &'static str,
    /// What calling it needs.
    pub needs: Needs,
}

impl Function {
    pub(crate) const fn new(name: &'static str, needs: Needs) -> Self {
        Self { name, needs }
    }
}

/// What calling a function needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it reaches no engine and no network, or only through a handle that needed its grant.
    Nothing,
    /// That the object belongs to the node. Looking at it, stopping it and removing it needs no grant:
    /// otherwise nobody could clean up after a grant was taken back.
    Own,
    /// That the object belongs to the node, and, for each thing that it is to have, that capability.
    Creation(&'static [&'static str]),
    /// That the object belongs to the node, and what creating it as it is now would need.
    Use(&'static [&'static str]),
    /// That capability, for what the call names.
    Grant(&'static str),
}
