//! The state of a simulated engine, and the rules by which it changes.
//!
//! Each kind of object is one module, with its part of `impl State`.

mod containers;
mod images;
mod inside;
mod kept;
mod lists;
mod networks;
mod volumes;

use std::collections::BTreeMap;

use iechor_values::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(in crate::simulated) use self::images::plain_image;
use self::kept::Kept;
use self::networks::PREDEFINED;
use super::behavior::{Behavior, End};
use crate::error::{EngineError, ObjectKind};
use crate::model::{ContainerStatus, EngineInfo, Image, Network, Platform, Volume};

pub(in crate::simulated) struct State {
    pub(in crate::simulated) info: EngineInfo,
    pub(in crate::simulated) images: BTreeMap<String, Image>,
    pub(in crate::simulated) registry: BTreeMap<String, Image>,
    /// Whether images that were not added can be pulled.
    pub(in crate::simulated) open_registry: bool,
    pub(in crate::simulated) behaviors: BTreeMap<String, Behavior>,
    pub(in crate::simulated) volumes: BTreeMap<String, Volume>,
    pub(in crate::simulated) networks: Vec<Network>,
    containers: Vec<Kept>,
    made: u64,
}

pub(in crate::simulated) fn carries(
    carried: &BTreeMap<String, String>,
    labels: &[(String, String)],
) -> bool {
    labels.iter().all(|(k, v)| carried.get(k) == Some(v))
}

/// Returns the error for an object that does not exist.
fn not_found(kind: ObjectKind, name: &str) -> EngineError {
    EngineError::NotFound {
        kind,
        name: name.to_owned(),
    }
}

impl State {
    pub(in crate::simulated) fn new() -> Self {
        let mut state = Self {
            info: EngineInfo {
                name: "docker".into(),
                version: "20.10.24".into(),
                api_version: "1.41".into(),
                platform: Platform::new("linux", "amd64", ""),
                cgroup_driver: Some("cgroupfs".into()),
                rootless: false,
                user_namespaces: false,
                containerd_image_store: false,
                gpu_runtimes: Vec::new(),
                run: None,
            },
            images: BTreeMap::new(),
            registry: BTreeMap::new(),
            open_registry: false,
            behaviors: BTreeMap::new(),
            volumes: BTreeMap::new(),
            networks: Vec::new(),
            containers: Vec::new(),
            made: 0,
        };
        for (name, driver) in PREDEFINED {
            let id = state.id();
            state.networks.push(Network {
                id,
                name: name.into(),
                driver: driver.into(),
                scope: "local".into(),
                internal: false,
                driver_options: BTreeMap::new(),
                labels: BTreeMap::new(),
            });
        }
        state
    }

    fn id(&mut self) -> String {
        self.made += 1;
        hex::encode(&Sha256::digest(self.made.to_be_bytes()))
    }

    /// Counts a call, and ends the processes whose number of calls has passed.
    pub(in crate::simulated) fn tick(&mut self) {
        for kept in &mut self.containers {
            match kept.left {
                None => {}
                Some(0) => {
                    if let End::Exits {
                        code,
                        out_of_memory,
                        ..
                    } = kept.behavior.end
                    {
                        kept.end(code, out_of_memory);
                    }
                }
                Some(left) => kept.left = Some(left - 1),
            }
        }
    }

    pub(in crate::simulated) fn any(&mut self, name: &str) -> Option<Value> {
        if let Ok(kept) = self.kept(name) {
            let c = &kept.seen;
            return Some(json!({
                "Id": c.id,
                "Name": format!("/{}", c.name),
                "State": {
                    "Status": format!("{:?}", c.status).to_lowercase(),
                    "Running": c.status == ContainerStatus::Running,
                    "ExitCode": c.exit_code.unwrap_or(0),
                    "OOMKilled": c.out_of_memory,
                    "Error": c.error,
                },
                "RestartCount": c.restart_count,
                "Config": {"Image": c.image, "Labels": c.labels},
            }));
        }
        if let Some((reference, image)) = self.image(name) {
            return Some(json!({
                "Id": image.id,
                "RepoTags": [reference],
                "RepoDigests": image.repo_digests,
                "Os": image.platform.os,
                "Architecture": image.platform.architecture,
                "Config": {"Labels": image.labels},
            }));
        }
        if let Some(network) = self.network(name) {
            return Some(json!({
                "Id": network.id,
                "Name": network.name,
                "Driver": network.driver,
                "Scope": network.scope,
                "Internal": network.internal,
                "Labels": network.labels,
            }));
        }
        self.volumes.get(name).map(
            |volume| json!({"Name": volume.name, "Driver": volume.driver, "Labels": volume.labels}),
        )
    }
}
