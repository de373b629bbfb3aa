//! The socket by which the Docker CLI ends a plugin.
//!
//! The Docker CLI listens there, sends nothing, and closes the connection when it is interrupted without a terminal,
//! or ends itself.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream as StdStream};

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

use crate::program::{self, Name};

/// Variable with the name of the socket. `@` stands for the zero byte of an abstract name.
const SOCKET: &str = "DOCKER_CLI_PLUGIN_SOCKET";

/// Waits until the Docker CLI closes the connection. Never returns if the Docker CLI has not called the program.
pub async fn closed() {
    match connect() {
        Some(mut stream) => {
            let mut byte = [0];
            while stream.read(&mut byte).await.is_ok_and(|count| count > 0) {}
        }
        None => std::future::pending().await,
    }
}

fn connect() -> Option<UnixStream> {
    if program::name() != Name::DockerBuildx {
        return None;
    }
    let name = std::env::var(SOCKET).ok()?;
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    };
    let stream = StdStream::connect_addr(&address.ok()?).ok()?;
    stream.set_nonblocking(true).ok()?;
    UnixStream::from_std(stream).ok()
}
