//! Reasons why the Docker CLI's configuration or its credentials cannot be read.
//!
//! None of them contains a secret, or a value that may be one.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;

use iechor_values::size;

/// A fault of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file exists and cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system reports.
        reason: String,
    },
    /// The file does not have the expected contents.
    #[error("{}, line {line}, column {column}: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// An entry of the file is wrong.
    #[error("entry {entry} in {}: {reason}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry, with the table that it is in.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An entry of `auths` cannot be read.
    #[error(
        "cannot read the credentials for {key:?} in {origin}: {fault}; log in again, or remove them"
    )]
    Auth {
        /// The entry.
        key: String,
        /// Where the entry is.
        origin: AuthSource,
        /// What is wrong with it.
        fault: AuthFault,
    },
    /// `DOCKER_AUTH_CONFIG` does not have the expected contents.
    #[error("DOCKER_AUTH_CONFIG, line {line}, column {column}: {reason}")]
    AuthVariable {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A credential helper does not work.
    #[error("credential helper {program} for {key:?}, named in {}: {fault}", path.display())]
    Helper {
        /// The program.
        program: String,
        /// The key of the credentials that it was asked for.
        key: String,
        /// The file that names it.
        path: PathBuf,
        /// What is wrong.
        fault: HelperFault,
    },
}

/// A place that has credentials in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthSource {
    /// The variable `DOCKER_AUTH_CONFIG`.
    Variable,
    /// A configuration file.
    File(PathBuf),
}

impl fmt::Display for AuthSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => f.write_str("DOCKER_AUTH_CONFIG"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A fault of a stored `auth` value, which is `user:password` in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthFault {
    /// It is not base64.
    #[error("`auth` is not base64")]
    NotBase64,
    /// It is not UTF-8.
    #[error("`auth` is not text")]
    NotText,
    /// It has no colon.
    #[error("`auth` has no colon between user and password")]
    NoColon,
}

/// A reason why a credential helper gives no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelperFault {
    /// The program is not in `PATH`.
    #[error("it is not in any directory of PATH; install it, or log in again")]
    NotInstalled,
    /// The program cannot be started.
    #[error("cannot start {}: {reason}", program.display())]
    Start {
        /// The program's path.
        program: PathBuf,
        /// What the operating system reports.
        reason: String,
    },
    /// The exchange with the program failed; what the operating system reports.
    #[error("{0}")]
    Exchange(String),
    /// The program wrote more than this many bytes.
    #[error("its output has more than {}", size::exact(*.0))]
    TooLong(u64),
    /// The program did not answer within this many seconds.
    #[error("it did not answer within {0} s")]
    TooSlow(u64),
    /// The program failed.
    #[error("{} ({status})", if complaint.is_empty() { "it gives no reason" } else { complaint })]
    Failed {
        /// The beginning of what it wrote.
        complaint: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The answer does not have the expected contents; what is wrong with it.
    #[error("its answer is not valid: {0}")]
    Answer(String),
}

/// Returns what serde reports, without the values that it saw: they may be secrets.
pub(super) fn json_fault(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            "a value is of the wrong type, or an entry is not known".into()
        }
        _ => {
            let words = error.to_string();
            match words.rfind(" at line ") {
                Some(end) => words[..end].to_owned(),
                None => words,
            }
        }
    }
}
