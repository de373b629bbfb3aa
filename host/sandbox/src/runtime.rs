//! The one engine of a process, with everything that drivers can import linked.

use std::sync::OnceLock;

use wasmtime::Engine;
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::cli;

use crate::capability;
use crate::error::DriverError;
use crate::limits;
use crate::operation::Host;

/// The engine and its linker. Several engines in one process have mixed up types before
/// (RUSTSEC-2026-0222), so there is one.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Host>,
}

/// The interfaces of WASI that are linked: words, time and randomness, no files and no sockets.
const WASI: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/random",
];

/// The types that all interfaces of the contract share.
const TYPES: &str = "iechor:driver/types";

/// Returns the name of an import without its version.
fn interface(import: &str) -> &str {
    import.split_once('@').map_or(import, |(name, _)| name)
}

impl Runtime {
    /// Returns the runtime of this process; made, with its clock of processor time, when first asked for.
    pub(crate) fn get() -> wasmtime::Result<&'static Self> {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime);
        }
        let made = Self::new()?;
        Ok(RUNTIME.get_or_init(|| {
            let engine = made.engine.clone();
            // Ends with the process; costs one wake-up a tick.
            std::thread::spawn(move || {
                loop {
                    std::thread::sleep(limits::TICK);
                    engine.increment_epoch();
                }
            });
            made
        }))
    }

    /// Returns the runtime, for a driver.
    ///
    /// # Errors
    ///
    /// That the driver cannot be loaded, and why.
    pub(crate) fn of(driver: &str) -> Result<&'static Self, DriverError> {
        Self::get().map_err(|error| DriverError::unloadable(driver, &format!("{error:#}")))
    }

    fn new() -> wasmtime::Result<Self> {
        let engine = Engine::new(&crate::engine_config::config())?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(&mut linker)?;
        cli::exit::add_to_linker::<Host, WasiCli>(&mut linker, Host::cli)?;
        cli::environment::add_to_linker::<Host, WasiCli>(&mut linker, Host::cli)?;
        cli::terminal_input::add_to_linker::<Host, WasiCli>(&mut linker, Host::cli)?;
        cli::terminal_output::add_to_linker::<Host, WasiCli>(&mut linker, Host::cli)?;
        cli::terminal_stdin::add_to_linker::<Host, WasiCli>(&mut linker, Host::cli)?;
        cli::terminal_stdout::add_to_linker::<Host, WasiCli>(&mut linker, Host::cli)?;
        cli::terminal_stderr::add_to_linker::<Host, WasiCli>(&mut linker, Host::cli)?;
        capability::link(&mut linker)?;
        Ok(Self { engine, linker })
    }
}

/// Returns whether an import is one of the container engine's interfaces.
pub(crate) fn is_of_the_engine(import: &str) -> bool {
    capability::find(interface(import)).is_some_and(|interface| interface.of_engine)
}

/// Returns those of a component's imports that this host does not offer, by name and version.
pub(crate) fn unknown_imports<'a>(imports: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is_known = |import: &str| {
        let name = interface(import);
        name == TYPES || WASI.contains(&name) || capability::find(name).is_some()
    };
    imports
        .filter(|import| !is_known(import))
        .map(str::to_owned)
        .collect()
}
