//! How containers are created, started, stopped and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use iechor_values::image::Reference;
use tokio_util::sync::CancellationToken;

use super::super::behavior::{Behavior, End, OnStart};
use super::super::settings;
use super::kept::Kept;
use super::{State, not_found};
use crate::error::{EngineError, ObjectKind};
use crate::model::{
    Container, ContainerSpec, ContainerStatus, MountSource, Reach, Startup, Volume,
    weakens_isolation,
};

/// Directories of every image.
const DIRECTORIES: [&str; 9] = [
    "/", "/bin", "/etc", "/home", "/root", "/run", "/tmp", "/usr", "/var",
];

/// Time before the first start, in seconds of Unix time. Every start is a second later.
const EPOCH: u64 = 1_700_000_000;

/// Returns what a container of that specification can reach.
fn reach(spec: &ContainerSpec) -> Reach {
    let mut privileges = Vec::new();
    if spec.privileged {
        privileges.push("privileged".to_owned());
        // The engine adds this option itself.
        privileges.push("security option label=disable".to_owned());
    }
    let options = spec.security_options.iter();
    privileges.extend(
        options
            .filter(|option| weakens_isolation(option))
            .map(|option| format!("security option {option}")),
    );
    if spec.host_user_namespace {
        privileges.push("user namespace of host".to_owned());
    }
    Reach {
        privileges,
        network: Some(spec.network.clone().unwrap_or_else(|| "default".into())),
        // Filled in when the container is inspected.
        networks: Vec::new(),
        cgroup_parent: spec.limits.cgroup_parent.clone(),
        devices: spec.gpus.iter().cloned().collect(),
    }
}

/// Returns how the first process of a container of that specification is started.
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

impl State {
    /// Returns the index of the container of a name or an ID.
    fn place(&self, name: &str) -> Option<usize> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        let by = |is: &dyn Fn(&Container) -> bool| self.containers.iter().position(|k| is(&k.seen));
        by(&|c| c.id == name)
            .or_else(|| by(&|c| c.name == bare))
            .or_else(|| by(&|c| !name.is_empty() && c.id.starts_with(name)))
    }

    pub(in crate::simulated::state) fn kept(
        &mut self,
        name: &str,
    ) -> Result<&mut Kept, EngineError> {
        match self.place(name) {
            Some(place) => Ok(&mut self.containers[place]),
            None => Err(not_found(ObjectKind::Container, name)),
        }
    }

    pub(in crate::simulated) fn create(
        &mut self,
        spec: &ContainerSpec,
    ) -> Result<String, EngineError> {
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
                reach: reach(spec),
                image_id: image.id,
                startup: startup(spec, &image.startup),
                ..Container::default()
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

    pub(in crate::simulated) fn start(
        &mut self,
        name: &str,
        hook: &OnStart,
    ) -> Result<(), EngineError> {
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

    pub(in crate::simulated) fn stop(&mut self, name: &str) -> Result<(), EngineError> {
        let kept = self.kept(name)?;
        let runs = matches!(
            kept.seen.status,
            ContainerStatus::Running | ContainerStatus::Restarting
        );
        if runs {
            let default = if kept.spec.init { 143 } else { 137 };
            let code = kept.behavior.stop_code.unwrap_or(default);
            kept.end(code, false);
            // No policy restarts a container that a user stopped.
            kept.seen.status = ContainerStatus::Exited;
        }
        Ok(())
    }

    pub(in crate::simulated) fn end(
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

    pub(in crate::simulated) fn remove(
        &mut self,
        name: &str,
        force: bool,
    ) -> Result<(), EngineError> {
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
}
