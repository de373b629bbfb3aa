//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use prost::Message as _;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use crate::error::{SolveError, source_snippet};
use crate::status::{Pieces, SolveStatus};
use crate::tunnel::SessionIo;
use crate::wire::BytesMessage;

/// Converts a message of a build's status.
pub fn status(data: &[u8]) {
    for piece in Pieces::new(Bytes::copy_from_slice(data)).map_while(Result::ok) {
        let json = serde_json::to_string(&piece).expect("a status is JSON");
        serde_json::from_str::<SolveStatus>(&json).expect("what is written can be read");
    }
}

/// Reads the details of a failed build.
pub fn details(data: &[u8]) {
    let details = Bytes::copy_from_slice(data);
    let status = tonic::Status::with_details(tonic::Code::Unknown, "failed", details);
    let error = SolveError::from_status(&status);
    for source in &error.sources {
        let _ = source_snippet(source);
    }
}

/// Reads the byte stream of a session: a length as one byte, and a message, any number of times.
pub fn tunnel(data: &[u8]) {
    let mut messages = Vec::new();
    let mut rest = data;
    let mut expected = Vec::new();
    while let Some((length, behind)) = rest.split_first() {
        let (message, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        let decoded = BytesMessage::decode(message);
        messages.push(Ok(Bytes::copy_from_slice(message)));
        match decoded {
            Ok(message) => expected.extend_from_slice(&message.data),
            Err(_) => break,
        }
    }
    let (outgoing, _kept) = mpsc::channel(1);
    let mut io = SessionIo::new(stream::iter(messages), outgoing);
    let mut found = Vec::new();
    let _ = io.read_to_end(&mut found).now_or_never();
    assert_eq!(found, expected);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "../../../tests/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn status() {
        seeds::run("status", 300, super::status);
    }

    #[test]
    fn details() {
        seeds::run("details", 300, super::details);
    }

    #[test]
    fn tunnel() {
        seeds::run("tunnel", 300, super::tunnel);
    }
}
