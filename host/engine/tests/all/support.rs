//! The engine of the tests, an image for it, and names of objects that are removed again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use iechor_engine::Engine;
use iechor_engine::config::DockerConfig;
use iechor_engine::docker::DockerEngine;
use iechor_engine::endpoint::{self, Environment};
use iechor_engine::model::{ContainerSpec, LoadEvent};
use iechor_values::hex;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, mpsc};

/// The image that the tests create and load.
pub const IMAGE: &str = "iechor-test/engine:latest";

/// Returns the test machine's variables: those of the environment, or else those of its file.
pub fn machine() -> &'static BTreeMap<String, String> {
    static MACHINE: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let directory = match std::env::var_os("IECHOR_MACHINE_DIR") {
            Some(directory) => PathBuf::from(directory),
            None => root.join("target/machine"),
        };
        let text = std::fs::read_to_string(directory.join("env")).unwrap_or_default();
        let mut variables: BTreeMap<_, _> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        for name in ["DOCKER_HOST", "IECHOR_TEST_BASE"] {
            if let Ok(value) = std::env::var(name)
                && !value.is_empty()
            {
                variables.insert(name.to_owned(), value);
            }
        }
        variables
    })
}

fn variable(name: &str) -> &'static str {
    machine().get(name).unwrap_or_else(|| {
        panic!("no {name}: these tests need the test machine; run `tests/machine/prepare` first")
    })
}

/// Connects to the engine of the test machine.
pub fn connect() -> DockerEngine {
    let env = Environment {
        docker_host: Some(variable("DOCKER_HOST").to_owned()),
        ..Environment::default()
    };
    let config = DockerConfig::load(&env);
    let endpoint = endpoint::resolve(&env, &config).expect("DOCKER_HOST is an endpoint");
    DockerEngine::connect(&endpoint, Arc::new(config)).expect("an engine without TLS")
}

/// Connects to the engine of the test machine, and loads the image into it.
pub async fn real() -> DockerEngine {
    static LOADED: OnceCell<()> = OnceCell::const_new();
    let engine = connect();
    LOADED
        .get_or_init(|| async {
            if let Err(e) = engine.info().await {
                panic!("{e}; these tests need an engine: run `tests/machine/prepare` first");
            }
            let events = load(&engine, image()).await;
            assert!(
                events
                    .iter()
                    .any(|e| e.contains("Loaded image") && e.contains(IMAGE)),
                "{events:?}"
            );
        })
        .await;
    engine
}

/// Loads an archive, and returns the engine's messages.
pub async fn load(engine: &dyn Engine, archive: Vec<u8>) -> Vec<String> {
    try_load(engine, archive)
        .await
        .expect("the archive is good")
}

pub async fn try_load(
    engine: &dyn Engine,
    archive: Vec<u8>,
) -> Result<Vec<String>, iechor_engine::EngineError> {
    let archive = Bytes::from(archive);
    let parts: Vec<_> = (0..archive.len())
        .step_by(64 * 1024)
        .map(|at| Ok(archive.slice(at..archive.len().min(at + 64 * 1024))))
        .collect();
    let (sender, mut receiver) = mpsc::channel::<LoadEvent>(1);
    let listen = async {
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event.status);
        }
        events
    };
    let (result, events) = tokio::join!(
        engine.load_images(stream::iter(parts).boxed(), sender),
        listen
    );
    result.map(|()| events)
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Returns an archive in the format of `docker save`, with one layer of busybox.
pub fn image() -> Vec<u8> {
    let busybox = Path::new(variable("IECHOR_TEST_BASE"))
        .join(architecture())
        .join("busybox/bin/busybox");
    let busybox = std::fs::read(&busybox).unwrap_or_else(|e| {
        panic!(
            "{}: {e}; run `tests/machine/prepare` first",
            busybox.display()
        )
    });
    let mut layer = tar::Builder::new(Vec::new());
    for directory in ["bin/", "etc/", "tmp/"] {
        add(&mut layer, tar::EntryType::Directory, directory, 0o755, b"");
    }
    add(
        &mut layer,
        tar::EntryType::Regular,
        "bin/busybox",
        0o755,
        &busybox,
    );
    for program in [
        "cat", "dd", "echo", "env", "id", "ls", "ps", "pwd", "sh", "sleep", "stat", "tail", "true",
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        let path = format!("bin/{program}");
        layer
            .append_link(&mut header, path, "busybox")
            .expect("a short path");
    }
    let passwd = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
    add(
        &mut layer,
        tar::EntryType::Regular,
        "etc/passwd",
        0o644,
        passwd,
    );
    let layer = layer.into_inner().expect("in memory");
    let config = serde_json::json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Labels": {"of": "image"}},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer))]},
    })
    .to_string();
    let config_name = format!("{}.json", digest(config.as_bytes()));
    let manifest = serde_json::json!([
        {"Config": config_name, "RepoTags": [IMAGE], "Layers": ["layer.tar"]},
    ])
    .to_string();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, contents) in [
        ("layer.tar", layer.as_slice()),
        (&config_name, config.as_bytes()),
        ("manifest.json", manifest.as_bytes()),
    ] {
        add(&mut archive, tar::EntryType::Regular, name, 0o644, contents);
    }
    archive.into_inner().expect("in memory")
}

fn digest(data: &[u8]) -> String {
    hex::encode(&Sha256::digest(data))
}

fn add(
    archive: &mut tar::Builder<Vec<u8>>,
    kind: tar::EntryType,
    path: &str,
    mode: u32,
    contents: &[u8],
) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(contents.len() as u64);
    archive
        .append_data(&mut header, path, contents)
        .expect("a short path");
}

/// Unique names. Objects with these names on a real engine are removed when this value is dropped, also
/// after a failure.
pub struct Names {
    base: String,
    on: Option<DockerEngine>,
}

impl Names {
    pub fn new(on: Option<&DockerEngine>) -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        Self {
            base: format!("iechor-test-{random:016x}"),
            on: on.cloned(),
        }
    }

    /// Returns the same names for another engine.
    pub fn again(&self, on: Option<&DockerEngine>) -> Self {
        Self {
            base: self.base.clone(),
            on: on.cloned(),
        }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn of(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.base)
    }

    /// Returns a label that only this test's objects carry.
    pub fn label(&self) -> (String, String) {
        ("iechor.test".into(), self.base.clone())
    }

    /// Returns a container that runs until it is killed.
    pub fn container(&self, suffix: &str, command: &[&str]) -> ContainerSpec {
        ContainerSpec {
            name: self.of(suffix),
            image: IMAGE.into(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            labels: [self.label()].into(),
            network: Some("none".into()),
            ..ContainerSpec::default()
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let Some(engine) = self.on.take() else {
            return;
        };
        let base = self.base.clone();
        // The test's own runtime may be ending. This one waits for the engine.
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(remove_all(&engine, &base));
        });
        let _ = cleaning.join();
    }
}

async fn remove_all(engine: &DockerEngine, base: &str) {
    for container in engine.list_containers(&[]).await.unwrap_or_default() {
        if container.name.starts_with(base) {
            let _ = engine.remove_container(&container.id, true).await;
        }
    }
    for volume in engine.list_volumes(&[]).await.unwrap_or_default() {
        if volume.name.starts_with(base) {
            let _ = engine.remove_volume(&volume.name, true).await;
        }
    }
    for network in engine.list_networks(&[]).await.unwrap_or_default() {
        if network.name.starts_with(base) {
            let _ = engine.remove_network(&network.id).await;
        }
    }
}
