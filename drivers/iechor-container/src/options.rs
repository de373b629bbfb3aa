//! The driver's options.

use iechor_driver::values::{self, RestartPolicy};
use iechor_driver::{OptionKind, Options, types::Pair};

const DEFAULT_IMAGE: &str = "moby/buildkit:buildx-stable-1";
const DEFAULT_CGROUP_PARENT: &str = "/iechor/buildx";

/// The options of a node, read and checked.
pub struct Settings {
    pub image: String,
    pub memory: Option<u64>,
    pub memory_swap: Option<i64>,
    pub cpu_quota: Option<i64>,
    pub cpu_period: Option<i64>,
    pub cpu_shares: Option<i64>,
    pub cpuset_cpus: Option<String>,
    pub cpuset_mems: Option<String>,
    pub default_load: bool,
    pub network: Option<String>,
    /// The cgroup that the container goes below, on an engine that makes cgroups itself.
    pub cgroup_parent: String,
    /// The user asked for that parent.
    pub is_cgroup_parent_given: bool,
    pub restart_policy: RestartPolicy,
    pub env: Vec<Pair>,
}

impl Settings {
    /// Declares and reads the options.
    pub fn read(options: &mut Options) -> Self {
        let settings = Self {
            image: options
                .text("image", "Image that BuildKit runs from")
                .parse(values::image_reference)
                .default(DEFAULT_IMAGE),
            // As for the engine's own command line, zero is "not set".
            memory: options
                .size("memory", "Memory that the container may use")
                .optional()
                .filter(|bytes| *bytes != 0),
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
            cgroup_parent: options
                .text(
                    "cgroup-parent",
                    "Parent cgroup, where the engine's cgroup driver is cgroupfs",
                )
                .empty_is_absent()
                .default(DEFAULT_CGROUP_PARENT),
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
        };
        settings.check(options);
        settings
    }

    /// What does not go together.
    fn check(&self, options: &mut Options) {
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
        if self.memory_swap.is_some_and(|swap| swap > 0)
            && self.memory.is_none()
            && !options.is_given("memory")
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
