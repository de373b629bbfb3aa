//! The guest.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use iechor_testkit::build_component;

/// The component of the package `iechor-guest-faulty`, built once.
pub fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| component("iechor-guest-faulty"))
}

/// The component of a package of the workspace.
pub fn component(package: &str) -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Compiled guests go here rather than to the user's cache, and are found again by the next
    // run. SAFETY: nothing in this binary reads the environment except through the standard
    // library, which locks it.
    unsafe { std::env::set_var("XDG_CACHE_HOME", scratch.join("cache")) };
    let target = scratch.parent().unwrap().join("guests");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    build_component(&workspace, package, "guest", &target).unwrap()
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
