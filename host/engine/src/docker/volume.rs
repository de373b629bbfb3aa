//! Volumes.

use std::collections::BTreeMap;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::RemoveVolumeOptionsBuilder;
use http::Method;
use serde::Deserialize;

use super::address::{label_filters, segment};
use super::answer::{Bounds, Objects};
use super::client::DockerEngine;
use crate::model::{Volume, VolumeSpec};
use crate::{EngineError, ObjectKind};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Seen {
    name: String,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    options: Option<BTreeMap<String, String>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Seen {
    fn read(self) -> Volume {
        Volume {
            name: self.name,
            driver: self.driver,
            driver_options: self.options.unwrap_or_default(),
            labels: self.labels.unwrap_or_default(),
        }
    }
}

/// Creates a volume. If one of that name exists, the engine answers with it as if it had created it.
/// So this function checks first, and then compares the labels, because another client may create a
/// volume between the check and the request.
pub(super) async fn create(
    engine: &DockerEngine,
    spec: &VolumeSpec,
) -> Result<Volume, EngineError> {
    let taken = || EngineError::AlreadyExists {
        kind: ObjectKind::Volume,
        name: spec.name.clone(),
    };
    if inspect(engine, &spec.name).await?.is_some() {
        return Err(taken());
    }
    let request = VolumeCreateRequest {
        name: Some(spec.name.clone()),
        driver: spec.driver.clone(),
        driver_opts: Some(spec.driver_options.clone().into_iter().collect()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        ..Default::default()
    };
    let made = engine
        .docker
        .create_volume(request)
        .await
        .map_err(engine.failed(&[(ObjectKind::Volume, &spec.name)]))?;
    let labels: BTreeMap<_, _> = made.labels.into_iter().collect();
    if labels != spec.labels {
        return Err(taken());
    }
    Ok(Volume {
        name: made.name,
        driver: made.driver,
        driver_options: spec.driver_options.clone(),
        labels,
    })
}

pub(super) async fn inspect(
    engine: &DockerEngine,
    name: &str,
) -> Result<Option<Volume>, EngineError> {
    let path = format!("/volumes/{}", segment(name));
    let found: Option<Seen> = engine.find(&path, &[(ObjectKind::Volume, name)]).await?;
    Ok(found.map(Seen::read))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    #[serde(default)]
    volumes: Objects<Seen>,
}

pub(super) async fn list(
    engine: &DockerEngine,
    labels: &[(String, String)],
) -> Result<Vec<Volume>, EngineError> {
    let filters = label_filters(labels);
    let query = [("filters", filters.as_str())];
    let path = "/volumes";
    let found: List = engine
        .json(Method::GET, path, &query, None, &[], Bounds::LIST)
        .await?;
    let found = engine.listed(path, found.volumes)?;
    Ok(found.into_iter().map(Seen::read).collect())
}

pub(super) async fn remove(
    engine: &DockerEngine,
    name: &str,
    force: bool,
) -> Result<(), EngineError> {
    let options = RemoveVolumeOptionsBuilder::new().force(force).build();
    engine
        .docker
        .remove_volume(&segment(name), Some(options))
        .await
        .map_err(engine.failed(&[(ObjectKind::Volume, name)]))
}
