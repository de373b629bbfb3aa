//! The request that creates a container.

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount as BollardMount, MountTmpfsOptions, MountType,
    ResourcesUlimits, RestartPolicy as BollardRestartPolicy, RestartPolicyNameEnum,
};

use super::gpus::device_request;
use crate::error::EngineError;
use crate::model::{ContainerSpec, Mount, MountSource, RestartPolicy, Ulimit};

/// Security option that leaves no path of `/proc` and `/sys` hidden or read-only.
const UNMASKED: &str = "systempaths=unconfined";

/// Returns the body of the request for a container.
pub(super) fn request(spec: &ContainerSpec) -> Result<ContainerCreateBody, EngineError> {
    let limits = &spec.limits;
    let device_requests = match &spec.gpus {
        Some(gpus) => Some(vec![device_request(gpus)?]),
        None => None,
    };
    // The engine's API has no such option: the command line of docker makes two lists of it.
    let (unmasked, security_options): (Vec<_>, Vec<_>) = spec
        .security_options
        .iter()
        .cloned()
        .partition(|option| option == UNMASKED);
    let is_unmasked = !unmasked.is_empty();
    let host_config = HostConfig {
        privileged: Some(spec.privileged),
        init: Some(spec.init),
        mounts: Some(spec.mounts.iter().map(mount_request).collect()),
        network_mode: spec.network.clone(),
        userns_mode: spec.host_user_namespace.then(|| "host".to_owned()),
        restart_policy: Some(restart_request(spec.restart)),
        device_requests,
        extra_hosts: given(&spec.extra_hosts),
        dns: given(&spec.dns),
        dns_search: given(&spec.dns_search),
        dns_options: given(&spec.dns_options),
        ulimits: given(&spec.ulimits).map(|limits| limits.into_iter().map(ulimit).collect()),
        security_opt: given(&security_options),
        masked_paths: is_unmasked.then(Vec::new),
        readonly_paths: is_unmasked.then(Vec::new),
        memory: limits.memory.map(saturate),
        memory_swap: limits.memory_swap,
        cpu_shares: limits.cpu_shares,
        cpu_period: limits.cpu_period,
        cpu_quota: limits.cpu_quota,
        cpuset_cpus: limits.cpuset_cpus.clone(),
        cpuset_mems: limits.cpuset_mems.clone(),
        cgroup_parent: limits.cgroup_parent.clone(),
        pids_limit: limits.pids.map(i64::from),
        ..Default::default()
    };
    Ok(ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: (!spec.command.is_empty()).then(|| spec.command.clone()),
        env: Some(spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        host_config: Some(host_config),
        ..Default::default()
    })
}

/// Returns a list, unless it is empty: then the engine has a default.
fn given<T: Clone>(values: &[T]) -> Option<Vec<T>> {
    (!values.is_empty()).then(|| values.to_vec())
}

fn ulimit(limit: Ulimit) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(limit.name),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    }
}

fn saturate(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn mount_request(mount: &Mount) -> BollardMount {
    let (typ, source, tmpfs_options) = match &mount.source {
        MountSource::Volume(name) => (MountType::VOLUME, Some(name.clone()), None),
        MountSource::Bind(path) => (MountType::BIND, Some(path.clone()), None),
        MountSource::Tmpfs(size) => {
            let options = MountTmpfsOptions {
                size_bytes: (*size > 0).then(|| saturate(*size)),
                ..Default::default()
            };
            (MountType::TMPFS, None, Some(options))
        }
    };
    BollardMount {
        target: Some(mount.target.clone()),
        source,
        typ: Some(typ),
        read_only: Some(mount.read_only),
        tmpfs_options,
        ..Default::default()
    }
}

fn restart_request(policy: RestartPolicy) -> BollardRestartPolicy {
    let (name, retries) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::Always => (RestartPolicyNameEnum::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        RestartPolicy::OnFailure(n) => (RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(n))),
    };
    BollardRestartPolicy {
        name: Some(name),
        maximum_retry_count: retries,
    }
}
