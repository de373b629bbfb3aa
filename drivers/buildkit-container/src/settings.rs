//! What the container is to be.

use iechor_driver::values::{self, RestartPolicy};
use iechor_driver::{OptionKind, Options, types::Pair};

/// Default image of BuildKit.
pub const DEFAULT_IMAGE: &str = "moby/buildkit:buildx-stable-1";
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
}

impl Default for Settings {
    /// Returns what the container is where no option is given: no limits, started again unless it was
    /// stopped; the engine's own parent cgroup.
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
        }
    }
}

impl Settings {
    /// Declares and reads the options of `docker buildx create --driver docker-container`, every one
    /// of them, so that a builder of that driver is one here. Two change nothing, and say so in
    /// their help: `provenance-add-gha` and `allow-untrusted-image`.
    pub fn read(options: &mut Options) -> Self {
        let image = options
            .text("image", "Image that BuildKit runs from")
            .parse(values::image_reference)
            .default(DEFAULT_IMAGE);
        let memory = options
            .size("memory", "Memory that the container may use")
            .optional();
        let is_memory_wrong = memory.is_none() && options.is_given("memory");
        let settings = Self {
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
        };
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
mod tests {
    use iechor_driver::{Description, Node, testing};

    use super::*;
    use crate::{ContainerDriver, Policy};

    struct Plain;

    impl Policy for Plain {
        fn describe() -> Description {
            Description::new("plain", "1", "All options and nothing else")
        }

        fn open(_: &Node, options: &mut Options) -> (Self, Settings) {
            (Self, Settings::read(options))
        }
    }

    type Driver = ContainerDriver<Plain>;

    #[track_caller]
    fn read(options: &[(&str, &str)]) -> Settings {
        let driver = testing::open::<Driver>(options);
        driver.expect("it is right").settings().clone()
    }

    #[test]
    fn the_options_are_described_soundly() {
        testing::assert_sound::<Driver>();
    }

    #[test]
    fn nothing_given_is_the_default_but_for_the_parent_of_builders() {
        let expected = Settings {
            cgroup_parent: Some(DEFAULT_CGROUP_PARENT.into()),
            ..Settings::default()
        };
        assert_eq!(read(&[]), expected);
        // As in docker's command line, zero and an empty text mean "not set".
        let unset = [
            ("memory", "0"),
            ("memory-swap", "0"),
            ("cpu-quota", "0"),
            ("cpu-period", "0"),
            ("cpu-shares", "0"),
            ("cpuset-cpus", ""),
            ("cpuset-mems", ""),
            ("network", ""),
            // Accepted for builders of docker buildx.
            ("provenance-add-gha", "true"),
            ("allow-untrusted-image", "1"),
        ];
        assert_eq!(read(&unset), expected);
        assert!(read(&[("cgroup-parent", "")]).is_cgroup_parent_given);
    }

    #[test]
    fn every_option_is_read() {
        let settings = read(&[
            ("image", "my/image:1"),
            ("memory", "512m"),
            ("memory-swap", "1g"),
            ("cpu-quota", "50000"),
            ("cpu-period", "100000"),
            ("cpu-shares", "512"),
            ("cpuset-cpus", "0-2,4"),
            ("cpuset-mems", "0"),
            ("default-load", "true"),
            ("network", "host"),
            ("cgroup-parent", "/mine"),
            ("restart-policy", "on-failure:3"),
            ("env.A.B", "c=d"),
        ]);
        let expected = Settings {
            image: "my/image:1".into(),
            memory: Some(512 << 20),
            memory_swap: Some(1 << 30),
            cpu_quota: Some(50_000),
            cpu_period: Some(100_000),
            cpu_shares: Some(512),
            cpuset_cpus: Some("0-2,4".into()),
            cpuset_mems: Some("0".into()),
            default_load: true,
            network: Some("host".into()),
            cgroup_parent: Some("/mine".into()),
            is_cgroup_parent_given: true,
            restart_policy: RestartPolicy::OnFailure(3),
            env: vec![("A.B".into(), "c=d".into())],
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (options, at) in [
            (
                &[("memory", "1g"), ("memory-swap", "512m")][..],
                &["memory-swap"][..],
            ),
            (&[("memory-swap", "1g")], &["memory-swap"]),
            (&[("memory", "0"), ("memory-swap", "1g")], &["memory-swap"]),
            // One fault, not two.
            (&[("memory", "x"), ("memory-swap", "1g")], &["memory"]),
            (&[("env.A=B", "c")], &["env.A=B"]),
            (&[("env.A", "\0")], &["env.A"]),
            (
                &[("cpu-period", "-1"), ("cpu-shares", "-1")],
                &["cpu-period", "cpu-shares"],
            ),
            (
                &[("provenance-add-gha", "yes"), ("allow-untrusted-image", "")],
                &["provenance-add-gha", "allow-untrusted-image"],
            ),
        ] {
            testing::assert_refused::<Driver>(options, at);
        }
        assert_eq!(read(&[("memory-swap", "-1")]).memory_swap, Some(-1));
    }
}
