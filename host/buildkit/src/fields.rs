//! Reads the responses of a daemon piece by piece.
//!
//! A protobuf message of some MiB can hold millions of tiny entries, and decoded ones take a
//! hundred times the memory. Repeated fields of the daemon's messages are therefore taken out of
//! the encoded message one by one.

use std::marker::PhantomData;

use bytes::{Buf as _, Bytes};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// A codec that encodes requests and does not decode responses.
pub(crate) struct Undecoded<T>(PhantomData<fn(T)>);

impl<T> Undecoded<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: prost::Message + 'static> Codec for Undecoded<T> {
    type Encode = T;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self::new()
    }

    fn decoder(&mut self) -> Self {
        Self::new()
    }
}

impl<T: prost::Message + 'static> Encoder for Undecoded<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl<T> Decoder for Undecoded<T> {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Converts an error of `ready`. The link is always ready, because a call on a lost connection
/// fails.
pub(crate) fn unready(error: hyper::Error) -> Status {
    Status::from_error(error.into())
}

/// The error of a message that cannot be decoded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("BuildKit sent a message that cannot be decoded")]
pub(crate) struct Malformed;

/// The fields of an encoded message that have a length (strings, bytes, messages), each with its
/// number. Skips other fields. Ends after the first error.
pub(crate) struct Fields(Bytes);

impl Fields {
    pub(crate) fn new(message: Bytes) -> Self {
        Self(message)
    }

    /// Returns the next field, or `Ok(None)` at the end.
    fn take(&mut self) -> Result<Option<(u64, Bytes)>, Malformed> {
        while !self.0.is_empty() {
            let key = self.varint()?;
            let number = key >> 3;
            match key & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.bytes(8)?),
                2 => {
                    let length = self.varint()?;
                    return Ok(Some((number, self.bytes(length)?)));
                }
                5 => drop(self.bytes(4)?),
                _ => return Err(Malformed),
            }
        }
        Ok(None)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.0.try_get_u8().map_err(|_| Malformed)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn bytes(&mut self, length: u64) -> Result<Bytes, Malformed> {
        match usize::try_from(length) {
            Ok(length) if length <= self.0.len() => Ok(self.0.split_to(length)),
            _ => Err(Malformed),
        }
    }
}

impl Iterator for Fields {
    type Item = Result<(u64, Bytes), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.take();
        if next.is_err() {
            self.0.clear();
        }
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &'static [u8]) -> Vec<Result<(u64, Vec<u8>), Malformed>> {
        Fields::new(Bytes::from_static(message))
            .map(|field| field.map(|(number, bytes)| (number, bytes.to_vec())))
            .collect()
    }

    #[test]
    fn fields_with_a_length_are_found_among_the_others() {
        let message = b"\x08\x96\x01\x12\x02ab\x19........\x25....\x12\x00\xfa\x07\x01c";
        assert_eq!(
            read(message),
            [
                Ok((2, b"ab".to_vec())),
                Ok((2, vec![])),
                Ok((127, b"c".to_vec()))
            ]
        );
        assert_eq!(read(b""), []);
    }

    #[test]
    fn what_is_cut_or_of_no_known_kind_is_the_end() {
        for message in [
            &b"\x12\x05ab"[..],
            b"\x12",
            b"\x0b",
            b"\x19...",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
        ] {
            assert_eq!(read(message), [Err(Malformed)], "{message:?}");
        }
    }
}
