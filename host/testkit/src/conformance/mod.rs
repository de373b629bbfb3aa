//! The requirements of the contract, each a check that can be run alone.

mod beside;
mod cancellation;
mod configured;
mod denials;
mod faults;
mod keeping;
mod lifecycle;
mod ownership;
mod pure;
mod requirements;
mod restart;
mod soundness;
mod start;
mod time;

use std::future::Future;
use std::pin::Pin;

use crate::report::Failure;
use crate::subject::Subject;

pub(crate) use requirements::REQUIREMENTS;
pub use soundness::description_faults;

/// What came of a check that did not fail.
pub(crate) enum Outcome {
    Passed,
    /// It passed, and its author should know this.
    Warned(String),
    /// It does not apply, for this reason.
    Skipped(String),
}

/// What came of a check.
pub(crate) type Verdict = Result<Outcome, Failure>;

type Check = for<'a> fn(&'a Subject, &'a str) -> Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// What must be so of a driver for a check to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The check does to the engine what a real one cannot be asked to do.
    Simulation,
    /// The driver starts BuildKit in a container.
    Container,
    /// The driver keeps BuildKit's state in a volume.
    Volume,
    /// It uses what has to be granted.
    Requests,
}

impl Need {
    /// Returns why it is not met, where it is not.
    fn unmet(self, subject: &Subject) -> Option<String> {
        let (met, reason) = match self {
            Self::Simulation => (
                subject.real.is_none(),
                "a real engine cannot be asked to do this at will; run it on the simulated engine",
            ),
            Self::Container => (
                subject.nature.keeps_daemon(),
                "this driver starts no container in a boot of its plain configuration",
            ),
            Self::Volume => (
                subject.nature.keeps_volume(),
                "this driver keeps no volume in a boot of its plain configuration",
            ),
            Self::Requests => (
                !subject.descriptor.capabilities.is_empty(),
                "this driver asks for no capability",
            ),
        };
        if met {
            return None;
        }
        match (&subject.nature.boot_error, self) {
            (Some(error), Self::Container | Self::Volume) => {
                Some(format!("its boot fails: {error}"))
            }
            _ => Some(reason.to_owned()),
        }
    }
}

/// One requirement of the contract.
pub(crate) struct Requirement {
    /// What `--only` takes. A name that ends in `-` stands for a check for each capability that the
    /// driver asks for.
    pub(crate) name: &'static str,
    /// What, why, and where that is written: one paragraph.
    pub(crate) text: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) check: Check,
}

/// One check to run: a requirement, and what it is about where there are several.
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) requirement: &'static Requirement,
    about: String,
}

impl Planned {
    pub(crate) async fn run(&self, subject: &Subject) -> Verdict {
        let unmet = self
            .requirement
            .needs
            .iter()
            .find_map(|need| need.unmet(subject));
        if let Some(reason) = unmet {
            return Ok(Outcome::Skipped(reason));
        }
        (self.requirement.check)(subject, &self.about).await
    }
}

/// Returns the checks for a driver that asks for these capabilities.
pub(crate) fn plan(capabilities: &[String]) -> Vec<Planned> {
    let mut planned = Vec::new();
    for requirement in REQUIREMENTS {
        let mut add = |about: &str| {
            planned.push(Planned {
                name: format!("{}{about}", requirement.name),
                requirement,
                about: about.to_owned(),
            });
        };
        if requirement.name.ends_with('-') {
            capabilities.iter().for_each(|capability| add(capability));
        } else {
            add("");
        }
    }
    planned
}
