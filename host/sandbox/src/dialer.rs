//! Opens connections to places that a driver was granted.
//!
//! A place is located first and connected to afterwards, so that the host can check it in between. Nothing
//! is located twice: a name may have another address the second time, and a path may lead elsewhere.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use iechor_engine::BoxByteStream;
use iechor_engine::known::FileIdentity;
use rustix::fs::{Mode, OFlags};
use tokio::net::{TcpStream, UnixStream};

/// A Unix socket that was found by its path, and stays the one that was found.
#[derive(Debug)]
pub struct LocalSocket {
    path: String,
    found: io::Result<Found>,
}

#[derive(Debug)]
struct Found {
    file: OwnedFd,
    identity: FileIdentity,
    real: Option<PathBuf>,
}

impl LocalSocket {
    /// Looks where a path leads. Whatever is there is not opened, only held.
    pub async fn find(path: &str) -> Self {
        let path = path.to_owned();
        let looking = tokio::task::spawn_blocking({
            let path = path.clone();
            move || Found::at(Path::new(&path))
        });
        let found = looking.await.unwrap_or_else(|e| Err(io::Error::other(e)));
        Self { path, found }
    }

    /// Returns the path by which it was found.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns its path without symbolic links; `None` where there is nothing.
    pub fn real(&self) -> Option<&Path> {
        self.found.as_ref().ok()?.real.as_deref()
    }

    /// Returns what tells it from every other file; `None` where there is nothing.
    pub fn identity(&self) -> Option<FileIdentity> {
        Some(self.found.as_ref().ok()?.identity)
    }

    /// Connects to what was found, whatever the path leads to by now.
    ///
    /// # Errors
    ///
    /// Why nothing was found, or nobody answers there.
    pub async fn connect(self) -> io::Result<UnixStream> {
        let file = self.found?.file;
        UnixStream::connect(by_descriptor(&file)).await
    }
}

impl Found {
    fn at(path: &Path) -> io::Result<Self> {
        let file = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let status = rustix::fs::fstat(&file)?;
        Ok(Self {
            identity: FileIdentity {
                device: status.st_dev,
                inode: status.st_ino,
            },
            real: std::fs::read_link(by_descriptor(&file)).ok(),
            file,
        })
    }
}

pub(crate) fn by_descriptor(file: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// A connection to a Unix socket.
pub struct LocalConnection {
    /// What is sent and received.
    pub stream: BoxByteStream,
    /// The path at which the other side began to listen, as it called it: a socket can be reached
    /// through file systems that show it as another file.
    pub listens_at: Option<PathBuf>,
}

/// Opens connections to places that a driver was granted.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// Returns the addresses that a name stands for.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
    /// Returns a TCP connection to the first of these addresses of `host` where somebody answers.
    async fn tcp(&self, host: &str, addresses: &[SocketAddr]) -> io::Result<BoxByteStream>;
    /// Returns a connection to a Unix socket.
    async fn local(&self, socket: LocalSocket) -> io::Result<LocalConnection>;
}

/// Opens connections of the operating system.
pub struct SystemDialer;

#[async_trait]
impl Dialer for SystemDialer {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn tcp(&self, _: &str, addresses: &[SocketAddr]) -> io::Result<BoxByteStream> {
        let stream = TcpStream::connect(addresses).await?;
        // Small messages of gRPC are not to wait for each other.
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    async fn local(&self, socket: LocalSocket) -> io::Result<LocalConnection> {
        let stream = socket.connect().await?;
        let address = stream.peer_addr()?;
        Ok(LocalConnection {
            listens_at: address.as_pathname().map(Path::to_owned),
            stream: Box::new(stream),
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn what_was_found_is_connected_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let path = at("a").display().to_string();
        let first = UnixListener::bind(at("first")).expect("bound");
        let second = UnixListener::bind(at("second")).expect("bound");
        std::os::unix::fs::symlink(at("first"), at("a")).expect("linked");

        let found = LocalSocket::find(&path).await;
        let real = at("first").canonicalize().expect("there");
        assert_eq!(found.real(), Some(real.as_path()));
        assert_eq!(found.identity(), FileIdentity::of(&at("first")));
        // The link is changed and the socket renamed between the look and the connection.
        std::fs::remove_file(at("a")).expect("removed");
        std::os::unix::fs::symlink(at("second"), at("a")).expect("linked");
        std::fs::rename(at("first"), at("renamed")).expect("renamed");
        let connected = SystemDialer.local(found).await.expect("somebody listens");
        assert_eq!(connected.listens_at, Some(at("first")));
        first.accept().await.expect("connected");

        let found = LocalSocket::find(&path).await;
        assert_eq!(found.identity(), FileIdentity::of(&at("second")));
        SystemDialer.local(found).await.expect("somebody listens");
        second.accept().await.expect("connected");
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_opened() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, "").expect("written");
        for (path, kind) in [
            (path.as_path(), io::ErrorKind::ConnectionRefused),
            (&path.with_extension("x"), io::ErrorKind::NotFound),
        ] {
            let found = LocalSocket::find(&path.display().to_string()).await;
            let Err(error) = SystemDialer.local(found).await else {
                panic!("it connects to {}", path.display())
            };
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
