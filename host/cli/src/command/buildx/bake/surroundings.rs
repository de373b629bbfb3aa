//! What definitions see of this computer.

use std::collections::BTreeMap;

use iechor_bake::Environment;
use iechor_platform::Platform;
use time::OffsetDateTime;

/// The environment, the clock and the user of this process.
pub(super) struct Surroundings;

impl Environment for Surroundings {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn random(&self, mut buffer: &mut [u8]) {
        while !buffer.is_empty() {
            let flags = rustix::rand::GetRandomFlags::empty();
            let filled = rustix::rand::getrandom(&mut *buffer, flags).unwrap_or(0);
            buffer = &mut buffer[filled..];
        }
    }

    fn home(&self) -> Option<String> {
        std::env::home_dir()?.into_os_string().into_string().ok()
    }
}

/// Returns the values that definitions cannot change.
pub(super) fn constants() -> BTreeMap<String, String> {
    let platform = Platform::local().to_string();
    [
        ("BAKE_CMD_CONTEXT", "cwd://".to_owned()),
        ("BAKE_LOCAL_PLATFORM", platform),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
