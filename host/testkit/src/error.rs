//! What keeps a run from beginning.

use std::path::PathBuf;

use iechor_sandbox::DriverError;

/// A run that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// The driver cannot be loaded or asked.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// No test has that name.
    #[error("there is no test {name:?}; there are: {}", .known.join(", "))]
    UnknownTest {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A component cannot be built.
    #[error("cannot build {package}: {reason}")]
    NotBuilt {
        /// The package.
        package: String,
        /// What cargo said.
        reason: String,
    },
    /// A scenario cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// Reason, from the operating system.
        reason: String,
    },
    /// A scenario is not one.
    #[error("{}: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with line and column.
        reason: String,
    },
}
