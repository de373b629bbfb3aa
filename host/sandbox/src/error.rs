//! What can go wrong with a driver.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::bindings::contract::{self, EngineFailure, Error, Issue, ObjectRef};
use crate::denial::{Denial, Remedy};
use crate::embedded::Embedded;
use crate::limits;
use crate::text::{clean, clean_line};

/// A failure of a driver, by the name that the user knows it by.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The file cannot be read.
    #[error("driver {}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
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
    /// Compiling it takes more than the host gives to that.
    #[error(
        "driver {driver} is not compiled: {limit}; that is far more than drivers take, so ask who made \
         it for another one"
    )]
    TooCostly {
        /// The driver.
        driver: String,
        /// Which limit it came to.
        limit: CompilationLimit,
    },
    /// It is not built in, and this program cannot compile it in a process of its own.
    #[error("driver {driver} is not compiled: the program cannot start its compiler: {reason}")]
    NoCompiler {
        /// The driver.
        driver: String,
        /// Why not.
        reason: String,
    },
    /// It imports what no host offers.
    #[error(
        "driver {driver} cannot be loaded: it imports {}, which this host does not offer to \
         drivers (no file system, no sockets; see wit/ for what there is)",
        .imports.join(", ")
    )]
    UnknownImports {
        /// The driver.
        driver: String,
        /// What it imports.
        imports: Vec<String>,
    },
    /// It speaks another version of the contract than this host.
    #[error(
        "driver {driver} was built for version {version} of the contract, and this program \
         understands {understood}: {remedy}"
    )]
    OtherContract {
        /// The driver.
        driver: String,
        /// The version that it was made for.
        version: String,
        /// The versions that this host understands.
        understood: String,
        /// What to do.
        remedy: &'static str,
    },
    /// What it says of itself is nothing to decide by.
    #[error(
        "driver {driver} is refused for what it says of itself, which its author can mend: {}{}",
        .faults.join("; "),
        if *.more == 0 { String::new() } else { format!("; and {} more", .more) }
    )]
    Description {
        /// The driver.
        driver: String,
        /// What is wrong with it.
        faults: Vec<String>,
        /// How many faults there are beside these.
        more: usize,
    },
    /// Options or other parts of a configuration are at fault.
    #[error("{}", render_issues(.driver, .issues))]
    InvalidConfiguration {
        /// The driver.
        driver: String,
        /// Every fault.
        issues: Vec<Issue>,
    },
    /// It asks for what was not granted.
    #[error("driver {driver} is not trusted with what it asks for:{}", render_requests(.requests))]
    Untrusted {
        /// The driver.
        driver: String,
        /// Name and reason of each request that was not granted.
        requests: Vec<(String, String)>,
    },
    /// It cannot do without what this host does not have.
    #[error(
        "driver {driver} asks for what this program does not have: {}; a newer one may have it, else \
         it is a fault of the driver",
        .unknown.join("; ")
    )]
    UnknownCapabilities {
        /// The driver.
        driver: String,
        /// What there is not, each with what there is.
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
    /// It used up a budget of the host.
    #[error("driver {driver} was stopped in {operation}: {budget}")]
    OverBudget {
        /// The driver.
        driver: String,
        /// The function of the contract.
        operation: &'static str,
        /// Which, and how much of it there was.
        budget: String,
    },
    /// The operation took longer than it may.
    #[error("driver {driver} did not finish {operation} within {}", humantime(.limit))]
    TimedOut {
        /// The driver.
        driver: String,
        /// The function of the contract.
        operation: &'static str,
        /// The time it had.
        limit: Duration,
    },
    /// The user gave up.
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
    /// It reported a failure. Words of a driver that is not built in are marked as its own.
    #[error("{}", attributed(.driver, .error))]
    Failed {
        /// The driver.
        driver: String,
        /// The function of the contract.
        operation: &'static str,
        /// The failure.
        error: Error,
        /// What helps, where the host knows something.
        remedy: Option<Remedy>,
    },
}

/// A limit on what it takes to compile a component, see [`limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompilationLimit {
    /// Memory, [`limits::COMPILER_MEMORY`].
    Memory {
        /// How much there was.
        bytes: u64,
    },
    /// Processor time, [`limits::COMPILER_PROCESSOR`].
    Processor {
        /// How much there was.
        time: Duration,
    },
    /// Wall time, [`limits::COMPILER_WALL`].
    Wall {
        /// How much there was.
        time: Duration,
    },
    /// Machine code, [`limits::MACHINE_CODE_BYTES`].
    MachineCode {
        /// How much it may become.
        bytes: u64,
    },
    /// Somebody else ended the compiler, as the system does for want of memory.
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
    /// A component that is at fault, with reasons that may repeat its words.
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

/// An error of a driver with its words cleaned: it may have put anything into them.
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

/// What a driver said, so that nobody takes it for what the program says: with its name, and no line
/// of its own that begins where the program's lines begin.
fn attributed(driver: &str, error: &Error) -> String {
    let words = describe(error);
    if Embedded::find(driver).is_some() {
        words
    } else {
        format!("driver {driver}: {}", words.replace('\n', "\n  "))
    }
}

/// An error of the contract in words for a person.
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
