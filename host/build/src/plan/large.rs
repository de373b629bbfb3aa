//! Contexts that are so large that the user should know why.

use std::sync::{Arc, Mutex, PoisonError};

use iechor_buildkit::{DirectorySize, Offered};

/// Size from which a context is noted, in bytes.
pub const LARGE: u64 = 100_000_000;

/// The large contexts of a build, as they are sent. Clones share their content.
#[derive(Clone, Debug, Default)]
pub struct LargeContexts(Arc<Mutex<Vec<LargeContext>>>);

/// A context of more than [`LARGE`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeContext {
    /// The name of the context; `context` for that of the build.
    pub name: String,
    /// Size of its files, in bytes.
    pub bytes: u64,
    /// Its largest directories, the largest first, at most three.
    pub largest: Vec<DirectorySize>,
}

impl LargeContexts {
    /// Notes a context if it is large. Of several transfers, the largest counts.
    pub(crate) fn note(&self, name: &str, offered: Offered) {
        if offered.bytes <= LARGE {
            return;
        }
        let mut contexts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = contexts.iter().position(|context| context.name == name);
        let context = LargeContext {
            name: name.to_owned(),
            bytes: offered.bytes,
            largest: offered.largest,
        };
        match known {
            Some(at) if contexts[at].bytes >= context.bytes => {}
            Some(at) => contexts[at] = context,
            None => contexts.push(context),
        }
    }

    /// Returns the contexts that were noted.
    pub fn take(&self) -> Vec<LargeContext> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_context_is_noted_once() {
        let contexts = LargeContexts::default();
        let note = |name: &str, bytes: u64| {
            let largest = Vec::new();
            contexts.note(name, Offered { bytes, largest });
        };
        note("context", LARGE);
        assert_eq!(contexts.take(), []);
        note("context", LARGE + 1);
        note("context", LARGE + 2);
        note("other", LARGE + 3);
        note("context", 5);
        let noted: Vec<_> = contexts
            .take()
            .into_iter()
            .map(|c| (c.name, c.bytes))
            .collect();
        let expected = [
            ("context".to_owned(), LARGE + 2),
            ("other".to_owned(), LARGE + 3),
        ];
        assert_eq!(noted, expected);
    }
}
