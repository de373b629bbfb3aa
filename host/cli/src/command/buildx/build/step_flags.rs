//! The flags of the containers in which the steps of a build run.

use clap::Args;
use iechor_build::spec::steps::{Steps, parse};
use iechor_build::{Mistakes, Setting};

/// Flags of the containers in which the steps of a build run.
#[derive(Debug, Args)]
pub struct StepFlags {
    /// Additional host for the steps, as HOST:IP or HOST=IP; host-gateway is the IP of the host machine
    #[arg(long = "add-host", value_name = "HOST:IP,...")]
    add_hosts: Vec<String>,
    /// Network of the steps: default, host or none
    #[arg(long, value_name = "MODE", default_value = "default")]
    network: String,
    /// Size of the shared memory of the steps, for example 128m
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Limit of the processes of the steps, as NAME=SOFT[:HARD]
    #[arg(long = "ulimit", value_name = "LIMIT")]
    ulimits: Vec<String>,
    /// Limit of the containers of the steps, for example memory=2g or cpu-quota=50000
    #[arg(long = "resource", value_name = "NAME=LIMIT")]
    resources: Vec<String>,
    /// Parent control group of the steps
    #[arg(long, value_name = "NAME")]
    cgroup_parent: Option<String>,
    #[command(flatten)]
    old: OldResourceFlags,
}

/// The old names of the resources. docker buildx accepts them, and does not list them.
#[derive(Debug, Args)]
struct OldResourceFlags {
    /// Memory limit; as --resource memory=SIZE
    #[arg(short, long, hide = true, value_name = "SIZE", action = clap::ArgAction::Append)]
    memory: Vec<String>,
    /// Limit of memory and swap; as --resource memory-swap=SIZE
    #[arg(long, hide = true, value_name = "SIZE")]
    memory_swap: Vec<String>,
    /// Relative weight of the processor time; as --resource cpu-shares=NUMBER
    #[arg(short = 'c', long, hide = true, value_name = "NUMBER")]
    cpu_shares: Vec<String>,
    /// Period of the scheduler; as --resource cpu-period=MICROSECONDS
    #[arg(long, hide = true, value_name = "MICROSECONDS")]
    cpu_period: Vec<String>,
    /// Processor time in a period; as --resource cpu-quota=MICROSECONDS
    #[arg(long, hide = true, value_name = "MICROSECONDS")]
    cpu_quota: Vec<String>,
    /// Processors; as --resource cpuset-cpus=LIST
    #[arg(long, hide = true, value_name = "LIST")]
    cpuset_cpus: Vec<String>,
    /// Memory nodes; as --resource cpuset-mems=LIST
    #[arg(long, hide = true, value_name = "LIST")]
    cpuset_mems: Vec<String>,
}

impl StepFlags {
    /// Returns the settings, without those that are wrong.
    pub fn resolve(self, mistakes: &mut Mistakes) -> Steps {
        let mut steps = Steps::default();
        for list in &self.add_hosts {
            for host in parse::hosts(list) {
                steps.hosts.extend(mistakes.note(Setting::AddHost, host));
            }
        }
        steps.network = mistakes
            .note(Setting::Network, parse::network(&self.network))
            .unwrap_or_default();
        let size = self.shm_size.as_deref().map(parse::shm_size);
        steps.shm_size = size.and_then(|size| mistakes.note(Setting::ShmSize, size));
        for text in &self.ulimits {
            steps
                .ulimits
                .extend(mistakes.note(Setting::Ulimit, parse::ulimit(text)));
        }
        let old = self.old.entries();
        for text in old.iter().chain(&self.resources) {
            let set = parse::resource(text, &mut steps.resources);
            mistakes.note(Setting::Resource, set);
        }
        steps.cgroup_parent = self.cgroup_parent;
        steps
    }
}

impl OldResourceFlags {
    /// Returns the limits as `--resource` takes them.
    fn entries(&self) -> Vec<String> {
        let named = [
            ("memory", &self.memory),
            ("memory-swap", &self.memory_swap),
            ("cpu-shares", &self.cpu_shares),
            ("cpu-period", &self.cpu_period),
            ("cpu-quota", &self.cpu_quota),
            ("cpuset-cpus", &self.cpuset_cpus),
            ("cpuset-mems", &self.cpuset_mems),
        ];
        let entries = named
            .into_iter()
            .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}={value}")));
        entries.collect()
    }
}
