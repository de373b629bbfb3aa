//! Data about an engine's objects. The names of the fields follow the engine's API.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
pub use iechor_platform::Platform;
pub use iechor_values::ulimit::Ulimit;

/// The engine's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// `docker`, `podman`, ...
    pub name: String,
    /// The engine's version.
    pub version: String,
    /// The newest API version that it supports.
    pub api_version: String,
    /// Platform of its containers.
    pub platform: Platform,
    /// `cgroupfs`, `systemd`, ...
    pub cgroup_driver: Option<String>,
    /// Whether it runs without root.
    pub rootless: bool,
    /// Whether it maps the users of containers to others (`userns-remap`).
    pub user_namespaces: bool,
    /// Whether it keeps images in containerd's store, which can have several platforms of an image.
    pub containerd_image_store: bool,
    /// Runtimes that give containers access to GPUs.
    pub gpu_runtimes: Vec<String>,
    /// Name of this engine in this version, on a machine with the same emulators of other processors.
    /// While it does not change, the abilities of its own BuildKit do not change either. `None` if
    /// the engine is on another machine, where this cannot be checked.
    pub run: Option<String>,
}

/// The state of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContainerStatus {
    /// Created and never started.
    #[default]
    Created,
    /// Its first process runs.
    Running,
    /// Paused.
    Paused,
    /// Its first process ended, and the engine is about to start it again.
    Restarting,
    /// It is being removed.
    Removing,
    /// Its first process ended.
    Exited,
    /// It could not be stopped or removed completely.
    Dead,
    /// A state that this version of iechor does not know.
    Other,
}

/// A mount of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Path in the container.
    pub target: String,
    /// What is mounted there.
    pub source: MountSource,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// The source of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A volume, by name.
    Volume(String),
    /// A directory of the engine's machine.
    Bind(String),
    /// Memory, with a maximum size in bytes (0 is the engine's default).
    Tmpfs(u64),
}

/// The present state of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Container {
    /// Its ID.
    pub id: String,
    /// Its name, without the leading slash.
    pub name: String,
    /// Its state.
    pub status: ContainerStatus,
    /// The image's reference, as it was when the container was created.
    pub image: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its mounts. Empty in lists of engines that do not report them.
    pub mounts: Vec<Mount>,
    /// Exit code of the last run, if it has ended. `None` in lists.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it because memory ran out. `false` in lists.
    pub out_of_memory: bool,
    /// How often the engine has restarted it. 0 in lists.
    pub restart_count: u32,
    /// The engine's message if it could not start the container; otherwise empty.
    pub error: String,
    /// When it was last started. `None` in lists.
    pub started_at: Option<SystemTime>,
    /// Name of this run of its process, on a machine with the same emulators of other processors.
    /// While it does not change, the properties that the process reports do not change either. `None`
    /// if it does not run, if the engine is on another machine (where this cannot be checked), and in
    /// lists.
    pub run: Option<String>,
    /// What it can reach apart from its mounts. Empty in lists.
    pub reach: Reach,
    /// ID of the image that it was created from. Empty in lists, and if the engine does not report it.
    pub image_id: String,
    /// How its first process is started. Empty in lists.
    pub startup: Startup,
}

/// Something that happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerEvent {
    /// What happened, in the engine's words: `die`, `oom`, `kill`, `restart`, `pause`.
    pub action: String,
    /// Exit code of the first process, if it ended.
    pub exit_code: Option<i64>,
    /// Signal that a client of the engine sent to the first process, if the event is a `kill`.
    pub signal: Option<i32>,
    /// Time of the engine's clock.
    pub time: SystemTime,
}

/// How the first process is started: for an image, its configuration; for a container, the combination
/// of that and the request that created it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Startup {
    /// The program, and arguments before [`Self::command`].
    pub entrypoint: Vec<String>,
    /// Arguments to the entry point.
    pub command: Vec<String>,
    /// Environment, as `NAME=VALUE`.
    pub env: Vec<String>,
    /// User, in the syntax of `docker run --user`; empty is root.
    pub user: String,
    /// Working directory; empty is `/`.
    pub workdir: String,
    /// The command with which the engine checks regularly whether the container is healthy, after a
    /// word that says how to run it; empty if there is none.
    pub health_check: Vec<String>,
}

/// What a container can reach on the engine's machine, apart from its mounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Text for each privilege: that it is privileged, added capabilities, changed security options,
    /// namespaces of the machine or of another container.
    pub privileges: Vec<String>,
    /// Name or mode of its network: `bridge`, `host`, `container:NAME`, a network. `None` is the
    /// engine's default.
    pub network: Option<String>,
    /// Names of all networks that it is in, including those that it was connected to later.
    pub networks: Vec<String>,
    /// The parent of its cgroup, if one was chosen.
    pub cgroup_parent: Option<String>,
    /// Devices: paths, rules, and requests in the syntax of `docker run --gpus`.
    pub devices: Vec<String>,
}

/// When the engine restarts a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// Always, including after a restart of the engine.
    Always,
    /// Unless a user stopped it.
    UnlessStopped,
    /// When it fails, up to this number of times (0 is no limit).
    OnFailure(u32),
}

/// Limits and placement of a container. `None` is the engine's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// Memory and swap together, in bytes; -1 is no limit.
    pub memory_swap: Option<i64>,
    /// Relative weight of processor time.
    pub cpu_shares: Option<i64>,
    /// Period for the processor quota, in microseconds.
    pub cpu_period: Option<i64>,
    /// Processor time in each period, in microseconds.
    pub cpu_quota: Option<i64>,
    /// Processors, for example `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes, for example `0`.
    pub cpuset_mems: Option<String>,
    /// The parent of the container's cgroup.
    pub cgroup_parent: Option<String>,
    /// Maximum number of processes and threads.
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
    /// Whether it has all capabilities and devices of the engine's machine.
    pub privileged: bool,
    /// Whether an init process reaps its children.
    pub init: bool,
    /// Whether it shares the engine's own user namespace although the engine maps users.
    pub host_user_namespace: bool,
    /// GPUs, in the syntax of `docker run --gpus`.
    pub gpus: Option<String>,
    /// Additional hosts in its `/etc/hosts`, as `NAME:ADDRESS`.
    pub extra_hosts: Vec<String>,
    /// DNS servers; empty is the engine's default.
    pub dns: Vec<String>,
    /// Domains in which DNS looks for names; empty is the engine's default.
    pub dns_search: Vec<String>,
    /// Options of the DNS resolver; empty is the engine's default.
    pub dns_options: Vec<String>,
    /// Limits of its processes.
    pub ulimits: Vec<Ulimit>,
    /// Security options, in the syntax of `docker run --security-opt`.
    pub security_options: Vec<String>,
    /// Restart policy.
    pub restart: RestartPolicy,
    /// Limits and placement.
    pub limits: Limits,
}

/// Returns whether a security option of a container takes away isolation. `no-new-privileges` is the only one that
/// adds a restriction.
pub fn weakens_isolation(security_option: &str) -> bool {
    !security_option.starts_with("no-new-privileges")
}

/// A command to run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment, added to the container's own.
    pub env: Vec<(String, String)>,
    /// User, in the syntax of `docker exec --user`.
    pub user: Option<String>,
    /// Working directory.
    pub workdir: Option<String>,
}

/// The result and the output of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code.
    pub exit_code: i64,
    /// The part of stdout within the limit.
    pub stdout: Vec<u8>,
    /// The part of stderr within the limit.
    pub stderr: Vec<u8>,
    /// Whether there was more output than the limit.
    pub truncated: bool,
}

/// A stream of a log.
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
    /// The stream that it was written to.
    pub stream: LogStream,
    /// The bytes.
    pub data: Bytes,
}

/// A file to copy into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path relative to the target, without `.`, `..` and empty parts.
    pub path: String,
    /// Unix permission bits.
    pub mode: u32,
    /// Contents.
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
    /// Whether it has no connection to other networks.
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
    /// Whether it has no connection to other networks.
    pub internal: bool,
    /// Options of that driver.
    pub driver_options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// An image of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its ID (`sha256:...`).
    pub id: String,
    /// References of the form `name@sha256:...` under which registries have it.
    pub repo_digests: Vec<String>,
    /// Its platform.
    pub platform: Platform,
    /// Labels of its configuration.
    pub labels: BTreeMap<String, String>,
    /// How the first process of its containers is started by default.
    pub startup: Startup,
}

/// An event of a pull or a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullEvent {
    /// The layer; empty for the whole image.
    pub id: String,
    /// `Downloading`, `Extracting`, `Pull complete`, ...
    pub status: String,
    /// Transferred bytes.
    pub current: u64,
    /// Total number of bytes, if known.
    pub total: Option<u64>,
}

/// An event of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadEvent {
    /// The layer; may be empty.
    pub id: String,
    /// The engine's message.
    pub status: String,
    /// Transferred bytes.
    pub current: u64,
    /// Total number of bytes, if known.
    pub total: Option<u64>,
}
