//! The messages of the service, as containerd defines them.

use std::collections::HashMap;

use bollard_buildkit_proto::google::protobuf::Timestamp;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Info {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(int64, tag = "2")]
    pub size: i64,
    #[prost(message, optional, tag = "3")]
    pub created_at: Option<Timestamp>,
    #[prost(message, optional, tag = "4")]
    pub updated_at: Option<Timestamp>,
    #[prost(map = "string, string", tag = "5")]
    pub labels: HashMap<String, String>,
}

/// `InfoRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OfDigest {
    #[prost(string, tag = "1")]
    pub digest: String,
}

/// `InfoResponse` and `UpdateRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OfInfo {
    #[prost(message, optional, tag = "1")]
    pub info: Option<Info>,
}

/// `ListContentRequest` and `ListStatusesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Filters {
    #[prost(string, repeated, tag = "1")]
    pub filters: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Infos {
    #[prost(message, repeated, tag = "1")]
    pub info: Vec<Info>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadRequest {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(int64, tag = "2")]
    pub offset: i64,
    #[prost(int64, tag = "3")]
    pub size: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadResponse {
    #[prost(int64, tag = "1")]
    pub offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
}

/// `StatusRequest` and `AbortRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OfRef {
    #[prost(string, tag = "1")]
    pub r#ref: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteState {
    #[prost(message, optional, tag = "1")]
    pub started_at: Option<Timestamp>,
    #[prost(message, optional, tag = "2")]
    pub updated_at: Option<Timestamp>,
    #[prost(string, tag = "3")]
    pub r#ref: String,
    #[prost(int64, tag = "4")]
    pub offset: i64,
    #[prost(int64, tag = "5")]
    pub total: i64,
    #[prost(string, tag = "6")]
    pub expected: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct OfState {
    #[prost(message, optional, tag = "1")]
    pub status: Option<WriteState>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct States {
    #[prost(message, repeated, tag = "1")]
    pub statuses: Vec<WriteState>,
}

pub const STAT: i32 = 0;
pub const WRITE: i32 = 1;
pub const COMMIT: i32 = 2;

#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteRequest {
    #[prost(int32, tag = "1")]
    pub action: i32,
    #[prost(string, tag = "2")]
    pub r#ref: String,
    #[prost(int64, tag = "3")]
    pub total: i64,
    #[prost(string, tag = "4")]
    pub expected: String,
    #[prost(int64, tag = "5")]
    pub offset: i64,
    #[prost(bytes = "vec", tag = "6")]
    pub data: Vec<u8>,
    #[prost(map = "string, string", tag = "7")]
    pub labels: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteResponse {
    #[prost(int32, tag = "1")]
    pub action: i32,
    #[prost(message, optional, tag = "2")]
    pub started_at: Option<Timestamp>,
    #[prost(message, optional, tag = "3")]
    pub updated_at: Option<Timestamp>,
    #[prost(int64, tag = "4")]
    pub offset: i64,
    #[prost(int64, tag = "5")]
    pub total: i64,
    #[prost(string, tag = "6")]
    pub digest: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Empty {}
