//! What can go wrong with builders and builds.

use std::path::PathBuf;

use iechor_engine::config::ConfigError;
use iechor_engine::endpoint::EndpointError;
use iechor_engine::{EngineError, EngineErrorKind};
use iechor_registry::RegistryError;
use iechor_sandbox::DriverError;

use crate::build::archive::ArchiveError;
use crate::buildkitd_config;
use crate::buildkitd_flags::FlagsError;
use crate::driver_options::{CsvError, DriverOptionErrors};
use crate::drivers::DriversError;
use crate::name::NameError;
use crate::policy::PolicyError;
use crate::selection::SelectionError;
use crate::store::{BrokenFile, EditError, PlatformError, Remnant, StoreError};

/// A failure of a builder or build.
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
    /// `--output`.
    #[error("{value:?}: {error}")]
    Output {
        /// The value.
        value: String,
        /// What is wrong with it.
        error: CsvError,
    },
    /// What BuildKit sent is not loaded into the engine.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
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
    /// Which driver, and what was installed.
    #[error(transparent)]
    Drivers(#[from] DriversError),
    /// The way to a driver.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The organisation's policy cannot be known.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The organisation's policy does not allow a driver.
    #[error(transparent)]
    Refused(#[from] iechor_sandbox::policy::Refusal),
    /// BuildKit.
    #[error(transparent)]
    BuildKit(#[from] iechor_buildkit::Error),
    /// A build failed on the daemon.
    #[error("failed to build: {0}")]
    Build(iechor_buildkit::Error),
    /// What the user asked for makes no sense, or is not supported.
    #[error("{0}")]
    Usage(String),
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
    /// Several builders or nodes failed; each was reported.
    #[error("{text}")]
    Several {
        /// All failures.
        text: String,
        /// Kind of the first failure, if it is one of the engine.
        engine: Option<EngineErrorKind>,
    },
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
    /// The user gave up.
    #[error("{0} was cancelled")]
    Cancelled(&'static str),
}

fn first(error: &Option<Box<BuilderError>>) -> String {
    match error {
        Some(error) => format!("{error}\n"),
        None => String::new(),
    }
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
    /// Returns what went wrong first, where more came of it.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Incomplete {
                error: Some(error), ..
            } => error.cause(),
            other => other,
        }
    }

    /// Returns the kind of the engine's failure that is the cause, also where a driver passed it on.
    pub fn engine_failure(&self) -> Option<EngineErrorKind> {
        match self.cause() {
            Self::Engine(error) => Some(error.kind()),
            Self::Driver(DriverError::Failed { engine, .. }) | Self::Several { engine, .. } => {
                *engine
            }
            _ => None,
        }
    }

    /// Whether the user gave up.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self.cause(),
            Self::Cancelled(_)
                | Self::Driver(DriverError::Cancelled { .. })
                | Self::BuildKit(iechor_buildkit::Error::Cancelled)
                | Self::Build(iechor_buildkit::Error::Cancelled)
        )
    }
}
