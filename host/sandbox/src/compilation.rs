//! Announces compilations: a large component, such as a driver with an interpreter, takes seconds, and a
//! program without any output would seem to hang.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A component that is compiled, since its machine code is not in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compilation<'a> {
    /// It begins.
    Begins {
        /// The driver as the user calls it.
        driver: &'a str,
        /// Size of the component, in bytes.
        bytes: usize,
    },
    /// It is done; where it fails, the error says so instead.
    Done {
        /// The driver as the user calls it.
        driver: &'a str,
        /// Size of the component, in bytes.
        bytes: usize,
        /// How long it took.
        took: Duration,
    },
}

static LISTENER: OnceLock<fn(Compilation<'_>)> = OnceLock::new();

/// Calls `listener` for every compilation of this process. Only the first call has an effect.
pub fn listen(listener: fn(Compilation<'_>)) {
    // A second one is of the same program: it would say the same.
    let _ = LISTENER.set(listener);
}

pub(crate) fn announced<T, E>(
    driver: &str,
    bytes: usize,
    compile: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let tell = |compilation| {
        if let Some(listener) = LISTENER.get() {
            listener(compilation);
        }
    };
    tell(Compilation::Begins { driver, bytes });
    let begun = Instant::now();
    let compiled = compile()?;
    let took = begun.elapsed();
    tell(Compilation::Done {
        driver,
        bytes,
        took,
    });
    Ok(compiled)
}
