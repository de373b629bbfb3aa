//! The process that compiles one component and exits.

#![expect(
    clippy::disallowed_methods,
    reason = "its streams are pipes, which its parent reads"
)]

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::process::exit;

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use wasmtime::Engine;

use super::Bounds;
use crate::limits;

/// Exit code for a fault of the component; the reason is on standard error.
pub(super) const AT_FAULT: i32 = 1;
/// Exit code if the process could not be confined or did not receive the component.
pub(super) const UNABLE: i32 = 2;
/// Exit code for a failure of the compiler; its message is on standard error.
pub(super) const FAILED: i32 = 3;

/// Number of bytes of the length that precedes the component. A component that ends early is not compiled.
pub(super) const LENGTH: usize = size_of::<u64>();

/// Confines the process to the bounds in its arguments ([`arguments`]), then compiles the component on standard
/// input.
pub(super) fn serve(mut given: impl Iterator<Item = OsString>) -> ! {
    // Only the message: the place in the compiler's source does not help the author of a driver.
    std::panic::set_hook(Box::new(|panic| {
        let words = panic.payload_as_str().unwrap_or("no reason given");
        fail(FAILED, words);
    }));
    let mut number = || given.next()?.to_str()?.parse::<u64>().ok();
    let (Some(memory), Some(processor)) = (number(), number()) else {
        fail(UNABLE, "it is not told its limits");
    };
    if let Err(error) = confine(memory, processor) {
        fail(UNABLE, &format!("it cannot be confined: {error}"));
    }
    let component = match component() {
        Ok(component) => component,
        Err(error) => fail(UNABLE, &format!("it did not get the component: {error}")),
    };
    let compiled = Engine::new(&crate::engine_config::config())
        .and_then(|engine| engine.precompile_component(&component));
    match compiled {
        Ok(code) => match io::stdout().write_all(&code) {
            Ok(()) => exit(0),
            Err(error) => fail(UNABLE, &format!("nobody takes the machine code: {error}")),
        },
        Err(error) => fail(AT_FAULT, &format!("{error:#}")),
    }
}

/// Returns the arguments for a compiler with these bounds. The parent enforces the other bounds.
pub(super) fn arguments(bounds: Bounds) -> [String; 2] {
    [
        bounds.memory.to_string(),
        bounds.processor.as_secs().to_string(),
    ]
}

fn fail(code: i32, words: &str) -> ! {
    // If nobody reads it, the exit code is enough.
    let _ = io::stderr().write_all(words.as_bytes());
    exit(code)
}

/// Drops the rights that a compiler does not need, and sets the limits that the kernel enforces.
fn confine(memory: u64, processor: u64) -> io::Result<()> {
    // However the parent ends, even by SIGKILL, this process ends too.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let memory = own_memory()?.saturating_add(memory);
    close_inherited()?;
    for (resource, soft, hard) in [
        (Resource::As, memory, memory),
        // The soft limit ends the process with SIGXCPU, which tells the reason; the hard limit with SIGKILL, which
        // does not.
        (Resource::Cpu, processor, processor.saturating_add(5)),
        // A core file would be as large as the memory.
        (Resource::Core, 0, 0),
        // It opens no further files or sockets, and writes only to its pipes.
        (Resource::Nofile, 3, 3),
        (Resource::Fsize, 0, 0),
    ] {
        let limit = Rlimit {
            current: Some(soft),
            maximum: Some(hard),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

/// Returns the address space of the program itself, in bytes. The compiler's memory is added to it, so the bound
/// is the same for every build.
fn own_memory() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))
        .and_then(|size| size.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .map(|kibibytes| kibibytes << 10)
        .ok_or_else(|| io::Error::other("/proc/self/status does not say VmSize"))
}

/// Closes file descriptors that the parent left open by mistake.
fn close_inherited() -> io::Result<()> {
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse::<i32>().ok());
        open.extend(number.filter(|number| *number > 2));
    }
    for number in open {
        // The directory that was listed is one of them, and is already closed.
        if fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok() {
            // SAFETY: it is open, and nothing in this process uses it: this is the first thing that it does.
            unsafe { rustix::io::close(number) };
        }
    }
    Ok(())
}

/// Reads the component from standard input, after its length.
fn component() -> io::Result<Vec<u8>> {
    let mut input = io::stdin().lock();
    let mut length = [0; LENGTH];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > limits::COMPONENT_BYTES {
        return Err(io::Error::other("it is too long"));
    }
    let mut component = Vec::new();
    input.take(length).read_to_end(&mut component)?;
    if component.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(component)
}
