//! Seeds of the keys with which BuildKit recognises the users of a token, in `.token_seed` beside `config.json`.
//!
//! docker buildx keeps them in the same file, in the same format (BuildKit: `session/auth/authprovider`). A directory
//! that cannot be written is no error: a key then lasts as long as the process.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iechor_files::{Directory, Replacement};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::DockerConfig;

/// The file, and the file that is locked while it changes.
const FILE: &str = ".token_seed";
const LOCK: &str = ".token_seed.lock";

/// Maximum size of the file, in bytes: the seeds of ten thousand registries.
const FILE_BYTES: u64 = 1 << 20;

/// Time that another process may hold the lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Length of a new seed, in bytes.
const SEED: usize = 16;

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(rename = "Seed")]
    seed: String,
}

impl DockerConfig {
    /// Returns the seed for a registry. Creates and stores one if there is none. Blocks for a few seconds if another
    /// process holds the lock.
    pub fn token_seed(&self, host: &str) -> Vec<u8> {
        let directory = Directory::at(&self.directory);
        // Without a lock, another process may store another seed: then a token is fetched again.
        let _lock = directory
            .make("")
            .and_then(|_| directory.open_lock(LOCK))
            .ok()
            .filter(|lock| {
                let end = Instant::now() + LOCK_WAIT;
                while flock(lock, FlockOperation::NonBlockingLockExclusive).is_err() {
                    if Instant::now() >= end {
                        return false;
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                true
            });
        let path = self.directory.join(FILE);
        let mut seeds = read(&path);
        let stored = seeds
            .get(host)
            .and_then(|entry| STANDARD.decode(&entry.seed).ok());
        if let Some(seed) = stored.filter(|seed| !seed.is_empty()) {
            return seed;
        }
        let seed = random();
        let entry = Entry {
            seed: STANDARD.encode(&seed),
        };
        seeds.insert(host.to_owned(), entry);
        write(&path, &seeds);
        seed
    }
}

/// Reads the file. One that is missing, empty or damaged has no seeds.
fn read(path: &Path) -> BTreeMap<String, Entry> {
    let text = iechor_files::read(path, FILE_BYTES).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn write(path: &Path, seeds: &BTreeMap<String, Entry>) {
    // Something else than a regular file in this place is left alone.
    let is_ours = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.is_file(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if let Ok(text) = serde_json::to_vec_pretty(seeds)
        && is_ours
    {
        let _ = iechor_files::replace(path, &text, Replacement::default());
    }
}

fn random() -> Vec<u8> {
    let mut seed = vec![0; SEED];
    let mut filled = 0;
    while filled < SEED {
        // The kernel has random bytes, or the process waits for them at boot.
        filled +=
            rustix::rand::getrandom(&mut seed[filled..], rustix::rand::GetRandomFlags::empty())
                .unwrap_or_default();
    }
    seed
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::tests::Fixture;
    use super::*;

    #[test]
    fn a_seed_is_created_once_for_each_registry() {
        let fixture = Fixture::new("{}");
        let config = fixture.load();
        let seed = config.token_seed("r.example");
        assert_eq!(seed.len(), SEED);
        assert_eq!(fixture.load().token_seed("r.example"), seed);
        assert_ne!(config.token_seed("other.example"), seed);
        assert_eq!(config.token_seed("r.example"), seed);
        let file = config.directory().join(FILE);
        let mode = fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // The format of docker buildx.
        let text = fs::read_to_string(&file).expect("text");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["r.example"]["Seed"], STANDARD.encode(&seed));
    }

    #[test]
    fn a_seed_of_docker_buildx_is_used() {
        let fixture = Fixture::new("{}");
        let config = fixture.load();
        let text = r#"{"r.example":{"Seed":"AAECAwQFBgcICQoLDA0ODw=="}}"#;
        fs::write(config.directory().join(FILE), text).expect("written");
        assert_eq!(config.token_seed("r.example"), (0..16).collect::<Vec<u8>>());
    }

    #[test]
    fn a_damaged_file_is_replaced_and_another_one_is_left_alone() {
        for text in [
            "",
            "{",
            "null",
            r#"{"r.example":{"Seed":"%"}}"#,
            r#"{"r.example":{"Seed":""}}"#,
        ] {
            let config = Fixture::new("{}");
            let config = config.load();
            fs::create_dir_all(config.directory()).expect("made");
            fs::write(config.directory().join(FILE), text).expect("written");
            let seed = config.token_seed("r.example");
            assert_eq!(config.token_seed("r.example"), seed, "{text}");
        }
        let fixture = Fixture::new("{}");
        let config = fixture.load();
        let file = config.directory().join(FILE);
        std::os::unix::fs::symlink("/dev/null", &file).expect("linked");
        assert_eq!(config.token_seed("r.example").len(), SEED);
        assert!(fs::symlink_metadata(&file).expect("there").is_symlink());
    }
}
