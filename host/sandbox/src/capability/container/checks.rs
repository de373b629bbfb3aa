//! Checks what a driver may create, and which existing containers it may use, by the same rules.

use iechor_engine::model::{self, ContainerSpec, MountSource, weakens_isolation};
use iechor_engine::{EngineError, ObjectKind};

use super::super::{check_image, check_path, check_texts};
use super::binds::{self, Bind};
use super::extra;
use super::programs::targets::{is_anonymous, normalised};
use super::programs::{self, Runs};
use crate::bindings::HostError;
use crate::bindings::iechor::driver::container;
use crate::limits;
use crate::operation::Operation;
use crate::ownership::Verdict;

/// Networks that give access to what every container can reach. The last two replace the bridge in Podman
/// without root.
const ORDINARY_NETWORKS: [&str; 5] = ["none", "bridge", "default", "slirp4netns", "pasta"];

/// What a container has, or is to have, that needs a grant.
pub(super) struct Claims {
    image: String,
    privileged: bool,
    devices: Vec<String>,
    binds: Vec<Bind>,
    volumes: Vec<String>,
    /// The one that it was created with, and all that it was put into since.
    networks: Vec<String>,
    cgroup_parent: Option<String>,
}

impl Claims {
    fn of_new(spec: &ContainerSpec) -> Self {
        Self {
            image: spec.image.clone(),
            privileged: spec.privileged
                || spec.host_user_namespace
                || spec.security_options.iter().any(|o| weakens_isolation(o)),
            devices: spec.gpus.iter().cloned().collect(),
            networks: spec.network.iter().cloned().collect(),
            cgroup_parent: spec.limits.cgroup_parent.clone(),
            ..Self::of_mounts(&spec.mounts)
        }
    }

    /// Returns those of a container that was there before.
    pub(super) fn of_present(found: &model::Container) -> Self {
        Self {
            image: found.image.clone(),
            privileged: !found.reach.privileges.is_empty(),
            devices: found.reach.devices.clone(),
            networks: networks_of(&found.reach),
            cgroup_parent: found.reach.cgroup_parent.clone(),
            ..Self::of_mounts(&found.mounts)
        }
    }

    fn of_mounts(mounts: &[model::Mount]) -> Self {
        let mut claims = Self {
            image: String::new(),
            privileged: false,
            devices: Vec::new(),
            binds: Vec::new(),
            volumes: Vec::new(),
            networks: Vec::new(),
            cgroup_parent: None,
        };
        for mount in mounts {
            claims.binds.extend(Bind::of(mount));
            if let MountSource::Volume(name) = &mount.source {
                claims.volumes.push(name.clone());
            }
        }
        claims
    }

    /// Checks what takes no look at the engine.
    fn check_grants(&self, operation: &Operation) -> Result<(), HostError> {
        let grants = &operation.grants;
        let creation = if self.privileged {
            "container.privileged"
        } else {
            "container.create"
        };
        grants.check(creation, &self.image)?;
        for devices in &self.devices {
            grants.check("container.devices", devices)?;
        }
        if let Some(parent) = &self.cgroup_parent {
            grants.check("container.cgroup-parent", parent)?;
        }
        binds::check(operation, &self.binds)
    }
}

fn networks_of(reach: &model::Reach) -> Vec<String> {
    let mut networks: Vec<_> = reach
        .network
        .iter()
        .chain(&reach.networks)
        .cloned()
        .collect();
    networks.sort();
    networks.dedup();
    networks
}

/// Checks names and grants of a container to create, and returns its specification for the engine and who
/// decides what runs.
///
/// # Errors
///
/// What the driver may not have, or what makes no sense.
pub(super) async fn admit(
    operation: &Operation,
    spec: container::Spec,
) -> Result<(ContainerSpec, Runs), HostError> {
    operation
        .owner
        .check_new_name(ObjectKind::Container, &spec.name)
        .map_err(HostError::invalid)?;
    check_texts(
        "container",
        &[&spec.labels, &spec.env, &spec.extra],
        &spec.command,
    )?;
    if spec.mounts.len() > limits::MOUNTS {
        return Err(HostError::limit(format!(
            "{} mounts for a container; there may be {}",
            spec.mounts.len(),
            limits::MOUNTS
        )));
    }
    check_image(operation, &spec.image)?;
    for mount in &spec.mounts {
        match &mount.source {
            container::MountSource::Bind(path) => check_path(path)?,
            container::MountSource::Volume(name) => {
                if let Err(what) = operation.owner.check_name(name) {
                    if !is_volume_name(name) {
                        return Err(HostError::invalid(what));
                    }
                    check_foreign_volume(operation, name)?;
                }
            }
            container::MountSource::Tmpfs(_) => {}
        }
    }
    let settings = spec.extra.clone();
    let mut spec = translated(operation, spec);
    extra::apply(&mut spec, &settings)?;
    for mount in &mut spec.mounts {
        mount.target = normalised(&mount.target).map_err(HostError::invalid)?;
    }
    let claims = Claims::of_new(&spec);
    if let Some(parent) = &spec.limits.cgroup_parent
        // It would lead out of what a pattern covers.
        && parent.split('/').any(|part| part == "..")
    {
        return Err(HostError::invalid(format!("{parent:?} has a '..'")));
    }
    claims.check_grants(operation)?;
    let runs = programs::admit(operation, &mut spec, &settings)?;
    operation.grants.policy().force(&mut spec.limits)?;
    for name in &claims.volumes {
        check_volume(operation, name).await?;
    }
    for network in &claims.networks {
        check_network(operation, network).await?;
    }
    binds::check_others(operation, &spec.name, &claims.binds).await?;
    Ok((spec, runs))
}

/// Checks that an existing container has nothing that the driver could not have created it with: whoever runs
/// commands in a privileged container has all its privileges. A container may be older than a rule or the
/// loss of a grant, or somebody else may have created it: then it can be inspected, stopped and removed, but
/// not used.
///
/// # Errors
///
/// What the driver may not have.
pub(super) async fn check_use(
    operation: &Operation,
    name: &str,
    claims: &Claims,
    runs: &Runs,
) -> Result<(), HostError> {
    let checks = async {
        operation.grants.policy().check_image(&claims.image)?;
        claims.check_grants(operation)?;
        for volume in &claims.volumes {
            if !is_anonymous(volume) {
                check_present_volume(operation, volume).await?;
            }
        }
        for network in &claims.networks {
            check_network(operation, network).await?;
        }
        binds::check_others(operation, name, &claims.binds).await?;
        programs::check_use(operation, &claims.image, runs).await
    };
    checks.await.map_err(|error| match error {
        HostError::Denied(denial) => denial
            .about(format!(
                "container {name} exists already, and has what this driver may not have"
            ))
            .into(),
        error => error,
    })
}

fn translated(operation: &Operation, spec: container::Spec) -> ContainerSpec {
    ContainerSpec {
        labels: operation.owner.labels(&operation.id, spec.labels),
        name: spec.name,
        image: spec.image,
        command: spec.command,
        env: spec.env,
        mounts: spec.mounts.into_iter().map(mount).collect(),
        network: spec.network,
        privileged: spec.privileged,
        init: spec.init,
        host_user_namespace: spec.host_user_namespace,
        gpus: spec.gpus,
        extra_hosts: Vec::new(),
        dns: Vec::new(),
        dns_search: Vec::new(),
        dns_options: Vec::new(),
        ulimits: Vec::new(),
        security_options: Vec::new(),
        restart: match spec.restart {
            container::RestartPolicy::No => model::RestartPolicy::No,
            container::RestartPolicy::Always => model::RestartPolicy::Always,
            container::RestartPolicy::UnlessStopped => model::RestartPolicy::UnlessStopped,
            container::RestartPolicy::OnFailure(attempts) => {
                model::RestartPolicy::OnFailure(attempts)
            }
        },
        limits: model::Limits {
            memory: spec.limits.memory,
            memory_swap: spec.limits.memory_swap,
            cpu_shares: spec.limits.cpu_shares,
            cpu_period: spec.limits.cpu_period,
            cpu_quota: spec.limits.cpu_quota,
            cpuset_cpus: spec.limits.cpuset_cpus,
            cpuset_mems: spec.limits.cpuset_mems,
            cgroup_parent: spec.limits.cgroup_parent,
            pids: None,
        },
    }
}

fn mount(mount: container::Mounted) -> model::Mount {
    model::Mount {
        target: mount.target,
        source: match mount.source {
            container::MountSource::Volume(name) => MountSource::Volume(name),
            container::MountSource::Bind(path) => MountSource::Bind(path),
            container::MountSource::Tmpfs(bytes) => MountSource::Tmpfs(bytes),
        },
        read_only: mount.read_only,
    }
}

/// Checks a volume to mount. It must exist: the engine would make what is missing without labels, for nobody to
/// remove. If it does not belong to the node, whatever its name is, it needs a grant.
async fn check_volume(operation: &Operation, name: &str) -> Result<(), HostError> {
    let found = operation.engine()?.inspect_volume(name).await?;
    let found = found.ok_or_else(|| {
        HostError::from(EngineError::NotFound {
            kind: ObjectKind::Volume,
            name: name.to_owned(),
        })
    })?;
    let verdict = operation
        .owner
        .judge(ObjectKind::Volume, name, &found.labels);
    match verdict {
        Verdict::Own => check_volume_options(operation, &found),
        Verdict::Foreign(_) => check_foreign_volume(operation, name),
    }
}

/// Returns whether an engine could have a volume of that name.
fn is_volume_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(is_part)
}

/// Checks a volume that does not belong to the node.
fn check_foreign_volume(operation: &Operation, name: &str) -> Result<(), HostError> {
    let subject = format!("volume {name}");
    Ok(operation.grants.check("container.bind", &subject)?)
}

/// As [`check_volume`], of a volume that is mounted already.
async fn check_present_volume(operation: &Operation, name: &str) -> Result<(), HostError> {
    let found = operation.engine()?.inspect_volume(name).await?;
    match found {
        Some(found)
            if operation
                .owner
                .judge(ObjectKind::Volume, name, &found.labels)
                == Verdict::Own =>
        {
            check_volume_options(operation, &found)
        }
        // It has been removed by force: there is nothing to see.
        None => Ok(()),
        Some(_) => check_foreign_volume(operation, name),
    }
}

/// Drivers of volumes and their options can show any directory of the machine: for a volume of a
/// driver it takes the same grant to use it as it took to create it. One without labels is the
/// user's own work, made by this name for this node.
fn check_volume_options(operation: &Operation, volume: &model::Volume) -> Result<(), HostError> {
    let special = volume.driver != "local" || !volume.driver_options.is_empty();
    if special && operation.owner.made(&volume.labels) {
        let subject = format!("volume {}", volume.name);
        operation.grants.check("container.bind", &subject)?;
    }
    Ok(())
}

/// Checks that a container may be in a network. A driver joins networks of its own, those that lead
/// nowhere else, and those it was granted. One of its own that was made with another driver or with
/// options takes what making it took.
///
/// # Errors
///
/// What the driver may not have.
pub(in crate::capability) async fn check_network(
    operation: &Operation,
    network: &str,
) -> Result<(), HostError> {
    if ORDINARY_NETWORKS.contains(&network) {
        return Ok(());
    }
    // What Podman calls its bridge, in the words of an inspection.
    if network == "podman" && operation.engine()?.info().await?.name == "podman" {
        return Ok(());
    }
    let grants = &operation.grants;
    if operation.owner.check_name(network).is_ok()
        && let Some(found) = operation.engine()?.inspect_network(network).await?
        && found.name == network
        && operation
            .owner
            .judge(ObjectKind::Network, network, &found.labels)
            == Verdict::Own
    {
        let options = &mut found.driver_options.keys();
        if found.driver == "bridge" && options.all(|option| is_of_the_engine(option)) {
            return Ok(());
        }
        // A rule may name the network without saying who made it.
        grants.check_policy("container.network", network)?;
        return Ok(grants.check("container.network", &format!("network {network}"))?);
    }
    Ok(grants.check("container.network", network)?)
}

/// Options that newer engines give every network by themselves.
fn is_of_the_engine(option: &str) -> bool {
    option.starts_with("com.docker.network.enable_ipv")
}
