//! Messages written by hand: missing in the protocol crate, or there with fields that copy.

use bollard_buildkit_proto::pb;
use bytes::Bytes;

/// `moby.buildkit.v1.BytesMessage` and `moby.filesync.v1.BytesMessage`, which are the same on the
/// wire. The data is a slice of the message.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BytesMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) data: Bytes,
}

/// `errdefs.Vertex`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ErrdefsVertex {
    #[prost(string, tag = "1")]
    pub(crate) digest: String,
}

/// `errdefs.Source`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ErrdefsSource {
    #[prost(message, optional, tag = "1")]
    pub(crate) info: Option<pb::SourceInfo>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) ranges: Vec<pb::Range>,
}
