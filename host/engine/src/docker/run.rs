//! Names for the run of a container's process, or of an engine.
//!
//! The properties of a daemon depend on its process and, for the platforms that it can build for, on
//! the kernel's emulators (`binfmt_misc`). Both can be checked without asking the daemon if it runs
//! under this kernel. The proof is that its process is visible here, in a control group that is
//! named after the container. There is no other proof, because a socket may lead into a virtual
//! machine.

use std::fs;
use std::path::Path;

use iechor_values::hex;
use sha2::{Digest, Sha256};

/// Directory in which the kernel lists its emulators.
const EMULATORS: &str = "/proc/sys/fs/binfmt_misc";

/// Returns a name for the run of a container's process; `None` if it is not under this kernel.
pub(super) fn name(id: &str, started_at: &str, pid: u32) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    if pid == 0 || id.is_empty() || !groups.contains(id) {
        return None;
    }
    let emulators = emulators(Path::new(EMULATORS))?;
    Some(format!("{id}@{started_at}+{emulators}"))
}

/// An engine's description of its machine.
pub(super) struct Machine<'a> {
    pub(super) name: &'a str,
    pub(super) kernel: &'a str,
}

/// Returns a name for the run of an engine; `None` if it is not on this machine. The proof is the
/// machine's name and kernel: a virtual machine has at least a kernel or a name of its own.
pub(super) fn engine(id: &str, version: &str, machine: &Machine<'_>) -> Option<String> {
    let is_here = own("hostname")? == machine.name && own("osrelease")? == machine.kernel;
    if !is_here || id.is_empty() {
        return None;
    }
    let emulators = emulators(Path::new(EMULATORS))?;
    Some(format!("{id}@{version}+{emulators}"))
}

/// Returns a property of this machine's kernel.
fn own(what: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel").join(what)).ok()?;
    Some(text.trim_end().to_owned())
}

/// Returns a digest of all registered emulators; `None` if the kernel does not show them.
fn emulators(directory: &Path) -> Option<String> {
    // This file exists only if the file system is mounted. It also switches all emulators on and off.
    let status = fs::read(directory.join("status")).ok()?;
    let mut names: Vec<_> = fs::read_dir(directory)
        .ok()?
        .collect::<Result<Vec<_>, _>>()
        .ok()?
        .into_iter()
        .map(|entry| entry.file_name())
        .filter(|name| name != "status" && name != "register")
        .collect();
    names.sort();
    let mut hash = Sha256::new_with_prefix(status);
    for name in names {
        hash.update(name.as_encoded_bytes());
        // Interpreter, flags and pattern.
        hash.update(fs::read(directory.join(&name)).ok()?);
    }
    Some(hex::encode(&hash.finalize()[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_the_containers_names_no_run() {
        let own = std::process::id();
        assert_eq!(name("0123456789abcdef", "2026-01-01T00:00:00Z", own), None);
        assert_eq!(name("", "2026-01-01T00:00:00Z", own), None);
        assert_eq!(name("0123456789abcdef", "2026-01-01T00:00:00Z", 0), None);
    }

    #[test]
    fn an_engine_elsewhere_names_no_run() {
        let (name, kernel) = (own("hostname"), own("osrelease"));
        let (name, kernel) = (&*name.expect("a name"), &*kernel.expect("a kernel"));
        for (id, name, kernel) in [
            ("", name, kernel),
            ("id", "another", kernel),
            ("id", name, "another"),
        ] {
            assert_eq!(engine(id, "20.10", &Machine { name, kernel }), None);
        }
    }

    #[test]
    fn another_emulator_is_another_digest() {
        let directory = tempfile::tempdir().expect("directory");
        let write = |name: &str, text: &str| {
            fs::write(directory.path().join(name), text).expect("written");
            emulators(directory.path())
        };
        assert_eq!(emulators(directory.path()), None, "not mounted");
        let none = write("status", "enabled\n").expect("a digest");
        let one = write("qemu-aarch64", "interpreter /usr/bin/qemu\n").expect("a digest");
        let other = write("qemu-aarch64", "interpreter /other/qemu\n").expect("a digest");
        let off = write("status", "disabled\n").expect("a digest");
        assert!(none != one && one != other && other != off);
        assert_eq!(write("status", "enabled\n"), Some(other));
    }
}
