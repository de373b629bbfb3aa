//! The boot of BuildKit in a container.

use iechor_driver::container::{self, Container, Limits, MountSource, Mounted, Spec};
use iechor_driver::progress::Task;
use iechor_driver::types::File;
use iechor_driver::volume::{self, Volume};
use iechor_driver::{Error, Node, Unready, clock, describe_error, engine, step, wait_for_buildkit};

use crate::image::obtain;
use crate::policy::Policy;
use crate::settings::Settings;
use crate::transport::{self, dial};

const STATE_DIRECTORY: &str = "/var/lib/buildkit";
/// Directory of BuildKit's configuration; a `buildkitd.toml` of the user is copied to it.
const CONFIG_DIRECTORY: &str = "/etc/buildkit";
const CONFIG_FILE: &str = "buildkitd.toml";

/// In nanoseconds, as the clock counts: how long another process may take from creating the
/// container to starting it.
const JOIN_WITHIN: u64 = 10_000_000_000;
/// In nanoseconds: between two looks at a container that something is about to happen to.
const LOOK_AGAIN: u64 = 20_000_000;
/// Looks at a container that restarts, [`LOOK_AGAIN`] apart, for the exit code: two seconds.
const MOST_LOOKS: u32 = 100;

/// Creates and starts what is missing. Returns the container once BuildKit answers in it and is watched, if it is to
/// stop when nobody builds.
pub fn boot(node: &Node, settings: &Settings, policy: &impl Policy) -> Result<Container, Error> {
    let container = running(node, settings, policy)?;
    stop_when_idle(&container, settings)?;
    Ok(container)
}

fn running(node: &Node, settings: &Settings, policy: &impl Policy) -> Result<Container, Error> {
    let name = node.container_name();
    let container = match Container::find(&name)? {
        Some(container) => {
            let mut status = container.inspect()?.status;
            if status == container::Status::Running {
                let ready = wait_until_ready(&container, &name, settings);
                let Err(Error::Unavailable(_)) = ready else {
                    return ready.map(|()| container);
                };
                status = container.inspect()?.status;
                if status == container::Status::Running {
                    return ready.map(|()| container);
                }
                // It was about to end when it was found.
            }
            start(&container, &name, status)?;
            container
        }
        None => {
            let image = obtain(&settings.image, settings.pull)?;
            let created = step(&format!("creating container {name}"), |task| {
                create(node, settings, policy, &image, task)
            });
            match created {
                // Another process boots this node at the same time and was faster.
                Err(error @ Error::AlreadyExists(_)) => join(&name, error)?,
                created => created?,
            }
        }
    };
    wait_until_ready(&container, &name, settings)?;
    Ok(container)
}

/// Starts a container that exists and does not run. A paused container stays paused: no capability resumes it, and
/// stopping it would end the work that was paused.
fn start(container: &Container, name: &str, status: container::Status) -> Result<(), Error> {
    if status == container::Status::Paused {
        return Err(paused(name));
    }
    step(&format!("starting container {name}"), |_| container.start())
}

fn paused(name: &str) -> Error {
    Error::Conflict(format!(
        "container {name} is paused; wake it up with `docker unpause {name}`"
    ))
}

fn create(
    node: &Node,
    settings: &Settings,
    policy: &impl Policy,
    image: &str,
    task: &Task,
) -> Result<Container, Error> {
    let engine = engine::inspect()?;
    let mut spec = spec(node, settings, image, &engine);
    let parent = cgroup_parent(settings, &engine, task);
    spec.limits.cgroup_parent.clone_from(&parent);
    make_state_volume(&node.state_volume_name())?;
    policy.container(&mut spec)?;
    // The container is found by this label.
    spec.name = node.container_name();
    // If the user did not request the parent and it is not granted, the engine's default is used.
    let is_own = !settings.is_cgroup_parent_given && spec.limits.cgroup_parent == parent;
    let container = match transport::create(&spec, settings) {
        Err(Error::Denied(denial)) if denial.capability == "container.cgroup-parent" && is_own => {
            task.child(&format!(
                "using the engine's own parent cgroup: {} is not granted",
                denial.capability
            ));
            spec.limits.cgroup_parent = None;
            transport::create(&spec, settings)?
        }
        created => created?,
    };
    copy_configuration(&container, node, settings)?;
    container.start()?;
    Ok(container)
}

fn make_state_volume(name: &str) -> Result<(), Error> {
    if Volume::find(name)?.is_some() {
        return Ok(());
    }
    match Volume::create(&volume::Spec::new(name)) {
        // Made by another process a moment ago.
        Ok(_) | Err(Error::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Only an engine that manages cgroups itself accepts a parent.
fn cgroup_parent(settings: &Settings, engine: &engine::Info, task: &Task) -> Option<String> {
    let parent = settings.cgroup_parent.clone()?;
    if engine.cgroup_driver.as_deref() == Some("cgroupfs") {
        return Some(parent);
    }
    if settings.is_cgroup_parent_given {
        task.child(&format!(
            "ignoring cgroup-parent {parent}: the engine's cgroup driver is {}, not cgroupfs",
            engine.cgroup_driver.as_deref().unwrap_or("unknown"),
        ));
    }
    None
}

fn spec(node: &Node, settings: &Settings, image: &str, engine: &engine::Info) -> Spec {
    let mut command = Vec::new();
    if has_config_file(node) || !settings.registries.is_empty() {
        // Before the user's flags, so that a --config among them takes precedence.
        command.extend([
            "--config".to_owned(),
            format!("{CONFIG_DIRECTORY}/{CONFIG_FILE}"),
        ]);
    }
    command.extend(node.buildkitd_flags.iter().cloned());
    let state = Mounted {
        target: STATE_DIRECTORY.into(),
        source: MountSource::Volume(node.state_volume_name()),
        read_only: false,
    };
    Spec {
        command,
        env: settings.env.clone(),
        labels: settings.labels.clone(),
        mounts: [state]
            .into_iter()
            .chain(settings.mounts.iter().cloned())
            .collect(),
        gpus: settings.gpus.clone(),
        extra: settings.extra.clone(),
        network: settings.network.clone(),
        privileged: true,
        // Reaps processes that BuildKit's containers leave behind.
        init: true,
        // A privileged container needs the real root.
        host_user_namespace: engine.user_namespaces,
        restart: settings.restart_policy,
        limits: Limits {
            memory: settings.memory,
            memory_swap: settings.memory_swap,
            cpu_shares: settings.cpu_shares,
            cpu_period: settings.cpu_period,
            cpu_quota: settings.cpu_quota,
            cpuset_cpus: settings.cpuset_cpus.clone(),
            cpuset_mems: settings.cpuset_mems.clone(),
            cgroup_parent: None,
        },
        ..Spec::new(node.container_name(), image)
    }
}

fn has_config_file(node: &Node) -> bool {
    node.files.iter().any(|file| file.path == CONFIG_FILE)
}

/// Copies `buildkitd.toml` and the files that it names into BuildKit's directory. The host has their contents, fills
/// them in, and adds the registries of the settings.
fn copy_configuration(
    container: &Container,
    node: &Node,
    settings: &Settings,
) -> Result<(), Error> {
    let is_configured = !settings.registries.is_empty();
    // Below /etc, which every image has; the copy creates the rest.
    let (parent, directory) = CONFIG_DIRECTORY.rsplit_once('/').unwrap_or(("/", ""));
    let files: Vec<_> = node
        .files
        .iter()
        .filter(|file| !(is_configured && file.path == CONFIG_FILE))
        .map(|file| File {
            path: format!("{directory}/{}", file.path),
            ..file.clone()
        })
        .collect();
    if !files.is_empty() {
        container.copy_in(parent, &files)?;
    }
    if is_configured {
        container.configure(&settings.registries)?;
    }
    if let Some(authorities) = &settings.ca_certs {
        container.trust(authorities)?;
    }
    Ok(())
}

/// Lets the host end BuildKit when nobody builds. A builder that cannot be watched builds all the same.
fn stop_when_idle(container: &Container, settings: &Settings) -> Result<(), Error> {
    let Some(after) = settings.idle_stop else {
        return Ok(());
    };
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    let words = format!("stopping BuildKit after {seconds} s without a build");
    let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
    match step(&words, |_| container.stop_when_idle(after)) {
        Err(error @ (Error::Cancelled | Error::Timeout | Error::Denied(_))) => Err(error),
        // The step has shown it.
        _ => Ok(()),
    }
}

/// Waits until the process that creates the container has started it, and starts it if that does not happen. An
/// engine reserves the name shortly before the container can be found by it; `missing` is the error if no
/// container appears.
fn join(name: &str, missing: Error) -> Result<Container, Error> {
    let begun = clock::now();
    loop {
        let found = Container::find(name)?;
        let is_late = clock::now() - begun >= JOIN_WITHIN;
        match found {
            Some(container) if is_running(&container)? => return Ok(container),
            Some(container) if is_late => {
                container.start()?;
                return Ok(container);
            }
            None if is_late => return Err(missing),
            _ => clock::sleep(LOOK_AGAIN)?,
        }
    }
}

fn is_running(container: &Container) -> Result<bool, Error> {
    Ok(container.inspect()?.status == container::Status::Running)
}

/// Waits until BuildKit answers on a connection like those of builds. If the container exits meanwhile, the wait
/// ends immediately.
fn wait_until_ready(container: &Container, name: &str, settings: &Settings) -> Result<(), Error> {
    let restarts_before = container.inspect()?.restart_count;
    let is_alive = || {
        let now = container.inspect()?;
        match now.status {
            container::Status::Running if now.restart_count <= restarts_before => Ok(()),
            container::Status::Paused => Err(paused(name)),
            _ => Err(death(container, name, now)),
        }
    };
    let dial = || dial(container, settings.transport);
    wait_for_buildkit(settings.boot_timeout, dial, is_alive).map_err(|unready| match unready {
        Unready::Over(error) => error,
        Unready::Late(error) => Error::Unavailable(format!(
            "BuildKit in container {name} does not answer within {} s (option boot-timeout): {}",
            settings.boot_timeout.as_secs(),
            describe_error(&error),
        )),
    })
}

/// Returns why the container does not run any more, as far as the engine knows. The host adds its log.
fn death(container: &Container, name: &str, seen: container::Summary) -> Error {
    let now = ended(container, seen);
    let mut text = format!("container {name} ended while BuildKit was starting");
    if let Some(code) = now.exit_code {
        text += &format!(", exit code {code}");
    }
    if now.out_of_memory {
        text += ", killed for want of memory (the option memory is too small)";
    }
    if let Some(reason) = &now.error {
        text += &format!(": {reason}");
    }
    Error::Unavailable(text)
}

/// Returns the state of the container after it exited. If the engine has already restarted it, the exit code is
/// lost; the engine waits longer before each restart, so the next exit is seen.
fn ended(container: &Container, mut seen: container::Summary) -> container::Summary {
    for _ in 0..MOST_LOOKS {
        if seen.exit_code.is_some() || clock::sleep(LOOK_AGAIN).is_err() {
            break;
        }
        match container.inspect() {
            Ok(now) => seen = now,
            Err(_) => break,
        }
    }
    seen
}
