//! A node in use: its driver, its engine, its BuildKit.

mod configuration;
pub(crate) mod container;
mod usage;
pub mod watch;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use iechor_buildkit::{Client, Worker};
use iechor_catalog::Loaded;
use iechor_engine::known::KnownEngines;
use iechor_engine::{BoxByteStream, Engine};
use iechor_sandbox::contract::{Error, Feature, Info, Issue, RemoveOptions, StopOptions};
use iechor_sandbox::report::{NoProgress, SystemDialer};
use iechor_sandbox::{
    Driver, DriverError, Grants, Ledger, NoLedger, Node as DriverNode, NodeContext, Progress,
    ValidConfig, limits,
};

use crate::boot_log::{self, BootLog};
use crate::boot_progress::{DriverProgress, StatusSender};
use crate::buildkit_link::BuildKitLink;
use crate::error::BuilderError;
use crate::ledger::{NodeLedger, Uses};
use crate::store::{Node, NodeGroup, Purpose, Store};
use crate::workspace::Workspace;

/// Maximum time that BuildKit has to answer on a new connection.
const ANSWER: Duration = Duration::from_secs(10);

/// Directory of the store with the directories that are shared with containers.
const DIRECT: &str = "direct";

/// A node with its loaded driver and its engine.
pub struct LiveNode {
    /// Its name.
    pub name: String,
    /// The driver.
    pub driver: Arc<Driver>,
    /// Warnings of the driver about the configuration.
    pub warnings: Vec<Issue>,
    builder: String,
    config: ValidConfig,
    engine: Option<Arc<dyn Engine>>,
    engines: Arc<KnownEngines>,
    grants: Grants,
    workspace_log: Arc<dyn iechor_sandbox::Log>,
    cancel: tokio_util::sync::CancellationToken,
    endpoint: String,
    store: Store,
    uses: Arc<Uses>,
    /// The command that boots it creates its builder, too.
    is_new: bool,
}

/// The capability that the feature `default-load` requires.
const LOAD: &str = "engine.load";

/// A connection to a BuildKit that answered.
pub struct Connected {
    /// The client.
    pub client: Client,
    /// Its workers, at least one.
    pub workers: Vec<Worker>,
}

impl LiveNode {
    /// Loads the driver, checks the configuration and finds the engine. Connects to no daemon.
    ///
    /// # Errors
    ///
    /// If one of these fails. All invalid options are named at once.
    pub async fn open(
        workspace: &Workspace,
        group: &NodeGroup,
        node: &Node,
    ) -> Result<Self, BuilderError> {
        let loaded = workspace.catalog.load(&group.driver).await?;
        Self::with(workspace, group, node, &loaded).await
    }

    /// Does what [`Self::open`] does, with a driver that is loaded already.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn with(
        workspace: &Workspace,
        group: &NodeGroup,
        node: &Node,
        loaded: &Loaded,
    ) -> Result<Self, BuilderError> {
        configuration::remark_change(workspace, group, node, loaded);
        let grants = loaded.grants().await?;
        let driver = Arc::clone(&loaded.driver);
        let (config, warnings) = driver.validate(&configuration::config(node)).await?;
        let engine = match driver.uses_engine() {
            true => Some(workspace.engine(&node.endpoint)?),
            false => None,
        };
        let engines = workspace.known_engines(Some(&driver)).await;
        Ok(Self {
            name: node.name.clone(),
            driver,
            warnings,
            builder: group.name.clone(),
            config,
            engine,
            engines,
            grants,
            workspace_log: Arc::clone(&workspace.log),
            cancel: workspace.cancel.clone(),
            endpoint: node.endpoint.clone(),
            store: workspace.store.clone(),
            uses: workspace.uses(),
            is_new: false,
        })
    }

    /// Marks the node as one of a builder that the same command creates.
    pub(crate) fn of_new_builder(self) -> Self {
        Self {
            is_new: true,
            ..self
        }
    }

    /// Returns the node with its endpoint, for messages.
    pub(crate) fn place(&self) -> String {
        match &self.engine {
            Some(engine) => format!("the engine at {}", engine.endpoint()),
            None => format!("BuildKit at {}", self.endpoint),
        }
    }

    /// Returns the engine, if the driver uses one.
    pub fn engine(&self) -> Option<&Arc<dyn Engine>> {
        self.engine.as_ref()
    }

    fn bound(&self, progress: Arc<dyn Progress>, ledger: Arc<dyn Ledger>) -> DriverNode {
        self.driver.node(
            self.config.clone(),
            NodeContext {
                builder: self.builder.clone(),
                engine: self.engine.clone(),
                engines: Arc::clone(&self.engines),
                grants: self.grants.clone(),
                buildkit: Arc::new(BuildKitLink),
                dialer: Arc::new(SystemDialer),
                progress,
                log: Arc::clone(&self.workspace_log),
                ledger,
                cancel: self.cancel.clone(),
                boot_limit: limits::BOOT,
                direct: std::path::absolute(self.store.directory().join(DIRECT)).ok(),
            },
        )
    }

    fn quiet(&self) -> DriverNode {
        // Only a boot creates objects.
        self.bound(Arc::new(NoProgress), Arc::new(NoLedger))
    }

    /// Returns the status of the node.
    ///
    /// # Errors
    ///
    /// A failure of the driver or the engine.
    pub async fn info(&self) -> Result<Info, BuilderError> {
        Ok(self.quiet().info().await?)
    }

    /// Returns the features of the driver, such as loading results into the engine by default.
    ///
    /// # Errors
    ///
    /// A failure of the driver.
    pub async fn features(&self) -> Result<Vec<Feature>, BuilderError> {
        Ok(self.quiet().features().await?)
    }

    /// Returns the address by which the steps of a build reach the host machine.
    ///
    /// # Errors
    ///
    /// A failure of the driver, or a text that is not an address: it becomes a part of a list for
    /// BuildKit, in which a driver must not write other entries.
    pub async fn host_gateway(&self) -> Result<IpAddr, BuilderError> {
        let address = self.quiet().host_gateway().await?;
        match address.parse() {
            Ok(address) => Ok(address),
            Err(_) => Err(BuilderError::HostGateway {
                driver: self.driver.name().to_owned(),
                address,
            }),
        }
    }

    /// Checks that the driver may load results into the engine by default, under these names.
    ///
    /// # Errors
    ///
    /// If it is not granted.
    pub fn may_load(&self, names: &[String]) -> Result<(), iechor_sandbox::Denial> {
        if names.is_empty() {
            // A result without a name replaces no image, but the engine keeps it.
            return self.grants.check(LOAD, "<none>");
        }
        names
            .iter()
            .try_for_each(|name| self.grants.check(LOAD, name))
    }

    /// Returns the version of BuildKit according to the driver, for a BuildKit that does not report
    /// it.
    ///
    /// # Errors
    ///
    /// A failure of the driver.
    pub async fn version(&self) -> Result<String, BuilderError> {
        Ok(self.quiet().version().await?)
    }

    /// Boots the node, and shows the progress as a vertex.
    ///
    /// # Errors
    ///
    /// If the boot fails. No objects are left, except with [`BuilderError::Incomplete`].
    pub async fn boot(&self, status: &StatusSender) -> Result<(), BuilderError> {
        self.begin_use().await?;
        self.boot_in_use(status).await
    }

    async fn boot_in_use(&self, status: &StatusSender) -> Result<(), BuilderError> {
        let _mark = self
            .store
            .mark_boot(&self.builder, &self.name, &self.endpoint)?;
        let ledger = Arc::new(NodeLedger::new(
            self.store.clone(),
            Purpose {
                builder: self.builder.clone(),
                node: self.name.clone(),
                endpoint: self.endpoint.clone(),
                driver: self.driver.name().to_owned(),
                is_new: self.is_new,
            },
            self.lock()?,
            Arc::clone(&self.workspace_log),
            self.engine.clone(),
            self.cancel.clone(),
        ));
        let (vertex, forwarder) =
            DriverProgress::begin("[internal] booting buildkit", status.clone());
        let vertex = Arc::new(vertex);
        let result = self
            .bound(
                Arc::clone(&vertex) as Arc<dyn Progress>,
                Arc::clone(&ledger) as Arc<dyn Ledger>,
            )
            .boot()
            .await;
        vertex.end(match &result {
            Ok(()) => Ok(()),
            // The text by which a renderer recognizes a cancellation.
            Err(DriverError::Cancelled { .. }) => Err("context canceled".into()),
            Err(error) => Err(error.to_string()),
        });
        drop(vertex);
        forwarder.finish().await;
        let Err(error) = result else {
            return Ok(());
        };
        let error = self.with_log(error, ledger.boot_log()).await;
        let remnants = ledger.left();
        if remnants.is_empty() {
            return Err(error);
        }
        Err(BuilderError::Incomplete {
            builder: self.builder.clone(),
            endpoint: self.endpoint.clone(),
            remnants,
            error: Some(Box::new(error)),
        })
    }

    /// Adds the log of the container to the failure of a boot, if BuildKit did not start in it. `read` is the log of a
    /// container that was removed.
    async fn with_log(&self, error: DriverError, read: Option<BootLog>) -> BuilderError {
        let is_about_buildkit = matches!(
            error,
            DriverError::TimedOut { .. }
                | DriverError::Failed {
                    error: Error::Unavailable(_),
                    engine: None,
                    ..
                }
        );
        let error = self.placed(error);
        if !is_about_buildkit {
            return error;
        }
        let log = match (read, &self.engine) {
            (Some(log), _) => Some(log),
            (None, Some(engine)) => {
                boot_log::read(engine.as_ref(), &self.store, &self.builder, &self.name).await
            }
            (None, None) => None,
        };
        match log {
            Some(log) => BuilderError::Boot {
                error: Box::new(error),
                log,
            },
            None => error,
        }
    }

    /// Connects to BuildKit if it runs; `None` otherwise.
    ///
    /// # Errors
    ///
    /// If the connection fails for another reason.
    pub async fn connect_running(&self) -> Result<Option<Connected>, BuilderError> {
        let stream = match self.quiet().dial().await {
            Ok(stream) => stream,
            Err(DriverError::Failed {
                error: Error::NotRunning,
                ..
            }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let _wait = iechor_waiting::begin(format!("BuildKit of node {}", self.name), "answer");
        let asked = tokio::time::timeout(ANSWER, async {
            let client = Client::connect(stream).await?;
            let workers = client.workers().await?;
            Ok::<_, iechor_buildkit::Error>(Connected { client, workers })
        })
        .await;
        match asked {
            Ok(connected) => Ok(Some(connected?)),
            Err(_) => Err(BuilderError::TimedOut {
                what: format!("BuildKit of node {}", self.name),
                seconds: ANSWER.as_secs(),
            }),
        }
    }

    /// Connects to BuildKit. Boots it first if it does not run or does not answer yet.
    ///
    /// # Errors
    ///
    /// If the connection or the boot fails; [`BuilderError::Incomplete`] if objects are left in the
    /// engine.
    pub async fn connect(&self, status: &StatusSender) -> Result<Connected, BuilderError> {
        self.begin_use().await?;
        match self.connect_running().await {
            Ok(Some(connected)) if !connected.workers.is_empty() => {
                self.confirm().await?;
                return Ok(connected);
            }
            // Another process may have started it a moment ago: a boot waits until it is ready.
            Ok(_)
            | Err(
                BuilderError::BuildKit(_)
                | BuilderError::TimedOut { .. }
                | BuilderError::Driver(DriverError::Failed {
                    error: Error::Unavailable(_),
                    ..
                }),
            ) => {}
            Err(error) => return Err(error),
        }
        self.boot_in_use(status).await?;
        self.confirm().await?;
        self.connect_running().await?.ok_or_else(|| {
            DriverError::Failed {
                driver: self.driver.name().to_owned(),
                operation: "dial",
                error: Error::NotRunning,
                engine: None,
                remedy: None,
            }
            .into()
        })
    }

    /// Opens a connection to BuildKit for another program. Boots it first if it does not run or does not
    /// answer yet.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub async fn open_stream(&self, status: &StatusSender) -> Result<BoxByteStream, BuilderError> {
        drop(self.connect(status).await?);
        Ok(self.quiet().dial().await?)
    }

    /// Stops BuildKit.
    ///
    /// # Errors
    ///
    /// A failure of the driver or the engine.
    pub async fn stop(&self) -> Result<(), BuilderError> {
        let options = StopOptions {
            force: false,
            grace: None,
        };
        let stopped = self.quiet().stop(options).await;
        stopped.map_err(|error| self.placed(error))
    }

    /// Removes the objects of the node in the engine.
    ///
    /// # Errors
    ///
    /// A failure of the driver or the engine.
    pub async fn remove(&self, options: RemoveOptions) -> Result<(), BuilderError> {
        let removed = self.quiet().remove(options).await;
        removed.map_err(|error| self.placed(error))
    }

    /// Adds to a time-out what the driver waited for.
    fn placed(&self, error: DriverError) -> BuilderError {
        match error {
            DriverError::TimedOut { .. } => BuilderError::Slow {
                error,
                place: self.place(),
            },
            other => other.into(),
        }
    }
}
