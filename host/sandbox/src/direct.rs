//! The private directories through which this host reaches BuildKit past the engine.
//!
//! Each container has one, which is mounted into it, and BuildKit listens on a socket there. The directory of all of
//! them is this user's alone: nobody else can reach a socket, or put another in its place. A container can put what
//! it likes into its own directory. So nothing there is followed: what is connected to is a socket that was found
//! without links, by its descriptor.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use iechor_engine::model::{Mount, MountSource};
use iechor_values::hex;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use sha2::{Digest as _, Sha256};
use tokio::net::UnixStream;

use crate::dialer::by_descriptor;

/// Where a container has the directory.
pub(crate) const TARGET: &str = "/run/iechor";
/// The socket in it.
pub(crate) const SOCKET: &str = "buildkitd.sock";

/// The directory of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    /// The directory of all of them.
    root: PathBuf,
    name: String,
}

impl Directory {
    /// Returns the directory for the container of that name, of a builder. Other names have other directories.
    pub(crate) fn of(root: &Path, builder: &str, container: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [builder, container] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self {
            root: root.to_owned(),
            name: hex::encode(&digest.finalize()[..8]),
        }
    }

    /// Returns its name among the directories of all containers.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    /// Returns the mount by which the container has it; `None` if its path is no text.
    pub(crate) fn mount(&self) -> Option<Mount> {
        Some(Mount {
            target: TARGET.into(),
            source: MountSource::Bind(self.path().to_str()?.to_owned()),
            read_only: false,
        })
    }

    /// Returns whether that is its mount.
    pub(crate) fn is_mounted_by(&self, mount: &Mount) -> bool {
        self.mount().as_ref() == Some(mount)
    }

    /// Makes the directory where it is missing.
    ///
    /// # Errors
    ///
    /// What cannot be made, or is not this user's alone.
    pub(crate) fn make(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        for path in [&self.root, &self.path()] {
            match builder.create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        self.open().map(|_| ())
    }

    /// Removes the directory with what is in it. Links are not followed.
    pub(crate) fn remove(&self) {
        // What BuildKit made as another user stays; the next container of this name takes it over.
        let _ = fs::remove_dir_all(self.path());
    }

    /// Opens the directory, without a link on the way from its root.
    fn open(&self) -> io::Result<OwnedFd> {
        const FLAGS: OFlags = OFlags::DIRECTORY
            .union(OFlags::NOFOLLOW)
            .union(OFlags::CLOEXEC);
        let root = rustix::fs::open(&self.root, FLAGS, Mode::empty())?;
        let status = rustix::fs::fstat(&root)?;
        let is_private = status.st_uid == rustix::process::geteuid().as_raw()
            && Mode::from_raw_mode(status.st_mode) & (Mode::RWXG | Mode::RWXO) == Mode::empty();
        if !is_private {
            return Err(io::Error::other(format!(
                "{} must be this user's, and closed to all others (mode 0700)",
                self.root.display()
            )));
        }
        Ok(rustix::fs::openat(
            root.as_fd(),
            &self.name,
            FLAGS,
            Mode::empty(),
        )?)
    }

    /// Connects to the socket.
    ///
    /// # Errors
    ///
    /// What is not as it must be, or that nobody listens.
    pub(crate) async fn connect(&self) -> io::Result<UnixStream> {
        let directory = self.open()?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let socket = rustix::fs::openat(directory.as_fd(), SOCKET, flags, Mode::empty())?;
        let status = rustix::fs::statat(socket.as_fd(), "", AtFlags::EMPTY_PATH)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::Socket {
            return Err(io::Error::other("what is there is not a socket"));
        }
        UnixStream::connect(by_descriptor(&socket)).await
    }
}

/// Returns the arguments that let BuildKit listen on the socket too, without taking away where it listens otherwise.
/// `command` are its arguments, and `configuration` is the user's `buildkitd.toml`.
pub(crate) fn arguments(command: &[String], configuration: Option<&[u8]>) -> Vec<String> {
    let mut addresses = Vec::new();
    let is_address = |word: &String| {
        let flag = word.trim_start_matches('-');
        word.starts_with('-') && (flag == "addr" || flag.starts_with("addr="))
    };
    // The flag replaces what the configuration has, and the default.
    if !command.iter().any(is_address) {
        addresses = configured(configuration);
        if addresses.is_empty() {
            addresses.push("unix:///run/buildkit/buildkitd.sock".into());
        }
    }
    addresses.push(format!("unix://{TARGET}/{SOCKET}"));
    let flags = addresses.into_iter();
    flags.map(|address| format!("--addr={address}")).collect()
}

/// Returns the addresses of a configuration.
fn configured(configuration: Option<&[u8]>) -> Vec<String> {
    let table = configuration
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.parse::<toml::Table>().ok());
    let addresses = table.and_then(|table| Some(table.get("grpc")?.get("address")?.clone()));
    match addresses {
        Some(toml::Value::Array(list)) => list
            .iter()
            .filter_map(|address| address.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use tokio::net::UnixListener;

    use super::*;

    fn directory() -> (tempfile::TempDir, Directory) {
        let outer = tempfile::tempdir().expect("a directory");
        let directory = Directory::of(&outer.path().join("direct"), "builder", "container");
        directory.make().expect("made");
        (outer, directory)
    }

    #[tokio::test]
    async fn the_socket_of_the_container_is_connected_to() {
        let (_outer, directory) = directory();
        let error = directory.connect().await.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let listener = UnixListener::bind(directory.path().join(SOCKET)).expect("bound");
        directory.connect().await.expect("connected");
        listener.accept().await.expect("accepted");
        // Made again, it keeps what is in it.
        directory.make().expect("made");
        directory.connect().await.expect("connected");
        directory.remove();
        assert!(!directory.path().exists());
    }

    #[tokio::test]
    async fn no_link_leads_out_of_the_directory() {
        let (outer, directory) = directory();
        let outside = outer.path().join("outside.sock");
        let _listener = UnixListener::bind(&outside).expect("bound");
        let socket = directory.path().join(SOCKET);
        symlink(&outside, &socket).expect("linked");
        let error = directory.connect().await.expect_err("it is a link");
        assert!(error.to_string().contains("not a socket"), "{error}");
        // Nor does the directory itself.
        fs::remove_file(&socket).expect("removed");
        fs::remove_dir(directory.path()).expect("removed");
        let elsewhere = outer.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("made");
        let _other = UnixListener::bind(elsewhere.join(SOCKET)).expect("bound");
        symlink(&elsewhere, directory.path()).expect("linked");
        assert!(directory.connect().await.is_err());
        assert!(directory.make().is_err());
    }

    #[tokio::test]
    async fn a_directory_that_others_can_enter_is_not_used() {
        let (_outer, directory) = directory();
        let _listener = UnixListener::bind(directory.path().join(SOCKET)).expect("bound");
        for mode in [0o710, 0o701, 0o777, 0o770] {
            fs::set_permissions(&directory.root, fs::Permissions::from_mode(mode)).expect("set");
            let error = directory.connect().await.expect_err("others can enter it");
            assert!(error.to_string().contains("0700"), "{error}");
            assert!(directory.make().is_err());
        }
    }

    #[test]
    fn each_container_has_its_own() {
        let root = Path::new("/x");
        let all = [
            Directory::of(root, "a", "bc"),
            Directory::of(root, "ab", "c"),
            Directory::of(root, "a", "bd"),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn buildkit_keeps_the_addresses_that_it_has() {
        let words = |text: &str| -> Vec<_> { text.split_whitespace().map(str::to_owned).collect() };
        let own = "--addr=unix:///run/iechor/buildkitd.sock";
        let default = format!("--addr=unix:///run/buildkit/buildkitd.sock {own}");
        let toml = "[grpc]\naddress = ['unix:///run/buildkit/buildkitd.sock', 'tcp://0.0.0.0:1']";
        let both =
            format!("--addr=unix:///run/buildkit/buildkitd.sock --addr=tcp://0.0.0.0:1 {own}");
        for (command, toml, expected) in [
            ("", None, default.as_str()),
            ("--debug", Some("debug = true"), &default),
            ("", Some(toml), &both),
            ("--addr tcp://0.0.0.0:2", Some(toml), own),
            ("-addr=tcp://0.0.0.0:2", None, own),
        ] {
            let found = arguments(&words(command), toml.map(str::as_bytes));
            assert_eq!(found, words(expected), "{command} {toml:?}");
        }
    }
}
