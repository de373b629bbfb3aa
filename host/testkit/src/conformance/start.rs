//! What a boot may find, and what of it has to stay where the boot fails.

use iechor_engine::model::{Container, Volume};
use iechor_sandbox::contract::{RemoveOptions, Status};

use crate::case::{Case, KEEP_STATE, STOP};
use crate::report::Failure;
use crate::subject::Subject;

/// What there is before a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Nothing,
    /// A builder of this name was removed, and its state kept.
    KeptState,
    Stopped,
    Running,
}

impl Start {
    /// Returns those that there are for the driver.
    pub(super) fn all(subject: &Subject) -> impl Iterator<Item = Self> {
        let (daemon, volume) = (subject.nature.keeps_daemon(), subject.nature.keeps_volume());
        [Self::Nothing, Self::KeptState, Self::Stopped, Self::Running]
            .into_iter()
            .filter(move |start| match start {
                Self::Nothing => true,
                Self::KeptState => volume,
                Self::Stopped | Self::Running => daemon,
            })
    }

    /// For a message: what is booted.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "boot",
            Self::KeptState => "boot with a kept state",
            Self::Stopped => "boot of a stopped container",
            Self::Running => "boot of a running container",
        }
    }

    /// Returns a world in which that is so, and what is in it.
    pub(super) async fn reach(self, subject: &Subject) -> Result<(Case<'_>, Pictures), Failure> {
        let case = subject.case();
        let node = case.rich_node();
        if self != Self::Nothing {
            case.ok("boot", node.boot().await)?;
        }
        match self {
            Self::Nothing | Self::Running => {}
            Self::Stopped => case.ok("stop", node.stop(STOP).await)?,
            Self::KeptState => {
                let removed = node.remove(KEEP_STATE).await;
                case.ok("remove that keeps the state", removed)?;
            }
        }
        let before = Pictures::take(&case).await?;
        Ok((case, before))
    }

    /// Requires that what was there is there after an operation that failed, and nothing else where
    /// it is known what came of it.
    pub(super) async fn stays(
        self,
        case: &Case<'_>,
        when: &str,
        before: &Pictures,
        is_all_known: bool,
    ) -> Result<(), Failure> {
        let after = Pictures::take(case).await?;
        let lost = before.lost(&after, self == Self::Running);
        if let Some(lost) = lost.first() {
            return Err(case.failure(
                format!("{when}, what was there before is still there"),
                format!("it lost {lost}"),
            ));
        }
        let new: Vec<_> = after.names().filter(|name| !before.has(name)).collect();
        if is_all_known && !new.is_empty() {
            return Err(case.failure(
                format!("{when}, there is in the engine nothing that was not there before"),
                format!("there is: {}", new.join(", ")),
            ));
        }
        Ok(())
    }

    /// Requires that a boot that succeeded used what was there, and made the rest.
    pub(super) async fn runs(
        self,
        case: &Case<'_>,
        when: &str,
        before: &Pictures,
        full: &[String],
    ) -> Result<(), Failure> {
        case.has(when, full).await?;
        let running = [Status::Running];
        case.status(when, &case.rich_node(), &running).await?;
        self.stays(case, when, before, false).await
    }
}

/// Every object of a world, as the engine describes it. Labels are part of it, and with them the
/// operation that made it.
#[derive(Debug, PartialEq)]
pub(super) struct Pictures {
    pub(super) containers: Vec<Container>,
    pub(super) volumes: Vec<Volume>,
}

impl Pictures {
    pub(super) async fn take(case: &Case<'_>) -> Result<Self, Failure> {
        let broken = |error: iechor_engine::EngineError| {
            Failure::new("the engine answers", error.to_string())
        };
        let (mut containers, mut volumes) = (Vec::new(), Vec::new());
        for object in case.objects().await? {
            match object.split_once(' ') {
                Some(("container", name)) => {
                    let found = case.engine().inspect_container(name).await;
                    containers.extend(found.map_err(broken)?);
                }
                Some(("volume", name)) => {
                    let found = case.engine().inspect_volume(name).await;
                    volumes.extend(found.map_err(broken)?);
                }
                _ => {}
            }
        }
        Ok(Self {
            containers,
            volumes,
        })
    }

    /// Returns the ids of the containers.
    pub(super) fn ids(&self) -> Vec<&str> {
        let ids = self.containers.iter().map(|container| &*container.id);
        ids.collect()
    }

    /// Requires that of what was there a remove took all but what it was told to keep.
    pub(super) async fn are_removed(
        &self,
        case: &Case<'_>,
        when: &str,
        options: RemoveOptions,
    ) -> Result<(), Failure> {
        let expected: &[Volume] = if options.keep_state {
            &self.volumes
        } else {
            &[]
        };
        let names = expected
            .iter()
            .map(|volume| format!("volume {}", volume.name));
        case.has(when, &names.collect::<Vec<_>>()).await?;
        let after = Self::take(case).await?.volumes;
        if after == expected {
            return Ok(());
        }
        Err(case.failure(
            format!("{when}, the state is as it was: {expected:?}"),
            format!("{after:?}"),
        ))
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let containers = self
            .containers
            .iter()
            .map(|c| format!("container {}", c.name));
        containers.chain(self.volumes.iter().map(|v| format!("volume {}", v.name)))
    }

    fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Returns the volumes that are not there any more, or not the same.
    pub(super) fn lost_volumes(&self, after: &Self) -> Vec<String> {
        self.volumes
            .iter()
            .filter(|volume| !after.volumes.contains(volume))
            .map(|volume| format!("volume {}", volume.name))
            .collect()
    }

    /// Returns what is not there any more. A container that does not run may be made anew where the state
    /// is in a volume.
    fn lost(&self, after: &Self, did_run: bool) -> Vec<String> {
        let volumes = self.lost_volumes(after);
        let must_stay = did_run || self.volumes.is_empty();
        let containers = self
            .containers
            .iter()
            .filter(|container| must_stay && !after.ids().contains(&&*container.id))
            .map(|container| format!("container {}", container.name));
        volumes.into_iter().chain(containers).collect()
    }
}
