//! The guest, a fake BuildKit, and nodes on an engine in memory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use iechor_engine::model::{LogStream, Platform};
use iechor_engine::simulated::{Command as Program, SimulatedEngine};
use iechor_engine::{BoxByteStream, Engine};
use iechor_sandbox::contract::Config;
use iechor_sandbox::{
    BuildKit, BuildKitClient, BuildKitVersion, BuildKitWorker, Driver, Grant, Grants, Log,
    LogLevel, Node, NodeContext, Progress, Sandbox, StepId, SystemDialer, limits,
};
use tokio_util::sync::CancellationToken;

/// The node of the tests, and what its names begin with.
pub const NODE: &str = "node0";
pub const CONTAINER: &str = "buildx_buildkit_node0";
pub const VOLUME: &str = "buildx_buildkit_node0_state";
/// The driver's own image.
pub const IMAGE: &str = "moby/buildkit:buildx-stable-1";

/// The component of the package `iechor-guest-misbehaving`, built once.
pub fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| {
        // Compiled guests go here rather than to the user's cache, and are found again by the next
        // run. SAFETY: nothing in this binary reads the environment except through the standard
        // library, which locks it.
        unsafe { std::env::set_var("XDG_CACHE_HOME", scratch().join("cache")) };
        let target = scratch().parent().unwrap().join("guests");
        let mut command = Command::new(env!("CARGO"));
        command
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .args([
                "build",
                "--quiet",
                "--locked",
                "--package",
                "iechor-guest-misbehaving",
            ])
            .args([
                "--profile",
                "guest",
                "--target",
                "wasm32-wasip2",
                "--target-dir",
            ])
            .arg(&target);
        // As for the embedded driver: what was set for the outer build is about its target.
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_DIR",
        ] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        target.join("wasm32-wasip2/guest/iechor_guest_misbehaving.wasm")
    })
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The component of the driver `iechor-container`, as the build script made it.
pub fn embedded_component() -> PathBuf {
    Path::new(env!("OUT_DIR")).join("iechor-container.wasm")
}

/// A copy of the guest in which every `from` reads `to`, of the same length.
pub fn patched_guest(directory: &Path, from: &str, to: &str) -> PathBuf {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(guest()).unwrap();
    let places: Vec<_> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from.as_bytes())
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty(), "{from} is not in the guest");
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
    }
    let path = directory.join("patched.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The guest that was ordered to do something where it gets no configuration.
pub async fn ordered_guest(order: &str) -> Arc<Driver> {
    let directory = tempfile::tempdir().unwrap();
    let from = "order to the driver: be good....";
    let to = format!("{order:.<width$}", width = from.len());
    load(&patched_guest(directory.path(), from, &to)).await
}

pub async fn load(path: &Path) -> Arc<Driver> {
    Sandbox::file(path).await.unwrap()
}

/// When the fake BuildKit answers.
#[derive(Clone, Copy)]
pub enum Answers {
    AtOnce,
    /// After so many tries that it refuses.
    After(u32),
    Never,
    /// It takes the connection and says nothing.
    Hangs,
    WithoutWorkers,
}

pub struct FakeBuildKit {
    answers: Answers,
    pub tries: AtomicU32,
}

struct FakeClient {
    workers: bool,
}

#[async_trait]
impl BuildKit for FakeBuildKit {
    async fn connect(&self, _: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        let tries = self.tries.fetch_add(1, Ordering::SeqCst);
        match self.answers {
            Answers::AtOnce => {}
            Answers::WithoutWorkers => return Ok(Box::new(FakeClient { workers: false })),
            Answers::After(refusals) if tries >= refusals => {}
            Answers::Hangs => std::future::pending().await,
            Answers::After(_) | Answers::Never => return Err("connection refused".into()),
        }
        Ok(Box::new(FakeClient { workers: true }))
    }
}

#[async_trait]
impl BuildKitClient for FakeClient {
    async fn version(&self) -> Result<BuildKitVersion, String> {
        Ok(BuildKitVersion::default())
    }

    async fn workers(&self) -> Result<Vec<BuildKitWorker>, String> {
        let worker = BuildKitWorker {
            id: "worker".into(),
            labels: Vec::new(),
            platforms: vec![Platform {
                os: "linux".into(),
                architecture: "amd64".into(),
                variant: None,
            }],
        };
        Ok(if self.workers {
            vec![worker]
        } else {
            Vec::new()
        })
    }
}

/// Keeps what was shown and logged.
#[derive(Default)]
pub struct Watcher {
    shown: Mutex<Vec<String>>,
    logged: Mutex<Vec<String>>,
}

impl Watcher {
    pub fn shown(&self) -> Vec<String> {
        self.shown.lock().unwrap().clone()
    }

    pub fn logged(&self) -> Vec<String> {
        self.logged.lock().unwrap().clone()
    }

    fn show(&self, line: String) {
        self.shown.lock().unwrap().push(line);
    }
}

impl Progress for Watcher {
    fn begin(&self, _: StepId, _: Option<StepId>, name: &str) {
        self.show(format!("begin {name}"));
    }
    fn output(&self, _: StepId, _: LogStream, data: Bytes) {
        self.show(format!("output {}", data.len()));
    }
    fn count(&self, _: StepId, counter: &str, _: u64, _: Option<u64>) {
        self.show(format!("count {counter}"));
    }
    fn finish(&self, _: StepId, outcome: Result<(), String>) {
        self.show(format!("finish {outcome:?}"));
    }
}

impl Log for Watcher {
    fn enabled(&self, level: LogLevel) -> bool {
        level >= LogLevel::Info
    }
    fn write(&self, _: LogLevel, _: &str, message: &str, fields: &[(String, String)]) {
        let mut line = message.to_owned();
        for (name, value) in fields {
            line += &format!(" {name}={value}");
        }
        self.logged.lock().unwrap().push(line);
    }
}

/// A node on an engine in memory, with everything that can be looked at afterwards.
#[derive(Clone)]
pub struct Bench {
    pub engine: SimulatedEngine,
    pub buildkit: Arc<FakeBuildKit>,
    pub watcher: Arc<Watcher>,
    pub cancel: CancellationToken,
    pub grants: Grants,
    pub boot_limit: Duration,
    pub builder: &'static str,
}

impl Bench {
    /// An engine with the images of the tests and a BuildKit that answers so.
    pub fn new(answers: Answers) -> Self {
        let engine = SimulatedEngine::new();
        engine.add_image("image");
        // The connection of `buildctl dial-stdio`, on which the fake BuildKit answers.
        engine.on_command(|_, exec| {
            if exec.command == ["buildctl", "dial-stdio"] {
                Program::serves(|io| async move {
                    let _open = io;
                    std::future::pending().await
                })
            } else if exec.command == ["buildkitd", "--version"] {
                Program::prints("buildkitd github.com/moby/buildkit v0.25.1 abc\n")
            } else {
                Program::no_such_program(exec)
            }
        });
        Self {
            engine,
            buildkit: Arc::new(FakeBuildKit {
                answers,
                tries: AtomicU32::new(0),
            }),
            watcher: Arc::default(),
            cancel: CancellationToken::new(),
            grants: Grants::none(),
            boot_limit: limits::BOOT,
            builder: "builder",
        }
    }

    /// As [`Self::new`], with what the driver asks for and what of it is granted.
    pub async fn granting(driver: &Driver, granted: &[&str]) -> Self {
        let granted = granted
            .iter()
            .map(|grant| Grant::parse(grant).unwrap())
            .collect();
        let requests = &driver.descriptor().await.unwrap().capabilities;
        Self {
            grants: Grants::new(requests, granted),
            ..Self::new(Answers::AtOnce)
        }
    }

    /// A node of the driver with these options, which are checked.
    pub async fn node(&self, driver: &Arc<Driver>, options: &[(&str, &str)]) -> Node {
        self.configured(
            driver,
            Config {
                options: pairs(options),
                ..config()
            },
        )
        .await
    }

    pub async fn configured(&self, driver: &Arc<Driver>, config: Config) -> Node {
        let (config, _) = driver.validate(&config).await.unwrap();
        driver.node(config, self.context())
    }

    fn context(&self) -> NodeContext {
        NodeContext {
            builder: self.builder.into(),
            engine: Some(Arc::new(self.engine.clone())),
            grants: self.grants.clone(),
            buildkit: Arc::clone(&self.buildkit) as Arc<dyn BuildKit>,
            dialer: Arc::new(SystemDialer),
            progress: Arc::clone(&self.watcher) as Arc<dyn Progress>,
            log: Arc::clone(&self.watcher) as Arc<dyn Log>,
            cancel: self.cancel.clone(),
            boot_limit: self.boot_limit,
        }
    }

    /// The containers, volumes and networks that there are, except for the engine's own networks.
    pub async fn objects(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .engine
            .list_containers(&[])
            .await
            .unwrap()
            .into_iter()
            .map(|found| format!("container {}", found.name))
            .collect();
        let volumes = self.engine.list_volumes(&[]).await.unwrap();
        names.extend(
            volumes
                .into_iter()
                .map(|found| format!("volume {}", found.name)),
        );
        let networks = self.engine.list_networks(&[]).await.unwrap();
        names.extend(
            networks
                .into_iter()
                .filter(|found| !matches!(found.name.as_str(), "bridge" | "host" | "none"))
                .map(|found| format!("network {}", found.name)),
        );
        names
    }

    /// Asserts that the engine was not asked to create anything.
    pub fn assert_no_creations(&self) {
        let journal = self.engine.journal();
        assert!(
            !journal.iter().any(|line| line.starts_with("create_")),
            "{journal:#?}"
        );
    }
}

pub fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

/// The configuration of the tests' node.
pub fn config() -> Config {
    Config {
        name: NODE.into(),
        endpoint: "unix:///run/simulated.sock".into(),
        options: Vec::new(),
        buildkitd_flags: Vec::new(),
        files: Vec::new(),
        platforms: Vec::new(),
        extra: Vec::new(),
    }
}

/// A guard against hanging; on virtual time it costs nothing.
pub async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(100_000), work)
        .await
        .expect("it hangs")
}
