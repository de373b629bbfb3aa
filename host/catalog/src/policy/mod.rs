//! Reads the files of an organisation's policy, which limits drivers regardless of the users' grants.
//!
//! If [`ORGANISATION`] exists, it always applies; no variable or flag of the user disables it. The file
//! that [`VARIABLE`] names applies in addition. The stricter rule of the two decides each action. A file
//! that cannot be parsed stops every command that would run a driver, because an unreadable rule must
//! not allow everything.

mod parse;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use iechor_files::FileError;
use iechor_sandbox::Policy;
use iechor_sandbox::policy::Rules;

/// The organisation's file.
pub const ORGANISATION: &str = "/etc/iechor/policy.toml";

/// The environment variable that names an additional file.
pub const VARIABLE: &str = "IECHOR_POLICY";

/// Maximum size of a file, in bytes.
const LARGEST: u64 = 1 << 20;

/// A fault of a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line, starting at 1.
    pub line: usize,
    /// Character within the line, starting at 1.
    pub column: usize,
    /// The key, the fault and how to correct it.
    pub message: String,
}

/// The reason why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error(
        "policy {}: {reason}; no driver runs while it cannot be read{}",
        path.display(), named_by(*variable)
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        reason: String,
        /// The environment variable that names the file.
        variable: Option<&'static str>,
    },
    /// The file cannot be parsed.
    #[error("{}", render(.path, .faults))]
    Broken {
        /// The file.
        path: PathBuf,
        /// All faults of the file.
        faults: Vec<Fault>,
    },
    /// Both files have faults.
    #[error("{0}\n{1}")]
    Both(Box<PolicyError>, Box<PolicyError>),
}

fn named_by(variable: Option<&'static str>) -> String {
    variable.map_or_else(String::new, |variable| format!(" ({variable} names it)"))
}

fn render(path: &Path, faults: &[Fault]) -> String {
    let mut text = "no driver runs while the policy is broken:".to_owned();
    for fault in faults {
        let Fault {
            line,
            column,
            message,
        } = fault;
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {}:{line}:{column}: {message}", path.display());
    }
    text
}

/// The places of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The organisation's file, which may be missing.
    pub organisation: PathBuf,
    /// The file that the environment names, which must exist.
    pub named: Option<PathBuf>,
}

impl Places {
    /// Returns the places according to the environment of the process.
    pub fn from_process() -> Self {
        Self {
            organisation: ORGANISATION.into(),
            named: std::env::var_os(VARIABLE)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
        }
    }

    /// Reads the effective rules.
    ///
    /// # Errors
    ///
    /// Returns all faults of both files if one cannot be read or parsed.
    pub fn load(&self) -> Result<Policy, PolicyError> {
        let organisation = match iechor_files::read(&self.organisation, LARGEST) {
            Err(error) if error.is_not_found() => None,
            contents => Some(rules(&self.organisation, contents, None)),
        };
        let named = self
            .named
            .as_deref()
            .map(|path| rules(path, iechor_files::read(path, LARGEST), Some(VARIABLE)));
        match (organisation, named) {
            (Some(Err(one)), Some(Err(other))) => {
                Err(PolicyError::Both(Box::new(one), Box::new(other)))
            }
            (organisation, named) => Ok(Policy {
                files: organisation
                    .into_iter()
                    .chain(named)
                    .collect::<Result<_, _>>()?,
            }),
        }
    }
}

/// Reads the rules of one file.
///
/// # Errors
///
/// Returns all faults of the file if it cannot be read or parsed.
pub(crate) fn read(path: &Path) -> Result<Rules, PolicyError> {
    rules(path, iechor_files::read(path, LARGEST), None)
}

fn rules(
    path: &Path,
    contents: Result<Vec<u8>, FileError>,
    variable: Option<&'static str>,
) -> Result<Rules, PolicyError> {
    let bytes = contents.map_err(|error| PolicyError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
        variable,
    })?;
    parse::parse(path, &bytes).map_err(|faults| PolicyError::Broken {
        path: path.to_owned(),
        faults,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("directory"))
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        }

        fn load(&self, organisation: Option<&str>, named: Option<&str>) -> Result<Policy, String> {
            let places = Places {
                organisation: organisation.map_or_else(
                    || self.0.path().join("nowhere/policy.toml"),
                    |text| self.write("organisation.toml", text),
                ),
                named: named.map(|text| self.write("named.toml", text)),
            };
            places.load().map_err(|error| {
                error
                    .to_string()
                    .replace(&format!("{}/", self.0.path().display()), "")
            })
        }
    }

    #[test]
    fn both_files_apply() {
        let files = Files::new();
        let images = "[images]\nallow = [\"a:*\"]\n";
        for (organisation, named, count) in [
            (None, None, 0),
            (Some(images), None, 1),
            (None, Some(images), 1),
            (Some(images), Some(images), 2),
            (Some(""), Some(""), 2),
        ] {
            let policy = files.load(organisation, named).expect("in order");
            assert_eq!(policy.files.len(), count);
        }
    }

    #[test]
    fn one_broken_file_is_enough_and_both_are_told() {
        let files = Files::new();
        let broken = "images = 1\n";
        for (organisation, named) in [
            (Some(broken), None),
            (Some(broken), Some("")),
            (None, Some(broken)),
            (Some(""), Some(broken)),
        ] {
            let said = files.load(organisation, named).expect_err("refused");
            assert!(
                said.starts_with("no driver runs while the policy is broken:"),
                "{said}"
            );
        }
        let said = files.load(Some(broken), Some(broken)).expect_err("refused");
        assert!(
            said.contains("organisation.toml:1:10: ") && said.contains("named.toml:1:10: "),
            "{said}"
        );
    }

    #[test]
    fn what_cannot_be_read_allows_nothing() {
        let files = Files::new();
        let directory = files.0.path().join("policy.toml");
        std::fs::create_dir(&directory).expect("made");
        let places = |organisation: &Path, named: Option<&Path>| Places {
            organisation: organisation.to_owned(),
            named: named.map(Path::to_owned),
        };
        let nowhere = files.0.path().join("nowhere");
        let below_a_file = files.write("file", "").join("policy.toml");
        for places in [
            places(&directory, None),
            places(Path::new("/dev/zero"), None),
            places(&below_a_file, None),
            places(&nowhere, Some(&nowhere)),
            places(&nowhere, Some(&directory)),
            places(&files.write("large.toml", &"#".repeat(2 << 20)), None),
        ] {
            let said = places.load();
            assert!(
                matches!(said, Err(PolicyError::Unreadable { .. })),
                "{said:?}"
            );
        }
        let binary = files.0.path().join("binary.toml");
        std::fs::write(&binary, b"[images]\n\xff").expect("written");
        let said = read(&binary).expect_err("no text").to_string();
        assert!(said.contains("binary.toml:2:1: it is not UTF-8"), "{said}");
    }
}
