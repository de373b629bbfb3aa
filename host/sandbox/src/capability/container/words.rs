//! Containers and commands in the words of a trace.

use iechor_engine::model;

use crate::bindings::iechor::driver::container;
use crate::observer::Line;

/// Describes a container to create in one line, without what has its default.
pub(in crate::capability) fn describe(line: &mut Line, spec: &container::Spec) {
    use container::{MountSource, RestartPolicy};
    let mount = |mount: &container::Mounted| {
        let source = match &mount.source {
            MountSource::Volume(name) => name.clone(),
            MountSource::Bind(path) => format!("bind:{path}"),
            MountSource::Tmpfs(bytes) => format!("tmpfs:{bytes}"),
        };
        let mode = if mount.read_only { ":ro" } else { "" };
        format!("{source}:{}{mode}", mount.target)
    };
    let restart = match &spec.restart {
        RestartPolicy::No => None,
        RestartPolicy::Always => Some("always".to_owned()),
        RestartPolicy::UnlessStopped => Some("unless-stopped".into()),
        RestartPolicy::OnFailure(attempts) => Some(format!("on-failure:{attempts}")),
    };
    let limits = &spec.limits;
    line.word(&spec.name)
        .field("image", &spec.image)
        .list("command", &spec.command)
        .pairs("env", &spec.env)
        .pairs("labels", &spec.labels)
        .list("mounts", spec.mounts.iter().map(mount))
        .optional("network", spec.network.as_ref())
        .flag("privileged", spec.privileged)
        .flag("init", spec.init)
        .flag("host-user-namespace", spec.host_user_namespace)
        .optional("gpus", spec.gpus.as_ref())
        .optional("restart", restart)
        .optional("memory", limits.memory)
        .optional("memory-swap", limits.memory_swap)
        .optional("cpu-shares", limits.cpu_shares)
        .optional("cpu-period", limits.cpu_period)
        .optional("cpu-quota", limits.cpu_quota)
        .optional("cpuset-cpus", limits.cpuset_cpus.as_ref())
        .optional("cpuset-mems", limits.cpuset_mems.as_ref())
        .optional("cgroup-parent", limits.cgroup_parent.as_ref())
        .pairs("extra", &spec.extra);
}

pub(super) fn exec_line(line: &mut Line, spec: &container::ExecSpec) {
    line.command(&spec.command)
        .pairs("env", &spec.env)
        .optional("user", spec.user.as_ref())
        .optional("workdir", spec.workdir.as_ref());
}

/// Returns the state of a container, for a trace.
pub(super) fn state(found: &model::Container) -> String {
    let mut text = format!("{:?}", found.status).to_lowercase();
    if let Some(code) = found.exit_code {
        text += &format!(", exit code {code}");
    }
    if found.out_of_memory {
        text += ", out of memory";
    }
    text
}
