//! The driver `iechor-container`: BuildKit in a container of the engine, its cache in a volume.
//!
//! It exists as a component only; on any other target this library is empty.
#![cfg(target_arch = "wasm32")]

mod boot;
mod builder;
mod options;

use iechor_driver::{CapabilityRequest, Config, Descriptor, Guest, Issue};

struct ContainerDriver;

iechor_driver::export!(ContainerDriver with_types_in iechor_driver::bindings);

impl Guest for ContainerDriver {
    type Builder = builder::ContainerBuilder;

    fn describe() -> Descriptor {
        Descriptor {
            name: "iechor-container".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "BuildKit in a container of the engine, its cache in a volume".into(),
            vendor: Some("iechor".into()),
            homepage: None,
            license: Some(env!("CARGO_PKG_LICENSE").into()),
            multi_node: true,
            options: options::schema(),
            capabilities: vec![
                request(
                    "container.privileged",
                    true,
                    "BuildKit mounts file systems and starts containers of its own",
                ),
                request("image.pull", true, "the image that BuildKit runs from"),
                request(
                    "container.network",
                    false,
                    "the option network may name any network, the host's own too",
                ),
                request(
                    "container.cgroup-parent",
                    false,
                    "the option cgroup-parent, and the parent /iechor/buildx of builders",
                ),
            ],
        }
    }

    fn priority(endpoint: String) -> Option<u32> {
        // Any endpoint of an engine will do; a driver for one kind of endpoint comes first.
        (!endpoint.is_empty()).then_some(30)
    }

    fn validate(config: Config) -> Vec<Issue> {
        options::Options::read(&config).1
    }
}

fn request(name: &str, required: bool, reason: &str) -> CapabilityRequest {
    CapabilityRequest {
        name: name.into(),
        scope: Vec::new(),
        required,
        reason: reason.into(),
    }
}
