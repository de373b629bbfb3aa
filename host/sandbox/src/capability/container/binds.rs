//! Directories of the engine's machine that containers of a driver see.
//!
//! A container that writes to a directory can put a symbolic link into it, and the engine follows it
//! when it mounts that for another container: what was granted for one directory would show the whole
//! machine. So no container of a driver writes where another may mount below:
//!
//! * What is granted by a pattern is mounted read-only. To write takes the grant of that very path.
//! * Nothing is mounted below a path that is granted as such, since containers may write there. Where
//!   the containers of other builders are concerned, which have grants of their own, the engine is
//!   asked what they write to.
//! * Where the machine is this one, the path without links has to be granted as well: a link may be
//!   older than the grants.
//!
//! A grant of any path is one of the whole machine, and nothing of this applies.

use iechor_engine::model::{Container, Mount, MountSource};

use super::programs::targets::is_within;
use crate::bindings::HostError;
use crate::denial::{Denial, Missing};
use crate::granted::Grants;
use crate::operation::Operation;
use crate::ownership::BUILDER_LABEL;

/// The capability to mount a directory.
const CAPABILITY: &str = "container.bind";

/// A directory that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) path: String,
    pub(super) read_only: bool,
}

impl Bind {
    /// Returns the directory behind a mount; `None` where it shows something else.
    pub(super) fn of(mount: &Mount) -> Option<Self> {
        match &mount.source {
            MountSource::Bind(path) => Some(Self {
                path: path.clone(),
                read_only: mount.read_only,
            }),
            MountSource::Volume(_) | MountSource::Tmpfs(_) => None,
        }
    }
}

/// How far a driver may mount.
enum Reach {
    /// Any path.
    Machine,
    /// What patterns cover, and these very paths.
    Paths(Vec<String>),
}

impl Reach {
    fn of(grants: &Grants) -> Self {
        if grants.is_everything(CAPABILITY) {
            return Self::Machine;
        }
        Self::Paths(grants.named(CAPABILITY))
    }
}

/// Checks directories that a container is to see, or sees, without a look at the engine.
///
/// # Errors
///
/// Which of them is not granted, or may be led elsewhere.
pub(super) fn check(operation: &Operation, binds: &[Bind]) -> Result<(), HostError> {
    if binds.is_empty() {
        return Ok(());
    }
    let grants = &operation.grants;
    for bind in binds {
        grants.check(CAPABILITY, &bind.path)?;
    }
    let Reach::Paths(exact) = Reach::of(grants) else {
        return Ok(());
    };
    for bind in binds {
        check_path(bind, &exact)?;
        if let Some(real) = real(operation, &bind.path) {
            let real = Bind {
                path: real,
                ..bind.clone()
            };
            let led = |error| match error {
                HostError::Denied(denial) => denial
                    .about(format!("{} leads to {}", bind.path, real.path))
                    .into(),
                error => error,
            };
            let granted = grants.check(CAPABILITY, &real.path);
            granted.map_err(|denial| led(denial.into()))?;
            check_path(&real, &exact).map_err(led)?;
        }
    }
    Ok(())
}

fn check_path(bind: &Bind, exact: &[String]) -> Result<(), HostError> {
    let path = &bind.path;
    let above = |outer: &&String| *outer != path && is_within(path, outer);
    if let Some(outer) = exact.iter().find(above) {
        return Err(refused(format!(
            "{path} is below {outer}, which containers of this driver may write to: a link there \
             would lead anywhere"
        )));
    }
    if !bind.read_only && !exact.contains(path) {
        let missing = Missing::Pattern(path.clone());
        return Err(Denial::not_granted(CAPABILITY, path, missing)
            .about(
                "to write to a directory takes a grant of its exact path, since a link in one \
                 directory would make a way out of another, and a pattern is for reading only",
            )
            .into());
    }
    Ok(())
}

/// Checks directories that a container is to see against those that containers of other builders
/// see: neither may be able to put a link where the other's is looked for.
///
/// # Errors
///
/// Which container is in the way.
pub(super) async fn check_others(
    operation: &Operation,
    name: &str,
    binds: &[Bind],
) -> Result<(), HostError> {
    if binds.is_empty() || matches!(Reach::of(&operation.grants), Reach::Machine) {
        return Ok(());
    }
    let containers = operation.engine()?.list_containers(&[]).await?;
    let others = containers
        .iter()
        .filter(|other| other.name != name && other.labels.contains_key(BUILDER_LABEL));
    for container in others {
        for other in container.mounts.iter().filter_map(Bind::of) {
            for bind in binds {
                check_pair(bind, &other, container)?;
            }
        }
    }
    Ok(())
}

fn check_pair(bind: &Bind, other: &Bind, container: &Container) -> Result<(), HostError> {
    let below = |inner: &str, outer: &Bind| {
        !outer.read_only && inner != outer.path && is_within(inner, &outer.path)
    };
    if below(&bind.path, other) {
        return Err(refused(format!(
            "{} is below {}, which container {} writes to: a link there would lead anywhere",
            bind.path, other.path, container.name
        )));
    }
    if below(&other.path, bind) {
        return Err(refused(format!(
            "{} is above {}, which container {} sees: whoever writes there could lead it anywhere",
            bind.path, other.path, container.name
        )));
    }
    Ok(())
}

fn refused(detail: String) -> HostError {
    Denial::impossible(CAPABILITY, detail).into()
}

/// Returns where a path leads on this machine, if there are links on the way that a container could have
/// made. `None` where there are none, or the engine is on another machine.
///
/// Links in `/`, and `/var/run`, are the system's: to make one takes a grant of the directory above.
fn real(operation: &Operation, path: &str) -> Option<String> {
    if !operation.has_local_engine() {
        return None;
    }
    let resolved = |path: &str| {
        let real = std::fs::canonicalize(path).ok()?;
        real.to_str().map(str::to_owned)
    };
    let real = resolved(path)?;
    let end = |from: usize| path[from..].find('/').map_or(path.len(), |at| from + at);
    let first = end(1);
    let second = end((first + 1).min(path.len()));
    let system = match &path[..second] {
        "/var/run" | "/var/lock" => second,
        _ => first,
    };
    let expected = format!("{}{}", resolved(&path[..system])?, &path[system..]);
    (real != expected).then_some(real)
}
