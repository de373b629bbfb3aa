//! The world of a scenario.

use iechor_engine::model::{ContainerSpec, LogStream, NetworkSpec, VolumeSpec};
use iechor_engine::simulated::{Behavior, SimulatedEngine};
use iechor_engine::{Engine as _, EngineError};
use iechor_sandbox::contract::{self, Platform};
use iechor_sandbox::{Grant, Grants};

use super::file::{self, BuildKit, BuildKitAnswers, ContainerState, File, Network, Process};
use crate::buildkit::Answers;
use crate::case::{Case, World};
use crate::network::DialFault;
use crate::report::Failure;
use crate::stage::Stage;
use crate::subject::{NODE, Subject};

/// A world, or what is missing for it.
pub(super) enum Built<'a> {
    Ready(Case<'a>),
    /// What is missing for it.
    Missing(String),
}

fn unmade(error: EngineError) -> Failure {
    Failure::new("the world of the scenario can be made", error.to_string())
}

/// Creates the world.
pub(super) async fn build<'a>(scenario: &File, subject: &'a Subject) -> Result<Built<'a>, Failure> {
    let mut case = subject.case();
    let world = &scenario.world;
    if let World::Simulated(stage) = &mut case.world {
        *stage = staged(scenario, subject)?;
        if let Some(info) = &world.engine {
            describe(&stage.engine, info).await?;
        }
        for image in &world.images {
            stage.engine.add_image(image);
        }
    } else {
        for image in &world.images {
            if case
                .engine()
                .inspect_image(image)
                .await
                .map_err(unmade)?
                .is_none()
            {
                return Ok(Built::Missing(format!("the engine holds no image {image}")));
            }
        }
    }
    if let Some(answers) = world.buildkit {
        case.answers(when(answers))?;
    }
    if let Some(process) = &world.process {
        case.processes(behavior(process))?;
    }
    if let Some(network) = world.network {
        set_network(&case, network)?;
    }
    let given = |name: &str| given_name(scenario, &case, name);
    for volume in &world.volumes {
        let spec = VolumeSpec {
            name: given(&volume.name),
            labels: labels(scenario, &case, volume),
            ..VolumeSpec::default()
        };
        case.engine().create_volume(&spec).await.map_err(unmade)?;
    }
    for network in &world.networks {
        let spec = NetworkSpec {
            name: given(&network.name),
            labels: labels(scenario, &case, network),
            ..NetworkSpec::default()
        };
        case.engine().create_network(&spec).await.map_err(unmade)?;
    }
    for container in &world.containers {
        let name = given(&container.name);
        let named = file::Named {
            name: name.clone(),
            labels: container.labels.clone(),
        };
        let spec = ContainerSpec {
            name: name.clone(),
            image: container.image.clone(),
            labels: labels(scenario, &case, &named),
            privileged: true,
            ..ContainerSpec::default()
        };
        case.engine()
            .create_container(&spec)
            .await
            .map_err(unmade)?;
        if container.state != ContainerState::Created {
            case.engine().start_container(&name).await.map_err(unmade)?;
        }
        if container.state == ContainerState::Exited {
            case.engine()
                .stop_container(&name, None)
                .await
                .map_err(unmade)?;
        }
    }
    Ok(Built::Ready(case))
}

fn staged(scenario: &File, subject: &Subject) -> Result<Stage, Failure> {
    let stage = Stage::new(Answers::AtOnce);
    match &scenario.world.registry {
        None => stage.engine.open_registry(),
        Some(images) => {
            for image in images {
                stage.engine.add_plain_to_registry(image);
            }
        }
    }
    let grants = match &scenario.world.granted {
        None => subject.grants(|_| true),
        Some(granted) => {
            let granted: Result<Vec<_>, _> =
                granted.iter().map(|text| Grant::parse(text)).collect();
            let granted = granted.map_err(|error| Failure::new("grants that there are", error))?;
            Grants::new(&subject.descriptor.capabilities, granted)
        }
    };
    Ok(Stage { grants, ..stage })
}

async fn describe(engine: &SimulatedEngine, said: &file::Engine) -> Result<(), Failure> {
    let mut info = engine.info().await.map_err(unmade)?;
    if let Some(name) = &said.name {
        info.name.clone_from(name);
    }
    if let Some(version) = &said.version {
        info.version.clone_from(version);
    }
    if let Some(driver) = &said.cgroup_driver {
        info.cgroup_driver = (!driver.is_empty()).then(|| driver.clone());
    }
    info.rootless = said.rootless.unwrap_or(info.rootless);
    info.user_namespaces = said.user_namespaces.unwrap_or(info.user_namespaces);
    engine.set_info(info);
    Ok(())
}

/// Returns the node's configuration.
pub(super) fn config(scenario: &File, case: &Case<'_>) -> contract::Config {
    let config = &scenario.config;
    let mut options: Vec<(String, String)> = config.options.clone().into_iter().collect();
    // Options of the run take precedence over the scenario, for example another image.
    for (name, value) in &case.subject.given.options {
        options.retain(|(known, _)| known != name);
        options.push((name.clone(), value.clone()));
    }
    if let World::Simulated(_) = &case.world {
        let subject = case.subject;
        subject.own_file.replace(&subject.descriptor, &mut options);
    }
    let name = match &case.world {
        World::Simulated(_) => name(scenario).to_owned(),
        World::Real(_) => case.node_name().to_owned(),
    };
    contract::Config {
        name,
        endpoint: config
            .endpoint
            .clone()
            .unwrap_or_else(|| case.subject.given.endpoint.clone()),
        options,
        buildkitd_flags: config.buildkitd_flags.clone(),
        files: config
            .files
            .iter()
            .map(|file| contract::File {
                path: file.path.clone(),
                mode: file.mode,
                contents: file.contents.clone().into_bytes(),
            })
            .collect(),
        platforms: config.platforms.iter().map(|text| platform(text)).collect(),
        extra: Vec::new(),
    }
}

fn platform(text: &str) -> Platform {
    let mut parts = text.split('/').map(str::to_owned);
    Platform {
        os: parts.next().unwrap_or_default(),
        architecture: parts.next().unwrap_or_default(),
        cpu_variant: parts.next(),
    }
}

/// Returns the node's name, as the scenario writes it.
pub(super) fn name(scenario: &File) -> &str {
    scenario.config.name.as_deref().unwrap_or(NODE)
}

/// Returns the name of an object in this world: nodes of real engines have other names.
pub(super) fn given_name(scenario: &File, case: &Case<'_>, written: &str) -> String {
    match &case.world {
        World::Simulated(_) => written.to_owned(),
        World::Real(_) => written.replacen(name(scenario), case.node_name(), 1),
    }
}

fn labels(
    scenario: &File,
    case: &Case<'_>,
    of: &file::Named,
) -> std::collections::BTreeMap<String, String> {
    let mut labels = of.labels.clone();
    for value in labels.values_mut() {
        if value == name(scenario) {
            *value = given_name(scenario, case, value);
        }
    }
    labels
}

/// Returns when BuildKit answers.
pub(super) fn when(answers: BuildKit) -> Answers {
    match answers {
        BuildKit::After(refusals) => Answers::After(refusals),
        BuildKit::Named(BuildKitAnswers::AtOnce) => Answers::AtOnce,
        BuildKit::Named(BuildKitAnswers::Never) => Answers::Never,
        BuildKit::Named(BuildKitAnswers::Hangs) => Answers::Hangs,
        BuildKit::Named(BuildKitAnswers::WithoutWorkers) => Answers::WithoutWorkers,
    }
}

/// Returns what a container's process does.
pub(super) fn behavior(process: &Process) -> Behavior {
    let behavior = match (&process.cannot_start, process.exit_code) {
        (Some(words), _) => Behavior::never_starts(words),
        (None, _) if process.out_of_memory => Behavior::runs_out_of_memory(),
        (None, Some(code)) => Behavior::exits(code),
        (None, None) => Behavior::stays_up(),
    };
    let behavior = behavior.after_calls(process.after_calls);
    process.log.iter().fold(behavior, |behavior, line| {
        behavior.with_log(LogStream::Stderr, line)
    })
}

/// Returns whether anything answers over the network.
pub(super) fn set_network(case: &Case<'_>, network: Network) -> Result<(), Failure> {
    let simulated = &case.stage()?.network;
    match network {
        Network::Open => simulated.clear_faults(),
        Network::Refused => simulated.set_fault(0, DialFault::Refused),
    }
    Ok(())
}
