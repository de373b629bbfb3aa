//! The status of a running build: vertexes, their progress, log lines and warnings.
//!
//! The types mirror those of BuildKit's Go client (`client/graph.go`). Serialised with serde they
//! are the lines of `--progress=rawjson`: byte strings in base64, times in RFC 3339 with
//! nanoseconds, and empty fields left out where Go leaves them out.

mod convert;
mod encoding;
mod pieces;

use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use convert::required_time;
use encoding::{base64_bytes, base64_list, rfc3339, rfc3339_option};

pub(crate) use convert::system_time;
pub(crate) use pieces::{LEFT_OUT, Pieces};

/// A message of the status stream, or a part of a long one: all changes since the message before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SolveStatus {
    /// New or changed vertexes. A vertex is always complete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vertexes: Vec<Vertex>,
    /// Progress within vertexes, such as one layer of a pull.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<VertexStatus>,
    /// Output of the commands that vertexes run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<VertexLog>,
    /// Warnings, for example of the Dockerfile linter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<VertexWarning>,
}

/// One step of the build graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vertex {
    /// Identifier of the vertex within this build.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Digests of the vertexes that this one needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// Text to show, for example `[2/3] RUN make`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Start of the current interval; a vertex may start more than once.
    #[serde(with = "rfc3339_option", skip_serializing_if = "Option::is_none")]
    pub started: Option<SystemTime>,
    /// End of the current interval.
    #[serde(with = "rfc3339_option", skip_serializing_if = "Option::is_none")]
    pub completed: Option<SystemTime>,
    /// Whether the result came from the cache.
    #[serde(skip_serializing_if = "is_false")]
    pub cached: bool,
    /// Reason of the failure; empty if the vertex did not fail. Ends with `context canceled` if the
    /// vertex was cancelled.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// Group of the vertex, if any.
    #[serde(rename = "progressGroup", skip_serializing_if = "Option::is_none")]
    pub progress_group: Option<ProgressGroup>,
}

/// A group of vertexes that is shown as one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressGroup {
    /// Identifier of the group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Text to show instead of the names of the vertexes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether to ignore the group for a vertex that also belongs to another one.
    #[serde(skip_serializing_if = "is_false")]
    pub weak: bool,
}

/// Progress of one piece of work within a vertex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VertexStatus {
    /// Identifier of the work within the vertex, which is also shown.
    pub id: String,
    /// Digest of the vertex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vertex: String,
    /// Name in addition to the identifier; usually empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Total amount, in the unit of `current` (bytes); 0 if unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub total: i64,
    /// Completed amount.
    #[serde(default)]
    pub current: i64,
    /// Time of this report.
    #[serde(with = "rfc3339")]
    pub timestamp: SystemTime,
    /// Start of the work.
    #[serde(
        default,
        with = "rfc3339_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub started: Option<SystemTime>,
    /// End of the work.
    #[serde(
        default,
        with = "rfc3339_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub completed: Option<SystemTime>,
}

impl Default for VertexStatus {
    fn default() -> Self {
        Self {
            id: String::new(),
            vertex: String::new(),
            name: String::new(),
            total: 0,
            current: 0,
            timestamp: SystemTime::UNIX_EPOCH,
            started: None,
            completed: None,
        }
    }
}

/// A part of the output, not necessarily whole lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VertexLog {
    /// Digest of the vertex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vertex: String,
    /// 1 for standard output, 2 for standard error.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stream: i64,
    /// Bytes as the command wrote them.
    #[serde(with = "base64_bytes")]
    pub data: Bytes,
    /// Time at which the bytes were written.
    #[serde(with = "rfc3339")]
    pub timestamp: SystemTime,
}

/// A warning about the build definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VertexWarning {
    /// Digest of the vertex that the warning is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub vertex: String,
    /// Severity from the frontend; 1 for the Dockerfile linter.
    #[serde(skip_serializing_if = "is_zero")]
    pub level: i64,
    /// Text of one line.
    #[serde(with = "base64_bytes", skip_serializing_if = "Bytes::is_empty")]
    pub short: Bytes,
    /// Further lines.
    #[serde(with = "base64_list", skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<Bytes>,
    /// Address of further information.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The file that the warning refers to.
    #[serde(rename = "sourceInfo", skip_serializing_if = "Option::is_none")]
    pub source_info: Option<SourceInfo>,
    /// The places in that file.
    #[serde(rename = "range", skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
}

/// A source file that a warning or an error refers to, with its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceInfo {
    /// Name of the file, for example `Dockerfile`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filename: String,
    /// The complete text.
    #[serde(with = "base64_bytes", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Language of the file, for example `Dockerfile`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub language: String,
}

/// A part of a source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Range {
    /// First position.
    pub start: Position,
    /// Last position.
    pub end: Position,
}

/// A place in a source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Position {
    /// Line, from 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub line: i32,
    /// Character in the line, from 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub character: i32,
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rawjson_lines_look_like_those_of_the_peer() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_780);
        let status = SolveStatus {
            vertexes: vec![Vertex {
                digest: "sha256:aa".into(),
                name: "[1/1] RUN x".into(),
                started: Some(time),
                cached: true,
                ..Vertex::default()
            }],
            statuses: vec![VertexStatus {
                id: "extracting".into(),
                vertex: "sha256:aa".into(),
                timestamp: SystemTime::UNIX_EPOCH,
                ..VertexStatus::default()
            }],
            logs: vec![VertexLog {
                vertex: "sha256:aa".into(),
                stream: 2,
                data: Bytes::from_static(b"hi\n"),
                timestamp: time,
            }],
            warnings: vec![VertexWarning {
                level: 1,
                short: Bytes::from_static(b"s"),
                detail: vec![Bytes::from_static(b"d")],
                ranges: vec![Range {
                    start: Position {
                        line: 3,
                        character: 0,
                    },
                    end: Position::default(),
                }],
                ..VertexWarning::default()
            }],
        };
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"vertexes":[{"digest":"sha256:aa","name":"[1/1] RUN x","#,
                r#""started":"2023-11-14T22:13:20.12345678Z","cached":true}],"#,
                r#""statuses":[{"id":"extracting","vertex":"sha256:aa","current":0,"timestamp":"1970-01-01T00:00:00Z"}],"#,
                r#""logs":[{"vertex":"sha256:aa","stream":2,"data":"aGkK","timestamp":"2023-11-14T22:13:20.12345678Z"}],"#,
                r#""warnings":[{"level":1,"short":"cw==","detail":["ZA=="],"range":[{"start":{"line":3},"end":{}}]}]}"#,
            )
        );
        assert_eq!(serde_json::from_str::<SolveStatus>(&text).unwrap(), status);
        assert_eq!(
            serde_json::to_string(&SolveStatus::default()).unwrap(),
            "{}"
        );
    }
}
