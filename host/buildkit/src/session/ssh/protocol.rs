//! The protocol of SSH agents (`draft-ietf-sshm-ssh-agent`), as far as a build may use it.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::key::Key;
use super::wire::{Reader, put_number, put_string};

/// Maximum size of a message, in bytes, as in OpenSSH (`AGENT_MAX_LEN`).
const MESSAGE_LIMIT: usize = 256 << 10;

/// Length of the number before a message, which is the length of the message.
const PREFIX: usize = 4;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// A request that a build may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permitted {
    /// To list the public keys.
    List,
    /// To sign with a key.
    Sign,
}

/// Returns what a request asks for, if a build may make it. A build must not add, remove or lock keys, or use
/// extensions.
pub(super) fn permit(request: &[u8]) -> Option<Permitted> {
    match *request.first()? {
        REQUEST_IDENTITIES => Some(Permitted::List),
        SIGN_REQUEST => Some(Permitted::Sign),
        _ => None,
    }
}

/// Takes the first message out of the received bytes, once it is complete.
///
/// # Errors
///
/// Returns an error if the message is empty or too long.
pub(super) fn take(received: &mut BytesMut) -> Result<Option<Bytes>, String> {
    let Some(prefix) = received.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let length = message_length(*prefix)?;
    if received.len() < PREFIX + length {
        return Ok(None);
    }
    received.advance(PREFIX);
    Ok(Some(received.split_to(length).freeze()))
}

fn message_length(prefix: [u8; PREFIX]) -> Result<usize, String> {
    let length = u32::from_be_bytes(prefix) as usize;
    match length {
        1..=MESSAGE_LIMIT => Ok(length),
        _ => Err(format!(
            "a message of an SSH agent has 1 to {MESSAGE_LIMIT} bytes, and not {length}"
        )),
    }
}

/// Returns a message with its length before it.
pub(super) fn frame(message: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(PREFIX + message.len());
    put_string(&mut framed, message);
    framed
}

/// Returns the answer of an agent that failed.
pub(super) fn failure() -> Bytes {
    Bytes::from_static(&[FAILURE])
}

/// Sends a request to an agent, and returns its answer.
///
/// # Errors
///
/// Returns an error if the agent ends the connection, or if its answer is too long or of another kind.
pub(super) async fn ask(
    agent: &mut (impl AsyncRead + AsyncWrite + Unpin),
    permitted: Permitted,
    request: &[u8],
) -> io::Result<Bytes> {
    agent.write_all(&frame(request)).await?;
    let mut prefix = [0; PREFIX];
    agent.read_exact(&mut prefix).await?;
    let length = message_length(prefix).map_err(io::Error::other)?;
    let mut answer = vec![0; length];
    agent.read_exact(&mut answer).await?;
    let expected = match permitted {
        Permitted::List => IDENTITIES_ANSWER,
        Permitted::Sign => SIGN_RESPONSE,
    };
    match answer[0] {
        kind if kind == expected || kind == FAILURE => Ok(answer.into()),
        kind => Err(io::Error::other(format!("an unexpected answer ({kind})"))),
    }
}

/// Answers a request with keys of this program.
pub(super) fn answer(permitted: Permitted, request: &[u8], keys: &[Key]) -> Bytes {
    match permitted {
        Permitted::List => {
            let mut answer = vec![IDENTITIES_ANSWER];
            put_number(&mut answer, keys.len());
            for key in keys {
                put_string(&mut answer, key.public());
                put_string(&mut answer, key.comment().as_bytes());
            }
            answer.into()
        }
        Permitted::Sign => sign(request, keys).unwrap_or_else(failure),
    }
}

fn sign(request: &[u8], keys: &[Key]) -> Option<Bytes> {
    let mut reader = Reader(request);
    reader.byte()?;
    let (public, data, flags) = (reader.string()?, reader.string()?, reader.number()?);
    let key = keys.iter().find(|key| key.public() == public)?;
    let mut answer = vec![SIGN_RESPONSE];
    put_string(&mut answer, &key.sign(data, flags)?);
    Some(answer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_one_after_the_other() {
        let mut received = BytesMut::from(&[0, 0, 0, 1, 11, 0, 0, 0, 2, 13][..]);
        assert_eq!(take(&mut received), Ok(Some(Bytes::from_static(&[11]))));
        assert_eq!(take(&mut received), Ok(None));
        received.extend_from_slice(&[7, 0]);
        assert_eq!(take(&mut received), Ok(Some(Bytes::from_static(&[13, 7]))));
        assert_eq!(take(&mut received), Ok(None));
    }

    #[test]
    fn messages_are_neither_empty_nor_longer_than_256_kib() {
        for length in [0_u32, (256 << 10) + 1, u32::MAX] {
            let mut received = BytesMut::from(&length.to_be_bytes()[..]);
            let error = take(&mut received).expect_err("refused");
            assert!(error.contains("1 to 262144 bytes"), "{error}");
        }
        let mut received = BytesMut::from(&(256_u32 << 10).to_be_bytes()[..]);
        assert_eq!(take(&mut received), Ok(None));
    }

    #[test]
    fn requests_that_are_cut_off_fail() {
        for request in [&[13][..], &[13, 0, 0, 0, 1], &[13, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(answer(Permitted::Sign, request, &[]), failure());
        }
        let list = answer(Permitted::List, &[11], &[]);
        assert_eq!(&list[..], [12, 0, 0, 0, 0]);
    }
}
