//! What makes one driver different from another.

use iechor_driver::container::{Container, Spec};
use iechor_driver::{Description, Error, Node, Options};

use crate::settings::Settings;

/// The flag of buildkitd that the host adds to a new node's, as docker buildx does, where neither the
/// user's flags nor his configuration file say what builds are allowed: to use the container's
/// network as it is. A policy that refuses flags lets it pass; one that does not want it takes it out
/// of the command in [`Policy::container`].
pub const HOST_NETWORK: &str = "--allow-insecure-entitlement=network.host";

/// What makes one driver that keeps BuildKit in a container different from another.
pub trait Policy: Sized + 'static {
    /// As [`Driver::describe`](iechor_driver::Driver::describe). It asks at least for `container.privileged` and `image.pull`; a
    /// network and a parent cgroup among the settings need `container.network` and
    /// `container.cgroup-parent`.
    fn describe() -> Description;

    /// Returns the priority, see [`Driver::priority`](iechor_driver::Driver::priority).
    fn priority(endpoint: &str) -> Option<u32> {
        let _ = endpoint;
        None
    }

    /// Declares and reads the options, as [`Driver::open`](iechor_driver::Driver::open): what the policy needs to know later,
    /// and what the container is to be. The flags and files of `node` go to BuildKit as they are,
    /// but for what the policy refuses with [`Options::refuse_node`].
    fn open(node: &Node, options: &mut Options) -> (Self, Settings);

    /// Changes the container that is about to be created, as the [`Settings`] and the node's flags
    /// make it: adds mounts, labels, GPUs or whatever else a [`Spec`] has, each of which needs its
    /// capability. What decides about the programs that run there needs `container.command`: most
    /// environment variables and flags, and mounts where programs or configuration lie. A container
    /// that is there already stays as it is.
    ///
    /// The state volume exists by then; another volume is the policy's to create. The name stays
    /// the node's, whatever is done to it here.
    ///
    /// # Errors
    ///
    /// The reason why the container must not be created.
    fn container(&self, spec: &mut Spec) -> Result<(), Error> {
        let _ = spec;
        Ok(())
    }

    /// Runs at the end of each boot, when BuildKit answers in `container`.
    ///
    /// # Errors
    ///
    /// The reason why the boot fails.
    fn booted(&self, container: &Container) -> Result<(), Error> {
        let _ = container;
        Ok(())
    }
}
