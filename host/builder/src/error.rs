//! Failures of builders and builds.

use std::path::PathBuf;

use iechor_catalog::CatalogError;
use iechor_engine::config::ConfigError;
use iechor_engine::endpoint::EndpointError;
use iechor_engine::{EngineError, EngineErrorKind};
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
    /// What the user asked for makes no sense, or is not supported.
    #[error("{0}")]
    Usage(String),
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
         for existing instances: --node {node}"
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
    #[error("{what} {}: {reason}", .path.display())]
    File {
        /// What it is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Something did not answer in time.
    #[error("{what} did not answer within {seconds} s")]
    TimedOut {
        /// Who.
        what: String,
        /// How long it had.
        seconds: u64,
    },
    /// Several nodes failed.
    #[error("{}", failure_list(action, failures))]
    Several {
        /// What was tried: `stop`, `remove`.
        action: &'static str,
        /// The nodes that failed, each with its failure.
        failures: Vec<(String, Self)>,
    },
    /// What a node has in its engine cannot be listed.
    #[error("{0}")]
    Unlistable(String),
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
    #[error("node {node} cannot be created at {endpoint}: {reason}")]
    NameTaken {
        /// The node.
        node: String,
        /// Its engine.
        endpoint: String,
        /// What has the name, and whose it is.
        reason: String,
    },
    /// Another process boots a node that was to be removed.
    #[error("node {node} is being booted by another process; wait for it, or end it")]
    Underway {
        /// The node.
        node: String,
    },
    /// The user cancelled.
    #[error("{0} was cancelled")]
    Cancelled(&'static str),
}

/// A failure of a driver and a cancellation are the same wherever they are from.
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

fn failure_list(action: &str, failures: &[(String, BuilderError)]) -> String {
    let lines = failures
        .iter()
        .map(|(node, error)| format!("failed to {action} node {node}: {error}"));
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
    /// Returns the first failure, where others followed from it.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Incomplete {
                error: Some(error), ..
            } => error.cause(),
            other => other,
        }
    }

    /// Returns the kind of the engine's failure that is the cause, also if a driver passed it on.
    pub fn engine_failure(&self) -> Option<EngineErrorKind> {
        match self.cause() {
            Self::Engine(error) => Some(error.kind()),
            Self::Driver(DriverError::Failed { engine, .. }) => *engine,
            Self::Several { failures, .. } => failures
                .iter()
                .find_map(|(_, error)| error.engine_failure()),
            Self::Kept { error } => error.engine_failure(),
            _ => None,
        }
    }

    /// Returns whether the user cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self.cause(),
            Self::Cancelled(_)
                | Self::Driver(DriverError::Cancelled { .. })
                | Self::BuildKit(iechor_buildkit::Error::Cancelled)
        )
    }
}
