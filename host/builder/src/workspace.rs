//! The context of a command: the store, the catalog of drivers, engines and the configuration.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iechor_catalog::Catalog;
pub use iechor_engine::config::ConfigError;
use iechor_engine::config::DockerConfig;
use iechor_engine::docker::DockerEngine;
use iechor_engine::endpoint::{self, ClientSettings, Endpoint, Environment};
use iechor_engine::model::EngineInfo;
use iechor_engine::{Engine, EngineErrorKind};
use iechor_sandbox::{Log, LogLevel};
use tokio_util::sync::CancellationToken;

use crate::error::BuilderError;
use crate::ledger::Uses;
use crate::remark::{Advice, Remark};
use crate::store::{Place, Store};

/// Maximum time that an engine has to describe itself.
const ENGINE_ANSWER: Duration = Duration::from_secs(20);

/// The context of one command.
pub struct Workspace {
    /// The builders.
    pub store: Store,
    /// The drivers.
    pub catalog: Catalog,
    /// The Docker CLI's configuration.
    pub config: Arc<DockerConfig>,
    /// Variables that name an engine.
    pub environment: Environment,
    /// Name of a builder from the command line.
    pub builder_flag: Option<String>,
    /// Value of `BUILDX_BUILDER`.
    pub builder_variable: Option<String>,
    /// Log for the diagnostics of drivers.
    pub log: Arc<dyn Log>,
    /// Returns advice on a remark.
    pub advice: Advice,
    /// Cancels the operations in progress.
    pub cancel: CancellationToken,
    engines: Mutex<HashMap<String, Arc<dyn Engine>>>,
    said: Mutex<HashSet<String>>,
    uses: Arc<Uses>,
}

impl Workspace {
    /// Returns the context of this process, from its environment and the settings that take precedence over it.
    ///
    /// # Errors
    ///
    /// If there is no directory for the store.
    pub fn from_process(
        settings: ClientSettings,
        place: Place,
        builder_flag: Option<String>,
        log: Arc<dyn Log>,
        advice: Advice,
        cancel: CancellationToken,
    ) -> Result<Self, BuilderError> {
        let environment = Environment::from_process().with(settings);
        let store = Store::of_process(place, &environment)?;
        let config = Arc::new(DockerConfig::load(&environment));
        Ok(Self {
            catalog: Catalog::new(
                store.files().clone(),
                Arc::new(store.clone()),
                Arc::clone(&config),
                cancel.clone(),
            ),
            store,
            config,
            environment,
            builder_flag,
            builder_variable: std::env::var("BUILDX_BUILDER").ok(),
            log,
            advice,
            cancel,
            engines: Mutex::default(),
            said: Mutex::default(),
            uses: Arc::default(),
        })
    }

    /// Returns the locks of the nodes that this process uses.
    pub(crate) fn uses(&self) -> Arc<Uses> {
        Arc::clone(&self.uses)
    }

    /// Writes a remark about a driver to the log, with advice, unless this command wrote it before.
    pub(crate) fn remark_once(&self, driver: &str, remark: &Remark) {
        let message = format!("{remark}; {}", (self.advice)(remark));
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert(format!("{driver}: {message}")) {
            self.log.write(LogLevel::Warn, driver, &message, &[]);
        }
    }

    /// Returns the endpoint that the user's environment and configuration name.
    ///
    /// # Errors
    ///
    /// If it cannot be determined.
    pub fn current_endpoint(&self) -> Result<Endpoint, BuilderError> {
        Ok(endpoint::resolve(&self.environment, &self.config)?)
    }

    /// Returns the engine at the current endpoint.
    ///
    /// # Errors
    ///
    /// If the endpoint cannot be determined, or its TLS material is unusable.
    pub fn current_engine(&self) -> Result<Arc<dyn Engine>, BuilderError> {
        self.connect(&self.current_endpoint()?)
    }

    /// Returns the engine of a node, by its endpoint or the name of a context.
    ///
    /// # Errors
    ///
    /// As [`Workspace::current_engine`].
    pub fn engine(&self, endpoint: &str) -> Result<Arc<dyn Engine>, BuilderError> {
        self.connect(&endpoint::by_name(
            endpoint,
            &self.environment,
            &self.config,
        )?)
    }

    /// Asks an engine to describe itself, which shows that it is reachable.
    ///
    /// # Errors
    ///
    /// If it does not answer in time, or the user cancels.
    pub async fn engine_info(&self, engine: &dyn Engine) -> Result<EngineInfo, BuilderError> {
        tokio::select! {
            () = self.cancel.cancelled() => Err(BuilderError::Cancelled("asking the engine")),
            answer = tokio::time::timeout(ENGINE_ANSWER, engine.info()) => match answer {
                Ok(info) => Ok(info?),
                Err(_) => Err(BuilderError::TimedOut {
                    what: format!("the engine at {}", engine.endpoint()),
                    seconds: ENGINE_ANSWER.as_secs(),
                }),
            },
        }
    }

    /// Checks that an engine answers within `limit`. What it answers does not matter: a proxy may forbid
    /// the question.
    ///
    /// # Errors
    ///
    /// If it cannot be reached or does not answer, or the user cancels.
    pub async fn check_engine(
        &self,
        engine: &dyn Engine,
        limit: Duration,
    ) -> Result<(), BuilderError> {
        let answer = tokio::select! {
            () = self.cancel.cancelled() => return Err(BuilderError::Cancelled("asking the engine")),
            answer = tokio::time::timeout(limit, engine.info()) => answer,
        };
        match answer {
            Ok(Err(error)) if error.kind() == EngineErrorKind::Unreachable => Err(error.into()),
            Ok(_) => Ok(()),
            Err(_) => Err(BuilderError::TimedOut {
                what: format!("the engine at {}", engine.endpoint()),
                seconds: limit.as_secs(),
            }),
        }
    }

    /// Waits for work that has no effect yet, until the user cancels; `what` names the work.
    ///
    /// # Errors
    ///
    /// The error of the work, or that the user cancelled.
    pub async fn unless_cancelled<T, E: Into<BuilderError>>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, BuilderError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(BuilderError::Cancelled(what)),
            result = work => result.map_err(Into::into),
        }
    }

    fn connect(&self, endpoint: &Endpoint) -> Result<Arc<dyn Engine>, BuilderError> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        let key = endpoint.key();
        if let Some(engine) = engines.get(&key) {
            return Ok(Arc::clone(engine));
        }
        let engine: Arc<dyn Engine> =
            Arc::new(DockerEngine::connect(endpoint, Arc::clone(&self.config))?);
        engines.insert(key, Arc::clone(&engine));
        Ok(engine)
    }
}
