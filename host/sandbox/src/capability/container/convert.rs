//! Values of the engine as the contract has them, and answers of this capability.

use iechor_engine::model::{self, ContainerStatus, MountSource};

use super::super::labels_to_pairs;
use crate::bindings::HostError;
use crate::bindings::contract::{self, Error};
use crate::bindings::iechor::driver::container;
use crate::limits;

/// Returns a command as the engine takes it.
pub(super) fn exec(spec: container::ExecSpec) -> model::ExecSpec {
    model::ExecSpec {
        command: spec.command,
        env: spec.env,
        user: spec.user,
        workdir: spec.workdir,
    }
}

/// Returns the summary of a container.
pub(super) fn summary(found: model::Container) -> container::Summary {
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

/// Returns an exit code; -1 for one that does not fit.
pub(super) fn exit_code(code: i64) -> i32 {
    i32::try_from(code).unwrap_or(-1)
}

/// Returns the answer for a command that the engine did not start in time.
pub(super) fn not_started(name: &str) -> HostError {
    HostError::Answer(Error::Unavailable(format!(
        "the engine did not start a command in container {name} within {} s",
        limits::ANSWER.as_secs()
    )))
}

/// Returns the answer for a container that does not exist.
pub(super) fn missing(name: String) -> HostError {
    HostError::Answer(Error::NotFound(contract::ObjectRef {
        kind: contract::ObjectKind::Container,
        name,
    }))
}

/// Checks that a path is relative and stays below its directory.
pub(super) fn check_file_path(path: &str) -> Result<(), HostError> {
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
