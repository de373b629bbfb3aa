//! Failures of drivers.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use iechor_engine::EngineErrorKind;

use crate::bindings::contract::{self, EngineFailure, Error, Issue, ObjectRef};
use crate::denial::{Denial, Remedy};
use crate::embedded::Embedded;
use crate::limits;
use crate::text::{clean, clean_line};

/// A failure of a driver. Messages name the driver as the user did.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The file cannot be read.
    #[error("driver {}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Reason, from the operating system.
        reason: String,
    },
    /// The file is not a driver.
    #[error("driver {driver} cannot be loaded: {reason}")]
    Unloadable {
        /// The driver.
        driver: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Compiling it exceeds a limit.
    #[error(
        "driver {driver} is not compiled: {limit}; drivers need far less, so ask the author for \
         another version"
    )]
    TooCostly {
        /// The driver.
        driver: String,
        /// The limit.
        limit: CompilationLimit,
    },
    /// The compiler cannot be started.
    #[error("driver {driver} is not compiled: the program cannot start its compiler: {reason}")]
    NoCompiler {
        /// The driver.
        driver: String,
        /// Why not.
        reason: String,
    },
    /// It imports interfaces that this host does not offer.
    #[error(
        "driver {driver} cannot be loaded: it imports {}, which this host does not offer to \
         drivers (there is no file system and there are no sockets; wit/ lists what there is)",
        .imports.join(", ")
    )]
    UnknownImports {
        /// The driver.
        driver: String,
        /// What it imports.
        imports: Vec<String>,
    },
    /// It was built for a version of the contract that this host does not understand.
    #[error(
        "driver {driver} was built for version {version} of the contract, and this program \
         understands {understood}: {remedy}"
    )]
    OtherContract {
        /// The driver.
        driver: String,
        /// Version that it was built for.
        version: String,
        /// Versions that this host understands.
        understood: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Its description is invalid.
    #[error(
        "driver {driver} is refused because of its description, which its author can fix: {}{}",
        .faults.join("; "),
        if *.more == 0 { String::new() } else { format!("; and {} more", .more) }
    )]
    Description {
        /// The driver.
        driver: String,
        /// What is wrong with it.
        faults: Vec<String>,
        /// Number of further faults.
        more: usize,
    },
    /// Options or other parts of a configuration have faults.
    #[error("{}", render_issues(.driver, .issues))]
    InvalidConfiguration {
        /// The driver.
        driver: String,
        /// Every fault.
        issues: Vec<Issue>,
    },
    /// A required request was not granted.
    #[error("driver {driver} requests capabilities that were not granted:{}", render_requests(.requests))]
    Untrusted {
        /// The driver.
        driver: String,
        /// Name and reason of each request that was not granted.
        requests: Vec<(String, String)>,
    },
    /// It requires capabilities that this host does not have.
    #[error(
        "driver {driver} requires capabilities that this program does not have: {}; a newer \
         version may have them",
        .unknown.join("; ")
    )]
    UnknownCapabilities {
        /// The driver.
        driver: String,
        /// The capabilities, each with similar ones.
        unknown: Vec<String>,
    },
    /// It broke the contract or a rule of WebAssembly.
    #[error("driver {driver} crashed in {operation}: {reason}")]
    Crashed {
        /// The driver.
        driver: String,
        /// The function of the contract.
        operation: &'static str,
        /// What happened, with what the driver wrote to its standard error.
        reason: String,
        /// Where in the driver, for its author.
        backtrace: String,
    },
    /// It exceeded a budget of the host.
    #[error("driver {driver} was stopped in {operation}: {budget}")]
    OverBudget {
        /// The driver.
        driver: String,
        /// The function of the contract.
        operation: &'static str,
        /// The budget, and its size.
        budget: String,
    },
    /// The operation took longer than it may.
    #[error("driver {driver} did not finish {operation} within {}", humantime(.limit))]
    TimedOut {
        /// The driver.
        driver: String,
        /// The function of the contract.
        operation: &'static str,
        /// Time that it had.
        limit: Duration,
    },
    /// The user cancelled the operation.
    #[error("{operation} was cancelled")]
    Cancelled {
        /// The function of the contract.
        operation: &'static str,
    },
    /// It lacks a grant.
    #[error("driver {driver} may not do this: {denial}")]
    Denied {
        /// The driver.
        driver: String,
        /// What was missing, and why.
        denial: Denial,
    },
    /// It reported a failure. The text of a driver that is not built in is marked with its name.
    #[error("{}", attributed(.driver, .error))]
    Failed {
        /// The driver.
        driver: String,
        /// The function of the contract.
        operation: &'static str,
        /// The failure.
        error: Error,
        /// Kind of the engine's failure that the driver passes on; `None` for a failure of its own.
        engine: Option<EngineErrorKind>,
        /// What helps, if the host knows it.
        remedy: Option<Remedy>,
    },
}

/// A limit on the compilation of a component, see [`limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompilationLimit {
    /// Memory, [`limits::COMPILER_MEMORY`].
    Memory {
        /// Size of the limit.
        bytes: u64,
    },
    /// Processor time, [`limits::COMPILER_PROCESSOR`].
    Processor {
        /// Size of the limit.
        time: Duration,
    },
    /// Wall time, [`limits::COMPILER_WALL`].
    Wall {
        /// Size of the limit.
        time: Duration,
    },
    /// Machine code, [`limits::MACHINE_CODE_BYTES`].
    MachineCode {
        /// How much it may become.
        bytes: u64,
    },
    /// The compiler was killed, for example because the system ran out of memory.
    Killed,
}

impl fmt::Display for CompilationLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { bytes } => write!(
                formatter,
                "compiling it takes more than {} MiB of memory",
                bytes >> 20
            ),
            Self::Processor { time } => write!(
                formatter,
                "compiling it takes more than {} of processor time",
                humantime(time)
            ),
            Self::Wall { time } => {
                write!(
                    formatter,
                    "compiling it takes longer than {}",
                    humantime(time)
                )
            }
            Self::MachineCode { bytes } => write!(
                formatter,
                "it becomes more than {} MiB of machine code",
                bytes >> 20
            ),
            Self::Killed => formatter.write_str(
                "its compiler was killed, as the system does when it runs out of memory",
            ),
        }
    }
}

impl DriverError {
    /// Returns the error for a component that cannot be loaded. The reason may contain texts of the component.
    pub(crate) fn unloadable(driver: &str, reason: &str) -> Self {
        Self::Unloadable {
            driver: driver.into(),
            reason: clean_line(reason, limits::LINE),
        }
    }
}

fn humantime(limit: &Duration) -> String {
    match limit.as_secs() {
        0 => format!("{} ms", limit.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn render_issues(driver: &str, issues: &[Issue]) -> String {
    let mut text = format!("driver {driver}:");
    for issue in issues {
        let separator = if issues.len() == 1 { " " } else { "\n  " };
        match &issue.subject {
            Some(subject) => text += &format!("{separator}option {subject}: {}", issue.message),
            None => text += &format!("{separator}{}", issue.message),
        }
    }
    text
}

fn render_requests(requests: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, reason) in requests {
        text += &format!("\n  {name}: {reason}");
    }
    text
}

/// Returns an error of a driver without control characters in its texts.
pub(crate) fn cleaned(error: Error) -> Error {
    let text = |text: String| clean(&text, 16 << 10);
    let line = |text: String| clean_line(&text, limits::LINE);
    let object = |object: ObjectRef| ObjectRef {
        name: line(object.name),
        ..object
    };
    match error {
        Error::NotFound(of) => Error::NotFound(object(of)),
        Error::AlreadyExists(of) => Error::AlreadyExists(object(of)),
        Error::Conflict(words) => Error::Conflict(text(words)),
        Error::InvalidArgument(words) => Error::InvalidArgument(text(words)),
        Error::Unavailable(words) => Error::Unavailable(text(words)),
        Error::LimitExceeded(words) => Error::LimitExceeded(text(words)),
        Error::Unsupported(words) => Error::Unsupported(text(words)),
        Error::Other(words) => Error::Other(text(words)),
        Error::Denied(denial) => Error::Denied(contract::Denial {
            capability: line(denial.capability),
            detail: line(denial.detail),
        }),
        Error::Engine(failure) => Error::Engine(EngineFailure {
            message: text(failure.message),
            ..failure
        }),
        plain @ (Error::NotRunning | Error::Timeout | Error::Cancelled) => plain,
    }
}

/// Returns the text of an error of a driver, marked so that nobody mistakes it for a text of the program:
/// with the driver's name, and with further lines indented.
fn attributed(driver: &str, error: &Error) -> String {
    let words = describe(error);
    if Embedded::find(driver).is_some() {
        words
    } else {
        format!("driver {driver}: {}", words.replace('\n', "\n  "))
    }
}

/// Describes an error of the contract for a person.
pub(crate) fn describe(error: &Error) -> String {
    match error {
        Error::NotFound(object) => format!("no such {}: {}", kind(object.kind), object.name),
        Error::AlreadyExists(object) => {
            format!("{} {} exists already", kind(object.kind), object.name)
        }
        Error::Conflict(text)
        | Error::InvalidArgument(text)
        | Error::Unavailable(text)
        | Error::LimitExceeded(text)
        | Error::Unsupported(text)
        | Error::Other(text) => text.clone(),
        Error::Denied(denial) => format!("{}: {}", denial.capability, denial.detail),
        Error::NotRunning => "the builder is not running".into(),
        Error::Timeout => "out of time".into(),
        Error::Cancelled => "cancelled".into(),
        Error::Engine(failure) => {
            format!(
                "the engine answered {}: {}",
                failure.status, failure.message
            )
        }
    }
}

fn kind(kind: crate::bindings::contract::ObjectKind) -> &'static str {
    use crate::bindings::contract::ObjectKind;
    match kind {
        ObjectKind::Container => "container",
        ObjectKind::Volume => "volume",
        ObjectKind::Network => "network",
        ObjectKind::Image => "image",
        ObjectKind::Connection => "connection",
        ObjectKind::Other => "object",
    }
}
