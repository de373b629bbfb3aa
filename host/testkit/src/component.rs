//! Builds components with cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::KitError;

/// Builds a package of a workspace for `wasm32-wasip2` and returns the component. Built things go
/// to `target`, which has to be another directory than that of the build in progress: cargo would
/// wait for itself.
///
/// # Errors
///
/// What cargo said.
pub fn build_component(
    workspace: &Path,
    package: &str,
    profile: &str,
    target: &Path,
) -> Result<PathBuf, KitError> {
    let failed = |reason: String| KitError::NotBuilt {
        package: package.to_owned(),
        reason,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace)
        .args([
            "build",
            "--quiet",
            "--package",
            package,
            "--profile",
            profile,
        ])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(target);
    // What was set for the build in progress is about its own target.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
    ] {
        command.env_remove(name);
    }
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let directory = if profile == "dev" { "debug" } else { profile };
    let file = format!("{}.wasm", package.replace('-', "_"));
    Ok(target.join("wasm32-wasip2").join(directory).join(file))
}
