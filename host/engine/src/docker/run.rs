//! Names the run of a container's process, or of an engine.
//!
//! What a daemon says of itself depends on its process and, for the platforms that it can build
//! for, on the emulators that the kernel has (`binfmt_misc`). Both can be seen without asking the
//! daemon where it runs under this very kernel. That is shown by its process being here, in a
//! control group named after the container; nothing else is believed, since a socket may lead into
//! a virtual machine.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Where the kernel lists its emulators.
const EMULATORS: &str = "/proc/sys/fs/binfmt_misc";

pub(super) fn name(id: &str, started_at: &str, pid: u32) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    if pid == 0 || id.is_empty() || !groups.contains(id) {
        return None;
    }
    let emulators = emulators(Path::new(EMULATORS))?;
    Some(format!("{id}@{started_at}+{emulators}"))
}

/// A machine, as an engine describes its own.
pub(super) struct Machine<'a> {
    pub(super) name: &'a str,
    pub(super) kernel: &'a str,
}

/// An engine has no process to be found here; that it is on this machine is shown by the machine's
/// name and kernel, of which a virtual machine has at least one of its own.
pub(super) fn engine(id: &str, version: &str, machine: &Machine<'_>) -> Option<String> {
    let is_here = own("hostname")? == machine.name && own("osrelease")? == machine.kernel;
    if !is_here || id.is_empty() {
        return None;
    }
    let emulators = emulators(Path::new(EMULATORS))?;
    Some(format!("{id}@{version}+{emulators}"))
}

/// What the kernel of this machine says of itself.
fn own(what: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel").join(what)).ok()?;
    Some(text.trim_end().to_owned())
}

/// A digest of all that is registered; `None` where the kernel does not show it.
fn emulators(directory: &Path) -> Option<String> {
    // There only where the file system is mounted. It also switches all emulators on and off.
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
    let digest = hash.finalize();
    Some(
        digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
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
