//! Checks what runs in a container: what its image and the user decided, or what a driver chose.
//!
//! Whoever chooses what runs in BuildKit's container sees every byte of every build there: a program in front
//! of `buildctl dial-stdio` can record it, and another `runc` sees the files of each step. This needs
//! `container.command`. Without it a container runs the entry point of the image, with flags that name no
//! program and send nothing ([`flags`]), in an environment that loads nothing ([`environment`]), without
//! mounts over programs or configuration ([`targets`]), and without copied files other than the configuration
//! ([`configuration`]). There is one command to connect to BuildKit, and there are fixed commands to ask for
//! its version ([`commands`]).
//!
//! A container that a driver with the capability created is marked by a label, because files that were copied
//! into it cannot be seen afterwards.

pub(super) mod commands;
pub(super) mod configuration;
mod environment;
mod flags;
pub(super) mod targets;

use iechor_engine::model::{self, ContainerSpec, Startup};

use super::{Context, OwnContainer, extra};
use crate::bindings::HostError;
use crate::bindings::contract::Error;
use crate::denial::Remedy;
use crate::embedded::Embedded;
use crate::operation::Operation;
use crate::ownership::{DRIVER_LABEL, RUNS_LABEL};
use crate::user_words::UserWords;

/// The capability to choose what runs in a container.
pub(super) const CAPABILITY: &str = "container.command";

/// Labels that engines act upon, by their beginning: Podman restarts the service or follows the
/// registry that a label names.
const LABELS_OF_ENGINES: [&str; 3] = ["io.podman.", "io.containers.", "PODMAN_"];

/// Who decided what runs in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runs {
    /// Its image and the user.
    Image,
    /// A driver, or it is unknown; with the reason, as text.
    Command(String),
    /// Somebody else created it, so it is judged by what can be seen of it.
    Visible(Box<Visible>),
}

/// What is seen of a container that carries no label of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visible {
    image_id: String,
    startup: Startup,
    mounts: Vec<model::Mount>,
}

impl Runs {
    /// Returns the value of [`RUNS_LABEL`].
    fn label(&self) -> &'static str {
        match self {
            Self::Image => "image",
            _ => "command",
        }
    }

    /// Reads it off a container that was there before this operation.
    pub(super) fn of_present(found: &model::Container) -> Self {
        let label = |name: &str| found.labels.get(name).map(String::as_str);
        match (label(RUNS_LABEL), label(DRIVER_LABEL)) {
            (Some("image"), Some(_)) => Self::Image,
            (Some(_), _) => Self::Command("a driver that chose what runs made it".into()),
            // Of a version that set no such label. What is built in never chose.
            (None, Some(driver)) if Embedded::find(driver).is_some() => Self::Image,
            (None, Some(driver)) => Self::Command(format!(
                "driver {driver} made it when nobody recorded who chose what runs"
            )),
            (None, None) => Self::Visible(Box::new(Visible {
                image_id: found.image_id.clone(),
                startup: found.startup.clone(),
                mounts: found.mounts.clone(),
            })),
        }
    }
}

/// Checks a container to create, and marks it.
///
/// # Errors
///
/// What of it the driver would have to be allowed to choose.
pub(super) fn admit(
    operation: &Operation,
    spec: &mut ContainerSpec,
    settings: &[(String, String)],
) -> Result<Runs, HostError> {
    let words = &operation.context::<Context>().user_words;
    let granted = operation.grants.check(CAPABILITY, &spec.image);
    let runs = match granted {
        // What it will copy into the container is not known yet.
        Ok(()) => Runs::Command("this operation made it".into()),
        Err(denial) => match chosen(spec, settings, words) {
            Some(what) => return Err(denial.about(what).into()),
            None => Runs::Image,
        },
    };
    spec.labels.insert(RUNS_LABEL.into(), runs.label().into());
    Ok(runs)
}

/// Returns what of a container to create is neither its image's nor the user's choice.
fn chosen(
    spec: &ContainerSpec,
    settings: &[(String, String)],
    words: &UserWords,
) -> Option<String> {
    flags::chosen(&spec.command, words.flags())
        .or_else(|| {
            let mut env = spec.env.iter();
            env.find_map(|(name, value)| environment::chosen(name, value, words))
        })
        .or_else(|| targets::chosen(&spec.mounts, words))
        .or_else(|| extra::chosen(settings, words))
        .or_else(|| {
            let mut names = spec.labels.keys();
            let label = names.find(|name| LABELS_OF_ENGINES.iter().any(|of| name.starts_with(of)));
            label.map(|label| format!("label {label:?}, which engines act upon"))
        })
}

/// Checks that a driver may use a container in which this runs.
///
/// # Errors
///
/// What it would have to be allowed.
pub(super) async fn check_use(
    operation: &Operation,
    image: &str,
    runs: &Runs,
) -> Result<(), HostError> {
    let what = match runs {
        Runs::Image => return Ok(()),
        Runs::Command(why) => why.clone(),
        Runs::Visible(visible) => match visible.chosen(operation).await? {
            Some(what) => what,
            None => return Ok(()),
        },
    };
    let checked = operation.grants.check(CAPABILITY, image);
    Ok(checked.map_err(|denial| denial.about(what).or(recreation(operation)))?)
}

impl Visible {
    /// Returns what of it is neither its image's choice nor one that any driver may make.
    async fn chosen(&self, operation: &Operation) -> Result<Option<String>, HostError> {
        // Engines keep an image as long as a container needs it, unless they are forced.
        let image = match self.image_id.as_str() {
            "" => None,
            id => operation.engine()?.inspect_image(id).await?,
        };
        let image = image.map(|image| image.startup).unwrap_or_default();
        let own = &self.startup;
        let words = &operation.context::<Context>().user_words;
        let others = [
            (
                "entry point",
                own.entrypoint.join(" "),
                image.entrypoint.join(" "),
            ),
            ("user", own.user.clone(), image.user.clone()),
            (
                "working directory",
                own.workdir.clone(),
                image.workdir.clone(),
            ),
            (
                "health check",
                own.health_check.join(" "),
                image.health_check.join(" "),
            ),
        ];
        for (what, own, images) in others {
            if own != images && !own.is_empty() {
                return Ok(Some(format!("{what} {own:?}, which is not its image's")));
            }
        }
        if own.command != image.command
            && let Some(what) = flags::chosen(&own.command, words.flags())
        {
            return Ok(Some(what));
        }
        let mut env = own.env.iter().filter(|pair| !image.env.contains(pair));
        let chosen = env.find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            environment::chosen_in_present(name, value, words)
        });
        Ok(chosen.or_else(|| targets::chosen(&self.mounts, words)))
    }
}

/// Returns the remedy for a container whose programs somebody else chose.
fn recreation(operation: &Operation) -> Remedy {
    Remedy::Recreate {
        builder: operation.owner.builder.clone(),
    }
}

/// Checks that a driver may put something of its choice into a container, or run it there.
///
/// # Errors
///
/// That it was not allowed, or that the container is not marked for it.
pub(super) fn check_choice(
    operation: &Operation,
    container: &OwnContainer,
    what: &str,
) -> Result<(), HostError> {
    operation
        .grants
        .check(CAPABILITY, &container.image)
        .map_err(|denial| denial.about(what))?;
    match &container.runs {
        Runs::Command(_) => Ok(()),
        // It would leave no trace.
        Runs::Image | Runs::Visible(_) => {
            operation.note_remedy(recreation(operation));
            Err(HostError::Answer(Error::Conflict(format!(
                "container {} was created to run what its image says: {what} would leave no trace",
                container.name,
            ))))
        }
    }
}
