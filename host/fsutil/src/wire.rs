//! The packets of diffcopy, and their framing as gRPC messages.
//!
//! The message types are written by hand for two reasons: a path is `bytes` here (which is the same
//! as `string` on the wire, and a file name need not be UTF-8), and content is [`Bytes`], a view
//! into the received data.
//!
//! Outgoing packets are never built as a [`Packet`]: the `put_*` functions append the frame to a
//! buffer, field by field, so that a packet needs no allocation. A frame is a gRPC message with its
//! prefix: one byte 0 (not compressed), the length as big-endian `u32`, the message.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{encode_varint, encoded_len_varint};

/// Maximum size of the content of a DATA packet, in bytes. Larger packets are not faster.
pub const MAX_DATA: usize = 32 * 1024;

/// Length of the gRPC prefix, in bytes.
const PREFIX: usize = 5;
/// Maximum length of the type, the id and the key of the data field, in bytes.
const DATA_KEYS: usize = 2 + 6 + 1;
/// Length of the varint of a length up to [`MAX_DATA`], in bytes.
const DATA_LENGTH: usize = 3;
/// Maximum difference between the length of a DATA frame and its content, in bytes.
pub const DATA_OVERHEAD: usize = PREFIX + DATA_KEYS + DATA_LENGTH;

/// The kind of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum PacketKind {
    /// From the sender: an entry, or the end of the entries if there is none.
    Stat = 0,
    /// From the receiver: a request for the content of an entry.
    Request = 1,
    /// From the sender: a part of the content of an entry. An empty part is the end.
    Data = 2,
    /// From the receiver: everything is written. From the sender: the confirmation.
    Finish = 3,
    /// From either side: it failed. The text is in the data.
    Error = 4,
}

/// A message of the protocol.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Packet {
    /// Kind of the packet, a [`PacketKind`].
    #[prost(enumeration = "PacketKind", tag = "1")]
    pub kind: i32,
    /// Entry of a STAT.
    #[prost(message, optional, tag = "2")]
    pub stat: Option<Stat>,
    /// Entry that a REQ or DATA refers to. All entries, files or not, count from 0 in the order of
    /// their STATs.
    #[prost(uint32, tag = "3")]
    pub id: u32,
    /// Content of a DATA, or text of an ERR.
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

/// The properties of a file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Stat {
    /// Path relative to the root, with slashes.
    #[prost(bytes = "bytes", tag = "1")]
    pub path: Bytes,
    /// Type and permissions as Go's `os.FileMode`, see [`crate::mode`].
    #[prost(uint32, tag = "2")]
    pub mode: u32,
    /// User ID of the owner.
    #[prost(uint32, tag = "3")]
    pub uid: u32,
    /// Group ID of the owner.
    #[prost(uint32, tag = "4")]
    pub gid: u32,
    /// Size in bytes; 0 for a directory.
    #[prost(int64, tag = "5")]
    pub size: i64,
    /// Time of the last change of the content, in nanoseconds since 1970.
    #[prost(int64, tag = "6")]
    pub modified: i64,
    /// Target of a symlink. For another file, the path of an earlier entry that it is a hard link
    /// to, if any.
    #[prost(bytes = "bytes", tag = "7")]
    pub link_name: Bytes,
    /// Major number of a device.
    #[prost(int64, tag = "8")]
    pub device_major: i64,
    /// Minor number of a device.
    #[prost(int64, tag = "9")]
    pub device_minor: i64,
    /// Extended attributes.
    #[prost(message, repeated, tag = "10")]
    pub xattrs: Vec<Xattr>,
}

/// An extended attribute (an entry of `map<string, bytes>` on the wire).
#[derive(Clone, PartialEq, prost::Message)]
pub struct Xattr {
    /// Name with its namespace.
    #[prost(bytes = "bytes", tag = "1")]
    pub name: Bytes,
    /// Value of the attribute.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// A [`Stat`] with borrowed parts, as the walk returns it and [`put_stat`] writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StatRef<'a> {
    /// See [`Stat::path`].
    pub path: &'a [u8],
    /// See [`Stat::mode`].
    pub mode: u32,
    /// See [`Stat::uid`].
    pub uid: u32,
    /// See [`Stat::gid`].
    pub gid: u32,
    /// See [`Stat::size`].
    pub size: i64,
    /// See [`Stat::modified`].
    pub modified: i64,
    /// See [`Stat::link_name`].
    pub link_name: &'a [u8],
    /// See [`Stat::device_major`].
    pub device_major: i64,
    /// See [`Stat::device_minor`].
    pub device_minor: i64,
    /// See [`Stat::xattrs`].
    pub xattrs: &'a [Xattr],
}

/// Received bytes that do not form a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The flag byte is not 0: the message is compressed, which was not negotiated.
    #[error("a frame begins with flag {0}, expected 0 (not compressed)")]
    Compressed(u8),
    /// The bytes end within a frame.
    #[error("a frame of {expected} bytes ends after {found}")]
    Truncated {
        /// Announced length of the frame, without its prefix.
        expected: usize,
        /// Number of bytes that there are.
        found: usize,
    },
}

/// Takes the next message out of a buffer of whole frames, or returns `None` at its end. This is
/// the inverse of the `put_*` functions, for transports that carry packets without gRPC and for
/// tests.
///
/// # Errors
///
/// The buffer does not hold whole, uncompressed frames.
pub fn next_message(frames: &mut Bytes) -> Result<Option<Bytes>, FrameError> {
    if frames.is_empty() {
        return Ok(None);
    }
    if frames.len() < PREFIX {
        return Err(FrameError::Truncated {
            expected: PREFIX,
            found: frames.len(),
        });
    }
    let flag = frames.get_u8();
    if flag != 0 {
        return Err(FrameError::Compressed(flag));
    }
    let length = frames.get_u32() as usize;
    if frames.len() < length {
        return Err(FrameError::Truncated {
            expected: length,
            found: frames.len(),
        });
    }
    Ok(Some(frames.split_to(length)))
}

/// Appends the STAT of an entry.
pub fn put_stat(buffer: &mut BytesMut, stat: &StatRef<'_>) {
    let stat_length = stat_length(stat);
    // STAT is type 0, the default, which is not written.
    let length = 1 + encoded_len_varint(stat_length as u64) + stat_length;
    put_prefix(buffer, length);
    put_length_key(buffer, 2, stat_length);
    put_bytes_field(buffer, 1, stat.path);
    put_varint_field(buffer, 2, u64::from(stat.mode));
    put_varint_field(buffer, 3, u64::from(stat.uid));
    put_varint_field(buffer, 4, u64::from(stat.gid));
    put_varint_field(buffer, 5, stat.size as u64);
    put_varint_field(buffer, 6, stat.modified as u64);
    put_bytes_field(buffer, 7, stat.link_name);
    put_varint_field(buffer, 8, stat.device_major as u64);
    put_varint_field(buffer, 9, stat.device_minor as u64);
    for xattr in stat.xattrs {
        put_length_key(buffer, 10, xattr_length(xattr));
        put_bytes_field(buffer, 1, &xattr.name);
        put_bytes_field(buffer, 2, &xattr.value);
    }
}

/// Appends the STAT without an entry, which ends the entries.
pub fn put_end_of_stats(buffer: &mut BytesMut) {
    put_prefix(buffer, 0);
}

/// Appends a REQ, which requests the content of entry `id`.
pub fn put_request(buffer: &mut BytesMut, id: u32) {
    put_prefix(buffer, 2 + varint_field_length(u64::from(id)));
    put_kind(buffer, PacketKind::Request);
    put_varint_field(buffer, 3, u64::from(id));
}

/// Appends a DATA with a part of the content of entry `id`. An empty part ends the content.
pub fn put_data(buffer: &mut BytesMut, id: u32, data: &[u8]) {
    put_data_head(buffer, id, data.len());
    buffer.put_slice(data);
}

/// Appends a FIN.
pub fn put_finish(buffer: &mut BytesMut) {
    put_prefix(buffer, 2);
    put_kind(buffer, PacketKind::Finish);
}

/// Appends an ERR with its text.
pub fn put_error(buffer: &mut BytesMut, text: &str) {
    put_prefix(buffer, 2 + bytes_field_length(text.len()));
    put_kind(buffer, PacketKind::Error);
    put_bytes_field(buffer, 4, text.as_bytes());
}

/// Appends a DATA whose content `read` writes directly into the buffer, so that the kernel makes
/// the only copy. `read` gets a buffer to append to, with space for `limit` bytes (at most
/// [`MAX_DATA`]), and returns how many bytes it appended. Appends nothing if that is 0.
///
/// # Errors
///
/// Those of `read`. Nothing is appended then.
pub(crate) fn put_data_with<E>(
    buffer: &mut BytesMut,
    id: u32,
    limit: usize,
    read: impl FnOnce(&mut BytesMut, usize) -> Result<usize, E>,
) -> Result<usize, E> {
    let limit = limit.min(MAX_DATA);
    let start = buffer.len();
    buffer.reserve(limit + DATA_OVERHEAD);
    // The head contains the length of the content, which is known only afterwards. Reserve the
    // space for the head of a full packet: all but the last packets of a file are full.
    let head = data_head_length(id, limit);
    buffer.put_bytes(0, head);
    let outcome = read(buffer, limit);
    let found = match &outcome {
        Ok(found) if *found > 0 => *found,
        _ => {
            buffer.truncate(start);
            return outcome;
        }
    };
    let exact = data_head_length(id, found);
    if exact != head {
        buffer.copy_within(start + head..start + head + found, start + exact);
        buffer.truncate(start + exact + found);
    }
    let mut slot = &mut buffer[start..start + exact];
    put_data_head(&mut slot, id, found);
    outcome
}

fn data_message_length(id: u32, length: usize) -> usize {
    2 + varint_field_length(u64::from(id)) + bytes_field_length(length)
}

fn data_head_length(id: u32, length: usize) -> usize {
    PREFIX + data_message_length(id, length) - length
}

fn put_data_head(buffer: &mut impl BufMut, id: u32, length: usize) {
    put_prefix(buffer, data_message_length(id, length));
    put_kind(buffer, PacketKind::Data);
    put_varint_field(buffer, 3, u64::from(id));
    if length > 0 {
        put_length_key(buffer, 4, length);
    }
}

fn put_prefix(buffer: &mut impl BufMut, length: usize) {
    buffer.put_u8(0);
    // No message is close to 4 GiB: content is split, and a path has at most a few KiB.
    buffer.put_u32(length as u32);
}

fn put_kind(buffer: &mut impl BufMut, kind: PacketKind) {
    put_varint_field(buffer, 1, kind as u64);
}

/// Appends a field. The fields have numbers below 16 and therefore keys of one byte.
fn put_varint_field(buffer: &mut impl BufMut, number: u8, value: u64) {
    if value != 0 {
        buffer.put_u8(number << 3);
        encode_varint(value, buffer);
    }
}

fn put_bytes_field(buffer: &mut impl BufMut, number: u8, value: &[u8]) {
    if !value.is_empty() {
        put_length_key(buffer, number, value.len());
        buffer.put_slice(value);
    }
}

fn put_length_key(buffer: &mut impl BufMut, number: u8, length: usize) {
    buffer.put_u8(number << 3 | 2);
    encode_varint(length as u64, buffer);
}

fn varint_field_length(value: u64) -> usize {
    if value == 0 {
        0
    } else {
        1 + encoded_len_varint(value)
    }
}

fn bytes_field_length(length: usize) -> usize {
    if length == 0 {
        0
    } else {
        1 + encoded_len_varint(length as u64) + length
    }
}

fn xattr_length(xattr: &Xattr) -> usize {
    bytes_field_length(xattr.name.len()) + bytes_field_length(xattr.value.len())
}

fn stat_length(stat: &StatRef<'_>) -> usize {
    let xattrs: usize = stat
        .xattrs
        .iter()
        .map(|xattr| {
            let length = xattr_length(xattr);
            1 + encoded_len_varint(length as u64) + length
        })
        .sum();
    bytes_field_length(stat.path.len())
        + varint_field_length(u64::from(stat.mode))
        + varint_field_length(u64::from(stat.uid))
        + varint_field_length(u64::from(stat.gid))
        + varint_field_length(stat.size as u64)
        + varint_field_length(stat.modified as u64)
        + bytes_field_length(stat.link_name.len())
        + varint_field_length(stat.device_major as u64)
        + varint_field_length(stat.device_minor as u64)
        + xattrs
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
