//! The directory that a container shares with this host for direct connections. No driver sees it.

use iechor_engine::EngineError;
use iechor_engine::model::{Container, ContainerSpec};

use super::{CONFIGURATION, Context};
use crate::bindings::HostError;
use crate::bindings::contract::Error;
use crate::direct::{Directory, arguments};
use crate::operation::Operation;

/// Adds the directory to a container that was checked, and lets BuildKit listen in it.
pub(super) async fn share(
    operation: &Operation,
    spec: &mut ContainerSpec,
    directory: &Directory,
) -> Result<(), HostError> {
    let Context { files, .. } = operation.context();
    let configuration = files.get(CONFIGURATION).map(|(_, contents)| contents);
    directory.make().map_err(|error| unsupported(&error))?;
    let mount = directory
        .mount()
        .ok_or_else(|| unsupported(&"its path is not Unicode"))?;
    spec.mounts.push(mount);
    let added = arguments(&spec.command, configuration);
    spec.command.extend(added);
    // BuildKit gives its sockets to its own user, which is root, and to a group. With an engine without root, that
    // root is this user.
    let user = rustix::process::geteuid();
    if !user.is_root() && !operation.engine()?.info().await?.rootless {
        let is_group = |word: &String| word.trim_start_matches('-').starts_with("group");
        if spec.command.iter().any(is_group) {
            return Err(unsupported(
                &"a flag of BuildKit gives the socket to another group",
            ));
        }
        let group = rustix::process::getegid().as_raw();
        spec.command.push(format!("--group={group}"));
    }
    Ok(())
}

/// Returns the error for a container that could not be created, and removes its directory.
pub(super) fn unshared(directory: &Directory, error: EngineError) -> HostError {
    directory.remove();
    // "bind source path does not exist: PATH", where the socket of an engine leads to another machine.
    let is_unseen = error.to_string().contains(directory.name());
    match is_unseen {
        true => unsupported(&"the engine does not see the directories of this machine"),
        false => error.into(),
    }
}

/// Returns a container as drivers see it, and the directory that it shares.
pub(super) fn without_shared(
    operation: &Operation,
    mut found: Container,
) -> (Container, Option<Directory>) {
    let Some(directory) = operation.shared_directory(&found.name) else {
        return (found, None);
    };
    let before = found.mounts.len();
    found.mounts.retain(|mount| !directory.is_mounted_by(mount));
    let is_shared = found.mounts.len() < before;
    (found, is_shared.then_some(directory))
}

/// Returns the error for a directory that cannot be made again before its container starts.
pub(super) fn no_directory(error: &dyn std::fmt::Display) -> HostError {
    HostError::Answer(Error::Other(format!(
        "cannot make the directory for direct connections: {error}"
    )))
}

fn unsupported(why: &dyn std::fmt::Display) -> HostError {
    HostError::Answer(Error::Unsupported(format!(
        "no directory can be shared with the container: {why}"
    )))
}
