//! Calls an export of a driver under every budget, and says why it did not come back.

use std::sync::Arc;

use wasmtime::component::ResourceTableError;
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::bindings::ContainerDriver;
use crate::capability;
use crate::error::DriverError;
use crate::files::Files;
use crate::limits;
use crate::loaded::Loaded;
use crate::node_context::NodeContext;
use crate::operation::{Host, Operation, Setup};
use crate::runtime::Runtime;
use crate::text::clean;

/// What a call into a driver needs.
pub(crate) struct Call<'a> {
    pub(crate) driver: &'a ContainerDriver,
    pub(crate) store: &'a mut Store<Host>,
}

impl Call<'_> {
    pub(crate) fn reborrow(&mut self) -> Call<'_> {
        Call {
            driver: self.driver,
            store: self.store,
        }
    }
}

/// Calls one of the pure functions: with nothing granted and no engine.
pub(crate) async fn pure<T>(
    driver: &Loaded,
    name: &'static str,
    call: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<T>,
) -> Result<T, DriverError> {
    let setup = Setup {
        node: "",
        context: &NodeContext::of_nothing(),
        files: &Files::default(),
        user_words: &Arc::default(),
    };
    let contexts = capability::contexts(&setup);
    let operation = Operation::new(&driver.actor(), name, &setup, contexts, limits::PURE);
    let operation = Arc::new(operation);
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
pub(crate) async fn run<T>(
    driver: &Loaded,
    name: &'static str,
    operation: &Arc<Operation>,
    call: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<T>,
) -> Result<T, DriverError> {
    let limit = operation.deadline - operation.started;
    let runtime = Runtime::of(driver.name())?;
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
    let outcome = match outcome {
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
    };
    let result = if outcome.is_ok() { "done" } else { "failed" };
    tracing::debug!(
        "driver {}: {name} {result} in {} ms",
        driver.name(),
        operation.started.elapsed().as_millis()
    );
    outcome
}

/// Returns why a call did not come back.
fn explain(
    driver: &Loaded,
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
    // The error has no public type in wasmtime 48; tests of the budget hold the words.
    if root.contains("fuel allocated for hostcalls has been exhausted") {
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
