//! Messages of `containerd.services.content.v1`, which the protocol crate lacks. Fields that are not used
//! here (labels, filters of statuses) are left out, so they are skipped. Those of `Read` are in `wire`: the
//! client makes this call, too.

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bytes::Bytes;

/// A blob of a store.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Info {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
    #[prost(int64, tag = "2")]
    pub(super) size: i64,
    #[prost(message, optional, tag = "3")]
    pub(super) created_at: Option<Timestamp>,
    #[prost(message, optional, tag = "4")]
    pub(super) updated_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InfoRequest {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) info: Option<Info>,
}

/// The filters of a list. Only their presence matters.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListContentRequest {
    #[prost(string, repeated, tag = "1")]
    pub(super) filters: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListContentResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) info: Vec<Info>,
}

/// An unfinished write.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteStatus {
    #[prost(message, optional, tag = "1")]
    pub(super) started_at: Option<Timestamp>,
    #[prost(message, optional, tag = "2")]
    pub(super) updated_at: Option<Timestamp>,
    #[prost(string, tag = "3")]
    pub(super) r#ref: String,
    #[prost(int64, tag = "4")]
    pub(super) offset: i64,
    #[prost(int64, tag = "5")]
    pub(super) total: i64,
}

/// A request that names a write: `StatusRequest` and `AbortRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RefRequest {
    #[prost(string, tag = "1")]
    pub(super) r#ref: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<WriteStatus>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListStatusesResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) statuses: Vec<WriteStatus>,
}

/// A message without fields: `google.protobuf.Empty`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Empty {}

/// What a message of a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum WriteAction {
    /// Returns the state of the write.
    Stat = 0,
    /// Writes data.
    Write = 1,
    /// Writes data, and adds the blob to the store.
    Commit = 2,
}

/// A message of a write. The data is a slice of the message.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteContentRequest {
    #[prost(enumeration = "WriteAction", tag = "1")]
    pub(super) action: i32,
    #[prost(string, tag = "2")]
    pub(super) r#ref: String,
    #[prost(int64, tag = "3")]
    pub(super) total: i64,
    #[prost(string, tag = "4")]
    pub(super) expected: String,
    #[prost(int64, tag = "5")]
    pub(super) offset: i64,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) data: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteContentResponse {
    #[prost(enumeration = "WriteAction", tag = "1")]
    pub(super) action: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) started_at: Option<Timestamp>,
    #[prost(message, optional, tag = "3")]
    pub(super) updated_at: Option<Timestamp>,
    #[prost(int64, tag = "4")]
    pub(super) offset: i64,
    #[prost(int64, tag = "5")]
    pub(super) total: i64,
    #[prost(string, tag = "6")]
    pub(super) digest: String,
}
