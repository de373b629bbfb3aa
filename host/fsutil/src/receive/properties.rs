//! Permissions, times and extended attributes of an entry.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, Timespec, Timestamps};

use super::attributes::Attributes;
use crate::mode;
use crate::wire::Stat;

/// The properties that an entry gets when it is complete.
pub(super) struct About {
    /// Permissions, including set user ID, set group ID and sticky.
    pub(super) mode: Mode,
    pub(super) modified: i64,
    pub(super) attributes: Attributes,
}

impl About {
    pub(super) fn new(stat: &Stat) -> Self {
        Self {
            mode: Mode::from_raw_mode(
                mode::to_st_mode(stat.mode & !mode::TYPE).unwrap_or(0) & 0o7777,
            ),
            modified: stat.modified,
            attributes: Attributes::default(),
        }
    }

    pub(super) fn times(&self) -> Timestamps {
        let time = Timespec {
            tv_sec: self.modified.div_euclid(1_000_000_000),
            tv_nsec: self.modified.rem_euclid(1_000_000_000),
        };
        Timestamps {
            last_access: time,
            last_modification: time,
        }
    }

    /// Sets all properties.
    pub(super) fn apply(&self, file: &OwnedFd) -> io::Result<()> {
        self.attributes.apply(file);
        rustix::fs::fchmod(file, self.mode)?;
        Ok(rustix::fs::futimens(file, &self.times())?)
    }
}
