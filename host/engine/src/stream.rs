//! Byte streams, and commands that are connected to by one.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// A two-way byte stream.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// An owned two-way byte stream.
pub type BoxByteStream = Box<dyn ByteStream>;

/// A command that runs in a container, with its stdin and stdout as one byte stream.
///
/// Shutting `stream` down closes the command's stdin and leaves its stdout open; dropping it closes
/// both. This does not kill the command: the engine has no operation for it. The streams do not
/// contain the engine's framing.
pub struct ExecConnection {
    /// Stdin (write) and stdout (read) of the command.
    pub stream: BoxByteStream,
    /// Stderr of the command. It ends with the command. It is bounded: without a reader, the oldest
    /// chunks are dropped, so that the command does not block. Stdout and stderr share one
    /// connection, so stderr advances only while `stream` is read.
    pub stderr: mpsc::Receiver<Bytes>,
}
