//! Failures of builders and builds.

use std::path::PathBuf;

use iechor_catalog::CatalogError;
use iechor_engine::config::ConfigError;
use iechor_engine::endpoint::EndpointError;
use iechor_engine::{EngineError, EngineErrorKind, ObjectKind};
use iechor_files::DirectoryError;
use iechor_sandbox::DriverError;

use crate::buildkitd_config;
use crate::buildkitd_flags::FlagsError;
use crate::driver_options::DriverOptionErrors;
use crate::name::NameError;
use crate::selection::SelectionError;
use crate::store::{BrokenFile, EditError, PlatformError, Remnant, StoreError};

/// A failure of a builder.
#[derive(Debug, thiserror::Error)]
pub enum BuilderError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the store.
    #[error(transparent)]
    Broken(#[from] BrokenFile),
    /// Which builder.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A change to the nodes.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A platform.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// `--driver-opt`.
    #[error(transparent)]
    DriverOptions(#[from] DriverOptionErrors),
    /// `--buildkitd-flags`.
    #[error(transparent)]
    Flags(#[from] FlagsError),
    /// `--buildkitd-config`.
    #[error(transparent)]
    ConfigFile(#[from] buildkitd_config::ConfigError),
    /// The Docker CLI's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Where the engine is.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The driver.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// Which driver, what was installed, what it is trusted with.
    #[error(transparent)]
    Catalog(CatalogError),
    /// BuildKit.
    #[error(transparent)]
    BuildKit(#[from] iechor_buildkit::Error),
    /// A builder would have several nodes, and its driver supports one.
    #[error(
        "driver {driver} supports one node for each builder, and builder {builder} has one already"
    )]
    OneNode {
        /// The driver.
        driver: String,
        /// The builder.
        builder: String,
    },
    /// There is no builder to append a node to.
    #[error("failed to find instance {name:?} for append")]
    NothingToAppendTo {
        /// The name.
        name: String,
    },
    /// A new builder was to have the name of the builder of a context.
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
    /// A node was to be appended to a builder that was not named.
    #[error("append requires a builder name")]
    AppendWithoutName,
    /// A builder was to be created with the driver of the builders of contexts.
    #[error(
        "additional instances of driver {driver:?} cannot be created: every context has a builder of \
         it already"
    )]
    DriverOfContexts {
        /// The driver, as the user named it.
        driver: String,
    },
    /// Something of a builder could not be removed, so the builder is kept.
    #[error("{error}\nthe builder is kept")]
    Kept {
        /// What could not be removed.
        error: Box<Self>,
    },
    /// A builder of that name is there already.
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
    /// The builder of a context was to be removed.
    #[error(
        "context builder cannot be removed, run `docker context rm {name}` to remove this context"
    )]
    OfContext {
        /// The context.
        name: String,
    },
    /// A file or directory of the user's cannot be used.
    #[error("{what} {}: {source}", .path.display())]
    File {
        /// What it is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// The answer of the system.
        source: std::io::Error,
    },
    /// Something did not answer in time.
    #[error("{what} did not answer within {seconds} s")]
    TimedOut {
        /// Who.
        what: String,
        /// How long it had.
        seconds: u64,
    },
    /// A node failed, and something else too: one of [`BuilderError::Several`].
    #[error("failed to {action} node {node}: {error}")]
    Node {
        /// The operation: `stop`, `remove`.
        action: &'static str,
        /// The node.
        node: String,
        /// Its failure.
        error: Box<Self>,
    },
    /// Several failures, all of them, in the order of the nodes.
    #[error("{}", failure_list(.0))]
    Several(Vec<Self>),
    /// Something of a boot that did not end well is left in an engine. The builder stays in the store
    /// until it is removed.
    #[error(
        "{}builder {builder} is incomplete: left at {endpoint} {}", first(.error), remnant_list(.remnants)
    )]
    Incomplete {
        /// The builder.
        builder: String,
        /// The engine.
        endpoint: String,
        /// What is left.
        remnants: Vec<Remnant>,
        /// What went wrong first, where it was this command.
        error: Option<Box<Self>>,
    },
    /// The name of a node is taken on its engine.
    #[error("node {node} cannot be created at {endpoint}: {holder}")]
    NameTaken {
        /// The node.
        node: String,
        /// Its engine.
        endpoint: String,
        /// What has the name.
        holder: Holder,
    },
    /// Another process boots a node that was to be removed.
    #[error("node {node} is being booted by another process")]
    Underway {
        /// The node.
        node: String,
    },
    /// The user cancelled.
    #[error("{0} was cancelled")]
    Cancelled(&'static str),
}

/// What has the name that a new node would have.
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
        /// What its labels say about its owner.
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
        [] => "may be something".into(),
        [one] => format!("is {}", one.with_reason()),
        several => {
            let lines = several.iter().map(Remnant::with_reason);
            let lines: Vec<_> = lines.map(|line| format!("\n  {line}")).collect();
            format!("are:{}", lines.concat())
        }
    }
}

impl BuilderError {
    /// Returns one error for all failures of an operation; `None` if there is none. A failure is kept
    /// as it is if it is the only one.
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

    /// Returns the failures that this one consists of or follows from.
    pub fn causes(&self) -> &[Self] {
        match self {
            Self::Several(failures) => failures,
            Self::Node { error, .. }
            | Self::Kept { error }
            | Self::Incomplete {
                error: Some(error), ..
            } => std::slice::from_ref(error),
            _ => &[],
        }
    }

    /// Returns the kind of the engine's failure, if this is one, also if a driver passed it on.
    pub fn engine_failure(&self) -> Option<EngineErrorKind> {
        match self {
            Self::Engine(error) => Some(error.kind()),
            Self::Driver(DriverError::Failed { engine, .. }) => *engine,
            _ => None,
        }
    }

    /// Returns whether the user cancelled: the operation itself, or the part that failed first.
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
