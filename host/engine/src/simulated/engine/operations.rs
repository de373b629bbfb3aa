//! The operations of a simulated engine. Each is one call in the journal.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

use super::super::calls::{self, list, pairs};
use super::super::{command, load, state};
use super::SimulatedEngine;
use crate::docker::archive_check;
use crate::engine::{Engine, Hijack};
use crate::error::EngineError;
use crate::model::{
    Container, ContainerSpec, EngineInfo, ExecOutput, ExecSpec, File, Image, LoadEvent, LogChunk,
    Network, NetworkSpec, Platform, PullEvent, Volume, VolumeSpec,
};
use crate::stream::{BoxByteStream, ExecConnection};

#[async_trait]
impl Engine for SimulatedEngine {
    fn endpoint(&self) -> &str {
        &self.inner.endpoint
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.with("info".into(), |state| Ok(state.info.clone()))
            .await
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        self.with(calls::describe(spec), |state| state.create(spec))
            .await
    }

    async fn inspect_container(&self, name: &str) -> Result<Option<Container>, EngineError> {
        self.with(format!("inspect_container {name}"), |state| {
            Ok(state.inspect(name))
        })
        .await
    }

    async fn list_containers(
        &self,
        labels: &[(String, String)],
    ) -> Result<Vec<Container>, EngineError> {
        self.with(
            format!("list_containers{}", pairs("labels", labels)),
            |state| Ok(state.list(labels)),
        )
        .await
    }

    async fn start_container(&self, name: &str) -> Result<(), EngineError> {
        let hook = self.hooks().start;
        self.with(format!("start_container {name}"), |state| {
            state.start(name, &hook)
        })
        .await
    }

    async fn stop_container(&self, name: &str, grace: Option<Duration>) -> Result<(), EngineError> {
        let line = match grace {
            Some(grace) => format!("stop_container {name} grace={grace:?}"),
            None => format!("stop_container {name}"),
        };
        self.with(line, |state| state.stop(name)).await
    }

    async fn remove_container(&self, name: &str, force: bool) -> Result<(), EngineError> {
        let line = format!("remove_container {name}{}", calls::flag("force", force));
        self.with(line, |state| state.remove(name, force)).await
    }

    async fn copy_into_container(
        &self,
        name: &str,
        target: &str,
        files: &[File],
    ) -> Result<(), EngineError> {
        let paths = list("files", files.iter().map(|f| f.path.as_str()));
        self.with(
            format!("copy_into_container {name} {target}{paths}"),
            |state| {
                archive_check(files)?;
                state.copy_into(name, target, files)
            },
        )
        .await
    }

    async fn container_logs(
        &self,
        name: &str,
        tail: Option<u32>,
        limit: usize,
    ) -> Result<Vec<LogChunk>, EngineError> {
        let tail_text = tail.map(|n| format!(" tail={n}")).unwrap_or_default();
        self.with(format!("container_logs {name}{tail_text}"), |state| {
            state.logs(name, tail, limit)
        })
        .await
    }

    async fn run_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
        limit: usize,
    ) -> Result<ExecOutput, EngineError> {
        let hook = self.hooks().command;
        let line = format!("run_in_container {name}{}", calls::command(exec));
        let work = async {
            let (name, life) = self.state().enter(name)?;
            command::run(hook(&name, exec), &name, exec, limit, life).await
        };
        self.call(line, work).await
    }

    async fn dial_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
    ) -> Result<ExecConnection, EngineError> {
        let hook = self.hooks().command;
        let line = format!("dial_in_container {name}{}", calls::command(exec));
        let work = async {
            let (name, life) = self.state().enter(name)?;
            command::dial(hook(&name, exec), &name, exec, life)
        };
        self.call(line, work).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<Volume, EngineError> {
        let line = format!("create_volume {}", spec.name);
        self.with(line, |state| state.create_volume(spec)).await
    }

    async fn inspect_volume(&self, name: &str) -> Result<Option<Volume>, EngineError> {
        self.with(format!("inspect_volume {name}"), |state| {
            Ok(state.volumes.get(name).cloned())
        })
        .await
    }

    async fn list_volumes(&self, labels: &[(String, String)]) -> Result<Vec<Volume>, EngineError> {
        self.with(
            format!("list_volumes{}", pairs("labels", labels)),
            |state| {
                let all = state.volumes.values();
                Ok(all
                    .filter(|v| state::carries(&v.labels, labels))
                    .cloned()
                    .collect())
            },
        )
        .await
    }

    async fn remove_volume(&self, name: &str, force: bool) -> Result<(), EngineError> {
        let line = format!("remove_volume {name}{}", calls::flag("force", force));
        self.with(line, |state| state.remove_volume(name, force))
            .await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<Network, EngineError> {
        let line = format!("create_network {}", spec.name);
        self.with(line, |state| state.create_network(spec)).await
    }

    async fn inspect_network(&self, name: &str) -> Result<Option<Network>, EngineError> {
        self.with(format!("inspect_network {name}"), |state| {
            Ok(state.network(name).cloned())
        })
        .await
    }

    async fn list_networks(
        &self,
        labels: &[(String, String)],
    ) -> Result<Vec<Network>, EngineError> {
        self.with(
            format!("list_networks{}", pairs("labels", labels)),
            |state| {
                let all = state.networks.iter();
                Ok(all
                    .filter(|n| state::carries(&n.labels, labels))
                    .cloned()
                    .collect())
            },
        )
        .await
    }

    async fn connect_network(
        &self,
        network: &str,
        container: &str,
        aliases: &[String],
    ) -> Result<(), EngineError> {
        let names = list("aliases", aliases.iter().map(String::as_str));
        self.with(
            format!("connect_network {network} {container}{names}"),
            |state| state.connect(network, container),
        )
        .await
    }

    async fn disconnect_network(
        &self,
        network: &str,
        container: &str,
        force: bool,
    ) -> Result<(), EngineError> {
        let force_text = calls::flag("force", force);
        self.with(
            format!("disconnect_network {network} {container}{force_text}"),
            |state| state.disconnect(network, container),
        )
        .await
    }

    async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        self.with(format!("remove_network {name}"), |state| {
            state.remove_network(name)
        })
        .await
    }

    async fn inspect_image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        self.with(format!("inspect_image {reference}"), |state| {
            Ok(state.image(reference).map(|(_, image)| image.clone()))
        })
        .await
    }

    async fn pull_image(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<(), EngineError> {
        let platform = platform
            .map(|p| format!(" platform={}/{}", p.os, p.architecture))
            .unwrap_or_default();
        let work = async {
            let news = self.state().pull(reference)?;
            for event in news {
                let _ = events.send(event).await;
            }
            Ok(())
        };
        self.call(format!("pull_image {reference}{platform}"), work)
            .await
    }

    async fn push_image(
        &self,
        reference: &str,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<Option<String>, EngineError> {
        let work = async {
            let image = self.state().push(reference)?;
            let event = PullEvent {
                id: String::new(),
                status: format!("{reference}: digest: {}", image.id),
                current: 0,
                total: None,
            };
            let _ = events.send(event).await;
            Ok(Some(image.id))
        };
        self.call(format!("push_image {reference}"), work).await
    }

    async fn load_images(
        &self,
        mut tar: BoxStream<'static, std::io::Result<Bytes>>,
        events: mpsc::Sender<LoadEvent>,
    ) -> Result<(), EngineError> {
        let work = async {
            let mut archive = Vec::new();
            while let Some(part) = tar.next().await {
                archive.extend_from_slice(&part.map_err(|e| {
                    EngineError::Invalid(format!(
                        "cannot read the images to load to their end: {e}"
                    ))
                })?);
            }
            let images = load::read(&archive)?;
            for (reference, image) in images {
                self.add_image_as(&reference, image);
                let event = LoadEvent {
                    id: String::new(),
                    status: format!("Loaded image: {reference}"),
                    current: 0,
                    total: None,
                };
                let _ = events.send(event).await;
            }
            Ok(())
        };
        self.call("load_images".into(), work).await
    }

    async fn hijack(&self, what: &Hijack) -> Result<BoxByteStream, EngineError> {
        let hook = self.hooks().hijack;
        let line = match what {
            Hijack::Control => "hijack control".to_owned(),
            Hijack::Session(headers) => {
                format!(
                    "hijack session{}",
                    list("headers", headers.iter().map(|(k, _)| k.as_str()))
                )
            }
        };
        let work = async {
            hook(what).ok_or_else(|| {
                EngineError::Unsupported("BuildKit connections: no peer is set".into())
            })
        };
        self.call(line, work).await
    }

    async fn inspect_any(&self, name: &str) -> Result<Option<serde_json::Value>, EngineError> {
        self.with(format!("inspect_any {name}"), |state| Ok(state.any(name)))
            .await
    }
}
