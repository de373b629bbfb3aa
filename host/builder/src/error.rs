//! Errors of builders. They carry data; the command line adds hints and chooses the exit code.

use std::path::PathBuf;

use iechor_catalog::CatalogError;
use iechor_engine::endpoint::EndpointError;
use iechor_engine::{EngineError, EngineErrorKind, ObjectKind};
use iechor_files::DirectoryError;
use iechor_sandbox::DriverError;

use crate::boot_log::BootLog;
use crate::buildkitd_config;
use crate::buildkitd_flags::FlagsError;
use crate::cache::filter::FilterError;
use crate::driver_options::DriverOptionErrors;
use crate::name::NameError;
use crate::selection::SelectionError;
use crate::store::{BrokenFile, EditError, PlatformError, Remnant, StoreError};

/// An error of a builder.
#[derive(Debug, thiserror::Error)]
pub enum BuilderError {
    /// A failure of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the store that cannot be used.
    #[error(transparent)]
    Broken(#[from] BrokenFile),
    /// No builder can be chosen.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// An invalid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A change to the nodes that is refused.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// An invalid platform.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// Invalid options for the driver.
    #[error(transparent)]
    DriverOptions(#[from] DriverOptionErrors),
    /// Invalid arguments for the daemon.
    #[error(transparent)]
    Flags(#[from] FlagsError),
    /// A configuration of the daemon that cannot be used.
    #[error(transparent)]
    ConfigFile(#[from] buildkitd_config::ConfigError),
    /// The driver gives something else than an address as that of the host machine.
    #[error(
        "driver {driver}: the host machine has the address {address:?}, which is not an IP address"
    )]
    HostGateway {
        /// The driver.
        driver: String,
        /// What it gave.
        address: String,
    },
    /// An endpoint that cannot be determined.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The endpoint of the engine, or a failure of the engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The name of the driver, or a failure of the driver.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A failure of the catalog of drivers.
    #[error(transparent)]
    Catalog(CatalogError),
    /// A failure of BuildKit.
    #[error(transparent)]
    BuildKit(#[from] iechor_buildkit::Error),
    /// A builder would have several nodes, and its driver supports one.
    #[error(
        "driver {driver} supports one node for each builder, and builder {builder} has one already"
    )]
    OneNode {
        /// The name of the driver, or a failure of the driver.
        driver: String,
        /// The builder.
        builder: String,
    },
    /// The builder to append a node to does not exist.
    #[error("failed to find instance {name:?} for append")]
    NothingToAppendTo {
        /// The name.
        name: String,
    },
    /// A node is to leave a builder, and no builder is named.
    #[error("leave requires instance name")]
    LeaveWithoutName,
    /// A node is to leave a builder, and no node is named.
    #[error("leave requires node name")]
    LeaveWithoutNode,
    /// The builder that a node is to leave does not exist.
    #[error("failed to find instance {name:?} for leave")]
    NothingToLeave {
        /// The name.
        name: String,
    },
    /// A builder cannot keep the TLS settings of the environment.
    #[error(
        "could not create a builder instance with TLS data loaded from environment. Please use \
         `docker context create <context-name>` to create a context for current environment and \
         then create a builder instance with context set to <context-name>"
    )]
    TlsOfEnvironment,
    /// The name of a new builder is that of a builder of a context.
    #[error("instance name {name:?} already exists as context builder")]
    NameOfContext {
        /// The name.
        name: String,
    },
    /// Another process changed the builder at the same time.
    #[error("another process changed this builder at the same time")]
    Raced,
    /// Another process changed a builder that was to be removed.
    #[error("builder {builder} was changed by another process in the meantime; its entry is kept")]
    Changed {
        /// The builder.
        builder: String,
    },
    /// A node is to be appended, and no builder is named.
    #[error("append requires a builder name")]
    AppendWithoutName,
    /// A builder is to be created with the driver of the builders of contexts.
    #[error(
        "additional instances of driver {driver:?} cannot be created: every context has a builder \
         with it already"
    )]
    DriverOfContexts {
        /// The name of the driver, as the user gave it.
        driver: String,
    },
    /// Objects of a builder could not be removed, so the builder is kept.
    #[error("{error}\nthe builder is kept")]
    Kept {
        /// The failure of the removal.
        error: Box<Self>,
    },
    /// A builder of that name exists already.
    #[error(
        "existing instance for {name:?} but no append mode, specify the node name to make changes \
         for existing instances"
    )]
    Exists {
        /// The builder.
        name: String,
        /// One of its nodes.
        node: String,
    },
    /// The builder has another driver.
    #[error("existing instance for {name:?} but has mismatched driver {driver:?}")]
    OtherDriver {
        /// The builder.
        name: String,
        /// Its driver.
        driver: String,
    },
    /// The builder of a context is to be removed, which only removing the context does.
    #[error(
        "context builder cannot be removed, run `docker context rm {name}` to remove this context"
    )]
    OfContext {
        /// The context.
        name: String,
    },
    /// A file or directory of the user cannot be used.
    #[error("{what} {}: {source}", .path.display())]
    File {
        /// Purpose of the file.
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// The answer of the system.
        source: std::io::Error,
    },
    /// A server or process did not answer in time.
    #[error("{what} did not answer within {seconds} s")]
    TimedOut {
        /// The server or process.
        what: String,
        /// Time that it had, in seconds.
        seconds: u64,
    },
    /// A driver did not finish in time. Drivers wait for the engine or for BuildKit.
    #[error("{error}; it works with {place}")]
    Slow {
        /// The failure of the driver.
        error: DriverError,
        /// What the driver works with.
        place: String,
    },
    /// A failure of a node, as one of [`BuilderError::Several`].
    #[error("failed to {action} node {node}: {error}")]
    Node {
        /// The operation: `stop`, `remove`.
        action: &'static str,
        /// The node.
        node: String,
        /// Its failure.
        error: Box<Self>,
    },
    /// Several failures, in the order in which they occurred or of the nodes.
    #[error("{}", failure_list(.0))]
    Several(Vec<Self>),
    /// BuildKit did not start in its container, with the container's log.
    #[error("{error}\n{log}")]
    Boot {
        /// The failure of the boot.
        error: Box<Self>,
        /// The log.
        log: BootLog,
    },
    /// Objects of a boot that failed or was interrupted are left in an engine. The builder stays in
    /// the store until they are removed.
    #[error(
        "{}builder {builder} is incomplete: objects left at {endpoint}:{}", first(.error), remnant_list(.remnants)
    )]
    Incomplete {
        /// The builder.
        builder: String,
        /// The endpoint of the engine, or a failure of the engine.
        endpoint: String,
        /// The objects that are left.
        remnants: Vec<Remnant>,
        /// The failure that they are left from, if it occurred in this command.
        error: Option<Box<Self>>,
    },
    /// The name of a node is taken on its engine.
    #[error("node {node} cannot be created at {endpoint}: {holder}")]
    NameTaken {
        /// The node.
        node: String,
        /// Its engine.
        endpoint: String,
        /// The holder of the name.
        holder: Holder,
    },
    /// Another process boots a node that is to be removed.
    #[error("node {node} is being booted by another process")]
    Underway {
        /// The node.
        node: String,
    },
    /// Filters of the cache that cannot be used.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A removal from the cache has limits that BuildKit does not support.
    #[error("buildkit v0.17.0+ is required for max-used-space and min-free-space filters")]
    NoSpaceLimits,
    /// BuildKit does not report what it supports.
    #[error("failed to load buildkit capabilities for prune: {0}")]
    NoCapabilities(iechor_buildkit::Error),
    /// A builder has no nodes to work with.
    #[error("no nodes available")]
    NoNodes,
    /// The bytes of a connection could not be passed on.
    #[error("cannot pass on the bytes of the connection to BuildKit: {0}")]
    Proxy(std::io::Error),
    /// The user cancelled.
    #[error("{0} was cancelled")]
    Cancelled(&'static str),
}

/// The holder of the name that a new node would have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Holder {
    /// A node of another builder in the store.
    #[error("builder {builder} has a node of that name there")]
    Builder {
        /// The builder.
        builder: String,
    },
    /// An object in the engine that is not of this builder.
    #[error("{kind} {name} is there already: {owner}")]
    Object {
        /// The kind of object.
        kind: ObjectKind,
        /// Its name.
        name: String,
        /// The owner according to its labels.
        owner: String,
    },
}

/// Converts a failure of a driver and a cancellation into the same variants wherever they come from.
impl From<CatalogError> for BuilderError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Driver(error) => Self::Driver(error),
            CatalogError::Cancelled(what) => Self::Cancelled(what),
            other => Self::Catalog(other),
        }
    }
}

impl From<DirectoryError> for BuilderError {
    fn from(error: DirectoryError) -> Self {
        Self::Store(error.into())
    }
}

fn first(error: &Option<Box<BuilderError>>) -> String {
    match error {
        Some(error) => format!("{error}\n"),
        None => String::new(),
    }
}

fn failure_list(failures: &[BuilderError]) -> String {
    let lines = failures.iter().map(ToString::to_string);
    lines.collect::<Vec<_>>().join("\n")
}

fn remnant_list(remnants: &[Remnant]) -> String {
    match remnants {
        [] => " unknown".into(),
        [one] => format!(" {}", one.with_reason()),
        several => {
            let lines = several.iter().map(Remnant::with_reason);
            let lines: Vec<_> = lines.map(|line| format!("\n  {line}")).collect();
            lines.concat()
        }
    }
}

impl BuilderError {
    /// Returns one error for all failures of an operation; `None` if there is none. An only failure
    /// is returned as it is.
    pub fn all(failures: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut all = Vec::new();
        for failure in failures {
            match failure {
                Self::Several(failures) => all.extend(failures),
                failure => all.push(failure),
            }
        }
        match all.len() {
            0 | 1 => all.pop(),
            _ => Some(Self::Several(all)),
        }
    }

    /// Returns the failures that this error contains, or that caused it.
    pub fn causes(&self) -> &[Self] {
        match self {
            Self::Several(failures) => failures,
            Self::Node { error, .. }
            | Self::Kept { error }
            | Self::Boot { error, .. }
            | Self::Incomplete {
                error: Some(error), ..
            } => std::slice::from_ref(error),
            _ => &[],
        }
    }

    /// Returns the kind of an engine's failure, also if a driver passed it on. Causes are not
    /// considered.
    pub fn engine_failure(&self) -> Option<EngineErrorKind> {
        match self {
            Self::Engine(error) => Some(error.kind()),
            Self::Driver(DriverError::Failed { engine, .. }) => *engine,
            _ => None,
        }
    }

    /// Returns whether the user cancelled this operation or one of its causes.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Cancelled(_)
                | Self::Driver(DriverError::Cancelled { .. })
                | Self::BuildKit(iechor_buildkit::Error::Cancelled)
        ) || self.causes().iter().any(Self::is_cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_is_lost() {
        let timed_out = |what: &str| BuilderError::TimedOut {
            what: what.into(),
            seconds: 1,
        };
        assert!(BuilderError::all([]).is_none());
        let one = BuilderError::all([timed_out("a")]).expect("one");
        assert_eq!(one.to_string(), "a did not answer within 1 s");
        let several = BuilderError::all([
            one,
            BuilderError::Several(vec![timed_out("b"), BuilderError::Cancelled("the stop")]),
        ])
        .expect("three");
        assert_eq!(
            several.to_string(),
            "a did not answer within 1 s\nb did not answer within 1 s\nthe stop was cancelled"
        );
        assert!(several.is_cancelled());
        let kept = BuilderError::Kept {
            error: Box::new(timed_out("a")),
        };
        assert!(!kept.is_cancelled());
    }
}
