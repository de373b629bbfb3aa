//! Containers of the engine.

use iechor_engine::ObjectKind;
use iechor_engine::model::{self, ContainerSpec, ContainerStatus, MountSource};
use wasmtime::component::{Resource, ResourceTable};

use super::progress::{Task, forward};
use super::transport::Connection;
use super::{HostError, check_image, check_path, has_labels, labels_to_pairs};
use crate::bindings::contract::{self, Error};
use crate::bindings::iechor::driver::container;
use crate::limits;
use crate::observer::{Line, span};
use crate::operation::{Host, Operation};
use crate::ownership::Verdict;
use crate::text::clean_line;

/// One of the node's own containers.
pub struct ContainerHandle {
    name: String,
}

impl container::Host for Host {
    async fn list_all(
        &mut self,
        labels: Vec<(String, String)>,
    ) -> Result<Vec<container::Summary>, HostError> {
        let operation = self.called_with("container.list-all", |line, _| {
            line.pairs("labels", &labels);
        });
        let found = operation
            .engine()?
            .list_containers(&operation.owner.filter())
            .await?;
        let found: Vec<_> = found
            .into_iter()
            .filter(|container| has_labels(&container.labels, &labels))
            .take(limits::LISTED)
            .map(summary)
            .collect();
        self.answered(|| found.len().to_string());
        Ok(found)
    }
}

impl container::HostContainer for Host {
    async fn create(
        &mut self,
        spec: container::Spec,
    ) -> Result<Resource<ContainerHandle>, HostError> {
        let operation = self.called_with("container.create", |line, _| describe(line, &spec));
        let engine = operation.engine()?;
        let spec = checked_spec(&operation, spec)?;
        check_volumes(&operation, &spec).await?;
        check_network(&operation, &spec).await?;
        operation.check_creations()?;
        let name = spec.name.clone();
        let created = operation
            .journal
            .create(ObjectKind::Container, &name, {
                let engine = engine.clone();
                async move { engine.create_container(&spec).await }
            })
            .await;
        match created {
            Ok(_) => Ok(self.table.push(ContainerHandle { name })?),
            Err(iechor_engine::EngineError::AlreadyExists { .. }) => {
                // Ours, made by another process meanwhile, or somebody else's?
                let owner = engine
                    .inspect_container(&name)
                    .await?
                    .map(|found| operation.owner.judge(&found.name, &found.labels));
                Err(HostError::Answer(match owner {
                    Some(Verdict::Foreign(whose)) => {
                        Error::Conflict(format!("container {name} exists: {whose}"))
                    }
                    _ => Error::AlreadyExists(contract::ObjectRef {
                        kind: contract::ObjectKind::Container,
                        name,
                    }),
                }))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn find(&mut self, name: String) -> Result<Option<Resource<ContainerHandle>>, HostError> {
        let operation = self.called_with("container.find", |line, _| {
            line.word(&name);
        });
        operation
            .owner
            .check_name(&name)
            .map_err(HostError::invalid)?;
        match operation.engine()?.inspect_container(&name).await? {
            Some(found)
                if found.name == name
                    && operation.owner.judge(&name, &found.labels) == Verdict::Own =>
            {
                Ok(Some(self.table.push(ContainerHandle { name })?))
            }
            _ => {
                self.answered(|| "none".into());
                Ok(None)
            }
        }
    }

    async fn inspect(
        &mut self,
        container: Resource<ContainerHandle>,
    ) -> Result<container::Summary, HostError> {
        let operation = self.called_with("container.inspect", |line, table| {
            line.word(named(table, &container));
        });
        let name = self.container_name(&container)?;
        match operation.engine()?.inspect_container(&name).await? {
            Some(found) => {
                self.answered(|| state(&found));
                Ok(summary(found))
            }
            None => Err(missing(name)),
        }
    }

    async fn start(&mut self, container: Resource<ContainerHandle>) -> Result<(), HostError> {
        let operation = self.called_with("container.start", |line, table| {
            line.word(named(table, &container));
        });
        let name = self.container_name(&container)?;
        check_present_image(&operation, &name).await?;
        Ok(operation.engine()?.start_container(&name).await?)
    }

    async fn stop(
        &mut self,
        container: Resource<ContainerHandle>,
        grace: Option<u64>,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.stop", |line, table| {
            line.word(named(table, &container))
                .optional("grace", grace.map(span));
        });
        let name = self.container_name(&container)?;
        let grace = grace.map(std::time::Duration::from_nanos);
        Ok(operation.engine()?.stop_container(&name, grace).await?)
    }

    async fn remove(
        &mut self,
        container: Resource<ContainerHandle>,
        force: bool,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.remove", |line, table| {
            line.word(named(table, &container)).flag("force", force);
        });
        let name = self.container_name(&container)?;
        Ok(operation.engine()?.remove_container(&name, force).await?)
    }

    async fn copy_in(
        &mut self,
        container: Resource<ContainerHandle>,
        target: String,
        files: Vec<contract::File>,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.copy-in", |line, table| {
            line.word(named(table, &container))
                .word(&target)
                .files(&files);
        });
        let name = self.container_name(&container)?;
        if !target.starts_with('/') || target.split('/').any(|part| part == "..") {
            return Err(HostError::invalid(format!(
                "{target:?} is not an absolute path without '..'"
            )));
        }
        let files = files
            .into_iter()
            .map(|file| {
                check_file_path(&file.path)?;
                Ok(model::File {
                    path: file.path,
                    mode: file.mode & 0o7777,
                    contents: file.contents,
                })
            })
            .collect::<Result<Vec<_>, HostError>>()?;
        Ok(operation
            .engine()?
            .copy_into_container(&name, &target, &files)
            .await?)
    }

    async fn run(
        &mut self,
        container: Resource<ContainerHandle>,
        spec: container::ExecSpec,
    ) -> Result<container::ExecOutput, HostError> {
        let operation = self.called_with("container.run", |line, table| {
            exec_line(line.word(named(table, &container)), &spec);
        });
        let name = self.container_name(&container)?;
        check_present_image(&operation, &name).await?;
        let output = operation
            .engine()?
            .run_in_container(&name, &exec(spec), limits::COMMAND_OUTPUT_BYTES)
            .await?;
        self.answered(|| format!("exit code {}", output.exit_code));
        Ok(container::ExecOutput {
            exit_code: exit_code(output.exit_code),
            stdout: output.stdout,
            stderr: output.stderr,
            truncated: output.truncated,
        })
    }

    async fn dial(
        &mut self,
        container: Resource<ContainerHandle>,
        spec: container::ExecSpec,
        stderr: Option<Resource<Task>>,
    ) -> Result<Resource<Connection>, HostError> {
        let operation = self.called_with("container.dial", |line, table| {
            exec_line(line.word(named(table, &container)), &spec);
        });
        let name = self.container_name(&container)?;
        let step = match stderr {
            Some(task) => Some(self.table.get(&task)?.step),
            None => None,
        };
        check_present_image(&operation, &name).await?;
        let engine = operation.engine()?;
        let spec = exec(spec);
        // An engine has been seen to take a command and never start it; another try helps.
        let dialled = tokio::time::timeout(limits::ANSWER, engine.dial_in_container(&name, &spec))
            .await
            .map_err(|_| not_started(&name))??;
        let connection = match step {
            Some(step) => {
                forward(operation, step, dialled.stderr);
                Connection::new(dialled.stream)
            }
            None => Connection::with_stderr(dialled.stream, operation, dialled.stderr),
        };
        Ok(self.table.push(connection)?)
    }

    async fn forward_logs(
        &mut self,
        container: Resource<ContainerHandle>,
        to: Resource<Task>,
        tail: Option<u32>,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.forward-logs", |line, table| {
            line.word(named(table, &container)).optional("tail", tail);
        });
        let name = self.container_name(&container)?;
        let logs = operation
            .engine()?
            .container_logs(&name, tail, limits::LOG_BYTES)
            .await?;
        let task = self.table.get(&to)?;
        for chunk in logs {
            task.output(&operation, chunk.stream, chunk.data);
        }
        Ok(())
    }

    async fn last_logs(
        &mut self,
        container: Resource<ContainerHandle>,
        tail: u32,
    ) -> Result<Vec<String>, HostError> {
        let operation = self.called_with("container.last-logs", |line, table| {
            line.word(named(table, &container)).field("tail", tail);
        });
        let name = self.container_name(&container)?;
        let logs = operation
            .engine()?
            .container_logs(&name, Some(tail), limits::LAST_LOG_BYTES)
            .await?;
        let mut bytes = Vec::new();
        for chunk in logs {
            bytes.extend_from_slice(&chunk.data);
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text
            .lines()
            .map(|line| clean_line(line, limits::LINE))
            .collect();
        let first = lines.len().saturating_sub(tail as usize);
        Ok(lines[first..].to_vec())
    }

    async fn drop(&mut self, container: Resource<ContainerHandle>) -> wasmtime::Result<()> {
        self.table.delete(container)?;
        Ok(())
    }
}

impl Host {
    pub(super) fn container_name(
        &self,
        container: &Resource<ContainerHandle>,
    ) -> Result<String, HostError> {
        Ok(self.table.get(container)?.name.clone())
    }
}

pub(super) fn named<'a>(
    table: &'a ResourceTable,
    container: &Resource<ContainerHandle>,
) -> &'a str {
    table.get(container).map_or("?", |handle| &handle.name)
}

/// A container to create, in one line: without what is at its default.
fn describe(line: &mut Line, spec: &container::Spec) {
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

fn exec_line(line: &mut Line, spec: &container::ExecSpec) {
    line.command(&spec.command)
        .pairs("env", &spec.env)
        .optional("user", spec.user.as_ref())
        .optional("workdir", spec.workdir.as_ref());
}

/// What is worth telling of a container that was looked at.
fn state(found: &model::Container) -> String {
    let mut text = format!("{:?}", found.status).to_lowercase();
    if let Some(code) = found.exit_code {
        text += &format!(", exit code {code}");
    }
    if found.out_of_memory {
        text += ", out of memory";
    }
    text
}

/// Checks names and grants, and turns the driver's words into the engine's.
fn checked_spec(operation: &Operation, spec: container::Spec) -> Result<ContainerSpec, HostError> {
    let grants = &operation.grants;
    operation
        .owner
        .check_name(&spec.name)
        .map_err(HostError::invalid)?;
    if let Some((name, _)) = spec.extra.first() {
        return Err(HostError::Answer(Error::Unsupported(format!(
            "container setting {name:?}"
        ))));
    }
    check_image(operation, &spec.image)?;
    if spec.privileged || spec.host_user_namespace {
        grants.check("container.privileged", &spec.image)?;
    }
    if let Some(parent) = &spec.limits.cgroup_parent {
        // A `..` would lead out of what a pattern covers.
        if parent.split('/').any(|part| part == "..") {
            return Err(HostError::invalid(format!("{parent:?} has a '..'")));
        }
        grants.check("container.cgroup-parent", parent)?;
    }
    if let Some(gpus) = &spec.gpus {
        grants.check("container.devices", gpus)?;
    }
    for mount in &spec.mounts {
        match &mount.source {
            container::MountSource::Bind(path) => {
                check_path(path)?;
                grants.check("container.bind", path)?;
            }
            container::MountSource::Volume(name) => {
                operation
                    .owner
                    .check_name(name)
                    .map_err(HostError::invalid)?;
            }
            container::MountSource::Tmpfs(_) => {}
        }
    }
    let mut limits = model::Limits {
        memory: spec.limits.memory,
        memory_swap: spec.limits.memory_swap,
        cpu_shares: spec.limits.cpu_shares,
        cpu_period: spec.limits.cpu_period,
        cpu_quota: spec.limits.cpu_quota,
        cpuset_cpus: spec.limits.cpuset_cpus,
        cpuset_mems: spec.limits.cpuset_mems,
        cgroup_parent: spec.limits.cgroup_parent,
        pids: None,
    };
    grants.policy().force(&mut limits)?;
    Ok(ContainerSpec {
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
        restart: match spec.restart {
            container::RestartPolicy::No => model::RestartPolicy::No,
            container::RestartPolicy::Always => model::RestartPolicy::Always,
            container::RestartPolicy::UnlessStopped => model::RestartPolicy::UnlessStopped,
            container::RestartPolicy::OnFailure(attempts) => {
                model::RestartPolicy::OnFailure(attempts)
            }
        },
        limits,
    })
}

/// A container may be older than the rules about images; it can be stopped and removed, not used.
async fn check_present_image(operation: &Operation, name: &str) -> Result<(), HostError> {
    let policy = operation.grants.policy();
    if policy.limits_images()
        && let Some(found) = operation.engine()?.inspect_container(name).await?
    {
        policy.check_image(&found.image)?;
    }
    Ok(())
}

/// A driver mounts volumes of its own that exist: a name alone could be another node's, and the
/// engine would make what is missing without labels, for nobody to remove.
async fn check_volumes(operation: &Operation, spec: &ContainerSpec) -> Result<(), HostError> {
    for mount in &spec.mounts {
        let MountSource::Volume(name) = &mount.source else {
            continue;
        };
        let found = operation.engine()?.inspect_volume(name).await?;
        let found = found.ok_or_else(|| {
            HostError::from(iechor_engine::EngineError::NotFound {
                kind: ObjectKind::Volume,
                name: name.clone(),
            })
        })?;
        if let Verdict::Foreign(whose) = operation.owner.judge(name, &found.labels) {
            return Err(HostError::Answer(Error::Conflict(format!(
                "volume {name}: {whose}"
            ))));
        }
    }
    Ok(())
}

/// A driver joins networks of its own, those that lead nowhere else, and those it was granted.
async fn check_network(operation: &Operation, spec: &ContainerSpec) -> Result<(), HostError> {
    let Some(network) = &spec.network else {
        return Ok(());
    };
    if matches!(network.as_str(), "none" | "bridge" | "default") {
        return Ok(());
    }
    if operation.owner.check_name(network).is_ok()
        && let Some(found) = operation.engine()?.inspect_network(network).await?
        && operation.owner.judge(network, &found.labels) == Verdict::Own
    {
        return Ok(());
    }
    Ok(operation.grants.check("container.network", network)?)
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

fn exec(spec: container::ExecSpec) -> model::ExecSpec {
    model::ExecSpec {
        command: spec.command,
        env: spec.env,
        user: spec.user,
        workdir: spec.workdir,
    }
}

fn summary(found: model::Container) -> container::Summary {
    container::Summary {
        id: found.id,
        name: found.name,
        status: match found.status {
            ContainerStatus::Created => container::Status::Created,
            ContainerStatus::Running => container::Status::Running,
            ContainerStatus::Paused => container::Status::Paused,
            ContainerStatus::Restarting => container::Status::Restarting,
            ContainerStatus::Removing => container::Status::Removing,
            ContainerStatus::Exited => container::Status::Exited,
            ContainerStatus::Dead => container::Status::Dead,
            ContainerStatus::Other => container::Status::Other,
        },
        image: found.image,
        labels: labels_to_pairs(found.labels),
        mounts: found
            .mounts
            .into_iter()
            .map(|mount| container::Mounted {
                target: mount.target,
                source: match mount.source {
                    MountSource::Volume(name) => container::MountSource::Volume(name),
                    MountSource::Bind(path) => container::MountSource::Bind(path),
                    MountSource::Tmpfs(bytes) => container::MountSource::Tmpfs(bytes),
                },
                read_only: mount.read_only,
            })
            .collect(),
        exit_code: found.exit_code.map(exit_code),
        out_of_memory: found.out_of_memory,
        restart_count: found.restart_count,
        error: (!found.error.is_empty()).then_some(found.error),
        run: found.run,
    }
}

fn exit_code(code: i64) -> i32 {
    i32::try_from(code).unwrap_or(-1)
}

fn not_started(name: &str) -> HostError {
    HostError::Answer(Error::Unavailable(format!(
        "the engine did not start a command in container {name} within {} s",
        limits::ANSWER.as_secs()
    )))
}

fn missing(name: String) -> HostError {
    HostError::Answer(Error::NotFound(contract::ObjectRef {
        kind: contract::ObjectKind::Container,
        name,
    }))
}

fn check_file_path(path: &str) -> Result<(), HostError> {
    let clean = !path.is_empty()
        && !path.contains(['\\', '\0'])
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if clean {
        Ok(())
    } else {
        Err(HostError::invalid(format!(
            "{path:?} is not a relative path without '..'"
        )))
    }
}
