//! Containers.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HostConfig, Mount as BollardMount, MountTmpfsOptions,
    MountType, RestartPolicy as BollardRestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use bytes::{Bytes, BytesMut};
use http::Method;
use http_body_util::BodyExt;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::answer::{Bounds, Objects, WORDS};
use super::demux::{Kind, Splitter};
use super::reach::InspectedReach;
use super::startup::InspectedStartup;
use super::{DockerEngine, archive, label_filters, run, segment};
use crate::model::{
    Container, ContainerSpec, ContainerStatus, File, LogChunk, LogStream, Mount, MountSource,
    Reach, RestartPolicy, Startup,
};
use crate::{EngineError, ObjectKind};

pub(super) async fn create(
    engine: &DockerEngine,
    spec: &ContainerSpec,
) -> Result<String, EngineError> {
    let options = CreateContainerOptionsBuilder::new()
        .name(&spec.name)
        .build();
    let mut about = vec![
        (ObjectKind::Container, spec.name.as_str()),
        (ObjectKind::Image, spec.image.as_str()),
    ];
    if let Some(network) = &spec.network {
        about.push((ObjectKind::Network, network));
    }
    let created = engine
        .docker
        .create_container(Some(options), request(spec)?)
        .await
        .map_err(engine.failed(&about))?;
    Ok(created.id)
}

fn request(spec: &ContainerSpec) -> Result<ContainerCreateBody, EngineError> {
    let limits = &spec.limits;
    let device_requests = match &spec.gpus {
        Some(gpus) => Some(vec![device_request(gpus)?]),
        None => None,
    };
    let host_config = HostConfig {
        privileged: Some(spec.privileged),
        init: Some(spec.init),
        mounts: Some(spec.mounts.iter().map(mount_request).collect()),
        network_mode: spec.network.clone(),
        userns_mode: spec.host_user_namespace.then(|| "host".to_owned()),
        restart_policy: Some(restart_request(spec.restart)),
        device_requests,
        memory: limits.memory.map(saturate),
        memory_swap: limits.memory_swap,
        cpu_shares: limits.cpu_shares,
        cpu_period: limits.cpu_period,
        cpu_quota: limits.cpu_quota,
        cpuset_cpus: limits.cpuset_cpus.clone(),
        cpuset_mems: limits.cpuset_mems.clone(),
        cgroup_parent: limits.cgroup_parent.clone(),
        pids_limit: limits.pids.map(i64::from),
        ..Default::default()
    };
    Ok(ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: (!spec.command.is_empty()).then(|| spec.command.clone()),
        env: Some(spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        host_config: Some(host_config),
        ..Default::default()
    })
}

fn saturate(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn mount_request(mount: &Mount) -> BollardMount {
    let (typ, source, tmpfs_options) = match &mount.source {
        MountSource::Volume(name) => (MountType::VOLUME, Some(name.clone()), None),
        MountSource::Bind(path) => (MountType::BIND, Some(path.clone()), None),
        MountSource::Tmpfs(size) => {
            let options = MountTmpfsOptions {
                size_bytes: (*size > 0).then(|| saturate(*size)),
                ..Default::default()
            };
            (MountType::TMPFS, None, Some(options))
        }
    };
    BollardMount {
        target: Some(mount.target.clone()),
        source,
        typ: Some(typ),
        read_only: Some(mount.read_only),
        tmpfs_options,
        ..Default::default()
    }
}

fn restart_request(policy: RestartPolicy) -> BollardRestartPolicy {
    let (name, retries) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::Always => (RestartPolicyNameEnum::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        RestartPolicy::OnFailure(n) => (RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(n))),
    };
    BollardRestartPolicy {
        name: Some(name),
        maximum_retry_count: retries,
    }
}

/// What `--gpus` of the Docker CLI makes of its value (`opts/gpus.go`): `all`, a number, or
/// `key=value` pairs between commas, a pair in quotes where it has a comma itself.
fn device_request(gpus: &str) -> Result<DeviceRequest, EngineError> {
    let bad = |why: &str| {
        EngineError::Invalid(format!(
            "gpus {gpus:?}: {why}; say `all`, a number, or for example \
             `\"device=0,2\",capabilities=utility`"
        ))
    };
    let mut request = DeviceRequest {
        driver: Some(String::new()),
        count: None,
        device_ids: None,
        capabilities: None,
        options: None,
    };
    let mut capabilities = vec!["gpu".to_owned()];
    for field in fields(gpus) {
        let (key, value) = field.split_once('=').unwrap_or(("count", &field));
        match key {
            "driver" => request.driver = Some(value.to_owned()),
            "count" if value == "all" => request.count = Some(-1),
            "count" => {
                let count = value
                    .parse()
                    .map_err(|_| bad(&format!("{value:?} is no number")))?;
                request.count = Some(count);
            }
            "device" => {
                request.device_ids = Some(value.split(',').map(str::to_owned).collect());
            }
            "capabilities" => {
                for capability in value.split(',').filter(|c| *c != "gpu") {
                    capabilities.push(capability.to_owned());
                }
            }
            "options" => {
                let options = value.split(',').map(|o| {
                    let (k, v) = o.split_once('=').unwrap_or((o, ""));
                    (k.to_owned(), v.to_owned())
                });
                request.options = Some(options.collect());
            }
            _ => return Err(bad(&format!("unexpected key {key:?}"))),
        }
    }
    if request.count.is_none() && request.device_ids.is_none() {
        request.count = Some(1);
    }
    request.capabilities = Some(vec![capabilities]);
    Ok(request)
}

/// Splits at commas outside of quotes.
fn fields(value: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in value.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => {
                if let Some(last) = fields.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    fields
}

/// What `/containers/NAME/json` answers, as far as it is read. Strings where bollard has closed
/// enums: Podman has more states than Docker.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: String,
    #[serde(default, rename = "Image")]
    image_id: String,
    #[serde(default)]
    restart_count: u32,
    state: InspectedState,
    config: InspectedConfig,
    #[serde(default)]
    host_config: Option<InspectedHostConfig>,
    #[serde(default)]
    mounts: Option<Vec<InspectedMount>>,
    #[serde(default)]
    network_settings: Option<InspectedNetworks>,
}

/// The networks that a container is in, by name. What it has in each is nobody's business here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedNetworks {
    #[serde(default)]
    networks: Option<BTreeMap<String, serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedState {
    #[serde(default)]
    status: String,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    started_at: Option<String>,
    #[serde(default)]
    pid: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedConfig {
    #[serde(default)]
    image: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    startup: InspectedStartup,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedHostConfig {
    #[serde(default)]
    mounts: Option<Vec<RequestedMount>>,
    #[serde(flatten)]
    reach: InspectedReach,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RequestedMount {
    #[serde(default)]
    target: String,
    #[serde(default)]
    tmpfs_options: Option<RequestedTmpfs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RequestedTmpfs {
    #[serde(default)]
    size_bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedMount {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    source: String,
    destination: String,
    #[serde(default, rename = "RW")]
    writable: bool,
}

impl InspectedMount {
    fn read(self, tmpfs_size: impl Fn(&str) -> u64) -> Mount {
        let source = match self.r#type.as_str() {
            "volume" => MountSource::Volume(self.name),
            "tmpfs" => MountSource::Tmpfs(tmpfs_size(&self.destination)),
            "bind" => MountSource::Bind(self.source),
            // Images, named pipes, cluster volumes: nothing that a builder mounts. Whoever uses a
            // container with one needs a grant that names it.
            other => MountSource::Bind(format!("{other} {}", self.source)),
        };
        Mount {
            target: self.destination,
            source,
            read_only: !self.writable,
        }
    }
}

fn status(word: &str) -> ContainerStatus {
    match word {
        "created" | "configured" | "initialized" => ContainerStatus::Created,
        "running" | "stopping" => ContainerStatus::Running,
        "paused" => ContainerStatus::Paused,
        "restarting" => ContainerStatus::Restarting,
        "removing" => ContainerStatus::Removing,
        "exited" | "stopped" => ContainerStatus::Exited,
        "dead" => ContainerStatus::Dead,
        _ => ContainerStatus::Other,
    }
}

impl Inspected {
    fn read(self) -> Container {
        let networks = self.network_settings.and_then(|seen| seen.networks);
        let networks: Vec<_> = networks.unwrap_or_default().into_keys().collect();
        let (requested, reach) = match self.host_config {
            Some(config) => (
                config.mounts.unwrap_or_default(),
                config.reach.read(networks),
            ),
            None => (Vec::new(), InspectedReach::default().read(networks)),
        };
        let tmpfs_size = |target: &str| {
            requested
                .iter()
                .find(|m| m.target == target)
                .and_then(|m| m.tmpfs_options.as_ref())
                .map_or(0, |o| o.size_bytes)
        };
        let mounts = self.mounts.unwrap_or_default();
        let mounts = mounts.into_iter().map(|m| m.read(tmpfs_size));
        let status = status(&self.state.status);
        let ended = match status {
            ContainerStatus::Exited | ContainerStatus::Dead | ContainerStatus::Restarting => true,
            // One that could not be started goes back to this state, with the code that says so.
            ContainerStatus::Created | ContainerStatus::Other => self.state.exit_code != 0,
            _ => false,
        };
        let run = (status == ContainerStatus::Running)
            .then(|| run::name(&self.id, self.state.started_at.as_deref()?, self.state.pid))
            .flatten();
        let mut container = Container {
            id: self.id,
            name: bare(&self.name),
            status,
            image: self.config.image,
            labels: self.config.labels.unwrap_or_default(),
            mounts: mounts.collect(),
            exit_code: ended.then_some(self.state.exit_code),
            out_of_memory: self.state.oom_killed,
            restart_count: self.restart_count,
            error: self.state.error.unwrap_or_default(),
            started_at: self.state.started_at.as_deref().and_then(moment),
            run,
            reach,
            image_id: self.image_id,
            startup: self.config.startup.read(),
        };
        sort(&mut container.mounts);
        container
    }
}

/// The engine keeps mounts in a map, so their order says nothing.
fn sort(mounts: &mut [Mount]) {
    mounts.sort_by(|a, b| a.target.cmp(&b.target));
}

fn bare(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

/// The engine writes the year 1 where it means never.
fn moment(text: &str) -> Option<SystemTime> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    (moment.year() > 1).then(|| moment.into())
}

pub(super) async fn inspect(
    engine: &DockerEngine,
    name: &str,
) -> Result<Option<Container>, EngineError> {
    let path = format!("/containers/{}/json", segment(name));
    let found: Option<Inspected> = engine.find(&path, &[(ObjectKind::Container, name)]).await?;
    Ok(found.map(Inspected::read))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    mounts: Option<Vec<InspectedMount>>,
}

impl Listed {
    fn read(self) -> Container {
        let names = self.names.unwrap_or_default();
        // A name with a further slash is that of a link from another container.
        let name = names
            .iter()
            .find(|n| !n.trim_start_matches('/').contains('/'))
            .or(names.first());
        let mounts = self.mounts.unwrap_or_default();
        let mut container = Container {
            id: self.id,
            name: name.map(|n| bare(n)).unwrap_or_default(),
            status: status(&self.state),
            image: self.image,
            labels: self.labels.unwrap_or_default(),
            mounts: mounts.into_iter().map(|m| m.read(|_| 0)).collect(),
            exit_code: None,
            out_of_memory: false,
            restart_count: 0,
            error: String::new(),
            started_at: None,
            run: None,
            reach: Reach::default(),
            image_id: String::new(),
            startup: Startup::default(),
        };
        sort(&mut container.mounts);
        container
    }
}

pub(super) async fn list(
    engine: &DockerEngine,
    labels: &[(String, String)],
) -> Result<Vec<Container>, EngineError> {
    let filters = label_filters(labels);
    let query = [("all", "true"), ("filters", filters.as_str())];
    let path = "/containers/json";
    let found: Objects<Listed> = engine
        .json(Method::GET, path, &query, None, &[], Bounds::LIST)
        .await?;
    let found = engine.listed(path, found)?;
    Ok(found.into_iter().map(Listed::read).collect())
}

pub(super) async fn start(engine: &DockerEngine, name: &str) -> Result<(), EngineError> {
    engine
        .docker
        .start_container(&segment(name), None)
        .await
        .map_err(engine.failed(&[(ObjectKind::Container, name)]))
}

pub(super) async fn stop(
    engine: &DockerEngine,
    name: &str,
    grace: Option<Duration>,
) -> Result<(), EngineError> {
    let options = grace.map(|grace| {
        // Whole seconds only, and 0 would be to kill at once.
        let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        StopContainerOptionsBuilder::new().t(seconds).build()
    });
    engine
        .docker
        .stop_container(&segment(name), options)
        .await
        .map_err(engine.failed(&[(ObjectKind::Container, name)]))
}

pub(super) async fn remove(
    engine: &DockerEngine,
    name: &str,
    force: bool,
) -> Result<(), EngineError> {
    let options = RemoveContainerOptionsBuilder::new()
        .v(true)
        .force(force)
        .build();
    engine
        .docker
        .remove_container(&segment(name), Some(options))
        .await
        .map_err(engine.failed(&[(ObjectKind::Container, name)]))
}

pub(super) async fn copy_into(
    engine: &DockerEngine,
    name: &str,
    target: &str,
    files: &[File],
) -> Result<(), EngineError> {
    let archive = futures_util::stream::iter(archive::parts(files.to_vec())?);
    let options = UploadToContainerOptionsBuilder::new()
        .path(target)
        .no_overwrite_dir_non_dir("true")
        .build();
    engine
        .docker
        .upload_to_container(
            &segment(name),
            Some(options),
            bollard::body_try_stream(archive),
        )
        .await
        .map_err(engine.failed(&[(ObjectKind::Container, name)]))
}

pub(super) async fn logs(
    engine: &DockerEngine,
    name: &str,
    tail: Option<u32>,
    limit: usize,
) -> Result<Vec<LogChunk>, EngineError> {
    let path = format!("/containers/{}/logs", segment(name));
    let tail = tail.map_or_else(|| "all".to_owned(), |n| n.to_string());
    let query = [
        ("stdout", "true"),
        ("stderr", "true"),
        ("tail", tail.as_str()),
    ];
    let about = &[(ObjectKind::Container, name)];
    let response = engine
        .request(Method::GET, &path, &query, None, about, Bounds::LOG)
        .await?;
    let broken = |e: std::io::Error| engine.dialer.unreachable(e.to_string());
    let mut log = Log::new(limit);
    let mut splitter = Splitter::lenient();
    let mut buffer = BytesMut::new();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| engine.dialer.broken(&e))?;
        if let Ok(data) = frame.into_data() {
            buffer.extend_from_slice(&data);
        }
        while let Some((kind, piece)) = splitter.next(&mut buffer).map_err(broken)? {
            match kind {
                Kind::Stdout => log.push(LogStream::Stdout, piece),
                Kind::Stderr => log.push(LogStream::Stderr, piece),
                Kind::System => {
                    let words = &piece[..piece.len().min(WORDS)];
                    let words = String::from_utf8_lossy(words).trim().to_owned();
                    return Err(EngineError::Protocol(words));
                }
            }
        }
    }
    if let Some(rest) = splitter.finish(&mut buffer).map_err(broken)? {
        log.push(LogStream::Stdout, rest);
    }
    Ok(log.chunks())
}

/// The newest of a log, at most so many bytes of it.
pub(crate) struct Log {
    chunks: VecDeque<LogChunk>,
    bytes: usize,
    limit: usize,
}

impl Log {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            limit,
        }
    }

    pub(crate) fn push(&mut self, stream: LogStream, data: Bytes) {
        if data.is_empty() {
            return;
        }
        self.bytes += data.len();
        // A copy, or a few kept bytes would hold a whole read buffer.
        let data = Bytes::copy_from_slice(&data);
        self.chunks.push_back(LogChunk { stream, data });
        while self.bytes > self.limit {
            let over = self.bytes - self.limit;
            match self.chunks.front_mut() {
                Some(oldest) if oldest.data.len() > over => {
                    let _ = oldest.data.split_to(over);
                    self.bytes -= over;
                }
                Some(oldest) => {
                    self.bytes -= oldest.data.len();
                    self.chunks.pop_front();
                }
                None => break,
            }
        }
    }

    pub(crate) fn chunks(self) -> Vec<LogChunk> {
        self.chunks.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_as_the_docker_cli_reads_them() {
        let read = |text| device_request(text).expect("good");
        assert_eq!(read("all").count, Some(-1));
        assert_eq!(read("2").count, Some(2));
        assert_eq!(read("count=3").count, Some(3));
        let request = read("\"device=0,2\",\"capabilities=gpu,utility\",driver=nvidia");
        assert_eq!(request.count, None);
        assert_eq!(
            request.device_ids,
            Some(vec!["0".to_owned(), "2".to_owned()])
        );
        assert_eq!(
            request.capabilities,
            Some(vec![vec!["gpu".to_owned(), "utility".to_owned()]])
        );
        assert_eq!(request.driver.as_deref(), Some("nvidia"));
        assert_eq!(read("driver=x").count, Some(1));
        for bad in ["many", "colour=red"] {
            let error = device_request(bad).expect_err("bad");
            assert!(error.to_string().contains(bad), "{error}");
        }
    }

    #[test]
    fn states_that_docker_does_not_have_are_read() {
        let json = |state: &str| {
            let text = format!(
                r#"{{"Id":"1","Name":"c","Image":"sha256:2","State":{state},"Config":{{"Image":"i","Labels":null}}}}"#
            );
            let inspected: Inspected = serde_json::from_str(&text).expect("readable");
            inspected.read()
        };
        let c = json(r#"{"Status":"stopped","ExitCode":3,"StartedAt":"2026-01-02T03:04:05.6Z"}"#);
        assert_eq!((c.status, c.exit_code), (ContainerStatus::Exited, Some(3)));
        assert!(c.started_at.is_some());
        let c = json(r#"{"Status":"hibernating","StartedAt":"0001-01-01T00:00:00Z"}"#);
        assert_eq!((c.status, c.exit_code), (ContainerStatus::Other, None));
        assert_eq!(c.started_at, None);
    }

    #[test]
    fn logs_keep_the_newest() {
        let mut log = Log::new(5);
        log.push(LogStream::Stdout, Bytes::from_static(b"abcd"));
        log.push(LogStream::Stderr, Bytes::from_static(b"efg"));
        let kept = log.chunks();
        let kept: Vec<_> = kept.iter().map(|c| (c.stream, &c.data[..])).collect();
        assert_eq!(
            kept,
            [
                (LogStream::Stdout, &b"cd"[..]),
                (LogStream::Stderr, &b"efg"[..])
            ]
        );
        let mut log = Log::new(0);
        log.push(LogStream::Stdout, Bytes::from_static(b"abcd"));
        assert!(log.chunks().is_empty());
    }
}
