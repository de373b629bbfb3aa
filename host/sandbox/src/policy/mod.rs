//! The policy of an organisation: what drivers may do, whatever users grant.
//!
//! A [`Policy`] has the rules of every file that applies. Each file must allow an action; a rule that a file
//! does not have allows everything. The rules apply to built-in drivers too, and are checked before anything
//! happens.
//!
//! Reading and locating the files is not part of this crate.

mod driver;
mod forbidden;
mod limits;

use std::fmt::Display;
use std::path::{Path, PathBuf};

pub use driver::{DriverPattern, Origin};
pub use forbidden::Forbidden;
pub use limits::ForcedLimits;

pub use crate::pattern::ImagePattern;
use crate::pattern::may_be_id;

/// The rules that apply. The default has no rules and allows everything.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Rules of each file.
    pub files: Vec<Rules>,
}

/// The rules of one file.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The file, for messages.
    pub file: PathBuf,
    /// `drivers.allow`: the drivers that may run.
    pub drivers: Option<Vec<DriverPattern>>,
    /// `images.allow`: the images that containers of drivers may run from.
    pub images: Option<Vec<ImagePattern>>,
    /// `grants.forbid`: capabilities that no driver may use, even if they are granted.
    pub forbidden: Vec<Forbidden>,
    /// `limits`: limits of every container that a driver creates.
    pub limits: ForcedLimits,
}

/// A refusal by the policy: the file, the rule, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {rule}: {detail}", .file.display())]
pub struct Refusal {
    /// The file with the rule.
    pub file: PathBuf,
    /// The rule as it is written in the file, for example `images.allow`.
    pub rule: &'static str,
    /// What was requested, what is allowed, and what to do.
    pub detail: String,
}

impl Policy {
    /// Checks that a driver may run.
    ///
    /// # Errors
    ///
    /// The rule that refuses it.
    pub fn check_driver(&self, name: &str, origin: &Origin<'_>) -> Result<(), Refusal> {
        self.every(|rules| {
            let Some(allowed) = &rules.drivers else {
                return Ok(());
            };
            if allowed.iter().any(|pattern| pattern.matches(origin)) {
                return Ok(());
            }
            Err(rules.refusal(
                "drivers.allow",
                format!(
                    "driver {name} ({origin}) is not among those allowed; take one that is, or \
                     have {:?} added there (allowed: {})",
                    origin.digest,
                    list(allowed),
                ),
            ))
        })
    }

    /// Checks that a capability may be used on a subject, if it is granted.
    pub(crate) fn check_grant(&self, capability: &str, subject: &str) -> Result<(), Refusal> {
        self.every(|rules| {
            let covering = rules
                .forbidden
                .iter()
                .find(|rule| rule.covers(capability, subject));
            match covering {
                None => Ok(()),
                Some(rule) => Err(rules.refusal(
                    "grants.forbid",
                    format!(
                        "{rule} is forbidden, which covers {subject:?}; do without it, or have \
                         the rule changed there: no grant helps"
                    ),
                )),
            }
        })
    }

    /// Returns the rules that forbid a capability for some subjects or all.
    pub fn forbidding(&self, capability: &str) -> Vec<(&Path, &Forbidden)> {
        self.files
            .iter()
            .flat_map(|rules| {
                rules
                    .forbidden
                    .iter()
                    .filter(|rule| rule.is_about(capability))
                    .map(|rule| (rules.file.as_path(), rule))
            })
            .collect()
    }

    /// Checks that containers may run from the image.
    pub(crate) fn check_image(&self, reference: &str) -> Result<(), Refusal> {
        self.every(|rules| {
            let Some(allowed) = &rules.images else {
                return Ok(());
            };
            if allowed.iter().any(|pattern| pattern.matches(reference)) {
                return Ok(());
            }
            let known = if may_be_id(reference) {
                "may be the id of any image; say its name in full, or"
            } else {
                "is not among those allowed; choose one that is, or"
            };
            Err(rules.refusal(
                "images.allow",
                format!(
                    "image {reference:?} {known} have it added there (allowed: {})",
                    list(allowed)
                ),
            ))
        })
    }

    pub(crate) fn every(
        &self,
        check: impl Fn(&Rules) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.files.iter().try_for_each(check)
    }
}

impl Rules {
    pub(crate) fn refusal(&self, rule: &'static str, detail: String) -> Refusal {
        Refusal {
            file: self.file.clone(),
            rule,
            detail,
        }
    }
}

/// Maximum number of patterns that a message names.
const NAMED: usize = 5;

fn list<T: Display>(patterns: &[T]) -> String {
    let mut named: Vec<_> = patterns.iter().take(NAMED).map(T::to_string).collect();
    match patterns.len() {
        0 => return "none".into(),
        all if all > NAMED => named.push(format!("{} more", all - NAMED)),
        _ => {}
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(file: &str) -> Rules {
        Rules {
            file: file.into(),
            ..Rules::default()
        }
    }

    fn images(patterns: &[&str]) -> Option<Vec<ImagePattern>> {
        let parse = |pattern: &&str| ImagePattern::parse(pattern).expect("a pattern");
        Some(patterns.iter().map(parse).collect())
    }

    #[test]
    fn every_file_must_allow_it_and_the_one_that_does_not_is_named() {
        let policy = Policy {
            files: vec![
                Rules {
                    images: images(&["moby/*"]),
                    ..rules("/etc/one")
                },
                Rules {
                    images: images(&["moby/buildkit:*", "other"]),
                    ..rules("/two")
                },
                rules("/three"),
            ],
        };
        assert_eq!(policy.check_image("moby/buildkit:v1"), Ok(()));
        let said = |image| policy.check_image(image).expect_err("refused").to_string();
        assert!(said("other").starts_with("/etc/one: images.allow: "));
        assert_eq!(
            said("moby/tool"),
            "/two: images.allow: image \"moby/tool\" is not among those allowed; choose one that \
             is, or have it added there (allowed: moby/buildkit:*, other)"
        );
        assert!(said("sha256:0123").contains("may be the id of any image"));
        assert_eq!(Policy::default().check_image("sha256:0123"), Ok(()));
    }

    #[test]
    fn nothing_allowed_is_not_everything_allowed() {
        let policy = Policy {
            files: vec![Rules {
                drivers: Some(Vec::new()),
                images: images(&[]),
                ..rules("/p")
            }],
        };
        assert!(policy.check_image("a").is_err());
        let origin = Origin {
            digest: "sha256:0",
            source: "built-in:iechor-container",
        };
        let said = policy.check_driver("x", &origin).expect_err("refused");
        assert_eq!(
            said.to_string(),
            "/p: drivers.allow: driver x (built-in:iechor-container, sha256:0) is not among those \
             allowed; take one that is, or have \"sha256:0\" added there (allowed: none)"
        );
    }
}
