//! Containers.

mod events;
mod gpus;
mod logs;
mod request;
mod seen;

use std::time::Duration;

use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use http::Method;

pub(super) use self::events::events;
pub(super) use self::logs::logs;
use self::request::request;
use self::seen::{Inspected, Listed};
use super::address::{label_filters, segment};
use super::answer::{Bounds, Objects};
use super::client::DockerEngine;
use super::{archive, errors};
use crate::error::{EngineError, ObjectKind};
use crate::model::{Container, ContainerSpec, File};

/// Maximum time for a removal that another client requested.
const REMOVED: Duration = Duration::from_secs(60);

/// Interval of the checks whether a container is removed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(super) async fn create(
    engine: &DockerEngine,
    spec: &ContainerSpec,
) -> Result<String, EngineError> {
    let options = CreateContainerOptionsBuilder::new()
        .name(&spec.name)
        .build();
    let mut about = vec![
        (ObjectKind::Container, spec.name.as_str()),
        (ObjectKind::Image, spec.image.as_str()),
    ];
    if let Some(network) = &spec.network {
        about.push((ObjectKind::Network, network));
    }
    let created = engine
        .docker
        .create_container(Some(options), request(spec)?)
        .await
        .map_err(engine.failed(&about))?;
    Ok(created.id)
}

pub(super) async fn inspect(
    engine: &DockerEngine,
    name: &str,
) -> Result<Option<Container>, EngineError> {
    let path = format!("/containers/{}/json", segment(name));
    let found: Option<Inspected> = engine.find(&path, &[(ObjectKind::Container, name)]).await?;
    Ok(found.map(Inspected::read))
}

pub(super) async fn list(
    engine: &DockerEngine,
    labels: &[(String, String)],
) -> Result<Vec<Container>, EngineError> {
    let filters = label_filters(labels);
    let query = [("all", "true"), ("filters", filters.as_str())];
    let path = "/containers/json";
    let found: Objects<Listed> = engine
        .json(Method::GET, path, &query, None, &[], Bounds::LIST)
        .await?;
    let found = engine.listed(path, found)?;
    Ok(found.into_iter().map(Listed::read).collect())
}

pub(super) async fn start(engine: &DockerEngine, name: &str) -> Result<(), EngineError> {
    engine
        .docker
        .start_container(&segment(name), None)
        .await
        .map_err(engine.failed(&[(ObjectKind::Container, name)]))
}

pub(super) async fn stop(
    engine: &DockerEngine,
    name: &str,
    grace: Option<Duration>,
) -> Result<(), EngineError> {
    let options = grace.map(|grace| {
        // The API has whole seconds, and 0 kills at once.
        let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        StopContainerOptionsBuilder::new().t(seconds).build()
    });
    engine
        .docker
        .stop_container(&segment(name), options)
        .await
        .map_err(engine.failed(&[(ObjectKind::Container, name)]))
}

pub(super) async fn remove(
    engine: &DockerEngine,
    name: &str,
    force: bool,
) -> Result<(), EngineError> {
    let options = RemoveContainerOptionsBuilder::new()
        .v(true)
        .force(force)
        .build();
    let removed = engine
        .docker
        .remove_container(&segment(name), Some(options))
        .await
        .map_err(engine.failed(&[(ObjectKind::Container, name)]));
    match removed {
        Err(error) if errors::is_being_removed(&error) => {
            match tokio::time::timeout(REMOVED, gone(engine, name)).await {
                Ok(gone) => gone,
                Err(_) => Err(error),
            }
        }
        removed => removed,
    }
}

/// Waits until the engine has removed a container for another client.
async fn gone(engine: &DockerEngine, name: &str) -> Result<(), EngineError> {
    let whom = format!("the engine at {}", engine.dialer.endpoint());
    let _wait = iechor_waiting::begin(whom, format!("remove container {name}"));
    while inspect(engine, name).await?.is_some() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

pub(super) async fn copy_into(
    engine: &DockerEngine,
    name: &str,
    target: &str,
    files: &[File],
) -> Result<(), EngineError> {
    let archive = futures_util::stream::iter(archive::parts(files.to_vec())?);
    let options = UploadToContainerOptionsBuilder::new()
        .path(target)
        .no_overwrite_dir_non_dir("true")
        .build();
    engine
        .docker
        .upload_to_container(
            &segment(name),
            Some(options),
            bollard::body_try_stream(archive),
        )
        .await
        .map_err(engine.failed(&[(ObjectKind::Container, name)]))
}
