//! Objects that are left in engines: by boots that failed or were interrupted, and by drivers that
//! do not remove everything that they created.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use iechor_engine::{Engine, EngineError, ObjectKind};
use iechor_sandbox::ownership::{BUILDER_LABEL, NODE_LABEL, OPERATION_LABEL, Owner};
use iechor_sandbox::removal::{Doomed, Object, Removal, Removed};
use iechor_sandbox::{Log, LogLevel, limits};
use tokio_util::sync::CancellationToken;

use crate::error::BuilderError;
use crate::ledger::Uses;
use crate::store::{Progress, Record, Remnant, Store, Unfinished};
use crate::workspace::Workspace;

/// Maximum time that an engine has to list objects.
const ANSWER: Duration = Duration::from_secs(20);
/// Attempts to take a record that another process reads, [`LOOK`] apart.
const LOOKS: u32 = 10;
/// Maximum time that a process reads a record.
const LOOK: Duration = Duration::from_millis(20);

/// The result of [`settle`].
#[derive(Debug)]
pub(crate) enum Settled {
    /// Nothing is left; these objects were removed.
    Clean(Vec<Object>),
    /// Another process works on the record, or uses the node.
    Busy,
    /// These objects are left.
    Left(Vec<Remnant>),
}

/// The store, and the locks of the nodes that this process uses.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) store: &'a Store,
    pub(crate) uses: &'a Uses,
    pub(crate) cancel: &'a CancellationToken,
}

/// Removes the objects that an operation left, unless the node is in use. With `keep_state`, the
/// state of BuildKit is kept.
///
/// # Errors
///
/// If the store cannot be used or the user cancels; the record stays.
pub(crate) async fn settle(
    place: Place<'_>,
    engine: Result<Arc<dyn Engine>, BuilderError>,
    unfinished: &Unfinished,
    keep_state: bool,
) -> Result<Settled, BuilderError> {
    let purpose = &unfinished.purpose;
    let Place {
        store,
        uses,
        cancel,
    } = place;
    let lock = uses.lock(store, &purpose.builder, &purpose.node, &purpose.endpoint)?;
    if !lock.try_alone()? {
        // This process may use the node together with others.
        lock.try_share()?;
        return Ok(Settled::Busy);
    }
    let settled = settle_alone(store, cancel, engine, unfinished, keep_state).await;
    lock.try_share()?;
    settled
}

async fn settle_alone(
    store: &Store,
    cancel: &CancellationToken,
    engine: Result<Arc<dyn Engine>, BuilderError>,
    unfinished: &Unfinished,
    keep_state: bool,
) -> Result<Settled, BuilderError> {
    let Some(mut record) = take(store, &unfinished.operation).await? else {
        return Ok(Settled::Busy);
    };
    let purpose = &unfinished.purpose;
    let mut labels = node_labels(&purpose.builder, &purpose.node);
    labels.insert(OPERATION_LABEL.into(), unfinished.operation.clone());
    let removed = async {
        let engine = engine?;
        let known = unfinished.remnants.iter();
        let known = known.filter_map(|remnant| Some((remnant.object_kind()?, &remnant.name)));
        let known = known.map(|(kind, name)| Doomed::new(kind, name)).collect();
        remove(&engine, labels, known, keep_state, limits::UNDO).await
    };
    let removed = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(BuilderError::Cancelled("the clean-up")),
        removed = removed => removed,
    };
    match removed {
        Ok(Removed { gone, left }) if left.is_empty() => {
            record.remove()?;
            Ok(Settled::Clean(gone))
        }
        Ok(Removed { left, .. }) => {
            record.leaves(&left)?;
            Ok(Settled::Left(left.iter().map(Remnant::from).collect()))
        }
        // The objects cannot be listed: those in the record may be left.
        Err(error) => {
            let reason = error.to_string();
            let remnants = unfinished.remnants.iter().cloned();
            let remnants = remnants.map(|remnant| Remnant {
                reason: reason.clone(),
                ..remnant
            });
            Ok(Settled::Left(remnants.collect()))
        }
    }
}

/// Logs the objects of an operation that were removed.
pub(crate) fn report(log: &dyn Log, unfinished: &Unfinished, settled: &Settled) {
    if let Settled::Clean(gone) = settled
        && !gone.is_empty()
    {
        let purpose = &unfinished.purpose;
        let message = format!(
            "an unfinished boot of node {} left {} behind, removed now",
            purpose.node,
            names(gone)
        );
        log.write(LogLevel::Warn, &purpose.driver, &message, &[]);
    }
}

/// Removes the objects that boots of a builder left, for all nodes and engines. Returns the records
/// that are settled.
///
/// # Errors
///
/// [`BuilderError::Incomplete`] if objects are left. The other objects are removed.
pub(crate) async fn settle_builder(
    workspace: &Workspace,
    builder: &str,
    keep_state: bool,
) -> Result<Vec<Unfinished>, BuilderError> {
    let records = workspace.store.unfinished_of(builder)?;
    settle_all(workspace, records, keep_state).await
}

/// Removes the objects that boots of a node left, like [`settle_builder`].
///
/// # Errors
///
/// [`BuilderError::Incomplete`] if objects are left. The other objects are removed.
pub(crate) async fn settle_node(
    workspace: &Workspace,
    builder: &str,
    node: &str,
) -> Result<Vec<Unfinished>, BuilderError> {
    let mut records = workspace.store.unfinished_of(builder)?;
    records.retain(|record| record.purpose.node.eq_ignore_ascii_case(node));
    settle_all(workspace, records, false).await
}

async fn settle_all(
    workspace: &Workspace,
    records: Vec<Unfinished>,
    keep_state: bool,
) -> Result<Vec<Unfinished>, BuilderError> {
    let uses = workspace.uses();
    let place = Place {
        store: &workspace.store,
        uses: &uses,
        cancel: &workspace.cancel,
    };
    let (mut clean, mut failures) = (Vec::new(), Vec::new());
    for unfinished in records {
        let engine = workspace.engine(&unfinished.purpose.endpoint);
        let settled = match settle(place, engine, &unfinished, keep_state).await {
            Ok(settled) => settled,
            Err(error) => {
                failures.push(error);
                break;
            }
        };
        report(workspace.log.as_ref(), &unfinished, &settled);
        match settled {
            Settled::Clean(_) => clean.push(unfinished),
            Settled::Busy => {}
            Settled::Left(remnants) => {
                failures.push(BuilderError::Incomplete {
                    builder: unfinished.purpose.builder,
                    endpoint: unfinished.purpose.endpoint,
                    remnants,
                    error: None,
                });
            }
        }
    }
    BuilderError::all(failures).map_or(Ok(clean), Err)
}

async fn take(store: &Store, operation: &str) -> Result<Option<Record>, BuilderError> {
    for _ in 0..LOOKS {
        if let Some(record) = store.take_record(operation)? {
            return Ok(Some(record));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(None)
}

/// Removes the record of an operation that left nothing, or that is to be forgotten.
///
/// # Errors
///
/// If the store cannot be used.
pub(crate) async fn forget(store: &Store, unfinished: &Unfinished) -> Result<(), BuilderError> {
    if let Some(record) = take(store, &unfinished.operation).await? {
        record.remove()?;
    }
    Ok(())
}

/// Makes the objects that interrupted boots of a node created part of the node, which runs and is
/// in use by this process.
///
/// # Errors
///
/// If the store cannot be used.
pub(crate) async fn adopt(
    store: &Store,
    builder: &str,
    node: &str,
    endpoint: &str,
) -> Result<(), BuilderError> {
    for unfinished in store.unfinished_of(builder)? {
        let purpose = &unfinished.purpose;
        if unfinished.progress == Progress::Interrupted
            && purpose.node == node
            && purpose.endpoint == endpoint
            && let Some(record) = take(store, &unfinished.operation).await?
        {
            record.remove()?;
        }
    }
    Ok(())
}

/// Removes all objects with the labels of the node. Nothing else knows of them once the builder is
/// removed.
///
/// # Errors
///
/// If the engine cannot list its objects.
pub(crate) async fn remove_node(
    engine: &Arc<dyn Engine>,
    builder: &str,
    node: &str,
    keep_state: bool,
) -> Result<Removed, BuilderError> {
    let labels = node_labels(builder, node);
    remove(engine, labels, Vec::new(), keep_state, limits::CHANGE).await
}

/// Returns the objects with the labels of the node.
pub(crate) async fn of_node(
    engine: &dyn Engine,
    builder: &str,
    node: &str,
) -> Result<Vec<Object>, BuilderError> {
    let labels = node_labels(builder, node);
    let listed = tokio::time::timeout(ANSWER, list(engine, &labels)).await;
    told(engine, listed)
}

fn told<T>(
    engine: &dyn Engine,
    answer: Result<Result<T, EngineError>, tokio::time::error::Elapsed>,
) -> Result<T, BuilderError> {
    match answer {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(BuilderError::TimedOut {
            what: format!("the engine at {}", engine.endpoint()),
            seconds: ANSWER.as_secs(),
        }),
    }
}

fn node_labels(builder: &str, node: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (BUILDER_LABEL.into(), builder.to_owned()),
        (NODE_LABEL.into(), node.to_owned()),
    ])
}

async fn remove(
    engine: &Arc<dyn Engine>,
    labels: BTreeMap<String, String>,
    mut objects: Vec<Doomed>,
    keep_state: bool,
    limit: Duration,
) -> Result<Removed, BuilderError> {
    let base = Owner {
        builder: labels.get(BUILDER_LABEL).cloned().unwrap_or_default(),
        node: labels.get(NODE_LABEL).cloned().unwrap_or_default(),
        driver: String::new(),
    }
    .base_name();
    let listed = tokio::time::timeout(ANSWER, list(engine.as_ref(), &labels)).await;
    let listed = told(engine.as_ref(), listed)?;
    for object in listed {
        if !objects.iter().any(|known| known.object() == &object) {
            objects.push(Doomed::new(object.kind, object.name));
        }
    }
    if keep_state {
        // Only the driver knows which of the volumes is the state.
        objects.retain(|doomed| doomed.object().kind != ObjectKind::Volume);
    }
    let mut containers = node_containers(engine.as_ref(), &labels).await;
    // A container that docker buildx created has no labels.
    containers.push(base);
    let networks = objects
        .iter()
        .map(Doomed::object)
        .filter(|object| object.kind == ObjectKind::Network);
    let attached = networks
        .flat_map(|network| {
            let containers = containers.iter();
            containers.map(|container| (network.name.clone(), container.clone()))
        })
        .collect();
    let removal = Removal {
        engine: Arc::clone(engine),
        labels,
        attached,
    };
    Ok(removal.run(objects, limit).await)
}

/// Returns the containers of the node of these labels, which may be in a network that is to be
/// removed.
async fn node_containers(engine: &dyn Engine, labels: &BTreeMap<String, String>) -> Vec<String> {
    let node = labels
        .iter()
        .filter(|(label, _)| *label != OPERATION_LABEL)
        .map(|(label, value)| (label.clone(), value.clone()))
        .collect::<Vec<_>>();
    let found = engine.list_containers(&node);
    match tokio::time::timeout(ANSWER, found).await {
        Ok(Ok(found)) => found.into_iter().map(|container| container.name).collect(),
        // The network stays, which is reported.
        _ => Vec::new(),
    }
}

async fn list(
    engine: &dyn Engine,
    labels: &BTreeMap<String, String>,
) -> Result<Vec<Object>, EngineError> {
    let labels: Vec<_> = labels
        .iter()
        .map(|(label, value)| (label.clone(), value.clone()))
        .collect();
    let object = |kind| move |name| Object { kind, name };
    let mut found = Vec::new();
    let containers = engine.list_containers(&labels).await?.into_iter();
    found.extend(
        containers
            .map(|found| found.name)
            .map(object(ObjectKind::Container)),
    );
    let networks = engine.list_networks(&labels).await?.into_iter();
    found.extend(
        networks
            .map(|found| found.name)
            .map(object(ObjectKind::Network)),
    );
    let volumes = engine.list_volumes(&labels).await?.into_iter();
    found.extend(
        volumes
            .map(|found| found.name)
            .map(object(ObjectKind::Volume)),
    );
    Ok(found)
}

/// Returns a list of objects as text.
pub(crate) fn names<T: ToString>(objects: &[T]) -> String {
    objects
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
