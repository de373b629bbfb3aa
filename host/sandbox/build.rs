//! Builds the embedded drivers as components, and compiles the components to machine code.
//!
//! A nested cargo builds the components. It has its own target directory, which all profiles share,
//! because two cargo processes cannot use the same one at a time. The machine code saves users the
//! compilation at first use. A machine that cannot run it compiles the component itself.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

#[path = "src/engine_config.rs"]
mod engine_config;

const GUEST_TARGET: &str = "wasm32-wasip2";

/// The embedded drivers: their names, as in `src/embedded.rs` and as their directories are called, and
/// their packages.
const DRIVERS: &[(&str, &str)] = &[
    ("iechor-container", "iechor-container"),
    ("iechor", "iechor-driver-engine"),
    ("remote", "iechor-driver-remote"),
];

/// Sources of the drivers outside their own directories.
const SHARED: &[&str] = &[
    "drivers/sdk",
    "drivers/buildkit-container",
    "host/values",
    "wit",
    "Cargo.lock",
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|e| e.to_string())?);
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(|e| e.to_string())?);
    let workspace = manifest.join("../..");
    let own = DRIVERS.iter().map(|(name, _)| format!("drivers/{name}"));
    for input in own.chain(SHARED.iter().map(|&input| input.to_owned())) {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(input).display()
        );
    }
    println!("cargo::rerun-if-changed=src/engine_config.rs");

    let components = build_drivers(&workspace, &out)?;
    let mut config = engine_config::config();
    // With an explicit target, the code runs on all processors of the target.
    let target = env::var("TARGET").map_err(|e| e.to_string())?;
    config.target(&target).map_err(|e| e.to_string())?;
    let engine = wasmtime::Engine::new(&config).map_err(|e| format!("{e:?}"))?;
    for (driver, package) in DRIVERS {
        let component = components.join(format!("{}.wasm", package.replace('-', "_")));
        let bytes = fs::read(&component).map_err(|e| format!("{}: {e}", component.display()))?;
        let machine_code = engine
            .precompile_component(&bytes)
            .map_err(|e| format!("compiling the driver {driver} failed: {e:?}"))?;
        for (extension, contents) in [("wasm", bytes), ("cwasm", machine_code)] {
            let path = out.join(format!("{driver}.{extension}"));
            fs::write(&path, contents).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    Ok(())
}

/// Builds all drivers at once. Returns the directory of the components.
fn build_drivers(workspace: &Path, out: &Path) -> Result<PathBuf, String> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let libraries = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", GUEST_TARGET])
        .output()
        .map_err(|e| format!("cannot run rustc: {e}"))?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&libraries.stdout).trim());
    if !libraries.is_dir() {
        return Err(format!(
            "this toolchain lacks the target {GUEST_TARGET} for drivers; run: \
             rustup target add {GUEST_TARGET}"
        ));
    }
    // OUT_DIR is <target>/<profile>/build/<package>/out.
    let target_directory = out
        .ancestors()
        .nth(4)
        .ok_or_else(|| format!("unexpected OUT_DIR: {}", out.display()))?
        .join("guests");
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace)
        .args(["build", "--quiet", "--locked", "--profile", "guest"])
        .args(
            DRIVERS
                .iter()
                .flat_map(|(_, package)| ["--package", package]),
        )
        .args(["--target", GUEST_TARGET, "--target-dir"])
        .arg(&target_directory);
    // These settings of the outer build apply to its target only.
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
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "building the drivers failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
        .replace('\n', "\ncargo::error="));
    }
    Ok(target_directory.join(GUEST_TARGET).join("guest"))
}
