//! Secrets that a build may read, as `RUN --mount=type=secret` does.
//!
//! docker buildx reads the same syntax (`util/buildflags/secrets.go`), and chooses the source by the same rules
//! (BuildKit's `secretsprovider`).

use std::fmt;
use std::path::PathBuf;

use iechor_values::csv::{self, CsvError};

use super::faults::Faults;

/// A secret of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The name by which the build requests the secret.
    pub id: String,
    /// The source of the value.
    pub source: SecretSource,
}

/// The source of a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file. It is read each time that the build requests the secret.
    File(PathBuf),
    /// A value.
    Value(Vec<u8>),
}

/// Shows the path, but not a value.
impl fmt::Debug for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
            Self::Value(_) => formatter.write_str("Value(..)"),
        }
    }
}

/// The fault of a secret. The messages are those of docker buildx.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// The text is not valid CSV.
    #[error("failed to parse csv secret: {0}")]
    Csv(CsvError),
    /// A field is not `KEY=VALUE`.
    #[error("invalid field '{field}' must be a key=value pair")]
    NoValue {
        /// The field.
        field: String,
    },
    /// A key is unknown. Its value may be a secret, so the message does not repeat it, unlike that of docker
    /// buildx.
    #[error("unexpected key '{key}' in '{key}=...'")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// The type is neither `file` nor `env`.
    #[error("unsupported secret type {kind:?}")]
    UnknownType {
        /// The type.
        kind: String,
    },
    /// The secret has no ID.
    #[error("secret missing ID")]
    NoId,
}

impl Secret {
    /// Parses `id=ID,src=FILE` or `id=ID,env=VARIABLE`. `variable` returns the value of an environment variable.
    ///
    /// With `type=env`, `src` names a variable. A secret with only an ID is the variable of that name if it is
    /// set, and the file of that name otherwise. A variable that is not set is an empty secret.
    ///
    /// # Errors
    ///
    /// Returns all faults of the text.
    pub fn parse(
        text: &str,
        variable: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, Vec<SecretProblem>> {
        let (mut id, mut file, mut name, mut is_variable) = ("", "", "", false);
        let fields = csv::fields(text).map_err(|error| vec![SecretProblem::Csv(error)])?;
        let mut faults = Faults::default();
        for field in &fields {
            let Some((key, value)) = field.split_once('=') else {
                let field = field.clone();
                faults.note(SecretProblem::NoValue { field });
                continue;
            };
            let key = key.to_lowercase();
            match (key.as_str(), value) {
                ("type", "env") => is_variable = true,
                ("type", "file") => is_variable = false,
                ("type", _) => {
                    let kind = value.to_owned();
                    faults.note(SecretProblem::UnknownType { kind });
                }
                ("id", _) => id = value,
                ("src" | "source", _) => file = value,
                ("env", _) => name = value,
                _ => faults.note(SecretProblem::UnknownKey { key }),
            }
        }
        if is_variable && name.is_empty() {
            name = std::mem::take(&mut file);
        }
        // A field that was not read may be the ID.
        let is_unread = |fault: &SecretProblem| matches!(fault, SecretProblem::NoValue { .. });
        if id.is_empty() && !faults.has(is_unread) {
            faults.note(SecretProblem::NoId);
        }
        let source = match (name, file) {
            ("", "") => match variable(id) {
                Some(value) => SecretSource::Value(value),
                None => SecretSource::File(id.into()),
            },
            ("", file) => SecretSource::File(file.into()),
            (name, _) => SecretSource::Value(variable(name).unwrap_or_default()),
        };
        faults.check(Self {
            id: id.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<Vec<u8>> {
        match name {
            "TOKEN" => Some(b"from TOKEN".to_vec()),
            "EMPTY" => Some(Vec::new()),
            _ => None,
        }
    }

    #[test]
    fn a_secret_is_a_file_or_a_variable() {
        for (text, id, source) in [
            ("id=a,src=b", "a", Err("b")),
            ("ID=a,Source=b=c", "a", Err("b=c")),
            ("type=file,id=a,src=b", "a", Err("b")),
            ("\"id=a\",\"src=b,c\"", "a", Err("b,c")),
            ("id=a,env=TOKEN", "a", Ok("from TOKEN")),
            ("type=env,id=a,env=TOKEN", "a", Ok("from TOKEN")),
            ("type=env,id=a,src=TOKEN", "a", Ok("from TOKEN")),
            ("type=env,id=a,env=TOKEN,src=b", "a", Ok("from TOKEN")),
            ("id=a,env=UNSET", "a", Ok("")),
            // With only an ID, a variable takes precedence, also an empty one.
            ("id=TOKEN", "TOKEN", Ok("from TOKEN")),
            ("type=env,id=TOKEN", "TOKEN", Ok("from TOKEN")),
            ("id=EMPTY", "EMPTY", Ok("")),
            ("id=UNSET", "UNSET", Err("UNSET")),
            ("type=file,id=TOKEN", "TOKEN", Ok("from TOKEN")),
        ] {
            let source = match source {
                Ok(value) => SecretSource::Value(value.as_bytes().to_vec()),
                Err(file) => SecretSource::File(file.into()),
            };
            let id = id.to_owned();
            assert_eq!(
                Secret::parse(text, variable),
                Ok(Secret { id, source }),
                "{text}"
            );
        }
    }

    #[test]
    fn faults_have_the_texts_of_docker_buildx() {
        for (text, message) in [
            ("src=b", "secret missing ID"),
            ("id=", "secret missing ID"),
            ("mine", "invalid field 'mine' must be a key=value pair"),
            ("id=a,type=vault", "unsupported secret type \"vault\""),
            ("id=a,Path=hush", "unexpected key 'path' in 'path=...'"),
            (
                "\"id=a",
                "failed to parse csv secret: the \" that opens a field (column 1) is not closed",
            ),
        ] {
            let errors = Secret::parse(text, variable).expect_err(text);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].to_string(), message);
            assert!(!format!("{errors:?}").contains("hush"), "{errors:?}");
        }
        let text = "type=vault,path=x,mine,src=y";
        let errors = Secret::parse(text, variable).expect_err(text);
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "unsupported secret type \"vault\"",
                "unexpected key 'path' in 'path=...'",
                "invalid field 'mine' must be a key=value pair",
            ]
        );
    }

    #[test]
    fn values_are_not_displayed() {
        let secret = Secret::parse("id=a,env=TOKEN", variable).expect("well-formed");
        assert_eq!(format!("{:?}", secret.source), "Value(..)");
        assert!(!format!("{secret:?}").contains("from TOKEN"));
    }
}
