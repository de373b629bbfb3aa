//! Networks.

use std::collections::BTreeMap;

use bollard::models::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::address::{label_filters, segment};
use super::answer::{Bounds, Objects};
use super::client::DockerEngine;
use crate::model::{Network, NetworkSpec};
use crate::{EngineError, ObjectKind};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Seen {
    id: String,
    name: String,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    internal: bool,
    #[serde(default)]
    options: Option<BTreeMap<String, String>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Seen {
    fn read(self) -> Network {
        Network {
            id: self.id,
            name: self.name,
            driver: self.driver,
            scope: self.scope,
            internal: self.internal,
            driver_options: self.options.unwrap_or_default(),
            labels: self.labels.unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
}

/// Creates a network, without bollard, which does not send `CheckDuplicate`. Without this setting,
/// engines before API 1.44 create a second network of the same name.
pub(super) async fn create(
    engine: &DockerEngine,
    spec: &NetworkSpec,
) -> Result<Network, EngineError> {
    let about = &[(ObjectKind::Network, spec.name.as_str())];
    let body = json!({
        "Name": spec.name,
        "CheckDuplicate": true,
        "Driver": spec.driver.as_deref().unwrap_or("bridge"),
        "Internal": spec.internal,
        "Options": spec.driver_options,
        "Labels": spec.labels,
    });
    let created: Created = engine
        .json(
            Method::POST,
            "/networks/create",
            &[],
            Some(body),
            about,
            Bounds::DONE,
        )
        .await?;
    inspect(engine, &created.id)
        .await?
        .ok_or_else(|| EngineError::NotFound {
            kind: ObjectKind::Network,
            name: spec.name.clone(),
        })
}

pub(super) async fn inspect(
    engine: &DockerEngine,
    name: &str,
) -> Result<Option<Network>, EngineError> {
    let path = format!("/networks/{}", segment(name));
    let found: Option<Seen> = engine.find(&path, &[(ObjectKind::Network, name)]).await?;
    Ok(found.map(Seen::read))
}

pub(super) async fn list(
    engine: &DockerEngine,
    labels: &[(String, String)],
) -> Result<Vec<Network>, EngineError> {
    let filters = label_filters(labels);
    let query = [("filters", filters.as_str())];
    let path = "/networks";
    let found: Objects<Seen> = engine
        .json(Method::GET, path, &query, None, &[], Bounds::LIST)
        .await?;
    let found = engine.listed(path, found)?;
    Ok(found.into_iter().map(Seen::read).collect())
}

pub(super) async fn connect(
    engine: &DockerEngine,
    network: &str,
    container: &str,
    aliases: &[String],
) -> Result<(), EngineError> {
    let settings = EndpointSettings {
        aliases: (!aliases.is_empty()).then(|| aliases.to_vec()),
        ..Default::default()
    };
    let request = NetworkConnectRequest {
        container: container.to_owned(),
        endpoint_config: Some(settings),
    };
    engine
        .docker
        .connect_network(&segment(network), request)
        .await
        .map_err(engine.failed(&about(network, container)))
}

pub(super) async fn disconnect(
    engine: &DockerEngine,
    network: &str,
    container: &str,
    force: bool,
) -> Result<(), EngineError> {
    let request = NetworkDisconnectRequest {
        container: container.to_owned(),
        force: Some(force),
    };
    engine
        .docker
        .disconnect_network(&segment(network), request)
        .await
        .map_err(engine.failed(&about(network, container)))
}

fn about<'a>(network: &'a str, container: &'a str) -> [(ObjectKind, &'a str); 2] {
    [
        (ObjectKind::Network, network),
        (ObjectKind::Container, container),
    ]
}

pub(super) async fn remove(engine: &DockerEngine, name: &str) -> Result<(), EngineError> {
    engine
        .docker
        .remove_network(&segment(name))
        .await
        .map_err(engine.failed(&[(ObjectKind::Network, name)]))
}
