//! The driver `iechor-container`: BuildKit in a container of the engine, its cache in a volume.
//!
//! What it does is in `iechor-driver-container`; this is what it is called, what it asks for, and
//! the options of `docker buildx`, all of them.

use iechor_driver::{Description, Options, capability};
use iechor_driver_container::{ContainerDriver, Policy, Settings};

struct AsConfigured;

iechor_driver::register!(ContainerDriver<AsConfigured>);

impl Policy for AsConfigured {
    fn describe() -> Description {
        Description::new(
            "iechor-container",
            env!("CARGO_PKG_VERSION"),
            "BuildKit in a container of the engine, its cache in a volume",
        )
        .vendor("iechor")
        .license(env!("CARGO_PKG_LICENSE"))
        .capability(capability::required(
            "container.privileged",
            "BuildKit mounts file systems and starts containers of its own",
        ))
        .capability(capability::required(
            "image.pull",
            "the image that BuildKit runs from",
        ))
        .capability(capability::optional(
            "container.network",
            "the option network may name any network, the host's own too",
        ))
        .capability(capability::optional(
            "container.cgroup-parent",
            "the option cgroup-parent, and the parent /iechor/buildx of builders",
        ))
    }

    fn priority(endpoint: &str) -> Option<u32> {
        // Any endpoint of an engine will do; a driver for one kind of endpoint comes first.
        (!endpoint.is_empty()).then_some(30)
    }

    fn open(options: &mut Options) -> (Self, Settings) {
        (Self, Settings::read(options))
    }
}
