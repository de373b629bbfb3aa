//! Why the host refuses something to a driver.

use std::fmt;

use crate::policy::Refusal;

/// A refusal. It is final: asking again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The capability that is missing, for example `container.privileged`.
    pub capability: String,
    /// Why it is missing.
    pub reason: DenialReason,
    /// What the driver was about to do, as far as the reason does not say it: the outermost first.
    pub about: Vec<String>,
    /// What else lets the driver go on, beside the grant.
    pub remedy: Option<Remedy>,
}

/// Why a capability is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialReason {
    /// The driver did not request it for the subject.
    NotRequested {
        /// What it was needed for.
        subject: String,
    },
    /// The driver requested it, and it was not granted for the subject.
    NotGranted {
        /// What it was needed for.
        subject: String,
        /// The grant that would allow it.
        grant: Missing,
    },
    /// A policy forbids it, whatever is granted.
    Forbidden(Refusal),
    /// It is not possible, whatever is granted.
    Impossible {
        /// Why not.
        reason: String,
    },
}

/// A grant that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The capability for this pattern.
    Pattern(String),
    /// The capability for any subject: the subject may be the id of any image.
    Everything,
    /// Unknown: the driver's word for the subject would mean more or less as a pattern.
    Unknown,
}

/// What lets a driver go on without another grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// The containers of a builder are made again: `rm --keep-state`, and `create`.
    Recreate {
        /// The builder.
        builder: String,
    },
}

impl Denial {
    /// Returns a refusal that no grant changes.
    pub(crate) fn impossible(capability: &str, reason: String) -> Self {
        Self::of(capability, DenialReason::Impossible { reason })
    }

    /// Returns a refusal by a policy.
    pub(crate) fn forbidden(capability: &str, refusal: Refusal) -> Self {
        Self::of(capability, DenialReason::Forbidden(refusal))
    }

    /// Returns a refusal for want of a grant.
    pub(crate) fn not_granted(capability: &str, subject: &str, grant: Missing) -> Self {
        let subject = subject.to_owned();
        Self::of(capability, DenialReason::NotGranted { subject, grant })
    }

    pub(crate) fn of(capability: &str, reason: DenialReason) -> Self {
        Self {
            capability: capability.to_owned(),
            reason,
            about: Vec::new(),
            remedy: None,
        }
    }

    /// Returns the denial with what it is about.
    #[must_use]
    pub(crate) fn about(mut self, what: impl Into<String>) -> Self {
        self.about.insert(0, what.into());
        self
    }

    /// Returns the denial with what else helps.
    #[must_use]
    pub(crate) fn or(self, remedy: Remedy) -> Self {
        Self {
            remedy: Some(remedy),
            ..self
        }
    }

    /// Returns what was asked for and why it is refused, without the name of the capability.
    pub fn detail(&self) -> String {
        let mut text = String::new();
        for what in &self.about {
            text += what;
            text += ": ";
        }
        text + &self.reason.to_string()
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.capability, self.detail())
    }
}

impl fmt::Display for DenialReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRequested { subject } => {
                write!(formatter, "the driver did not request it: {subject:?}")
            }
            Self::NotGranted { subject, grant } => {
                write!(formatter, "it was not granted: {subject:?}")?;
                match grant {
                    Missing::Everything => {
                        formatter.write_str(", which may be the id of any image")
                    }
                    Missing::Pattern(_) | Missing::Unknown => Ok(()),
                }
            }
            Self::Forbidden(refusal) => write!(formatter, "{refusal}"),
            Self::Impossible { reason } => formatter.write_str(reason),
        }
    }
}
