//! The lock of an index, as BuildKit's clients take it: `flock` on `index.json.lock`, which is removed
//! afterwards.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::LayoutError;

/// Time after which another process counts as hung. A change takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// The lock, while this value exists.
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Waits for the lock. This blocks.
    pub(super) fn take(path: &Path) -> Result<Self, LayoutError> {
        let failed = |reason: String| LayoutError::Locked {
            path: path.to_owned(),
            reason,
        };
        let start = Instant::now();
        loop {
            let mut options = File::options();
            options.create(true).truncate(false).write(true);
            let file = options
                .open(path)
                .map_err(|error| failed(error.to_string()))?;
            match file.try_lock() {
                // The process that had the lock may have removed the file in between.
                Ok(()) if is_at(&file, path) => {
                    return Ok(Self {
                        path: path.to_owned(),
                        _file: file,
                    });
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(failed("another process holds the lock".into()));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error.to_string())),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the lock is held, so that no other process holds it. A lock file that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(found)) => (file.dev(), file.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}
