//! The driver `iechor`, the embedded component, on an engine in memory with a BuildKit inside.

use std::sync::Arc;

use async_trait::async_trait;
use iechor_engine::simulated::SimulatedEngine;
use iechor_engine::{BoxByteStream, Hijack};
use iechor_sandbox::contract::{Config, Error, Feature, RemoveOptions, Status, StopOptions};
use iechor_sandbox::report::{NoLog, NoProgress, SystemDialer};
use iechor_sandbox::{
    BuildKit, BuildKitClient, BuildKitVersion, BuildKitWorker, Driver, DriverError, Grants, Node,
    NodeContext, Sandbox, limits,
};

use crate::support::config;

/// The BuildKit of an engine, whose worker has these labels.
#[derive(Clone)]
struct Inside {
    version: &'static str,
    labels: &'static [(&'static str, &'static str)],
}

#[async_trait]
impl BuildKit for Inside {
    async fn connect(&self, _: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl BuildKitClient for Inside {
    async fn version(&self) -> Result<BuildKitVersion, String> {
        Ok(BuildKitVersion {
            version: self.version.into(),
            ..BuildKitVersion::default()
        })
    }

    async fn workers(&self) -> Result<Vec<BuildKitWorker>, String> {
        Ok(vec![BuildKitWorker {
            id: "worker".into(),
            labels: crate::support::pairs(self.labels),
            platforms: Vec::new(),
        }])
    }
}

/// An engine of 20.10: an old BuildKit, images in a store of its own.
const OLD: Inside = Inside {
    version: "",
    labels: &[],
};

fn driver() -> Arc<Driver> {
    Sandbox::embedded("docker").unwrap().unwrap()
}

/// An engine with a BuildKit inside.
fn engine() -> SimulatedEngine {
    let engine = SimulatedEngine::new();
    engine.on_hijack(|what| match what {
        Hijack::Control => Some(Box::new(tokio::io::duplex(64).0)),
        Hijack::Session(_) => None,
    });
    engine
}

async fn node_with(engine: &SimulatedEngine, inside: Inside, grants: Option<Grants>) -> Node {
    let driver = driver();
    let (config, _) = driver.validate(&config()).await.unwrap();
    let grants = match grants {
        Some(grants) => grants,
        None => driver.grants(&[]).await.unwrap(),
    };
    driver.node(
        config,
        NodeContext {
            builder: "default".into(),
            engine: Some(Arc::new(engine.clone())),
            engines: Arc::default(),
            grants,
            buildkit: Arc::new(inside),
            dialer: Arc::new(SystemDialer),
            progress: Arc::new(NoProgress),
            log: Arc::new(NoLog),
            ledger: Arc::new(iechor_sandbox::NoLedger),
            cancel: Default::default(),
            boot_limit: limits::BOOT,
            direct: None,
        },
    )
}

fn has(features: &[Feature], name: &str) -> bool {
    features
        .iter()
        .any(|feature| format!("{feature:?}").contains(name))
}

#[tokio::test(start_paused = true)]
async fn it_runs_as_long_as_the_engine_does() {
    let engine = engine();
    let node = node_with(&engine, OLD, None).await;
    assert_eq!(node.info().await.unwrap().status, Status::Running);
    node.boot().await.unwrap();
    node.dial().await.unwrap();
    let before = engine.journal().len();
    let stop = StopOptions {
        force: false,
        grace: None,
    };
    node.stop(stop).await.unwrap();
    let remove = RemoveOptions {
        force: true,
        keep_state: false,
        keep_daemon: false,
    };
    node.remove(remove).await.unwrap();
    assert_eq!(engine.journal().len(), before, "the engine was asked");
}

#[tokio::test(start_paused = true)]
async fn what_it_can_do_hangs_on_where_the_engine_keeps_images() {
    let old = node_with(&engine(), OLD, None)
        .await
        .features()
        .await
        .unwrap();
    for name in ["DefaultLoad", "moby-exporter"] {
        assert!(has(&old, name), "{old:?}");
    }
    for name in [
        "OciExporter",
        "DockerExporter",
        "MultiPlatform",
        "DirectPush",
    ] {
        assert!(!has(&old, name), "{old:?}");
    }
    let new = Inside {
        version: "v0.20.0",
        labels: &[("org.mobyproject.buildkit.worker.snapshotter", "overlayfs")],
    };
    let new = node_with(&engine(), new, None)
        .await
        .features()
        .await
        .unwrap();
    for name in [
        "moby-exporter",
        "OciExporter",
        "MultiPlatform",
        "DirectPush",
    ] {
        assert!(has(&new, name), "{new:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn its_version_is_what_it_says_or_what_the_engine_is() {
    let version = async |inside| {
        node_with(&engine(), inside, None)
            .await
            .version()
            .await
            .unwrap()
    };
    let new = Inside {
        version: "v0.20.0",
        labels: &[],
    };
    assert_eq!(version(new).await, "v0.20.0");
    assert_eq!(version(OLD).await, "v0.8+unknown");
}

#[tokio::test(start_paused = true)]
async fn builds_reach_the_machine_where_the_engine_says_how() {
    let telling = Inside {
        version: "v0.20.0",
        labels: &[(
            "org.mobyproject.buildkit.worker.moby.host-gateway-ip",
            "172.17.0.1",
        )],
    };
    let node = node_with(&engine(), telling, None).await;
    assert_eq!(node.host_gateway().await.unwrap(), "172.17.0.1");
    let node = node_with(&engine(), OLD, None).await;
    assert!(matches!(
        node.host_gateway().await,
        Err(DriverError::Failed {
            error: Error::Unsupported(_),
            ..
        })
    ));
}

#[tokio::test(start_paused = true)]
async fn it_reaches_no_more_than_the_control_connection() {
    let engine = engine();
    let node = node_with(&engine, OLD, Some(Grants::none())).await;
    let error = node.dial().await.map(drop).unwrap_err();
    let DriverError::Denied { denial, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(denial.capability, "engine.open");
    let requests = &driver().descriptor().await.unwrap().capabilities.clone();
    let trusted = Grants::trusted(requests);
    assert!(trusted.check("engine.open", "control").is_ok());
    assert!(trusted.check("engine.open", "session").is_err());
}

#[tokio::test(start_paused = true)]
async fn an_engine_without_buildkit_says_so() {
    let node = node_with(&SimulatedEngine::new(), OLD, None).await;
    let error = node.boot().await.unwrap_err().to_string();
    let expected = "the engine does not support BuildKit connections";
    assert!(error.starts_with(expected), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_the_engine_is_not_configured_here() {
    let with_flags = Config {
        buildkitd_flags: vec!["--debug".into()],
        ..config()
    };
    let error = driver()
        .validate(&with_flags)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("takes no flags of a builder"), "{error}");
}
