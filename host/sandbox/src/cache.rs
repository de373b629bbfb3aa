//! Machine code of components that were compiled before.
//!
//! Loading it runs it, so it comes only from a directory that nobody but the user can write to,
//! and only under the digest of the component that it was made from. A directory that is not
//! private is not used.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compilation;

/// The component's machine code, from the cache where it is there; compiled, and kept where it
/// can be, otherwise. `name` is how the user calls the driver.
pub(crate) fn load(
    engine: &Engine,
    name: &str,
    digest: &str,
    bytes: &[u8],
) -> wasmtime::Result<Component> {
    let path = directory().map(|directory| directory.join(file_name(engine, digest)));
    if let Some(path) = path.as_ref().filter(|path| path.exists()) {
        // SAFETY: only this user can write to the directory (`directory` checks), and what this
        // program writes there is what wasmtime made.
        if let Ok(component) = unsafe { Component::deserialize_file(engine, path) } {
            return Ok(component);
        }
    }
    let component = compilation::announced(name, bytes.len(), || Component::new(engine, bytes))?;
    if let Some(path) = path {
        // The cache saves time; without it everything works.
        let _ = component
            .serialize()
            .map_err(drop)
            .and_then(|code| write(&path, &code));
    }
    Ok(component)
}

/// One file a component and compiler: machine code of another version, or other settings, is
/// another file.
fn file_name(engine: &Engine, digest: &str) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{:016x}.cwasm", hasher.finish())
}

/// Where this program keeps what it can do without: `$XDG_CACHE_HOME/iechor`, else
/// `~/.cache/iechor`.
pub fn home() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(base.join("iechor"))
}

/// The folder `drivers` there, made where it is missing; `None` where it is not private.
fn directory() -> Option<PathBuf> {
    let directory = home()?.join("drivers");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .ok()?;
    let metadata = fs::symlink_metadata(&directory).ok()?;
    let private = metadata.is_dir()
        && metadata.mode() & 0o077 == 0
        && metadata.uid() == rustix::process::geteuid().as_raw();
    private.then_some(directory)
}

/// Whole or not at all: another process may read it at any time.
fn write(path: &std::path::Path, code: &[u8]) -> Result<(), ()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(code))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(drop)
}
