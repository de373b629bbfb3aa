//! A cache of machine code.
//!
//! Machine code is trusted, so it is loaded only from a directory that only the user can write to, by the
//! digest of the component. A directory that is not private is not used.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use iechor_files::{Replacement, replace};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::binary::Binary;
use crate::compilation;
use crate::error::DriverError;

/// Machine code is removed after this time without use.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);

/// A use is recorded at most once in this time: loading a driver does not write otherwise.
const RECORDED: Duration = Duration::from_secs(24 * 3600);

/// A component that was compiled just now.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    code: Vec<u8>,
    /// Where its machine code is to be kept.
    place: Option<PathBuf>,
}

impl Compiled {
    /// Keeps the machine code for the next time.
    pub(crate) fn keep(self) {
        let Some(place) = self.place else {
            return;
        };
        // The cache saves time; without it everything works.
        // Another process may read it at any time.
        let _ = replace(&place, &self.code, Replacement::default());
        if let Some(directory) = place.parent() {
            tidy(directory, SystemTime::now());
        }
    }
}

/// Returns the component, if its machine code is in the cache.
pub(crate) fn find(engine: &Engine, binary: &Binary) -> Option<Component> {
    let path = place(engine, binary)?;
    if !path.exists() {
        return None;
    }
    // SAFETY: only this user can write to the directory (`directory` checks), and what this program
    // writes there is what wasmtime made.
    let component = unsafe { Component::deserialize_file(engine, &path) }.ok()?;
    touch(&path);
    Some(component)
}

/// Compiles the component with `compiler`. `name` is how the user calls the driver.
///
/// # Errors
///
/// The error of the compiler, or that its output cannot be loaded.
pub(crate) fn compile(
    engine: &Engine,
    name: &str,
    binary: &Binary,
    compiler: impl FnOnce() -> Result<Vec<u8>, DriverError>,
) -> Result<Compiled, DriverError> {
    let code = compilation::announced(name, binary.bytes().len(), compiler)?;
    // SAFETY: the code comes from the compiler of this program, either in this process or in a child
    // that runs the same program: nobody else had a hand on the pipe between the two. It is trusted as far
    // as the compiler is.
    let component = unsafe { Component::deserialize(engine, &code) }
        .map_err(|error| DriverError::unloadable(name, &format!("{error:#}")))?;
    Ok(Compiled {
        component,
        code,
        place: place(engine, binary),
    })
}

fn place(engine: &Engine, binary: &Binary) -> Option<PathBuf> {
    Some(directory()?.join(file_name(engine, binary.digest())))
}

/// Records that a file was used, so that [`tidy`] leaves it.
fn touch(path: &Path) {
    let last = fs::metadata(path).and_then(|metadata| metadata.modified());
    if last.is_ok_and(|last| last.elapsed().is_ok_and(|age| age < RECORDED)) {
        return;
    }
    let used = fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    // It may be compiled again some day.
    let _ = used;
}

/// Removes files that were not used for [`UNUSED`]: machine code of removed drivers, of other versions of
/// this program, and incomplete files.
fn tidy(directory: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let used = entry.metadata().and_then(|metadata| metadata.modified());
        if used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > UNUSED)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns the name of a file. It depends on the component, and on the version and settings of the
/// compiler.
fn file_name(engine: &Engine, digest: &str) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{:016x}.cwasm", hasher.finish())
}

/// Returns the cache directory of this program: `$XDG_CACHE_HOME/iechor`, or `~/.cache/iechor`.
pub fn home() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(base.join("iechor"))
}

/// Returns the directory `drivers` there, and creates it if it is missing; `None` if it is not private.
fn directory() -> Option<PathBuf> {
    let home = home()?;
    let directory = home.join("drivers");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .ok()?;
    // Whoever may rename a folder above may put another in its place between this look and the use.
    let safe = is_safe_above(home.parent()?) && is_own(&home, 0o022) && is_own(&directory, 0o077);
    safe.then_some(directory)
}

/// Returns whether it is a directory of this user, not a link, without these permissions.
fn is_own(folder: &Path, forbidden: u32) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|metadata| {
        metadata.is_dir()
            && metadata.mode() & forbidden == 0
            && metadata.uid() == rustix::process::geteuid().as_raw()
    })
}

/// Returns whether nobody else can rename this user's files in the directory.
fn is_safe_above(folder: &Path) -> bool {
    const STICKY: u32 = 0o1000;
    fs::metadata(folder).is_ok_and(|metadata| {
        let (mode, owner) = (metadata.mode(), metadata.uid());
        (mode & 0o022 == 0 || mode & STICKY != 0)
            && (owner == rustix::process::geteuid().as_raw() || owner == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_long_goes() {
        let directory = tempfile::tempdir().expect("made");
        let now = SystemTime::now();
        let file = |name: &str, days: u64| {
            let path = directory.path().join(name);
            let file = fs::File::create(&path).expect("made");
            let used = now - Duration::from_secs(days * 24 * 3600);
            file.set_modified(used).expect("set");
            path
        };
        let (new, old) = (file("new.cwasm", 29), file("old.cwasm", 31));
        let used_again = file("again.cwasm", 31);
        touch(&used_again);
        tidy(directory.path(), now);
        assert!(new.exists() && used_again.exists());
        assert!(!old.exists());
    }
}
