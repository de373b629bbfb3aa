//! Hand-written messages: those that the protocol crate lacks, or has with fields that copy data.

use std::collections::BTreeMap;

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

/// An entry of a map of strings to bytes or to messages that are not decoded.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NamedBytes {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

/// `moby.buildkit.v1.frontend.Ref`, with an encoded definition.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Reference {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) definition: Option<Bytes>,
}

/// `moby.buildkit.v1.frontend.SolveRequest`, with encoded definitions.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GatewaySolve {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) definition: Option<Bytes>,
    #[prost(string, tag = "2")]
    pub(crate) frontend: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(crate) frontend_opt: BTreeMap<String, String>,
    #[prost(bool, tag = "5")]
    pub(crate) allow_result_return: bool,
    #[prost(bool, tag = "6")]
    pub(crate) allow_result_array_ref: bool,
    #[prost(message, repeated, tag = "13")]
    pub(crate) frontend_inputs: Vec<NamedBytes>,
    #[prost(bool, tag = "14")]
    pub(crate) evaluate: bool,
}

/// `moby.buildkit.v1.frontend.ReturnRequest`, with an encoded result or an encoded
/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GatewayReturn {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) result: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) error: Option<Bytes>,
}

/// `errdefs.Subrequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ErrdefsSubrequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// `moby.buildkit.v1.BuildHistoryEvent`, with the fields that lead to the attestations.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HistoryEvent {
    #[prost(message, optional, tag = "2")]
    pub(crate) record: Option<HistoryRecord>,
}

/// `moby.buildkit.v1.BuildHistoryRecord`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HistoryRecord {
    /// The result of a build for one platform.
    #[prost(message, optional, tag = "10")]
    pub(crate) result: Option<HistoryResult>,
    /// The results by platform.
    #[prost(btree_map = "string, message", tag = "11")]
    pub(crate) results: BTreeMap<String, HistoryResult>,
}

/// `moby.buildkit.v1.BuildResultInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HistoryResult {
    #[prost(message, repeated, tag = "2")]
    pub(crate) attestations: Vec<HistoryDescriptor>,
}

/// `moby.buildkit.v1.Descriptor`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HistoryDescriptor {
    #[prost(string, tag = "1")]
    pub(crate) media_type: String,
    #[prost(string, tag = "2")]
    pub(crate) digest: String,
    #[prost(int64, tag = "3")]
    pub(crate) size: i64,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// `containerd.services.content.v1.ReadContentRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadContentRequest {
    #[prost(string, tag = "1")]
    pub(crate) digest: String,
    #[prost(int64, tag = "2")]
    pub(crate) offset: i64,
    /// Zero for the whole content.
    #[prost(int64, tag = "3")]
    pub(crate) size: i64,
}

/// `containerd.services.content.v1.ReadContentResponse`. The data is a slice of the message.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadContentResponse {
    #[prost(int64, tag = "1")]
    pub(crate) offset: i64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) data: Bytes,
}
