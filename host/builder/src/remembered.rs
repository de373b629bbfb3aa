//! Answers of daemons, kept for listings.
//!
//! A connection to a daemon in a container costs the engine a process there: tens of milliseconds
//! for each node. A listing needs the version and the platforms, and neither changes within a run
//! of the daemon, which the driver names ([`Info::run`](iechor_sandbox::contract::Info)). Each run
//! has one file in the directory `daemons` of the cache. Without it, listings work, but slower.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use iechor_buildkit::{Device, GcPolicy, Worker};
use iechor_files::{Replacement, replace};
use iechor_platform::Platform;
use iechor_values::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Age at which a file is removed: most likely its run is over.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The answers of a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// Its version.
    pub(crate) version: String,
    workers: Vec<SaidWorker>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SaidWorker {
    id: String,
    platforms: Vec<Platform>,
    labels: BTreeMap<String, String>,
    rules: Vec<SaidRule>,
    devices: Vec<SaidDevice>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SaidRule {
    all: bool,
    filters: Vec<String>,
    keep_duration: Duration,
    reserved_space: i64,
    max_used_space: i64,
    min_free_space: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SaidDevice {
    name: String,
    automatically_allowed: bool,
    on_demand: bool,
    annotations: BTreeMap<String, String>,
}

impl Said {
    pub(crate) fn new(version: String, workers: &[Worker]) -> Self {
        let rule = |rule: &GcPolicy| SaidRule {
            all: rule.all,
            filters: rule.filters.clone(),
            keep_duration: rule.keep_duration,
            reserved_space: rule.reserved_space,
            max_used_space: rule.max_used_space,
            min_free_space: rule.min_free_space,
        };
        let device = |device: &Device| SaidDevice {
            name: device.name.clone(),
            automatically_allowed: device.automatically_allowed,
            on_demand: device.on_demand,
            annotations: device.annotations.clone(),
        };
        let workers = workers.iter().map(|worker| SaidWorker {
            id: worker.id.clone(),
            platforms: worker.platforms.clone(),
            labels: worker.labels.clone(),
            rules: worker.gc_policy.iter().map(rule).collect(),
            devices: worker.devices.iter().map(device).collect(),
        });
        Self {
            version,
            workers: workers.collect(),
        }
    }

    /// Returns its workers, with the fields that a listing needs.
    pub(crate) fn workers(&self) -> Vec<Worker> {
        let rule = |said: &SaidRule| GcPolicy {
            all: said.all,
            filters: said.filters.clone(),
            keep_duration: said.keep_duration,
            reserved_space: said.reserved_space,
            max_used_space: said.max_used_space,
            min_free_space: said.min_free_space,
        };
        let device = |said: &SaidDevice| Device {
            name: said.name.clone(),
            automatically_allowed: said.automatically_allowed,
            on_demand: said.on_demand,
            annotations: said.annotations.clone(),
        };
        let worker = |said: &SaidWorker| Worker {
            id: said.id.clone(),
            platforms: said.platforms.clone(),
            labels: said.labels.clone(),
            gc_policy: said.rules.iter().map(rule).collect(),
            devices: said.devices.iter().map(device).collect(),
            version: None,
        };
        self.workers.iter().map(worker).collect()
    }
}

/// Returns the answers of the daemon in that run.
pub(crate) fn recall(endpoint: &str, run: &str) -> Option<Said> {
    recall_in(&directory()?, endpoint, run)
}

/// Stores the answers of the daemon in that run.
pub(crate) fn remember(endpoint: &str, run: &str, said: &Said) {
    if let Some(directory) = directory() {
        // A failure costs time only.
        let _ = remember_in(&directory, endpoint, run, said);
    }
}

/// Maximum size of a file, in bytes; a worker takes about a thousand.
const MOST_BYTES: u64 = 1 << 20;

fn recall_in(directory: &Path, endpoint: &str, run: &str) -> Option<Said> {
    let path = directory.join(file_name(endpoint, run));
    let bytes = iechor_files::read(&path, MOST_BYTES).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn remember_in(directory: &Path, endpoint: &str, run: &str, said: &Said) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    forget_old(directory);
    // Replaced in one step: another process may read it at any time.
    let path = directory.join(file_name(endpoint, run));
    replace(&path, &serde_json::to_vec(said)?, Replacement::default())
}

fn forget_old(directory: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        if written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > KEPT)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A hash, since endpoint and run come from a user and a driver and must not name a file.
fn file_name(endpoint: &str, run: &str) -> String {
    let digest = Sha256::digest(format!("{endpoint}\n{run}"));
    format!("{}.json", hex::encode(&digest))
}

fn directory() -> Option<PathBuf> {
    Some(iechor_sandbox::cache_home()?.join("daemons"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_recalled_for_that_run_alone() {
        let directory = tempfile::tempdir().expect("directory");
        let worker = Worker {
            id: "w".into(),
            labels: [("a".to_owned(), "b".to_owned())].into(),
            gc_policy: vec![GcPolicy {
                all: true,
                filters: vec!["type==regular".into()],
                keep_duration: Duration::from_secs(60),
                reserved_space: 1,
                max_used_space: 2,
                min_free_space: 3,
            }],
            devices: vec![Device {
                name: "d".into(),
                automatically_allowed: true,
                on_demand: true,
                annotations: [("c".to_owned(), "d".to_owned())].into(),
            }],
            platforms: vec![Platform {
                os_version: "10.0.17763".into(),
                ..Platform::new("windows", "arm", "v7")
            }],
            ..Worker::default()
        };
        let said = Said::new("v0.25.2".into(), std::slice::from_ref(&worker));
        remember_in(directory.path(), "unix:///a", "run 1", &said).expect("written");

        let recalled = recall_in(directory.path(), "unix:///a", "run 1").expect("recalled");
        assert_eq!(recalled, said);
        assert_eq!(recalled.workers(), [worker]);
        assert_eq!(recall_in(directory.path(), "unix:///a", "run 2"), None);
        assert_eq!(recall_in(directory.path(), "unix:///b", "run 1"), None);
    }

    #[test]
    fn a_broken_file_is_as_good_as_none() {
        let directory = tempfile::tempdir().expect("directory");
        fs::write(directory.path().join(file_name("e", "r")), "{").expect("written");
        assert_eq!(recall_in(directory.path(), "e", "r"), None);
    }
}
