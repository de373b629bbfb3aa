//! What is left in engines: of boots that did not end well, and of drivers that do not remove all
//! that they created.

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

/// How long an engine has to say what is left in it.
const ANSWER: Duration = Duration::from_secs(20);
/// Tries to take a record that somebody looks at just now, [`LOOK`] apart.
const LOOKS: u32 = 10;
/// How long somebody looks at a record at most.
const LOOK: Duration = Duration::from_millis(20);

/// What [`settle`] did with a record.
#[derive(Debug)]
pub(crate) enum Settled {
    /// Nothing of it is left; these were.
    Clean(Vec<Object>),
    /// Another process is at work on it, or uses the node.
    Busy,
    /// These are left.
    Left(Vec<Remnant>),
}

/// Where operations and the users of nodes are recorded.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) store: &'a Store,
    pub(crate) uses: &'a Uses,
    pub(crate) cancel: &'a CancellationToken,
}

/// Removes what an operation left, unless the node is in use. With `keep_state` the state of BuildKit
/// stays.
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
        // This process may use it with the others.
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
        // Nobody knows what is there: what was known before is what may be left.
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

/// Says what was removed of an operation.
pub(crate) fn report(log: &dyn Log, unfinished: &Unfinished, settled: &Settled) {
    if let Settled::Clean(gone) = settled
        && !gone.is_empty()
    {
        let purpose = &unfinished.purpose;
        let message = format!(
            "a boot of node {} that did not end well left {} behind, removed now",
            purpose.node,
            names(gone)
        );
        log.write(LogLevel::Warn, &purpose.driver, &message, &[]);
    }
}

/// Removes what boots of a builder left, of whichever node and in whichever engine. Returns the
/// records that are settled.
///
/// # Errors
///
/// [`BuilderError::Incomplete`] where something is left; everything else is removed all the same.
pub(crate) async fn settle_builder(
    workspace: &Workspace,
    builder: &str,
    keep_state: bool,
) -> Result<Vec<Unfinished>, BuilderError> {
    let uses = workspace.uses();
    let place = Place {
        store: &workspace.store,
        uses: &uses,
        cancel: &workspace.cancel,
    };
    let records = workspace.store.unfinished_of(builder)?;
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

/// Removes the record of an operation of which nothing is left, or that is to be forgotten.
///
/// # Errors
///
/// Where the store cannot be used.
pub(crate) async fn forget(store: &Store, unfinished: &Unfinished) -> Result<(), BuilderError> {
    if let Some(record) = take(store, &unfinished.operation).await? {
        record.remove()?;
    }
    Ok(())
}

/// Takes what interrupted boots of a node created for the node's own, which runs and is in use by this
/// process.
///
/// # Errors
///
/// Where the store cannot be used.
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

/// Removes what carries the labels of the node: with the builder, the last that knows of it would go.
///
/// # Errors
///
/// Why the engine cannot be asked what there is.
pub(crate) async fn remove_node(
    engine: &Arc<dyn Engine>,
    builder: &str,
    node: &str,
    keep_state: bool,
) -> Result<Removed, BuilderError> {
    let labels = node_labels(builder, node);
    remove(engine, labels, Vec::new(), keep_state, limits::CHANGE).await
}

/// Returns the objects with the labels of the node, or why they cannot be listed.
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
        // Which of the volumes is the state only the driver knows.
        objects.retain(|doomed| doomed.object().kind != ObjectKind::Volume);
    }
    let mut containers = node_containers(engine.as_ref(), &labels).await;
    // One that docker buildx made has no labels.
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

/// Returns the containers of the node that the labels name, which may be in a network that is to
/// go.
async fn node_containers(engine: &dyn Engine, labels: &BTreeMap<String, String>) -> Vec<String> {
    let node = labels
        .iter()
        .filter(|(label, _)| *label != OPERATION_LABEL)
        .map(|(label, value)| (label.clone(), value.clone()))
        .collect::<Vec<_>>();
    let found = engine.list_containers(&node);
    match tokio::time::timeout(ANSWER, found).await {
        Ok(Ok(found)) => found.into_iter().map(|container| container.name).collect(),
        // The network stays then, and that is said.
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

/// Names objects for a person.
pub(crate) fn names<T: ToString>(objects: &[T]) -> String {
    objects
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
