//! Components that tests install, and their state in the store and in `driver ls`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use iechor_testkit::build_component;
use serde_json::Value;

use crate::support::{Finished, Sandbox, built_driver};

/// Flags that grant a copy of the built-in driver what it needs.
pub const GRANTS: &str = "--grant container.privileged --grant image.pull";

/// Builds a component of the workspace. Returns its file.
pub fn build(package: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../guests");
    build_component(&workspace, package, "guest", &target).expect("it can be built")
}

/// Returns the component of the example driver `team`, which is built once.
pub fn team() -> &'static Path {
    static COMPONENT: OnceLock<PathBuf> = OnceLock::new();
    COMPONENT.get_or_init(|| build("iechor-driver-team"))
}

/// Returns a driver that behaves like the built-in one but has another digest, because of a custom section.
pub fn variant(number: u8) -> Vec<u8> {
    let mut component = fs::read(built_driver()).expect("built");
    component.extend([0, 3, 1, b'v', number]);
    component
}

/// Replaces a text in a component with another of the same length.
pub fn patched(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = component.to_vec();
    let places: Vec<_> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from.as_bytes()))
        .collect();
    assert!(!places.is_empty(), "{from} is not in the component");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// Returns the digest of a file, computed by another program.
pub fn digest_of(path: &Path) -> String {
    let said = Command::new("sha256sum").arg(path).output().expect("runs");
    let text = String::from_utf8(said.stdout).expect("text");
    format!("sha256:{}", text.split(' ').next().expect("a digest"))
}

/// Installs a variant as `team`. Returns its source file.
#[track_caller]
pub fn installed(sandbox: &Sandbox) -> PathBuf {
    let file = sandbox.write("team.wasm", variant(1));
    sandbox
        .iechor(&format!("driver install ./team.wasm --name team {GRANTS}"))
        .success()
        .prints("team\n");
    file
}

/// Returns a driver as `driver ls` lists it.
#[track_caller]
pub fn listed(sandbox: &Sandbox, name: &str) -> Option<Value> {
    let listed = sandbox.iechor("driver ls --format json").success();
    listed
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .find(|driver| driver["Name"] == name)
}

/// Returns the components in the store.
pub fn components(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = fs::read_dir(sandbox.store().join("drivers/components"));
    entries
        .map(|entries| {
            entries
                .map(|entry| entry.expect("readable").path())
                .collect()
        })
        .unwrap_or_default()
}

/// Returns the only component in the store.
#[track_caller]
pub fn component(sandbox: &Sandbox) -> PathBuf {
    let found = components(sandbox);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("one")
}

/// Returns the flags in the message of a refusal.
#[track_caller]
pub fn named_flags(refusal: &Finished) -> String {
    let line = refusal
        .stderr
        .lines()
        .find_map(|line| line.split_once("to grant it, add: "));
    let (_, flags) = line.unwrap_or_else(|| panic!("no flags in {}", refusal.transcript()));
    flags.to_owned()
}
