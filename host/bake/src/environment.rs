//! What a definition sees of its surroundings.

use time::OffsetDateTime;

/// The surroundings of an evaluation. Everything that is not in the files of a definition comes from here.
pub trait Environment: Sync {
    /// Returns a variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// Returns the time.
    fn now(&self) -> OffsetDateTime;

    /// Fills a buffer with random bytes.
    fn random(&self, buffer: &mut [u8]);

    /// Returns the home directory of the user.
    fn home(&self) -> Option<String>;
}
