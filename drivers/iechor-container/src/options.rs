//! The driver's options: what there is, and how values are read.

use iechor_driver::options::{Reader, option, option_with_default};
use iechor_driver::values::{self, RestartPolicy};
use iechor_driver::{Config, Issue, OptionKind, OptionSpec, types::Pair};

const DEFAULT_IMAGE: &str = "moby/buildkit:buildx-stable-1";
const DEFAULT_CGROUP_PARENT: &str = "/iechor/buildx";

/// The options of a node, read and checked.
pub struct Options {
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
    /// Where the user asked for a parent; [`Options::cgroup_parent`] has the default.
    pub requested_cgroup_parent: Option<String>,
    pub restart_policy: RestartPolicy,
    pub env: Vec<Pair>,
}

impl Options {
    /// Reads a configuration; the issues are everything that is wrong with it.
    pub fn read(config: &Config) -> (Self, Vec<Issue>) {
        let mut reader = Reader::new(&config.options);
        let options = Self {
            image: reader
                .parsed("image", image)
                .unwrap_or_else(|| DEFAULT_IMAGE.into()),
            // As for the engine's own command line, zero is "not set".
            memory: reader
                .parsed("memory", values::bytes)
                .filter(|bytes| *bytes != 0),
            memory_swap: reader
                .parsed("memory-swap", values::bytes_or_unlimited)
                .filter(|bytes| *bytes != 0),
            cpu_quota: reader
                .parsed("cpu-quota", values::integer)
                .filter(|n| *n != 0),
            cpu_period: reader
                .parsed("cpu-period", not_negative)
                .filter(|n| *n != 0),
            cpu_shares: reader
                .parsed("cpu-shares", not_negative)
                .filter(|n| *n != 0),
            cpuset_cpus: reader
                .parsed("cpuset-cpus", optional(values::cpuset))
                .flatten(),
            cpuset_mems: reader
                .parsed("cpuset-mems", optional(values::cpuset))
                .flatten(),
            default_load: reader
                .parsed("default-load", values::boolean)
                .unwrap_or(false),
            network: reader
                .text("network")
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
            requested_cgroup_parent: reader
                .text("cgroup-parent")
                .filter(|parent| !parent.is_empty())
                .map(str::to_owned),
            restart_policy: reader
                .parsed("restart-policy", values::restart_policy)
                .unwrap_or(RestartPolicy::UnlessStopped),
            env: reader.table("env"),
        };
        for (name, value) in &options.env {
            if name.contains(['=', '\0']) || value.contains('\0') {
                reader.refuse(
                    &format!("env.{name}"),
                    "a name has no '=', and neither part a NUL",
                );
            }
        }
        if let (Some(memory), Some(swap)) = (options.memory, options.memory_swap)
            && swap > 0
            && (swap as u64) < memory
        {
            reader.refuse(
                "memory-swap",
                "it counts memory and swap together, so it cannot be less than memory",
            );
        }
        if options.memory_swap.is_some_and(|swap| swap > 0)
            && options.memory.is_none()
            && reader.text("memory").is_none()
        {
            reader.refuse("memory-swap", "it needs the option memory beside it");
        }
        (options, reader.finish())
    }

    /// The cgroup that the container goes below, on an engine that makes cgroups itself.
    pub fn cgroup_parent(&self) -> String {
        self.requested_cgroup_parent
            .clone()
            .unwrap_or_else(|| DEFAULT_CGROUP_PARENT.into())
    }
}

/// What `describe` says of the options.
pub fn schema() -> Vec<OptionSpec> {
    use OptionKind::{Boolean, Integer, Size, Table, Text};
    vec![
        option_with_default(
            "image",
            Text,
            DEFAULT_IMAGE,
            "Image that BuildKit runs from",
        ),
        option("memory", Size, "Memory that the container may use"),
        option(
            "memory-swap",
            Size,
            "Memory and swap together; -1 is no limit",
        ),
        option(
            "cpu-quota",
            Integer,
            "CPU time in each period, in microseconds",
        ),
        option("cpu-period", Integer, "Length of a period, in microseconds"),
        option(
            "cpu-shares",
            Integer,
            "Relative weight of the container's CPU use",
        ),
        option(
            "cpuset-cpus",
            Text,
            "Processors to run on, for example 0-2,4",
        ),
        option("cpuset-mems", Text, "Memory nodes to use, for example 0"),
        option_with_default(
            "default-load",
            Boolean,
            "false",
            "Load results into the engine unless another output is asked for",
        ),
        option("network", Text, "Network of the container"),
        option_with_default(
            "cgroup-parent",
            Text,
            DEFAULT_CGROUP_PARENT,
            "Parent cgroup, where the engine's cgroup driver is cgroupfs",
        ),
        option_with_default(
            "restart-policy",
            Text,
            "unless-stopped",
            "no, always, unless-stopped, on-failure or on-failure:N",
        ),
        option(
            "env",
            Table,
            "Environment variable of BuildKit, as env.NAME=VALUE",
        ),
    ]
}

fn image(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(format!(
            "{text:?} is not an image reference (for example {DEFAULT_IMAGE})"
        ));
    }
    Ok(text.to_owned())
}

fn not_negative(text: &str) -> Result<i64, String> {
    let number = values::integer(text)?;
    if number < 0 {
        return Err(format!("{text:?} is negative"));
    }
    Ok(number)
}

/// An empty value is "not set", as for the engine's own command line.
fn optional<T>(
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> impl FnOnce(&str) -> Result<Option<T>, String> {
    move |text| {
        if text.is_empty() {
            Ok(None)
        } else {
            parse(text).map(Some)
        }
    }
}
