//! The guest, and the examples.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Once, OnceLock};

use iechor_testkit::build_component;

/// The component of the package `iechor-guest-faulty`, built once.
pub fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| component("iechor-guest-faulty"))
}

/// The component of a package of the workspace.
pub fn component(package: &str) -> PathBuf {
    use_own_cache();
    let target = scratch().parent().unwrap().join("guests");
    build_component(&workspace(), package, "guest", &target).unwrap()
}

/// The component of the example in Python, built where it is not there yet.
pub fn python_driver() -> PathBuf {
    use_own_cache();
    let built = Command::new(workspace().join("tests/python-driver"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    String::from_utf8(built.stdout).unwrap().trim_end().into()
}

/// Compiled guests go here rather than to the user's cache, and are found again by the next run.
fn use_own_cache() {
    static ONCE: Once = Once::new();
    // SAFETY: nothing in this binary reads the environment except through the standard library,
    // which locks it.
    ONCE.call_once(|| unsafe { std::env::set_var("XDG_CACHE_HOME", scratch().join("cache")) });
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A copy of the guest that was ordered to be wrong where it gets no configuration.
pub fn ordered_guest(directory: &Path, order: &str) -> PathBuf {
    const PLACE: &[u8] = b"order to the driver: be good....";
    let to = format!("{order:.<width$}", width = PLACE.len());
    let mut bytes = std::fs::read(guest()).unwrap();
    let place = bytes
        .windows(PLACE.len())
        .position(|window| window == PLACE)
        .unwrap();
    bytes[place..place + PLACE.len()].copy_from_slice(to.as_bytes());
    let path = directory.join("ordered.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}
