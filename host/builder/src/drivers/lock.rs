//! The lock file: which drivers are installed, from where, and what each component may do.
//!
//! | path in the store | content |
//! |---|---|
//! | `drivers/drivers.lock` | a [`LockFile`], in TOML |
//! | `drivers/components/<digits of the digest>.wasm` | the components |
//!
//! It is written under the store's lock and replaced in one step. A component is written before
//! the lock file names it, and removed after it no longer does, so that whoever is killed between
//! leaves a file too many at most, which the next writer removes.

use std::path::{Path, PathBuf};

use iechor_registry::Digest;
use iechor_sandbox::Grant;
use serde::{Deserialize, Serialize};

use crate::error::BuilderError;
use crate::store::{BrokenFile, Store, StoreError};

const DIRECTORY: &str = "drivers";
const FILE: &str = "drivers.lock";
const COMPONENTS: &str = "components";
/// Of the lock file's form.
const VERSION: u32 = 1;

/// The content of the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockFile {
    version: u32,
    /// The installed drivers, sorted by name.
    #[serde(default, rename = "driver", skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<Installed>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trust: Vec<Trust>,
}

/// An installed driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// What `--driver` takes.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The source as it was given; a path is absolute.
    pub source: String,
    /// What that led to: a file, or a manifest by its digest.
    pub pinned: String,
    /// Digest of the component.
    pub digest: Digest,
    /// When, in RFC 3339.
    pub installed_at: String,
}

/// What was granted to a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Trust {
    digest: Digest,
    /// As on the command line. Those that this program does not know grant nothing, and stay.
    grants: Vec<String>,
}

impl Default for LockFile {
    fn default() -> Self {
        Self {
            version: VERSION,
            drivers: Vec::new(),
            trust: Vec::new(),
        }
    }
}

impl LockFile {
    /// What is installed; nothing where there is no file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be used.
    pub fn read(store: &Store) -> Result<Self, BuilderError> {
        let path = path(store);
        let broken = |reason: String| BrokenFile {
            path: path.clone(),
            reason,
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(broken(error.to_string()).into()),
        };
        let lock: Self = toml::from_str(&text).map_err(|error| broken(error.to_string()))?;
        if lock.version != VERSION {
            return Err(broken(format!(
                "it has version {}, and this program reads version {VERSION}",
                lock.version
            ))
            .into());
        }
        Ok(lock)
    }

    /// The installed driver of that name.
    pub fn driver(&self, name: &str) -> Option<&Installed> {
        self.drivers
            .iter()
            .find(|driver| driver.name.eq_ignore_ascii_case(name))
    }

    /// What was granted to the component of that digest.
    pub fn grants(&self, digest: &str) -> Vec<Grant> {
        self.trust
            .iter()
            .filter(|trust| trust.digest.as_str() == digest)
            .flat_map(|trust| &trust.grants)
            .filter_map(|text| Grant::parse(text).ok())
            .collect()
    }

    /// Grants to a component exactly that, and nothing else.
    pub fn set_grants(&mut self, digest: &Digest, grants: &[Grant]) {
        self.trust.retain(|trust| trust.digest != *digest);
        let mut texts: Vec<String> = Vec::new();
        for grant in grants {
            let patterns = grant.scope.iter().map(|pattern| vec![pattern.clone()]);
            let scopes: Vec<_> = match grant.scope.as_slice() {
                [] => vec![Vec::new()],
                _ => patterns.collect(),
            };
            for scope in scopes {
                let name = grant.name.clone();
                let text = Grant { name, scope }.to_string();
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
        if !texts.is_empty() {
            self.trust.push(Trust {
                digest: digest.clone(),
                grants: texts,
            });
        }
    }

    /// Adds to what a component was granted.
    pub fn grant(&mut self, digest: &Digest, more: &[Grant]) {
        let mut grants = self.grants(digest.as_str());
        grants.extend(more.iter().cloned());
        self.set_grants(digest, &grants);
    }

    /// Installs a driver, in the place of one of its name.
    pub fn put(&mut self, driver: Installed) {
        self.take(&driver.name);
        self.drivers.push(driver);
        self.drivers.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Takes a driver out.
    pub fn take(&mut self, name: &str) -> Option<Installed> {
        let at = self
            .drivers
            .iter()
            .position(|driver| driver.name.eq_ignore_ascii_case(name))?;
        Some(self.drivers.remove(at))
    }

    /// Forgets the grants of a component that is neither installed nor in use.
    pub fn forget(&mut self, digest: &Digest, in_use: bool) {
        if !in_use && !self.drivers.iter().any(|driver| driver.digest == *digest) {
            self.trust.retain(|trust| trust.digest != *digest);
        }
    }
}

fn path(store: &Store) -> PathBuf {
    store.directory().join(DIRECTORY).join(FILE)
}

fn components() -> PathBuf {
    Path::new(DIRECTORY).join(COMPONENTS)
}

fn file_name(digest: &Digest) -> String {
    format!("{}.wasm", digest.digits())
}

/// Where the component of an installed driver is.
pub fn component_path(store: &Store, digest: &Digest) -> PathBuf {
    store.directory().join(components()).join(file_name(digest))
}

/// Changes the lock file, and adds a component. Nothing changes where `change` fails.
///
/// # Errors
///
/// Where the file cannot be used or written, and what `change` returns.
pub fn edit<T>(
    store: &Store,
    component: Option<(&Digest, &[u8])>,
    change: impl FnOnce(&mut LockFile) -> Result<T, BuilderError>,
) -> Result<T, BuilderError> {
    let transaction = store.lock()?;
    let before = LockFile::read(store)?;
    let mut lock = before.clone();
    let value = change(&mut lock)?;
    if let Some((digest, bytes)) = component {
        transaction.write_in(&components(), &file_name(digest), bytes)?;
    }
    if lock != before {
        let text = toml::to_string(&lock).map_err(|error| StoreError::File {
            action: "write",
            path: path(store),
            source: std::io::Error::other(error),
        })?;
        transaction.write_in(Path::new(DIRECTORY), FILE, text.as_bytes())?;
    }
    let named: Vec<_> = lock
        .drivers
        .iter()
        .map(|driver| file_name(&driver.digest))
        .collect();
    transaction.keep_only(&components(), &named)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn driver(name: &str, component: &[u8]) -> Installed {
        Installed {
            name: name.into(),
            version: "1".into(),
            source: "/a.wasm".into(),
            pinned: "/a.wasm".into(),
            digest: Digest::of(component),
            installed_at: "2026-01-02T03:04:05Z".into(),
        }
    }

    fn grant(text: &str) -> Grant {
        Grant::parse(text).expect("a grant")
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path().join("store"));
        (directory, store)
    }

    fn install(store: &Store, name: &str, component: &[u8]) {
        let entry = driver(name, component);
        let digest = entry.digest.clone();
        edit(store, Some((&digest, component)), |lock| {
            lock.put(entry);
            lock.grant(&digest, &[grant("image.pull=a*")]);
            Ok(())
        })
        .expect("written");
    }

    #[test]
    fn what_is_installed_is_read_again_and_private() {
        let (_directory, store) = store();
        assert_eq!(LockFile::read(&store).expect("none"), LockFile::default());
        assert!(!store.directory().exists());
        install(&store, "b", b"one");
        install(&store, "A", b"two");
        let lock = LockFile::read(&store).expect("read");
        let names: Vec<_> = lock.drivers.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["A", "b"]);
        assert_eq!(lock.driver("a"), Some(&driver("A", b"two")));
        let digest = Digest::of(b"one");
        assert_eq!(lock.grants(digest.as_str()), [grant("image.pull=a*")]);
        let file = component_path(&store, &digest);
        assert_eq!(std::fs::read(&file).expect("read"), b"one");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode(&file) & 0o777, 0o600);
        assert_eq!(mode(&path(&store)) & 0o777, 0o600);
        let directory = file.parent().expect("above");
        assert_eq!(mode(directory) & 0o777, 0o700);
        assert_eq!(mode(directory.parent().expect("above")) & 0o777, 0o700);
    }

    #[test]
    fn what_nothing_names_is_removed() {
        let (_directory, store) = store();
        install(&store, "a", b"one");
        install(&store, "a", b"two");
        assert!(!component_path(&store, &Digest::of(b"one")).exists());
        assert!(component_path(&store, &Digest::of(b"two")).exists());
        edit(&store, None, |lock| {
            let taken = lock.take("A").expect("installed");
            lock.forget(&taken.digest, false);
            Ok(())
        })
        .expect("written");
        assert!(!component_path(&store, &Digest::of(b"two")).exists());
        let lock = LockFile::read(&store).expect("read");
        assert!(lock.grants(Digest::of(b"two").as_str()).is_empty());
    }

    #[test]
    fn a_change_that_fails_leaves_everything() {
        let (_directory, store) = store();
        install(&store, "a", b"one");
        let before = LockFile::read(&store).expect("read");
        let refused = edit(&store, Some((&Digest::of(b"two"), b"two")), |lock| {
            lock.take("a");
            Err::<(), _>(BuilderError::Cancelled("a test"))
        });
        assert!(refused.is_err());
        assert_eq!(LockFile::read(&store).expect("read"), before);
        assert!(!component_path(&store, &Digest::of(b"two")).exists());
    }

    #[test]
    fn grants_of_another_program_stay_and_grant_nothing() {
        let (_directory, store) = store();
        install(&store, "a", b"one");
        let text = std::fs::read_to_string(path(&store)).expect("read");
        let text = text.replace("image.pull=a*\"", "image.pull=a*\", \"of.the.future\"");
        std::fs::write(path(&store), &text).expect("written");
        let lock = LockFile::read(&store).expect("read");
        assert_eq!(
            lock.grants(Digest::of(b"one").as_str()),
            [grant("image.pull=a*")]
        );
        install(&store, "b", b"two");
        let kept = std::fs::read_to_string(path(&store)).expect("read");
        assert!(kept.contains("of.the.future"), "{kept}");
    }

    #[test]
    fn grants_add_up_without_repetition() {
        let mut lock = LockFile::default();
        let digest = Digest::of(b"");
        let several = Grant {
            name: "image.pull".into(),
            scope: vec!["a".into(), "b".into()],
        };
        lock.grant(&digest, &[several]);
        lock.grant(&digest, &[grant("image.pull=b"), grant("engine.open")]);
        let texts: Vec<_> = lock
            .grants(digest.as_str())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(texts, ["image.pull=a", "image.pull=b", "engine.open"]);
    }

    #[test]
    fn a_file_that_makes_no_sense_is_named() {
        let (_directory, store) = store();
        install(&store, "a", b"one");
        for text in [
            "version = 2\n",
            "hello",
            "version = 1\n[[driver]]\nname = 1\n",
        ] {
            std::fs::write(path(&store), text).expect("written");
            let error = LockFile::read(&store).expect_err(text).to_string();
            assert!(error.contains("drivers.lock"), "{error}");
            assert!(edit(&store, None, |_| Ok(())).is_err());
        }
    }
}
