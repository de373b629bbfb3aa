//! Everything around builders that a command needs: the store, the engine's endpoint, the
//! configuration and the user's wishes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use iechor_engine::Engine;
use iechor_engine::config::DockerConfig;
use iechor_engine::docker::DockerEngine;
use iechor_engine::endpoint::{self, Endpoint, Environment};
use iechor_engine::model::EngineInfo;
use iechor_sandbox::{Log, LogLevel, Policy};
use tokio_util::sync::CancellationToken;

use crate::error::BuilderError;
use crate::ledger::Uses;
use crate::policy::{Places, PolicyError};
use crate::selection::{self, Chosen, Selection, Surroundings};
use crate::store::{NodeGroup, Store, StoreState};

/// How long an engine has to say what it is.
const ENGINE_ANSWER: Duration = Duration::from_secs(20);

/// The surroundings of one command.
pub struct Workspace {
    /// The builders.
    pub store: Store,
    /// The Docker CLI's configuration.
    pub config: Arc<DockerConfig>,
    /// Variables that name an engine.
    pub environment: Environment,
    /// `--builder`.
    pub builder_flag: Option<String>,
    /// `BUILDX_BUILDER`.
    pub builder_variable: Option<String>,
    /// Where drivers' diagnostics go.
    pub log: Arc<dyn Log>,
    /// Ends what is in progress.
    pub cancel: CancellationToken,
    engines: Mutex<HashMap<String, Arc<dyn Engine>>>,
    said: Mutex<HashSet<String>>,
    policy: OnceLock<Result<Arc<Policy>, PolicyError>>,
    uses: Arc<Uses>,
}

impl Workspace {
    /// The surroundings as the process's environment says.
    ///
    /// # Errors
    ///
    /// Where a configuration file is broken, or there is no place for the store.
    pub fn from_process(
        builder_flag: Option<String>,
        log: Arc<dyn Log>,
        cancel: CancellationToken,
    ) -> Result<Self, BuilderError> {
        let environment = Environment::from_process();
        Ok(Self {
            store: Store::from_environment()?,
            config: Arc::new(DockerConfig::load(&environment)?),
            environment,
            builder_flag,
            builder_variable: std::env::var("BUILDX_BUILDER").ok(),
            log,
            cancel,
            engines: Mutex::default(),
            said: Mutex::default(),
            policy: OnceLock::new(),
            uses: Arc::default(),
        })
    }

    /// The nodes that this process uses.
    pub(crate) fn uses(&self) -> Arc<Uses> {
        Arc::clone(&self.uses)
    }

    /// Says something about a driver in the log, unless it was said before.
    pub fn say_once(&self, level: LogLevel, driver: &str, message: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert(format!("{driver}: {message}")) {
            self.log.write(level, driver, message, &[]);
        }
    }

    /// What the organisation allows drivers: read once, so that it is the same for all of a
    /// command.
    ///
    /// # Errors
    ///
    /// Where a policy cannot be read or understood; nothing of a driver may run then.
    pub fn policy(&self) -> Result<Arc<Policy>, BuilderError> {
        let policy = self
            .policy
            .get_or_init(|| Places::from_process().load().map(Arc::new));
        Ok(policy.clone()?)
    }

    /// The endpoint that the user's environment and configuration name.
    ///
    /// # Errors
    ///
    /// Where it cannot be told.
    pub fn current_endpoint(&self) -> Result<Endpoint, BuilderError> {
        Ok(endpoint::resolve(&self.environment, &self.config)?)
    }

    /// The engine at the current endpoint.
    ///
    /// # Errors
    ///
    /// Where it cannot be told which, or its TLS material is unusable.
    pub fn current_engine(&self) -> Result<Arc<dyn Engine>, BuilderError> {
        self.connect(&self.current_endpoint()?)
    }

    /// The engine of a node, by its endpoint or the name of a context.
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

    /// What an engine says of itself: shows that it is there.
    ///
    /// # Errors
    ///
    /// Where it does not answer in time, or the user gives up.
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

    /// Waits for work that has no effect yet, but no longer than the user does; `what` names it.
    ///
    /// # Errors
    ///
    /// That of the work, or that the user gave up.
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

    /// Runs `ask` with what a choice of builder depends on.
    ///
    /// # Errors
    ///
    /// Where the current endpoint or the contexts cannot be read, and what `ask` returns.
    pub fn with_surroundings<T, E: Into<BuilderError>>(
        &self,
        ask: impl FnOnce(&Surroundings<'_>) -> Result<T, E>,
    ) -> Result<T, BuilderError> {
        let current = self.current_endpoint()?;
        let contexts: Vec<String> = endpoint::list_contexts(&self.config)?
            .into_iter()
            .map(|context| context.name)
            .collect();
        ask(&Surroundings {
            flag: self.builder_flag.as_deref(),
            environment: self.builder_variable.as_deref(),
            endpoint_key: &current.key(),
            context: current.name.as_deref().unwrap_or("default"),
            contexts: &contexts,
        })
        .map_err(Into::into)
    }

    /// The builder that a command works on: the one of that name, or the current one.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn select(&self, name: Option<&str>) -> Result<Selection, BuilderError> {
        let state = self.store.read()?;
        self.with_surroundings(|surroundings| {
            selection::select(
                &state,
                &Surroundings {
                    flag: name.or(surroundings.flag),
                    ..*surroundings
                },
            )
        })
    }

    /// The builder that a command builds with: as [`Workspace::select`], but not that of a context
    /// that is not the current one.
    ///
    /// # Errors
    ///
    /// Where there is none, or it is of another context.
    pub fn builder(&self, name: Option<&str>) -> Result<NodeGroup, BuilderError> {
        let chosen = self.select(name)?.chosen;
        self.with_surroundings(|surroundings| chosen.check_context(surroundings))?;
        Ok(chosen.group())
    }

    /// As [`Workspace::select`], where it must be one from the store.
    ///
    /// # Errors
    ///
    /// Where there is none, or it is that of a context.
    pub fn stored(&self, name: Option<&str>) -> Result<NodeGroup, BuilderError> {
        match self.select(name)?.chosen {
            Chosen::Stored(stored) => Ok(stored.group),
            Chosen::Context(name) => Err(BuilderError::OfContext { name }),
        }
    }

    /// The builders that contexts bring along, but for those whose name a stored builder has: that
    /// of the context `default` first, the others by name.
    ///
    /// # Errors
    ///
    /// Where the contexts cannot be read.
    pub fn context_builders(&self, state: &StoreState) -> Result<Vec<NodeGroup>, BuilderError> {
        let contexts = endpoint::list_contexts(&self.config)?;
        let names = contexts.into_iter().map(|context| context.name);
        Ok(std::iter::once(endpoint::DEFAULT_CONTEXT.to_owned())
            .chain(names)
            .filter(|name| {
                !state
                    .builders()
                    .any(|(stored, _)| stored.eq_ignore_ascii_case(name))
            })
            .map(|name| Chosen::Context(name).group())
            .collect())
    }
}
