//! What the container is to be.
//!
//! The options of `docker buildx` are here, and those that it does not have in [`additional`].

mod additional;

use std::time::Duration;

use iechor_driver::container::Mounted;
use iechor_driver::values::{self, RestartPolicy};
use iechor_driver::{OptionKind, Options, types::Pair};

/// Default image of BuildKit.
pub const DEFAULT_IMAGE: &str = "moby/buildkit:buildx-stable-1";
/// Default of the longest wait for BuildKit's first answer after the start of its container.
const DEFAULT_BOOT_TIMEOUT: Duration = Duration::from_secs(90);
const DEFAULT_CGROUP_PARENT: &str = "/iechor/buildx";

/// Settings of the container. `None` leaves the choice to the engine.
///
/// A policy reads them from options of its own, or all of them from the options of
/// `docker buildx` with [`Settings::read`], and changes what it wants otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Image that BuildKit runs from.
    pub image: String,
    /// Memory limit, in bytes.
    pub memory: Option<u64>,
    /// Limit of memory and swap together, in bytes; -1 means no limit.
    pub memory_swap: Option<i64>,
    /// CPU time in each period, in microseconds.
    pub cpu_quota: Option<i64>,
    /// Length of a period, in microseconds.
    pub cpu_period: Option<i64>,
    /// Relative weight of its use of processors.
    pub cpu_shares: Option<i64>,
    /// Processors to run on.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes to use.
    pub cpuset_mems: Option<String>,
    /// Loads results into the engine unless another output is requested.
    pub default_load: bool,
    /// Network of the container.
    pub network: Option<String>,
    /// Parent cgroup of the container, on an engine that manages cgroups itself.
    pub cgroup_parent: Option<String>,
    /// The user requested this parent, and gets an error if the engine does not accept one.
    pub is_cgroup_parent_given: bool,
    /// When the engine restarts the container.
    pub restart_policy: RestartPolicy,
    /// Environment variables of BuildKit.
    pub env: Vec<Pair>,
    /// When the image is pulled.
    pub pull: Pull,
    /// Mounts in addition to the state volume.
    pub mounts: Vec<Mounted>,
    /// Labels of the container.
    pub labels: Vec<Pair>,
    /// GPUs, in the syntax of `docker run --gpus`.
    pub gpus: Option<String>,
    /// Names, DNS, limits of processes and security options, as [`Spec::extra`] has them.
    ///
    /// [`Spec::extra`]: iechor_driver::container::Spec::extra
    pub extra: Vec<Pair>,
    /// Registries in BuildKit's configuration, as [`Container::configure`] takes them.
    ///
    /// [`Container::configure`]: iechor_driver::container::Container::configure
    pub registries: Vec<Pair>,
    /// Certificate authorities that BuildKit trusts too, as [`Container::trust`] takes them.
    ///
    /// [`Container::trust`]: iechor_driver::container::Container::trust
    pub ca_certs: Option<String>,
    /// Longest wait for BuildKit's first answer after the start of its container.
    pub boot_timeout: Duration,
    /// Time without a build after which BuildKit ends.
    pub idle_stop: Option<Duration>,
    /// How the host reaches BuildKit.
    pub transport: Transport,
}

/// When the image of BuildKit is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// Before each creation of the container. If this fails and the engine has the image, that is used.
    Always,
    /// If the engine does not have the image.
    Missing,
    /// Never: the engine must have the image.
    Never,
}

/// How the host reaches BuildKit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Directly if that is possible, otherwise through the engine.
    Auto,
    /// Through the engine, with a command in the container.
    Exec,
    /// Directly.
    Direct,
}

impl Default for Settings {
    /// Returns what the container is where no option is given: no limits, started again unless it was
    /// stopped; the engine's own parent cgroup; reached through the engine.
    fn default() -> Self {
        Self {
            image: DEFAULT_IMAGE.into(),
            memory: None,
            memory_swap: None,
            cpu_quota: None,
            cpu_period: None,
            cpu_shares: None,
            cpuset_cpus: None,
            cpuset_mems: None,
            default_load: false,
            network: None,
            cgroup_parent: None,
            is_cgroup_parent_given: false,
            restart_policy: RestartPolicy::UnlessStopped,
            env: Vec::new(),
            pull: Pull::Always,
            mounts: Vec::new(),
            labels: Vec::new(),
            gpus: None,
            extra: Vec::new(),
            registries: Vec::new(),
            ca_certs: None,
            boot_timeout: DEFAULT_BOOT_TIMEOUT,
            idle_stop: None,
            transport: Transport::Exec,
        }
    }
}

impl Settings {
    /// Declares and reads the options of `docker buildx create --driver docker-container`, every one
    /// of them, so that a builder of that driver is one here, and further ones. Two change nothing, and
    /// say so in their help: `provenance-add-gha` and `allow-untrusted-image`.
    pub fn read(options: &mut Options) -> Self {
        let image = options
            .text("image", "Image that BuildKit runs from")
            .parse(values::image_reference)
            .default(DEFAULT_IMAGE);
        let memory = options
            .size("memory", "Memory that the container may use")
            .optional();
        let is_memory_wrong = memory.is_none() && options.is_given("memory");
        let mut settings = Self {
            image,
            // As in docker's command line, zero means "not set".
            memory: memory.filter(|bytes| *bytes != 0),
            memory_swap: options
                .parsed(
                    "memory-swap",
                    OptionKind::Size,
                    "Memory and swap together; -1 is no limit",
                    values::bytes_or_unlimited,
                )
                .optional()
                .filter(|bytes| *bytes != 0),
            cpu_quota: options
                .integer("cpu-quota", "CPU time in each period, in microseconds")
                .optional()
                .filter(|microseconds| *microseconds != 0),
            cpu_period: not_negative(options, "cpu-period", "Length of a period, in microseconds"),
            cpu_shares: not_negative(
                options,
                "cpu-shares",
                "Relative weight of the container's CPU use",
            ),
            cpuset_cpus: options
                .text("cpuset-cpus", "Processors to run on, for example 0-2,4")
                .parse(values::cpuset)
                .empty_is_absent()
                .optional(),
            cpuset_mems: options
                .text("cpuset-mems", "Memory nodes to use, for example 0")
                .parse(values::cpuset)
                .empty_is_absent()
                .optional(),
            default_load: options
                .boolean(
                    "default-load",
                    "Load results into the engine unless another output is asked for",
                )
                .default("false"),
            network: options
                .text("network", "Network of the container")
                .empty_is_absent()
                .optional(),
            cgroup_parent: Some(
                options
                    .text(
                        "cgroup-parent",
                        "Parent cgroup, where the engine's cgroup driver is cgroupfs",
                    )
                    .empty_is_absent()
                    .default(DEFAULT_CGROUP_PARENT),
            ),
            is_cgroup_parent_given: options.is_given("cgroup-parent"),
            restart_policy: options
                .text(
                    "restart-policy",
                    "no, always, unless-stopped, on-failure or on-failure:N",
                )
                .parse(values::restart_policy)
                .default("unless-stopped"),
            env: options
                .table("env", "Environment variable of BuildKit, as env.NAME=VALUE")
                .read(),
            ..Self::default()
        };
        settings.read_additional(options);
        options
            .boolean(
                "provenance-add-gha",
                "Taken for docker buildx: what GitHub Actions says of a run is never written into \
                 provenance here",
            )
            .optional();
        options
            .boolean(
                "allow-untrusted-image",
                "Taken for docker buildx: signatures of images are not verified here, with it or \
                 without",
            )
            .optional();
        settings.check(options, is_memory_wrong);
        settings
    }

    /// Reports invalid combinations of options.
    fn check(&self, options: &mut Options, is_memory_wrong: bool) {
        for (name, value) in &self.env {
            if name.contains(['=', '\0']) || value.contains('\0') {
                options.refuse(
                    &format!("env.{name}"),
                    "a name has no '=', and neither part a NUL",
                );
            }
        }
        if let (Some(memory), Some(swap)) = (self.memory, self.memory_swap)
            && swap > 0
            && (swap as u64) < memory
        {
            options.refuse(
                "memory-swap",
                "it counts memory and swap together, so it cannot be less than memory",
            );
        }
        // Engines refuse this limit without a limit of memory. An invalid value of memory is already reported, and
        // a second fault would be confusing.
        if self.memory_swap.is_some_and(|swap| swap > 0)
            && self.memory.is_none()
            && !is_memory_wrong
        {
            options.refuse("memory-swap", "it needs the option memory beside it");
        }
    }
}

fn not_negative(options: &mut Options, name: &str, help: &str) -> Option<i64> {
    options
        .parsed(name, OptionKind::Integer, help, values::not_negative)
        .optional()
        .filter(|number| *number != 0)
}

#[cfg(test)]
mod tests;
