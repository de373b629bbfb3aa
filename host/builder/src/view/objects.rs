//! Volumes, networks and other objects of the current engine.

use std::collections::BTreeMap;

use iechor_engine::model::NetworkSpec;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::error::BuilderError;
use crate::workspace::Workspace;

/// A volume of the engine. The command prints one such object for each volume, each on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct VolumeSummary {
    /// Name of the volume.
    pub name: String,
    /// Volume driver of the engine, for example `local`.
    pub driver: String,
    /// Labels of the volume.
    pub labels: BTreeMap<String, String>,
}

/// A network of the engine. The command prints one such object for each network, each on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkSummary {
    /// ID of the network.
    #[serde(rename = "ID")]
    pub id: String,
    /// Name of the network.
    pub name: String,
    /// Network driver of the engine, for example `bridge`.
    pub driver: String,
    /// Scope of the network, for example `local` or `swarm`.
    pub scope: String,
    /// Whether the network has no access to other networks.
    pub internal: bool,
    /// Labels of the network.
    pub labels: BTreeMap<String, String>,
}

/// A container, image, network or volume, in the JSON of the engine. Its fields depend on the kind of
/// the object and on the version of the engine. Without `--format`, the command prints an array with one
/// such object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct EngineObject(#[schemars(with = "BTreeMap<String, Value>")] Value);

impl VolumeSummary {
    /// Lists the volumes of the current engine by name.
    ///
    /// # Errors
    ///
    /// If the engine cannot be determined, or it fails.
    pub async fn all(workspace: &Workspace) -> Result<Vec<Self>, BuilderError> {
        let mut volumes = workspace.current_engine()?.list_volumes(&[]).await?;
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
        let summaries = volumes.into_iter().map(|volume| Self {
            name: volume.name,
            driver: volume.driver,
            labels: volume.labels,
        });
        Ok(summaries.collect())
    }
}

impl NetworkSummary {
    /// Lists the networks of the current engine by name.
    ///
    /// # Errors
    ///
    /// If the engine cannot be determined, or it fails.
    pub async fn all(workspace: &Workspace) -> Result<Vec<Self>, BuilderError> {
        let mut networks = workspace.current_engine()?.list_networks(&[]).await?;
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        let summaries = networks.into_iter().map(|network| Self {
            id: network.id,
            name: network.name,
            driver: network.driver,
            scope: network.scope,
            internal: network.internal,
            labels: network.labels,
        });
        Ok(summaries.collect())
    }

    /// Creates a network in the current engine, and returns its ID. Without `internal`, the network has
    /// access to other networks.
    ///
    /// # Errors
    ///
    /// If the engine cannot be determined, or it fails.
    pub async fn create(
        workspace: &Workspace,
        name: String,
        driver: String,
        internal: bool,
    ) -> Result<String, BuilderError> {
        let spec = NetworkSpec {
            name,
            driver: Some(driver),
            internal,
            ..NetworkSpec::default()
        };
        let engine = workspace.current_engine()?;
        Ok(engine.create_network(&spec).await?.id)
    }
}

impl EngineObject {
    /// Returns the object of a name or an ID in the current engine; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the engine cannot be determined, or it fails.
    pub async fn find(workspace: &Workspace, name: &str) -> Result<Option<Self>, BuilderError> {
        let found = workspace.current_engine()?.inspect_any(name).await?;
        Ok(found.map(Self))
    }

    /// Returns the JSON of the engine.
    pub fn json(&self) -> &Value {
        &self.0
    }
}
