//! Hand-written messages: those that the protocol crate lacks, or has with fields that copy data.

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::pb;
use bytes::Bytes;

/// `moby.buildkit.v1.BytesMessage` and `moby.filesync.v1.BytesMessage`, which are identical on the
/// wire. The data is a slice of the message.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BytesMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) data: Bytes,
}

/// `moby.buildkit.v1.VertexLog`. The data is a slice of the message.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct VertexLog {
    #[prost(string, tag = "1")]
    pub(crate) vertex: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) timestamp: Option<Timestamp>,
    #[prost(int64, tag = "3")]
    pub(crate) stream: i64,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) data: Bytes,
}

/// An entry of a map of strings.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Entry {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

/// `errdefs.Vertex`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ErrdefsVertex {
    #[prost(string, tag = "1")]
    pub(crate) digest: String,
}

/// `errdefs.Source`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ErrdefsSource {
    #[prost(message, optional, tag = "1")]
    pub(crate) info: Option<pb::SourceInfo>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) ranges: Vec<pb::Range>,
}
