//! Requests for capabilities.
//!
//! A request is not a grant: the user grants, and the host enforces. Request as little as possible, and say
//! why: the user who decides is shown the reason.
//!
//! ```
//! use iechor_driver::capability;
//!
//! let request = capability::required("image.pull", "the image that BuildKit runs from")
//!     .within(["moby/buildkit:*"]);
//! assert!(request.required);
//! ```

use crate::CapabilityRequest;

/// The capabilities that the host knows, each with the subject of its patterns.
pub const NAMES: &[&str] = &[
    // The container's image. `container.privileged` includes it.
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
    // The container's image.
    "direct.connect",
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

/// Requests a capability that the driver requires. A driver requests each capability once. The reason is
/// one line of at most 140 characters.
pub fn required(name: &str, reason: &str) -> CapabilityRequest {
    CapabilityRequest {
        name: name.into(),
        scope: Vec::new(),
        required: true,
        reason: reason.into(),
    }
}

/// Requests a capability that the driver can work without.
pub fn optional(name: &str, reason: &str) -> CapabilityRequest {
    CapabilityRequest {
        required: false,
        ..required(name, reason)
    }
}

impl CapabilityRequest {
    /// Limits the request to subjects that match one of the patterns; `*` stands for any characters. The
    /// word `endpoint` is the address in [`Node::endpoint`](crate::Node::endpoint).
    pub fn within(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scope.extend(patterns.into_iter().map(Into::into));
        self
    }
}
