//! Plain data about an engine's objects. Field names follow the engine's own words.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
pub use iechor_platform::Platform;

/// The engine as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// `docker`, `podman`, ...
    pub name: String,
    /// The engine's version.
    pub version: String,
    /// The newest API version that it speaks.
    pub api_version: String,
    /// What its containers run on.
    pub platform: Platform,
    /// `cgroupfs`, `systemd`, ...
    pub cgroup_driver: Option<String>,
    /// It runs without root.
    pub rootless: bool,
    /// It maps container users to others (`userns-remap`).
    pub user_namespaces: bool,
    /// It keeps images in containerd's store, and can so hold more than one platform of each.
    pub containerd_image_store: bool,
    /// Runtimes that hand GPUs to containers.
    pub gpu_runtimes: Vec<String>,
    /// Names this engine, of this version, on a machine with the same emulators of other
    /// processors: while it is the same, so is what its own BuildKit can do. `None` where the
    /// engine is on another machine, of which this cannot be told.
    pub run: Option<String>,
}

/// The state of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerStatus {
    /// Made and never started.
    Created,
    /// Its first process runs.
    Running,
    /// Frozen.
    Paused,
    /// It ended, and the engine is about to start it again.
    Restarting,
    /// Going away.
    Removing,
    /// Its first process ended.
    Exited,
    /// It could not be stopped or removed whole.
    Dead,
    /// A state that this version does not know.
    Other,
}

/// What is mounted where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Path in the container.
    pub target: String,
    /// What is seen there.
    pub source: MountSource,
    /// Not writable.
    pub read_only: bool,
}

/// What a mount shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A volume, by name.
    Volume(String),
    /// A directory of the engine's machine.
    Bind(String),
    /// Memory, at most so many bytes (0 is the engine's default).
    Tmpfs(u64),
}

/// A container as the engine sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name, without the leading slash.
    pub name: String,
    /// Its state.
    pub status: ContainerStatus,
    /// The image as the container was created with it.
    pub image: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its mounts. Empty where it comes from a list on an engine that does not say.
    pub mounts: Vec<Mount>,
    /// Exit code of the last run, where it has ended. `None` in lists.
    pub exit_code: Option<i64>,
    /// The kernel killed it for want of memory. `false` in lists.
    pub out_of_memory: bool,
    /// How often the engine has restarted it. 0 in lists.
    pub restart_count: u32,
    /// Why the engine could not start it, in its own words; empty where it could.
    pub error: String,
    /// When it was last started. `None` in lists.
    pub started_at: Option<SystemTime>,
    /// Names this run of its process, on a machine with the same emulators of other processors:
    /// while it is the same, so is what the process said of itself. `None` where it does not run,
    /// where the engine is on another machine (of which this cannot be told), and in lists.
    pub run: Option<String>,
    /// What it reaches beyond its mounts. Nothing in lists.
    pub reach: Reach,
    /// The id of the image that it was made from. Empty in lists, and where the engine does not say.
    pub image_id: String,
    /// How its first process begins. Nothing in lists.
    pub startup: Startup,
}

/// How a first process begins: of an image, what its configuration says; of a container, what the
/// engine made of that and of the request to create it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Startup {
    /// The program, and arguments that stand before [`Self::command`].
    pub entrypoint: Vec<String>,
    /// Arguments to the entry point.
    pub command: Vec<String>,
    /// Environment, as `NAME=VALUE`.
    pub env: Vec<String>,
    /// User, as `--user` takes it; empty is root.
    pub user: String,
    /// Working directory; empty is `/`.
    pub workdir: String,
    /// The command that the engine runs again and again to see whether the container is healthy, with
    /// the word before it that says how; empty where there is none.
    pub health_check: Vec<String>,
}

/// What a container reaches of the engine's machine, apart from its mounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// That it is privileged, and what amounts to some of it: added capabilities, changed security
    /// options, namespaces of the machine or of another container. In words, for a person.
    pub privileges: Vec<String>,
    /// The name or mode of its network: `bridge`, `host`, `container:NAME`, a network. `None` is the
    /// engine's default.
    pub network: Option<String>,
    /// The names of all networks that it is in, also those that it was put into later.
    pub networks: Vec<String>,
    /// The cgroup below which its own is made, where somebody chose one.
    pub cgroup_parent: Option<String>,
    /// Devices: paths, rules, and requests as the Docker CLI's `--gpus` has them.
    pub devices: Vec<String>,
}

/// When the engine starts a container again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// Always, after a restart of the engine too.
    Always,
    /// Unless a person stopped it.
    UnlessStopped,
    /// When it fails, at most so many times (0 is no limit).
    OnFailure(u32),
}

/// Limits and placement. `None` leaves the choice to the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Bytes of memory and swap together; -1 is no limit.
    pub memory_swap: Option<i64>,
    /// Relative weight.
    pub cpu_shares: Option<i64>,
    /// Microseconds.
    pub cpu_period: Option<i64>,
    /// Microseconds of each period.
    pub cpu_quota: Option<i64>,
    /// For example `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// For example `0`.
    pub cpuset_mems: Option<String>,
    /// The cgroup below which the container's own is made.
    pub cgroup_parent: Option<String>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

/// A container to create.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Arguments to the image's entry point.
    pub command: Vec<String>,
    /// Environment, in order.
    pub env: Vec<(String, String)>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Mounts.
    pub mounts: Vec<Mount>,
    /// Network; `None` is the engine's default.
    pub network: Option<String>,
    /// All capabilities and devices of the engine's machine.
    pub privileged: bool,
    /// Run an init process that reaps children.
    pub init: bool,
    /// Share the engine's own user namespace although it maps users.
    pub host_user_namespace: bool,
    /// `all`, or what the Docker CLI's `--gpus` takes.
    pub gpus: Option<String>,
    /// Restart policy.
    pub restart: RestartPolicy,
    /// Limits and placement.
    pub limits: Limits,
}

/// A command to run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment, added to the container's own.
    pub env: Vec<(String, String)>,
    /// User, as `--user` takes it.
    pub user: Option<String>,
    /// Working directory.
    pub workdir: Option<String>,
}

/// How a command ended and what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code.
    pub exit_code: i64,
    /// Its stdout, as far as it was kept.
    pub stdout: Vec<u8>,
    /// Its stderr, as far as it was kept.
    pub stderr: Vec<u8>,
    /// There was more output than was kept.
    pub truncated: bool,
}

/// Where a piece of a log was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Where it was written to.
    pub stream: LogStream,
    /// The bytes.
    pub data: Bytes,
}

/// A file to copy into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path relative to the target, clean, without `..`.
    pub path: String,
    /// Unix permission bits.
    pub mode: u32,
    /// What is in it.
    pub contents: Vec<u8>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its driver: `local`, ...
    pub driver: String,
    /// Options that it was created with.
    pub driver_options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A volume to create.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VolumeSpec {
    /// Its name.
    pub name: String,
    /// `None` is the engine's default.
    pub driver: Option<String>,
    /// Options of that driver.
    pub driver_options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its driver: `bridge`, ...
    pub driver: String,
    /// `local`, `swarm`, ...
    pub scope: String,
    /// No way out of it.
    pub internal: bool,
    /// Options that it was created with.
    pub driver_options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A network to create.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// `None` is `bridge`.
    pub driver: Option<String>,
    /// No way out of it.
    pub internal: bool,
    /// Options of that driver.
    pub driver_options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// An image that the engine holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id (`sha256:...`).
    pub id: String,
    /// `name@sha256:...` references under which registries know it.
    pub repo_digests: Vec<String>,
    /// What it runs on.
    pub platform: Platform,
    /// Labels of its configuration.
    pub labels: BTreeMap<String, String>,
    /// How a container of it begins where nothing else is asked for.
    pub startup: Startup,
}

/// News of a pull or a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullEvent {
    /// The layer, or empty for the image as a whole.
    pub id: String,
    /// `Downloading`, `Extracting`, `Pull complete`, ...
    pub status: String,
    /// Bytes done.
    pub current: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
}

/// News of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadEvent {
    /// The layer, or empty.
    pub id: String,
    /// What the engine says.
    pub status: String,
    /// Bytes done.
    pub current: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
}
