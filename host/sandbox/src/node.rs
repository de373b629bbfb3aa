//! Runs the operations of the contract, each in a store of its own.

use std::sync::Arc;
use std::time::Duration;

use iechor_engine::model::Platform;
use iechor_engine::{BoxByteStream, Engine};
use tokio_util::sync::CancellationToken;
use wasmtime::component::{ResourceAny, ResourceTableError};
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::bindings::ContainerDriver;
use crate::bindings::contract::{Error, Feature, Info, RemoveOptions, StopOptions};
use crate::driver::{Driver, ValidConfig};
use crate::error::{DriverError, cleaned};
use crate::grant::Grants;
use crate::limits;
use crate::operation::{Host, Operation};
use crate::ownership::Owner;
use crate::report::{
    BuildKit, BuildKitClient, Dialer, Log, LogLevel, NoLog, NoProgress, Progress, SystemDialer,
};
use crate::runtime::Runtime;
use crate::text::{clean, clean_line};

/// What a node's operations may use.
#[derive(Clone)]
pub struct NodeContext {
    /// The builder's name, for the labels.
    pub builder: String,
    /// The engine behind the node; `None` for a driver that does not use one, see
    /// [`Driver::uses_engine`].
    pub engine: Option<Arc<dyn Engine>>,
    /// What the driver may do with it.
    pub grants: Grants,
    /// Who speaks BuildKit's protocol.
    pub buildkit: Arc<dyn BuildKit>,
    /// Who opens connections to places that it was granted.
    pub dialer: Arc<dyn Dialer>,
    /// Where progress goes.
    pub progress: Arc<dyn Progress>,
    /// Where diagnostics go.
    pub log: Arc<dyn Log>,
    /// Ends the operation in progress, which then leaves nothing behind.
    pub cancel: CancellationToken,
    /// Wall time of boot; [`limits::BOOT`] where there is no reason for another.
    pub boot_limit: Duration,
}

/// One node of one builder.
///
/// It holds its configuration and nothing else: what is true of the builder is in the engine.
pub struct Node {
    driver: Arc<Driver>,
    config: ValidConfig,
    context: NodeContext,
}

/// What a call into a driver needs.
pub(crate) struct Call<'a> {
    pub(crate) driver: &'a ContainerDriver,
    pub(crate) store: &'a mut Store<Host>,
}

impl Node {
    pub(crate) fn new(driver: Arc<Driver>, config: ValidConfig, mut context: NodeContext) -> Self {
        context.grants = context.grants.at(&config.config.endpoint);
        Self {
            driver,
            config,
            context,
        }
    }

    /// What state it is in; a builder that does not exist is inactive.
    ///
    /// # Errors
    ///
    /// What went wrong, by the driver's name.
    pub async fn info(&self) -> Result<Info, DriverError> {
        self.operate("info", limits::QUERY, async |call, builder| {
            call.driver
                .iechor_driver_driver()
                .builder()
                .call_info(call.store, builder)
                .await
        })
        .await
    }

    /// Creates and starts what is missing, and returns once BuildKit answers.
    ///
    /// # Errors
    ///
    /// What went wrong, by the driver's name; nothing that it created is left.
    pub async fn boot(&self) -> Result<(), DriverError> {
        self.operate("boot", self.context.boot_limit, async |call, builder| {
            call.driver
                .iechor_driver_driver()
                .builder()
                .call_boot(call.store, builder)
                .await
        })
        .await
    }

    /// Opens a new connection to BuildKit; [`Error::NotRunning`] where there is none.
    ///
    /// # Errors
    ///
    /// What went wrong, by the driver's name.
    pub async fn dial(&self) -> Result<BoxByteStream, DriverError> {
        self.operate("dial", limits::QUERY, async |call, builder| {
            let dialled = call
                .driver
                .iechor_driver_driver()
                .builder()
                .call_dial(&mut *call.store, builder)
                .await?;
            Ok(match dialled {
                // The stream leaves the store: from here on no byte passes through the driver.
                Ok(connection) => Ok(call.store.data_mut().table.delete(connection)?.stream),
                Err(error) => Err(error),
            })
        })
        .await
    }

    /// The version of BuildKit.
    ///
    /// # Errors
    ///
    /// What went wrong, by the driver's name.
    pub async fn version(&self) -> Result<String, DriverError> {
        self.operate("version", limits::QUERY, async |call, builder| {
            call.driver
                .iechor_driver_driver()
                .builder()
                .call_version(call.store, builder)
                .await
        })
        .await
        .map(|version| clean_line(&version, limits::LINE))
    }

    /// What a build may ask of this node.
    ///
    /// # Errors
    ///
    /// What went wrong, by the driver's name.
    pub async fn features(&self) -> Result<Vec<Feature>, DriverError> {
        self.operate("features", limits::QUERY, async |call, builder| {
            call.driver
                .iechor_driver_driver()
                .builder()
                .call_features(call.store, builder)
                .await
        })
        .await
    }

    /// Stops BuildKit; one that does not run is no error.
    ///
    /// # Errors
    ///
    /// What went wrong, by the driver's name.
    pub async fn stop(&self, options: StopOptions) -> Result<(), DriverError> {
        self.operate("stop", limits::CHANGE, async |call, builder| {
            let driver = call.driver.iechor_driver_driver().builder();
            driver.call_stop(call.store, builder, options).await
        })
        .await
    }

    /// Removes the node's objects; none is no error.
    ///
    /// # Errors
    ///
    /// What went wrong, by the driver's name.
    pub async fn remove(&self, options: RemoveOptions) -> Result<(), DriverError> {
        self.operate("remove", limits::CHANGE, async |call, builder| {
            let driver = call.driver.iechor_driver_driver().builder();
            driver.call_remove(call.store, builder, options).await
        })
        .await
    }

    /// The address by which a build reaches the host machine.
    ///
    /// # Errors
    ///
    /// What went wrong, by the driver's name.
    pub async fn host_gateway(&self) -> Result<String, DriverError> {
        self.operate("host-gateway", limits::QUERY, async |call, builder| {
            let driver = call.driver.iechor_driver_driver().builder();
            driver.call_host_gateway(call.store, builder).await
        })
        .await
        .map(|address| clean_line(&address, limits::LINE))
    }

    /// Opens the builder in a fresh store and makes one call. A failed operation has what it
    /// created removed.
    async fn operate<T>(
        &self,
        name: &'static str,
        limit: Duration,
        call: impl AsyncFnOnce(Call<'_>, ResourceAny) -> wasmtime::Result<Result<T, Error>>,
    ) -> Result<T, DriverError> {
        let context = &self.context;
        let mut operation = Operation::new(
            self.driver.name().to_owned(),
            Owner {
                builder: context.builder.clone(),
                node: self.config.config.name.clone(),
                driver: self.driver.name().to_owned(),
            },
            context.grants.clone(),
            context.engine.clone(),
            Arc::clone(&context.buildkit),
            Arc::clone(&context.dialer),
            Arc::clone(&context.progress),
            Arc::clone(&context.log),
            self.driver.observer().cloned(),
            limit,
        );
        operation.files = self.config.files.clone();
        let operation = Arc::new(operation);
        if let Some(observer) = &operation.observer {
            observer.begin(name);
        }
        let work = run(&self.driver, name, &operation, async |mut made| {
            let opened = made
                .driver
                .iechor_driver_driver()
                .builder()
                .call_open(&mut *made.store, &self.config.config)
                .await?;
            match opened {
                Ok(builder) => call(made.reborrow(), builder).await,
                Err(error) => Ok(Err(error)),
            }
        });
        let result = tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(DriverError::Cancelled { operation: name }),
            result = work => result.and_then(|answer| {
                answer.map_err(|error| self.failure(name, error, limit))
            }),
        };
        if let Some(observer) = &operation.observer {
            observer.end(name, result.as_ref().map(|_| ()));
        }
        if result.is_err()
            && let Some(engine) = &context.engine
            && let Err(left) = operation
                .journal
                .undo(engine, &operation.id, limits::UNDO)
                .await
        {
            for line in left {
                context
                    .log
                    .write(LogLevel::Warn, self.driver.name(), &line, &[]);
            }
        }
        result
    }

    fn failure(&self, operation: &'static str, error: Error, limit: Duration) -> DriverError {
        let driver = self.driver.name().to_owned();
        match cleaned(error) {
            Error::Denied(denial) => DriverError::Denied { driver, denial },
            Error::Timeout => DriverError::TimedOut {
                driver,
                operation,
                limit,
            },
            Error::Cancelled => DriverError::Cancelled { operation },
            error => DriverError::Failed {
                driver,
                operation,
                error,
            },
        }
    }
}

impl Call<'_> {
    fn reborrow(&mut self) -> Call<'_> {
        Call {
            driver: self.driver,
            store: self.store,
        }
    }
}

/// Calls one of the pure functions: with nothing granted and no engine.
pub(crate) async fn pure<T>(
    driver: &Driver,
    name: &'static str,
    call: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<T>,
) -> Result<T, DriverError> {
    let owner = Owner {
        builder: String::new(),
        node: String::new(),
        driver: driver.name().to_owned(),
    };
    let operation = Arc::new(Operation::new(
        driver.name().to_owned(),
        owner,
        Grants::none(),
        None,
        Arc::new(NoBuildKit),
        Arc::new(SystemDialer),
        Arc::new(NoProgress),
        Arc::new(NoLog),
        driver.observer().cloned(),
        limits::PURE,
    ));
    if let Some(observer) = &operation.observer {
        observer.begin(name);
    }
    let result = run(driver, name, &operation, call).await;
    if let Some(observer) = &operation.observer {
        observer.end(name, result.as_ref().map(|_| ()));
    }
    result
}

/// Instantiates the driver in a fresh store, makes one call under every budget and throws the
/// store away.
async fn run<T>(
    driver: &Driver,
    name: &'static str,
    operation: &Arc<Operation>,
    call: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<T>,
) -> Result<T, DriverError> {
    let limit = operation.deadline - operation.started;
    let runtime = Runtime::get().map_err(|error| DriverError::Unloadable {
        driver: driver.name().to_owned(),
        reason: format!("{error:#}"),
    })?;
    let mut store = Store::new(&runtime.engine, Host::new(Arc::clone(operation)));
    store.limiter(|host| host);
    store.set_hostcall_fuel(limits::CALL_BYTES);
    store.set_max_component_handles(limits::HANDLES);
    // Before the instantiation, since start functions run in it.
    store.set_epoch_deadline(1);
    let most_spins = (limits::SPIN.as_millis() / limits::TICK.as_millis()) as u64;
    store.epoch_deadline_callback(move |mut store| {
        let host = store.data_mut();
        host.spins += 1;
        if host.spins > most_spins {
            Ok(UpdateDeadline::Interrupt)
        } else {
            Ok(UpdateDeadline::Yield(1))
        }
    });
    let outcome = tokio::time::timeout(limit, async {
        let driver = driver.pre.instantiate_async(&mut store).await?;
        call(Call {
            driver: &driver,
            store: &mut store,
        })
        .await
    })
    .await;
    match outcome {
        Ok(Ok(value)) => {
            store.data_mut().count_kept();
            Ok(value)
        }
        Ok(Err(error)) => Err(explain(driver, name, store.data(), &error)),
        Err(_) => Err(DriverError::TimedOut {
            driver: driver.name().to_owned(),
            operation: name,
            limit,
        }),
    }
}

/// Why a call did not come back.
fn explain(
    driver: &Driver,
    operation: &'static str,
    host: &Host,
    error: &wasmtime::Error,
) -> DriverError {
    let driver = driver.name().to_owned();
    if let Some(budget) = &host.refused_growth {
        return DriverError::OverBudget {
            driver,
            operation,
            budget: budget.clone(),
        };
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::Interrupt) {
        let budget = format!(
            "it computed for more than {} s without a call to the host",
            limits::SPIN.as_secs()
        );
        return DriverError::OverBudget {
            driver,
            operation,
            budget,
        };
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        let budget = format!(
            "it held more than {} things of the host at a time",
            limits::RESOURCES
        );
        return DriverError::OverBudget {
            driver,
            operation,
            budget,
        };
    }
    let root = error.root_cause().to_string();
    if root.contains("hostcall") {
        let budget = format!(
            "it passed more than {} MiB in one call to the host",
            limits::CALL_BYTES >> 20
        );
        return DriverError::OverBudget {
            driver,
            operation,
            budget,
        };
    }
    let mut reason = root;
    let stderr = host.stderr.contents();
    // The end of it: a panic has the last word.
    let stderr = &stderr[stderr.len().saturating_sub(2000)..];
    let said = clean(&String::from_utf8_lossy(stderr), 2000);
    if !said.trim().is_empty() {
        reason += "; it said:\n  ";
        reason += &said.trim().replace('\n', "\n  ");
    }
    DriverError::Crashed {
        driver,
        operation,
        reason,
        backtrace: clean(&format!("{error:?}"), 16 << 10),
    }
}

/// Stands where pure functions have no BuildKit to reach.
struct NoBuildKit;

#[async_trait::async_trait]
impl BuildKit for NoBuildKit {
    async fn connect(&self, _: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        Err("describe, priority and validate are pure: they reach nothing".into())
    }
}

/// The contract's platform in the engine's words.
impl From<crate::bindings::contract::Platform> for Platform {
    fn from(platform: crate::bindings::contract::Platform) -> Self {
        Self {
            os: platform.os,
            architecture: platform.architecture,
            variant: platform.cpu_variant,
        }
    }
}
