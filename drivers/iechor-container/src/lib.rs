//! The driver `iechor-container`: BuildKit in a container of the engine, its cache in a volume.
//!
//! What it does is in `iechor-buildkit-container`; this is what it is called, what it asks for, and
//! the options of `docker buildx`, all of them: a builder that docker buildx made can be used as it
//! is.
//!
//! What docker buildx does without an option, and this does not:
//!
//! * It hands the container every GPU where a container that it starts to find out can have them.
//!   Here the user says so, with the option `gpus`.
//! * On WSL it mounts `/usr/lib/wsl`, for those GPUs.
//! * In GitHub Actions it copies what is known of the run, the whole event included, to where
//!   BuildKit makes provenance of it (`provenance-add-gha`). A driver sees no environment.
//! * Where `BUILDX_DEFAULT_POLICY` is set it verifies the signature of BuildKit's image, but for
//!   `allow-untrusted-image`. Which images may run is the policy's to say (`images.allow` in
//!   `/etc/iechor/policy.toml`), by digest where nothing else will do.

use iechor_buildkit_container::{ContainerDriver, Policy, Settings};
use iechor_driver::{Description, Node, Options, capability};

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
            "container.bind",
            "the option mount may name any directory and volume",
        ))
        .capability(capability::optional(
            "container.devices",
            "the option gpus gives BuildKit GPUs",
        ))
        .capability(capability::optional(
            "direct.connect",
            "builds are faster past the engine; see the option transport",
        ))
        .capability(capability::optional(
            "container.cgroup-parent",
            "the option cgroup-parent, and the parent /iechor/buildx of builders",
        ))
        .capability(capability::optional(
            "engine.load",
            "the option default-load loads results into the engine",
        ))
    }

    fn priority(endpoint: &str) -> Option<u32> {
        // It accepts any endpoint of an engine; drivers for one kind of endpoint take precedence.
        (!endpoint.is_empty()).then_some(30)
    }

    fn open(_: &Node, options: &mut Options) -> (Self, Settings) {
        (Self, Settings::read(options))
    }
}
