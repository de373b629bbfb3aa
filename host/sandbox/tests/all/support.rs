//! The guest, and nodes on the test kit's stage.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use iechor_sandbox::contract::{CapabilityRequest, Config};
use iechor_sandbox::{Driver, Grant, Grants, Node, Sandbox};
use iechor_testkit::build_component;
pub use iechor_testkit::{Answers, Stage};

/// The node of the tests, and what its names begin with.
pub const NODE: &str = "node0";
pub const CONTAINER: &str = "buildx_buildkit_node0";
pub const VOLUME: &str = "buildx_buildkit_node0_state";
/// The driver's own image.
pub const IMAGE: &str = "moby/buildkit:buildx-stable-1";

/// The driver that misbehaves, built once.
pub fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| component("iechor-guest-misbehaving"))
}

/// The example `team`, built once.
pub fn team() -> &'static Path {
    static TEAM: OnceLock<PathBuf> = OnceLock::new();
    TEAM.get_or_init(|| component("iechor-driver-team"))
}

fn component(package: &str) -> PathBuf {
    // Compiled guests go here rather than to the user's cache, and are found again by the next
    // run. SAFETY: nothing in this binary reads the environment except through the standard
    // library, which locks it.
    unsafe { std::env::set_var("XDG_CACHE_HOME", scratch().join("cache")) };
    let target = scratch().parent().unwrap().join("guests");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    build_component(&workspace, package, "guest", &target).unwrap()
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

/// Where the guest reads what to do without any configuration.
pub const ORDER: &str = "order to the driver: be good....";

/// An order of the length that it has to have.
pub fn order(order: &str) -> String {
    format!("{order:.<width$}", width = ORDER.len())
}

/// The guest that was ordered to do something where it gets no configuration.
pub async fn ordered_guest(order: &str) -> Arc<Driver> {
    let directory = tempfile::tempdir().unwrap();
    let order = self::order(order);
    load(&patched_guest(directory.path(), ORDER, &order)).await
}

pub async fn load(path: &Path) -> Arc<Driver> {
    Sandbox::file(path).await.unwrap()
}

/// What creates an ordinary container.
const CREATE: &str = "container.create";

/// A stage where drivers may create ordinary containers, and nothing else.
pub fn stage() -> Stage {
    let create = CapabilityRequest {
        name: CREATE.into(),
        scope: Vec::new(),
        required: false,
        reason: String::new(),
    };
    Stage {
        grants: Grants::trusted(&[create]),
        ..Stage::new(Answers::AtOnce)
    }
}

/// A stage where the driver may do this besides, as far as it asks for it.
pub async fn granting(driver: &Driver, granted: &[&str]) -> Stage {
    let granted = granted
        .iter()
        .chain([&CREATE])
        .map(|grant| Grant::parse(grant).unwrap())
        .collect();
    let requests = &driver.descriptor().await.unwrap().capabilities;
    Stage {
        grants: Grants::new(requests, granted),
        ..stage()
    }
}

/// What the tests ask of a stage.
pub trait Nodes {
    /// A node of the driver with these options, which are checked.
    async fn with_options(&self, driver: &Arc<Driver>, options: &[(&str, &str)]) -> Node;
    /// A node of the driver with this configuration, which is checked.
    async fn with_config(&self, driver: &Arc<Driver>, config: Config) -> Node;
    /// Asserts that the engine was not asked to create anything.
    fn assert_no_creations(&self);
}

impl Nodes for Stage {
    async fn with_options(&self, driver: &Arc<Driver>, options: &[(&str, &str)]) -> Node {
        let options = pairs(options);
        self.with_config(
            driver,
            Config {
                options,
                ..config()
            },
        )
        .await
    }

    async fn with_config(&self, driver: &Arc<Driver>, config: Config) -> Node {
        self.node(driver, &config).await.unwrap()
    }

    fn assert_no_creations(&self) {
        let creations = self.creations();
        assert!(creations.is_empty(), "{creations:#?}");
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
