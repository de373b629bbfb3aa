//! What a simulated engine holds, and the rules by which it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::OnStart;
use super::behavior::{Behavior, End};
use super::settings;
use crate::docker::Log;
use crate::model::{
    Container, ContainerSpec, ContainerStatus, EngineInfo, File, Image, LogChunk, Mount,
    MountSource, Network, NetworkSpec, Platform, PullEvent, Reach, RestartPolicy, Startup, Volume,
    VolumeSpec,
};
use crate::reference::Reference;
use crate::{EngineError, ObjectKind};

/// Networks that every engine has and keeps.
const PREDEFINED: [(&str, &str); 3] = [("bridge", "bridge"), ("host", "host"), ("none", "null")];

/// Directories that every image has here.
const DIRECTORIES: [&str; 9] = [
    "/", "/bin", "/etc", "/home", "/root", "/run", "/tmp", "/usr", "/var",
];

/// Some moment; every start is a second later.
const EPOCH: u64 = 1_700_000_000;

pub(super) struct State {
    pub(super) info: EngineInfo,
    pub(super) images: BTreeMap<String, Image>,
    pub(super) registry: BTreeMap<String, Image>,
    /// Images that nobody added can be pulled too.
    pub(super) open_registry: bool,
    pub(super) behaviors: BTreeMap<String, Behavior>,
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) networks: Vec<Network>,
    containers: Vec<Kept>,
    made: u64,
}

/// A container with what is not seen of it.
struct Kept {
    spec: ContainerSpec,
    seen: Container,
    behavior: Behavior,
    log: Vec<LogChunk>,
    files: BTreeMap<String, File>,
    directories: BTreeSet<String>,
    networks: BTreeSet<String>,
    /// Calls until it ends by itself.
    left: Option<u64>,
    /// Ends with the present run.
    life: CancellationToken,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn plain_image(reference: &str) -> Image {
    Image {
        id: format!("sha256:{}", hex(&Sha256::digest(reference))),
        repo_digests: Vec::new(),
        platform: Platform::new("linux", "amd64", ""),
        labels: BTreeMap::new(),
        startup: Startup {
            entrypoint: vec!["buildkitd".into()],
            env: vec!["PATH=/usr/bin:/bin".into()],
            ..Startup::default()
        },
    }
}

pub(super) fn carries(carried: &BTreeMap<String, String>, labels: &[(String, String)]) -> bool {
    labels.iter().all(|(k, v)| carried.get(k) == Some(v))
}

/// What a container of that specification reaches, as the engine tells it.
fn reach(spec: &ContainerSpec) -> Reach {
    let mut privileges = Vec::new();
    if spec.privileged {
        privileges.push("privileged".to_owned());
        // The engine's own doing.
        privileges.push("security option label=disable".to_owned());
    }
    if spec.host_user_namespace {
        privileges.push("user namespace of host".to_owned());
    }
    Reach {
        privileges,
        network: Some(spec.network.clone().unwrap_or_else(|| "default".into())),
        // Those are looked up where the container is looked at.
        networks: Vec::new(),
        cgroup_parent: spec.limits.cgroup_parent.clone(),
        devices: spec.gpus.iter().cloned().collect(),
    }
}

/// How a container of that specification begins, where its image says this.
fn startup(spec: &ContainerSpec, image: &Startup) -> Startup {
    let mut env: Vec<_> = spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    for pair in &image.env {
        if !env.iter().any(|own| name(own) == name(pair)) {
            env.push(pair.clone());
        }
    }
    let mut startup = image.clone();
    startup.env = env;
    if !spec.command.is_empty() {
        startup.command.clone_from(&spec.command);
    }
    startup
}

fn not_found(kind: ObjectKind, name: &str) -> EngineError {
    EngineError::NotFound {
        kind,
        name: name.to_owned(),
    }
}

impl Kept {
    fn running(&self) -> bool {
        self.seen.status == ContainerStatus::Running
    }

    fn end(&mut self, exit_code: i64, out_of_memory: bool) {
        self.life.cancel();
        self.left = None;
        self.seen.run = None;
        self.seen.exit_code = Some(exit_code);
        self.seen.out_of_memory = out_of_memory;
        let again = match self.spec.restart {
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure(limit) => {
                exit_code != 0 && (limit == 0 || self.seen.restart_count < limit)
            }
        };
        self.seen.status = if again {
            ContainerStatus::Restarting
        } else {
            ContainerStatus::Exited
        };
    }
}

impl State {
    pub(super) fn new() -> Self {
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
        hex(&Sha256::digest(self.made.to_be_bytes()))
    }

    /// A call is answered: time for what happens after so many of them.
    pub(super) fn tick(&mut self) {
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

    fn place(&self, name: &str) -> Option<usize> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        let by = |is: &dyn Fn(&Container) -> bool| self.containers.iter().position(|k| is(&k.seen));
        by(&|c| c.id == name)
            .or_else(|| by(&|c| c.name == bare))
            .or_else(|| by(&|c| !name.is_empty() && c.id.starts_with(name)))
    }

    fn kept(&mut self, name: &str) -> Result<&mut Kept, EngineError> {
        match self.place(name) {
            Some(place) => Ok(&mut self.containers[place]),
            None => Err(not_found(ObjectKind::Container, name)),
        }
    }

    pub(super) fn image(&self, reference: &str) -> Option<(&str, &Image)> {
        let name = Reference::parse(reference).canonical();
        if let Some((name, image)) = self.images.get_key_value(&name) {
            return Some((name, image));
        }
        let digits = reference.strip_prefix("sha256:").unwrap_or(reference);
        let by_id = |image: &Image| {
            let id = image.id.strip_prefix("sha256:").unwrap_or(&image.id);
            digits.len() >= 12 && id.starts_with(digits)
        };
        self.images
            .iter()
            .find(|(_, image)| by_id(image) || image.repo_digests.iter().any(|d| d == reference))
            .map(|(name, image)| (name.as_str(), image))
    }

    pub(super) fn create(&mut self, spec: &ContainerSpec) -> Result<String, EngineError> {
        settings::check(&spec.limits)?;
        let Some((_, image)) = self.image(&spec.image) else {
            return Err(not_found(ObjectKind::Image, &spec.image));
        };
        let image = image.clone();
        if self.containers.iter().any(|k| k.seen.name == spec.name) {
            return Err(EngineError::AlreadyExists {
                kind: ObjectKind::Container,
                name: spec.name.clone(),
            });
        }
        let id = self.id();
        let name = if spec.name.is_empty() {
            format!("simulated_{}", self.made)
        } else {
            spec.name.clone()
        };
        let mut mounts = spec.mounts.clone();
        mounts.sort_by(|a, b| a.target.cmp(&b.target));
        for mount in &mounts {
            if let MountSource::Volume(name) = &mount.source {
                self.volumes.entry(name.clone()).or_insert_with(|| Volume {
                    name: name.clone(),
                    driver: "local".into(),
                    driver_options: BTreeMap::new(),
                    labels: BTreeMap::new(),
                });
            }
        }
        let mut labels = image.labels;
        labels.extend(spec.labels.clone());
        let mut directories: BTreeSet<_> = DIRECTORIES.iter().map(|d| (*d).to_owned()).collect();
        directories.extend(mounts.iter().map(|m| m.target.clone()));
        let network = spec.network.clone().unwrap_or_else(|| "bridge".into());
        self.containers.push(Kept {
            seen: Container {
                id: id.clone(),
                name,
                status: ContainerStatus::Created,
                image: spec.image.clone(),
                labels,
                mounts,
                exit_code: None,
                out_of_memory: false,
                restart_count: 0,
                error: String::new(),
                started_at: None,
                run: None,
                reach: reach(spec),
                image_id: image.id,
                startup: startup(spec, &image.startup),
            },
            spec: spec.clone(),
            behavior: Behavior::stays_up(),
            log: Vec::new(),
            files: BTreeMap::new(),
            directories,
            networks: BTreeSet::from([network]),
            left: None,
            life: CancellationToken::new(),
        });
        Ok(id)
    }

    /// A look at a container that the engine restarts over and over sees it one restart further.
    pub(super) fn inspect(&mut self, name: &str) -> Option<Container> {
        let kept = self.kept(name).ok()?;
        let mut seen = kept.seen.clone();
        let named = |network: &&String| !network.starts_with("container:");
        seen.reach.networks = kept.networks.iter().filter(named).cloned().collect();
        if kept.seen.status == ContainerStatus::Restarting {
            kept.seen.restart_count += 1;
            if let RestartPolicy::OnFailure(limit @ 1..) = kept.spec.restart
                && kept.seen.restart_count >= limit
            {
                kept.seen.status = ContainerStatus::Exited;
            }
        }
        Some(seen)
    }

    /// Newest first, and without what a list does not say.
    pub(super) fn list(&self, labels: &[(String, String)]) -> Vec<Container> {
        let all = self.containers.iter().rev().map(|k| &k.seen);
        all.filter(|c| carries(&c.labels, labels))
            .map(|c| Container {
                exit_code: None,
                out_of_memory: false,
                restart_count: 0,
                error: String::new(),
                started_at: None,
                run: None,
                reach: Reach::default(),
                image_id: String::new(),
                startup: Startup::default(),
                mounts: c
                    .mounts
                    .iter()
                    .map(|m| Mount {
                        source: match &m.source {
                            MountSource::Tmpfs(_) => MountSource::Tmpfs(0),
                            other => other.clone(),
                        },
                        ..m.clone()
                    })
                    .collect(),
                ..c.clone()
            })
            .collect()
    }

    pub(super) fn start(&mut self, name: &str, hook: &OnStart) -> Result<(), EngineError> {
        self.kept(name)?;
        self.made += 1;
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH + self.made);
        let spec = self.kept(name)?.spec.clone();
        let canonical = Reference::parse(&spec.image).canonical();
        let behavior = hook(&spec)
            .or_else(|| self.behaviors.get(&canonical).cloned())
            .unwrap_or_else(Behavior::stays_up);
        let networks: Vec<_> = self.networks.iter().map(|n| n.name.clone()).collect();
        let kept = self.kept(name)?;
        if kept.running() {
            return Ok(());
        }
        let shared = |network: &str| network.starts_with("container:") || network == "default";
        let missing = kept
            .networks
            .iter()
            .find(|n| !shared(n) && !networks.contains(n));
        if let Some(missing) = missing {
            let error = not_found(ObjectKind::Network, missing);
            kept.seen.error = format!("network {missing} not found");
            kept.seen.exit_code = Some(128);
            return Err(error);
        }
        if let End::NeverStarts(words) = &behavior.end {
            kept.seen.error.clone_from(words);
            kept.seen.exit_code = Some(127);
            return Err(EngineError::Refused {
                status: 400,
                message: words.clone(),
            });
        }
        kept.seen.status = ContainerStatus::Running;
        kept.seen.started_at = Some(now);
        kept.seen.run = Some(format!("{}@{now:?}", kept.seen.id));
        kept.seen.exit_code = None;
        kept.seen.error = String::new();
        kept.seen.out_of_memory = false;
        kept.seen.restart_count = 0;
        kept.life = CancellationToken::new();
        kept.log.extend(behavior.log.clone());
        if let End::Exits {
            code,
            out_of_memory,
            after_calls,
        } = behavior.end
        {
            if after_calls == 0 {
                kept.end(code, out_of_memory);
            } else {
                kept.left = Some(after_calls);
            }
        }
        kept.behavior = behavior;
        Ok(())
    }

    pub(super) fn stop(&mut self, name: &str) -> Result<(), EngineError> {
        let kept = self.kept(name)?;
        let runs = matches!(
            kept.seen.status,
            ContainerStatus::Running | ContainerStatus::Restarting
        );
        if runs {
            let default = if kept.spec.init { 143 } else { 137 };
            let code = kept.behavior.stop_code.unwrap_or(default);
            kept.end(code, false);
            // A person stopped it: no policy starts it again.
            kept.seen.status = ContainerStatus::Exited;
        }
        Ok(())
    }

    pub(super) fn end(
        &mut self,
        name: &str,
        exit_code: i64,
        out_of_memory: bool,
    ) -> Result<(), EngineError> {
        let kept = self.kept(name)?;
        if kept.running() {
            kept.end(exit_code, out_of_memory);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str, force: bool) -> Result<(), EngineError> {
        let Some(place) = self.place(name) else {
            return Err(not_found(ObjectKind::Container, name));
        };
        let kept = &self.containers[place];
        let state = match kept.seen.status {
            ContainerStatus::Running => "running",
            ContainerStatus::Restarting => "restarting",
            _ => "",
        };
        if !state.is_empty() && !force {
            return Err(EngineError::Conflict(format!(
                "You cannot remove a {state} container {}. Stop the container before attempting \
                 removal or force remove",
                kept.seen.id
            )));
        }
        self.containers.remove(place).life.cancel();
        Ok(())
    }

    pub(super) fn copy_into(
        &mut self,
        name: &str,
        target: &str,
        files: &[File],
    ) -> Result<(), EngineError> {
        let kept = self.kept(name)?;
        let target = match target.trim_end_matches('/') {
            "" => "/",
            target => target,
        };
        if !kept.directories.contains(target) {
            return Err(EngineError::Refused {
                status: 404,
                message: format!("Could not find the file {target} in container {name}"),
            });
        }
        let base = target.trim_end_matches('/');
        for file in files {
            let path = format!("{base}/{}", file.path);
            for (end, _) in path.match_indices('/').skip(1) {
                kept.directories.insert(path[..end].to_owned());
            }
            kept.files.insert(path, file.clone());
        }
        Ok(())
    }

    pub(super) fn files(&mut self, name: &str) -> Result<BTreeMap<String, File>, EngineError> {
        Ok(self.kept(name)?.files.clone())
    }

    pub(super) fn spec(&mut self, name: &str) -> Result<ContainerSpec, EngineError> {
        Ok(self.kept(name)?.spec.clone())
    }

    pub(super) fn logs(
        &mut self,
        name: &str,
        tail: Option<u32>,
        limit: usize,
    ) -> Result<Vec<LogChunk>, EngineError> {
        let kept = self.kept(name)?;
        let lines = kept.log.len();
        let skip = tail.map_or(0, |tail| lines.saturating_sub(tail as usize));
        let mut log = Log::new(limit);
        for chunk in &kept.log[skip..] {
            log.push(chunk.stream, chunk.data.clone());
        }
        Ok(log.chunks())
    }

    /// The name of a container in which a command can run, and what ends with its run.
    pub(super) fn enter(&mut self, name: &str) -> Result<(String, CancellationToken), EngineError> {
        let kept = self.kept(name)?;
        match kept.seen.status {
            ContainerStatus::Running => Ok((kept.seen.name.clone(), kept.life.clone())),
            ContainerStatus::Restarting => Err(EngineError::Conflict(format!(
                "Container {} is restarting, wait until the container is running",
                kept.seen.id
            ))),
            _ => Err(EngineError::Conflict(format!(
                "Container {} is not running",
                kept.seen.id
            ))),
        }
    }

    pub(super) fn create_volume(&mut self, spec: &VolumeSpec) -> Result<Volume, EngineError> {
        if self.volumes.contains_key(&spec.name) {
            return Err(EngineError::AlreadyExists {
                kind: ObjectKind::Volume,
                name: spec.name.clone(),
            });
        }
        let volume = Volume {
            name: spec.name.clone(),
            driver: spec.driver.clone().unwrap_or_else(|| "local".into()),
            driver_options: spec.driver_options.clone(),
            labels: spec.labels.clone(),
        };
        self.volumes.insert(spec.name.clone(), volume.clone());
        Ok(volume)
    }

    pub(super) fn remove_volume(&mut self, name: &str, force: bool) -> Result<(), EngineError> {
        if !self.volumes.contains_key(name) {
            return if force {
                Ok(())
            } else {
                Err(not_found(ObjectKind::Volume, name))
            };
        }
        let mounts = |kept: &Kept| {
            let mut mounts = kept.seen.mounts.iter();
            mounts.any(|m| matches!(&m.source, MountSource::Volume(v) if v == name))
        };
        let users: Vec<_> = self.containers.iter().filter(|k| mounts(k)).collect();
        if !users.is_empty() {
            let users: Vec<_> = users.iter().map(|k| k.seen.id.as_str()).collect();
            return Err(EngineError::Conflict(format!(
                "remove {name}: volume is in use - [{}]",
                users.join(", ")
            )));
        }
        self.volumes.remove(name);
        Ok(())
    }

    pub(super) fn network(&self, name: &str) -> Option<&Network> {
        let by = |is: &dyn Fn(&Network) -> bool| self.networks.iter().find(|n| is(n));
        by(&|n| n.id == name)
            .or_else(|| by(&|n| n.name == name))
            .or_else(|| by(&|n| !name.is_empty() && n.id.starts_with(name)))
    }

    fn network_name(&self, name: &str) -> Result<String, EngineError> {
        let found = self.network(name).map(|n| n.name.clone());
        found.ok_or_else(|| not_found(ObjectKind::Network, name))
    }

    pub(super) fn create_network(&mut self, spec: &NetworkSpec) -> Result<Network, EngineError> {
        if self.networks.iter().any(|n| n.name == spec.name) {
            return Err(EngineError::AlreadyExists {
                kind: ObjectKind::Network,
                name: spec.name.clone(),
            });
        }
        let network = Network {
            id: self.id(),
            name: spec.name.clone(),
            driver: spec.driver.clone().unwrap_or_else(|| "bridge".into()),
            scope: "local".into(),
            internal: spec.internal,
            driver_options: spec.driver_options.clone(),
            labels: spec.labels.clone(),
        };
        self.networks.push(network.clone());
        Ok(network)
    }

    pub(super) fn connect(&mut self, network: &str, container: &str) -> Result<(), EngineError> {
        // The container is looked for first, as the engine does it.
        self.kept(container)?;
        let network = self.network_name(network)?;
        let kept = self.kept(container)?;
        if !kept.networks.insert(network.clone()) && kept.running() {
            return Err(EngineError::Conflict(format!(
                "endpoint with name {} already exists in network {network}",
                kept.seen.name
            )));
        }
        Ok(())
    }

    pub(super) fn disconnect(&mut self, network: &str, container: &str) -> Result<(), EngineError> {
        let network = self.network_name(network)?;
        let kept = self.kept(container)?;
        if !kept.networks.remove(&network) {
            return Err(EngineError::Conflict(format!(
                "container {} is not connected to network {network}",
                kept.seen.id
            )));
        }
        Ok(())
    }

    pub(super) fn remove_network(&mut self, name: &str) -> Result<(), EngineError> {
        let name = self.network_name(name)?;
        if PREDEFINED.iter().any(|(predefined, _)| *predefined == name) {
            return Err(EngineError::Refused {
                status: 403,
                message: format!("{name} is a pre-defined network and cannot be removed"),
            });
        }
        // Only a container that runs holds a network.
        let holds = |kept: &Kept| kept.running() && kept.networks.contains(&name);
        if self.containers.iter().any(holds) {
            let id = self
                .network(&name)
                .map(|n| n.id.clone())
                .unwrap_or_default();
            return Err(EngineError::Conflict(format!(
                "error while removing network: network {name} id {id} has active endpoints"
            )));
        }
        self.networks.retain(|n| n.name != name);
        Ok(())
    }

    pub(super) fn push(&mut self, reference: &str) -> Result<Image, EngineError> {
        let Some((_, image)) = self.image(reference) else {
            return Err(EngineError::NotFound {
                kind: ObjectKind::Image,
                name: reference.to_owned(),
            });
        };
        let image = image.clone();
        let parsed = Reference::parse(reference);
        self.registry.insert(parsed.canonical(), image.clone());
        Ok(image)
    }

    pub(super) fn pull(&mut self, reference: &str) -> Result<Vec<PullEvent>, EngineError> {
        let parsed = Reference::parse(reference);
        let known = self.registry.get(&parsed.canonical()).cloned();
        let Some(image) = known.or_else(|| self.open_registry.then(|| plain_image(reference)))
        else {
            return Err(EngineError::Refused {
                status: 404,
                message: format!(
                    "cannot pull {reference}: pull access denied for {}, repository does not \
                     exist or may require 'docker login' (check the name, or log in with `docker \
                     login {}`)",
                    parsed.name, parsed.registry
                ),
            });
        };
        let event = |id: &str, status: String| PullEvent {
            id: id.into(),
            status,
            current: 0,
            total: None,
        };
        let events = vec![
            event(parsed.version, format!("Pulling from {}", parsed.name)),
            event("", format!("Digest: {}", image.id)),
            event(
                "",
                format!("Status: Downloaded newer image for {reference}"),
            ),
        ];
        self.images.insert(parsed.canonical(), image);
        Ok(events)
    }

    pub(super) fn any(&mut self, name: &str) -> Option<Value> {
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
