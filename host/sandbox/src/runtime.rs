//! The one engine of a process, with everything that drivers can import linked.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::cli;

use crate::bindings::ContainerDriver;
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

/// The interfaces of the contract.
const CONTRACT: &[&str] = &[
    "iechor:driver/buildkit-session",
    "iechor:driver/clock",
    "iechor:driver/container",
    "iechor:driver/engine",
    "iechor:driver/image",
    "iechor:driver/log",
    "iechor:driver/network",
    "iechor:driver/progress",
    "iechor:driver/transport",
    "iechor:driver/types",
    "iechor:driver/volume",
];

/// Those of them that reach the container engine.
const ENGINE: &[&str] = &[
    "iechor:driver/container",
    "iechor:driver/engine",
    "iechor:driver/image",
    "iechor:driver/network",
    "iechor:driver/volume",
];

/// The name of an import without its version.
fn interface(import: &str) -> &str {
    import.split_once('@').map_or(import, |(name, _)| name)
}

impl Runtime {
    /// The runtime of this process; made, with its clock of processor time, when first asked for.
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
        ContainerDriver::add_to_linker::<_, HasSelf<_>>(&mut linker, |host: &mut Host| host)?;
        Ok(Self { engine, linker })
    }

    /// Whether an import is one of the container engine's interfaces.
    pub(crate) fn is_of_the_engine(import: &str) -> bool {
        ENGINE.contains(&interface(import))
    }

    /// Those of a component's imports that no host offers, by name and version.
    pub(crate) fn unknown_imports<'a>(imports: impl Iterator<Item = &'a str>) -> Vec<String> {
        let known: BTreeSet<&str> = WASI.iter().chain(CONTRACT).copied().collect();
        imports
            .filter(|import| !known.contains(interface(import)))
            .map(str::to_owned)
            .collect()
    }
}
