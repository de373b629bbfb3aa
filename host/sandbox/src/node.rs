//! Runs the operations of the contract, each in a store of its own.

use std::sync::Arc;
use std::time::Duration;

use iechor_engine::model::Platform;
use iechor_engine::{BoxByteStream, Engine};
use wasmtime::component::ResourceAny;

use crate::bindings::contract::{Error, Feature, Info, RemoveOptions, StopOptions};
use crate::call::{Call, run};
use crate::capability;
use crate::direct::Directory;
use crate::driver::{Driver, ValidConfig};
use crate::error::{DriverError, cleaned};
use crate::handle::Handles;
use crate::limits;
pub use crate::node_context::NodeContext;
use crate::operation::{Operation, Setup};
use crate::report::{End, LogLevel};
use crate::text::clean_line;
use crate::user_words::UserWords;

/// One node of one builder.
///
/// It holds its configuration and nothing else: the state of the node is in the engine.
pub struct Node {
    driver: Arc<Driver>,
    config: ValidConfig,
    user_words: Arc<UserWords>,
    context: NodeContext,
}

impl Driver {
    /// Binds the driver to a node. The configuration is one that [`Driver::validate`] returned.
    pub fn node(self: &Arc<Self>, config: ValidConfig, context: NodeContext) -> Node {
        Node::new(Arc::clone(self), config, context)
    }
}

impl Node {
    fn new(driver: Arc<Driver>, config: ValidConfig, mut context: NodeContext) -> Self {
        if !driver.uses_engine() {
            // A driver that does not import the engine gets none. Only then the endpoint is not the
            // engine's, which drivers must not connect to.
            context.engine = None;
            context.grants = context.grants.at(&config.config.endpoint);
        }
        if let Some(engine) = &context.engine {
            Arc::make_mut(&mut context.engines)
                .add_text(engine.endpoint(), "the node's own engine");
        }
        Self {
            driver,
            user_words: Arc::new(UserWords::of(&config.config)),
            config,
            context,
        }
    }

    /// Returns the state of the node. A node that does not exist is inactive.
    ///
    /// # Errors
    ///
    /// The failure, with the name of the driver.
    pub async fn info(&self) -> Result<Info, DriverError> {
        self.operate("info", limits::QUERY, async |call, node| {
            call.driver
                .iechor_driver_driver()
                .node()
                .call_info(call.store, node)
                .await
        })
        .await
        .map(cleaned_info)
    }

    /// Creates and starts what is missing, and returns once BuildKit answers.
    ///
    /// # Errors
    ///
    /// The failure, with the name of the driver. Nothing that it created is left, but for what
    /// [`NodeContext::ledger`] is told of.
    pub async fn boot(&self) -> Result<(), DriverError> {
        self.operate("boot", self.context.boot_limit, async |call, node| {
            call.driver
                .iechor_driver_driver()
                .node()
                .call_boot(call.store, node)
                .await
        })
        .await
    }

    /// Opens a new connection to BuildKit. Fails with [`Error::NotRunning`] if it does not run.
    ///
    /// # Errors
    ///
    /// The failure, with the name of the driver.
    pub async fn dial(&self) -> Result<BoxByteStream, DriverError> {
        self.operate("dial", limits::QUERY, async |call, node| {
            let dialled = call
                .driver
                .iechor_driver_driver()
                .node()
                .call_dial(&mut *call.store, node)
                .await?;
            Ok(match dialled {
                // The stream leaves the store: from here on no byte passes through the driver.
                Ok(connection) => Ok(call.store.data_mut().table.release(connection)?.stream),
                Err(error) => Err(error),
            })
        })
        .await
    }

    /// Returns the version of BuildKit.
    ///
    /// # Errors
    ///
    /// The failure, with the name of the driver.
    pub async fn version(&self) -> Result<String, DriverError> {
        self.operate("version", limits::QUERY, async |call, node| {
            call.driver
                .iechor_driver_driver()
                .node()
                .call_version(call.store, node)
                .await
        })
        .await
        .map(|version| clean_line(&version, limits::LINE))
    }

    /// Returns what a build may ask of this node.
    ///
    /// # Errors
    ///
    /// The failure, with the name of the driver.
    pub async fn features(&self) -> Result<Vec<Feature>, DriverError> {
        self.operate("features", limits::QUERY, async |call, node| {
            call.driver
                .iechor_driver_driver()
                .node()
                .call_features(call.store, node)
                .await
        })
        .await
        .map(|features| features.into_iter().map(cleaned_feature).collect())
    }

    /// Stops BuildKit. Succeeds if it does not run.
    ///
    /// # Errors
    ///
    /// The failure, with the name of the driver.
    pub async fn stop(&self, options: StopOptions) -> Result<(), DriverError> {
        self.operate("stop", limits::CHANGE, async |call, node| {
            let driver = call.driver.iechor_driver_driver().node();
            driver.call_stop(call.store, node, options).await
        })
        .await
    }

    /// Removes the objects of the node. Succeeds if there are none.
    ///
    /// # Errors
    ///
    /// The failure, with the name of the driver.
    pub async fn remove(&self, options: RemoveOptions) -> Result<(), DriverError> {
        self.operate("remove", limits::CHANGE, async |call, node| {
            let driver = call.driver.iechor_driver_driver().node();
            driver.call_remove(call.store, node, options).await
        })
        .await
    }

    /// Returns the address by which a build reaches the host machine.
    ///
    /// # Errors
    ///
    /// The failure, with the name of the driver.
    pub async fn host_gateway(&self) -> Result<String, DriverError> {
        self.operate("host-gateway", limits::QUERY, async |call, node| {
            let driver = call.driver.iechor_driver_driver().node();
            driver.call_host_gateway(call.store, node).await
        })
        .await
        .map(|address| clean_line(&address, limits::LINE))
    }

    /// Opens the node in a fresh store and makes one call. A failed operation has what it
    /// created removed.
    async fn operate<T>(
        &self,
        name: &'static str,
        limit: Duration,
        call: impl AsyncFnOnce(Call<'_>, ResourceAny) -> wasmtime::Result<Result<T, Error>>,
    ) -> Result<T, DriverError> {
        let context = &self.context;
        let setup = Setup {
            node: &self.config.config.name,
            context,
            files: &self.config.files,
            user_words: &self.user_words,
        };
        let contexts = capability::contexts(&setup);
        let actor = self.driver.loaded.actor();
        let operation = Operation::new(&actor, name, &setup, contexts, limit);
        let operation = Arc::new(operation);
        if let Some(observer) = &operation.observer {
            observer.begin(name);
        }
        let work = run(&self.driver.loaded, name, &operation, async |mut made| {
            let opened = made
                .driver
                .iechor_driver_driver()
                .node()
                .call_open(&mut *made.store, &self.config.config)
                .await?;
            match opened {
                Ok(node) => call(made.reborrow(), node).await,
                Err(error) => Ok(Err(error)),
            }
        });
        let result = tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(DriverError::Cancelled { operation: name }),
            result = work => result.and_then(|answer| {
                answer.map_err(|error| self.failure(&operation, name, error, limit))
            }),
        };
        if let Some(observer) = &operation.observer {
            observer.end(name, result.as_ref().map(|_| ()));
        }
        if let Some(engine) = &context.engine
            && operation.journal.len() > 0
        {
            self.settle(engine, &operation, result.is_ok()).await;
        }
        result
    }

    /// Undoes what a failed operation created, and notes what became of it.
    async fn settle(&self, engine: &Arc<dyn Engine>, operation: &Operation, is_success: bool) {
        let NodeContext { ledger, log, .. } = &self.context;
        let warn = |line: &str| log.write(LogLevel::Warn, self.driver.name(), line, &[]);
        if is_success {
            return ledger.end(&operation.id, End::Succeeded);
        }
        if !ledger.may_undo(&operation.id).await {
            warn("what it created stays: another process uses it");
            return ledger.end(&operation.id, End::InUse);
        }
        let containers = operation.journal.containers();
        let left = operation.journal.undo(engine, limits::UNDO).await;
        for name in containers {
            let is_left = left.iter().any(|left| left.object.name == name);
            if let Some(root) = &self.context.direct
                && !is_left
            {
                Directory::of(root, &self.context.builder, &name).remove();
            }
        }
        for object in &left {
            warn(&object.to_string());
        }
        let end = match left.as_slice() {
            [] => End::Undone,
            left => End::Left(left),
        };
        ledger.end(&operation.id, end);
    }

    fn failure(
        &self,
        state: &Operation,
        operation: &'static str,
        error: Error,
        limit: Duration,
    ) -> DriverError {
        let driver = self.driver.name().to_owned();
        match cleaned(error) {
            Error::Denied(denial) => match state.denial(&denial.capability) {
                Some(denial) => DriverError::Denied { driver, denial },
                // The host did not refuse it, so a grant would not help.
                None => DriverError::Failed {
                    driver,
                    operation,
                    error: Error::Denied(denial),
                    engine: None,
                    remedy: None,
                },
            },
            Error::Timeout => DriverError::TimedOut {
                driver,
                operation,
                limit,
            },
            Error::Cancelled => DriverError::Cancelled { operation },
            error => DriverError::Failed {
                engine: state.engine_failure(&error),
                remedy: match &error {
                    Error::Conflict(_) => state.remedy(),
                    _ => None,
                },
                driver,
                operation,
                error,
            },
        }
    }
}

/// Cleans the texts of a driver that listings show.
fn cleaned_info(info: Info) -> Info {
    let line = |text: String| clean_line(&text, limits::LINE);
    Info {
        run: info.run.map(line),
        extra: info
            .extra
            .into_iter()
            .map(|(name, value)| (line(name), line(value)))
            .collect(),
        ..info
    }
}

fn cleaned_feature(feature: Feature) -> Feature {
    match feature {
        Feature::Other(name) => Feature::Other(clean_line(&name, limits::LINE)),
        known => known,
    }
}

impl From<crate::bindings::contract::Platform> for Platform {
    fn from(platform: crate::bindings::contract::Platform) -> Self {
        Self {
            os: platform.os,
            architecture: platform.architecture,
            variant: platform.cpu_variant.unwrap_or_default(),
            ..Self::default()
        }
    }
}

impl From<Platform> for crate::bindings::contract::Platform {
    fn from(platform: Platform) -> Self {
        Self {
            os: platform.os,
            architecture: platform.architecture,
            cpu_variant: Some(platform.variant).filter(|variant| !variant.is_empty()),
        }
    }
}
