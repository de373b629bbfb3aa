//! Compiles components that are not built in, in a process of its own.
//!
//! The author of a component decides what its compilation costs: a few kilobytes can take hours and all memory,
//! and a Rust program that runs out of memory aborts without an error. So the program starts itself again as a
//! compiler, with bounds on memory, processor time and wall time ([`limits`]). However the compiler ends, the
//! program continues with a typed error.
//!
//! - `child` is the compiler: it confines itself, reads a component from its standard input and writes
//!   machine code to its standard output.
//! - `parent` starts it, monitors it, and reports what ended it.
//!
//! The bounds keep the machine usable; they do not protect against faults of the compiler itself. The program runs
//! the machine code that the compiler returns, and the sandbox relies on that code. A component for which the
//! compiler generates wrong code can escape the sandbox, whichever process compiles it.

mod child;
mod parent;

use std::sync::OnceLock;
use std::time::Duration;

use wasmtime::Engine;

use crate::error::{CompilationLimit, DriverError};
use crate::limits;

pub(crate) use parent::Abort;

/// First argument of a program that is started as a compiler.
const MARKER: &str = "--compile-a-component-from-standard-input";

/// Bounds of the compilation of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    /// Bytes of memory, in addition to the program itself.
    memory: u64,
    /// Processor time of all threads, in whole seconds.
    processor: Duration,
    wall: Duration,
    /// Bytes of machine code.
    code: usize,
}

impl Bounds {
    const ALL: Self = Self {
        memory: limits::COMPILER_MEMORY,
        processor: limits::COMPILER_PROCESSOR,
        wall: limits::COMPILER_WALL,
        code: limits::MACHINE_CODE_BYTES,
    };

    fn memory_exceeded(self) -> CompilationLimit {
        CompilationLimit::Memory { bytes: self.memory }
    }

    fn processor_exceeded(self) -> CompilationLimit {
        CompilationLimit::Processor {
            time: self.processor,
        }
    }

    fn wall_exceeded(self) -> CompilationLimit {
        CompilationLimit::Wall { time: self.wall }
    }

    fn code_exceeded(self) -> CompilationLimit {
        CompilationLimit::MachineCode {
            bytes: self.code as u64,
        }
    }
}

/// The process that compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compiler {
    /// This program, started again.
    Child,
    /// This process, without bounds.
    ThisProcess,
}

static COMPILER: OnceLock<Compiler> = OnceLock::new();

/// Compiles and ends the process if this program was started as a compiler. Every program that loads drivers calls
/// this first in its `main`; otherwise it can load only built-in drivers.
pub fn serve_if_asked() {
    if std::env::args_os().nth(1).is_some_and(|it| it == MARKER) {
        child::serve(std::env::args_os().skip(2));
    }
    // An earlier decision stays.
    let _ = COMPILER.set(Compiler::Child);
}

/// Compiles components in this process, without bounds, unless the program called [`serve_if_asked`]. This is for
/// tests of drivers, which have no `main` of their own and trust their components.
pub fn compile_in_this_process() {
    // A program that can compile within bounds does so.
    let _ = COMPILER.set(Compiler::ThisProcess);
}

/// Returns the machine code of a component, for the engine of this process. `abort` ends it early.
///
/// # Errors
///
/// The fault of the component, or the limit that its compilation exceeds.
pub(crate) fn compile(
    engine: &Engine,
    driver: &str,
    component: &[u8],
    abort: &Abort,
) -> Result<Vec<u8>, DriverError> {
    compile_by(COMPILER.get().copied(), engine, driver, component, abort)
}

/// See [`compile`]. If the chosen compiler is missing, no other one is used.
fn compile_by(
    compiler: Option<Compiler>,
    engine: &Engine,
    driver: &str,
    component: &[u8],
    abort: &Abort,
) -> Result<Vec<u8>, DriverError> {
    match compiler {
        Some(Compiler::Child) => parent::compile(driver, component, Bounds::ALL, abort),
        Some(Compiler::ThisProcess) => engine
            .precompile_component(component)
            .map_err(|error| DriverError::unloadable(driver, &format!("{error:#}"))),
        None => Err(DriverError::NoCompiler {
            driver: driver.into(),
            reason: "it does not call compiler::serve_if_asked() at its beginning".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::EMBEDDED;

    #[test]
    fn nothing_is_compiled_without_bounds_unless_that_was_chosen() {
        let runtime = crate::runtime::Runtime::get().expect("a runtime");
        let (abort, _abort_on_drop) = Abort::pair().expect("a pair");
        let compile = |compiler| {
            let component = EMBEDDED[0].component;
            compile_by(compiler, &runtime.engine, "team", component, &abort)
        };
        let error = compile(None).expect_err("it was compiled");
        assert!(matches!(error, DriverError::NoCompiler { .. }), "{error:?}");
        assert!(compile(Some(Compiler::ThisProcess)).is_ok());
    }
}
