//! The journal of calls, and the faults that tests set for them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::error::EngineError;
use crate::model::{ContainerSpec, ExecSpec, MountSource};

/// A fault of a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call is not carried out; the engine answers with this error.
    Error(EngineError),
    /// The call is carried out, but its caller gets this error: the connection broke before the answer.
    LoseAnswer(EngineError),
    /// The call is not carried out and never answered.
    Hang,
    /// The call is carried out after this time.
    Delay(Duration),
}

#[derive(Default)]
pub(super) struct Calls {
    entries: Vec<(String, Option<String>)>,
    faults: BTreeMap<u64, Fault>,
    /// Faults of all calls whose line begins with a text.
    rules: Vec<(String, Fault)>,
}

impl Calls {
    pub(super) fn begin(&mut self, line: String) -> (usize, Option<Fault>) {
        let rule = self.rules.iter().find(|(begin, _)| line.starts_with(begin));
        let rule = rule.map(|(_, fault)| fault.clone());
        self.entries.push((line, None));
        let fault = self.faults.get(&self.count()).cloned().or(rule);
        (self.entries.len() - 1, fault)
    }

    pub(super) fn end(&mut self, call: usize, outcome: &str) {
        if let Some((_, place)) = self.entries.get_mut(call) {
            *place = Some(outcome.to_owned());
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn set_fault(&mut self, call: u64, fault: Fault) {
        self.faults.insert(call, fault);
    }

    pub(super) fn set_rule(&mut self, begin: &str, fault: Fault) {
        self.rules.push((begin.to_owned(), fault));
    }

    pub(super) fn clear_faults(&mut self) {
        self.faults.clear();
        self.rules.clear();
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.entries
            .iter()
            .map(|(line, outcome)| {
                let outcome = outcome.as_deref().unwrap_or("dropped");
                format!("{line} -> {outcome}")
            })
            .collect()
    }
}

pub(super) fn flag(name: &str, set: bool) -> String {
    if set {
        format!(" {name}")
    } else {
        String::new()
    }
}

pub(super) fn list<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<_> = values.collect();
    if values.is_empty() {
        String::new()
    } else {
        format!(" {name}={}", values.join(","))
    }
}

pub(super) fn pairs(name: &str, pairs: &[(String, String)]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
    list(name, pairs.iter().map(String::as_str))
}

pub(super) fn command(exec: &ExecSpec) -> String {
    let mut text = String::new();
    for (i, word) in exec.command.iter().enumerate() {
        let plain = !word.is_empty() && !word.contains([' ', '"', '\n', '\t']);
        let begin = if i == 0 { " command=" } else { " " };
        // Writing to a string does not fail.
        let _ = if plain {
            write!(text, "{begin}{word}")
        } else {
            write!(text, "{begin}{word:?}")
        };
    }
    text
}

/// Returns a container's settings in one line, without those that have their default.
pub(super) fn describe(spec: &ContainerSpec) -> String {
    let mut text = format!("create_container {} image={}", spec.name, spec.image);
    text.push_str(&list("args", spec.command.iter().map(String::as_str)));
    text.push_str(&pairs("env", &spec.env));
    let labels: Vec<_> = spec.labels.clone().into_iter().collect();
    text.push_str(&pairs("labels", &labels));
    let mounts: Vec<_> = spec
        .mounts
        .iter()
        .map(|m| {
            let source = match &m.source {
                MountSource::Volume(name) => name.clone(),
                MountSource::Bind(path) => format!("bind:{path}"),
                MountSource::Tmpfs(size) => format!("tmpfs:{size}"),
            };
            let mode = if m.read_only { ":ro" } else { "" };
            format!("{source}:{}{mode}", m.target)
        })
        .collect();
    text.push_str(&list("mounts", mounts.iter().map(String::as_str)));
    text.push_str(&list("network", spec.network.as_deref().into_iter()));
    text.push_str(&flag("privileged", spec.privileged));
    text.push_str(&flag("init", spec.init));
    text.push_str(&flag("host-user-namespace", spec.host_user_namespace));
    text.push_str(&list("gpus", spec.gpus.as_deref().into_iter()));
    for (name, values) in [
        ("extra-hosts", &spec.extra_hosts),
        ("dns", &spec.dns),
        ("dns-search", &spec.dns_search),
        ("dns-options", &spec.dns_options),
        ("security-options", &spec.security_options),
    ] {
        text.push_str(&list(name, values.iter().map(String::as_str)));
    }
    let ulimits: Vec<_> = spec.ulimits.iter().map(ToString::to_string).collect();
    text.push_str(&list("ulimits", ulimits.iter().map(String::as_str)));
    if spec.restart != Default::default() {
        let _ = write!(text, " restart={:?}", spec.restart);
    }
    let limits = &spec.limits;
    for (name, value) in [
        ("memory", limits.memory.map(|n| n.to_string())),
        ("memory-swap", limits.memory_swap.map(|n| n.to_string())),
        ("cpu-shares", limits.cpu_shares.map(|n| n.to_string())),
        ("cpu-period", limits.cpu_period.map(|n| n.to_string())),
        ("cpu-quota", limits.cpu_quota.map(|n| n.to_string())),
        ("cpuset-cpus", limits.cpuset_cpus.clone()),
        ("cpuset-mems", limits.cpuset_mems.clone()),
        ("cgroup-parent", limits.cgroup_parent.clone()),
        ("pids", limits.pids.map(|n| n.to_string())),
    ] {
        text.push_str(&list(name, value.as_deref().into_iter()));
    }
    text
}
