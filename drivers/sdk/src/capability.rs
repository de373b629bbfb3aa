//! Requests for capabilities: what a driver needs beyond what it imports.
//!
//! A request is not a grant: the user grants, the host enforces. Ask for as little as will do, and
//! say what for: the reason is shown to the user who decides.
//!
//! ```
//! use iechor_driver::capability;
//!
//! let request = capability::required("image.pull", "the image that BuildKit runs from")
//!     .within(["moby/buildkit:*"]);
//! assert!(request.required);
//! ```

use crate::CapabilityRequest;

/// The capabilities that a host knows, and what a request is narrowed by.
pub const NAMES: &[&str] = &[
    // The container's image; who may create privileged ones of an image needs no more for others.
    "container.create",
    // The container's image.
    "container.privileged",
    // The container's image.
    "container.command",
    // A path of the engine's machine.
    "container.bind",
    // The devices asked for.
    "container.devices",
    // The network's name or mode.
    "container.network",
    // The parent cgroup.
    "container.cgroup-parent",
    // The image reference.
    "image.pull",
    // `control` or `session`.
    "engine.open",
    // The image's name: results that nobody named an output for may be loaded under it.
    "engine.load",
    // `HOST:PORT`.
    "transport.tcp",
    // The socket's path.
    "transport.local",
    // What the connection leads to.
    "transport.bytes",
];

/// Asks for a capability without which the driver is of no use. A driver asks for each capability
/// once. The reason is one line of at most 140 characters.
pub fn required(name: &str, reason: &str) -> CapabilityRequest {
    CapabilityRequest {
        name: name.into(),
        scope: Vec::new(),
        required: true,
        reason: reason.into(),
    }
}

/// Asks for a capability without which the driver works, but for what the reason says.
pub fn optional(name: &str, reason: &str) -> CapabilityRequest {
    CapabilityRequest {
        required: false,
        ..required(name, reason)
    }
}

impl CapabilityRequest {
    /// Narrows the request to what matches one of the patterns, in which `*` stands for any
    /// characters. The word `endpoint` is the address in [`Node::endpoint`](crate::Node::endpoint),
    /// whatever it is.
    pub fn within(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scope.extend(patterns.into_iter().map(Into::into));
        self
    }
}
