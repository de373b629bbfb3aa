//! The status of a running build: vertexes, their progress, log lines and warnings.
//!
//! The types mirror those of BuildKit's Go client (`client/graph.go`). Serialised with serde they
//! are the lines of `--progress=rawjson`: byte strings in base64, times in RFC 3339 with
//! nanoseconds, and empty fields left out where Go leaves them out.

mod pieces;

use std::time::{Duration, SystemTime};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1 as control;
use bollard_buildkit_proto::pb;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

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

/// Converts a protobuf time. A time that protobuf does not allow (outside of the years 1 to 9999)
/// becomes the epoch, as a missing one does in Go.
pub(crate) fn system_time(timestamp: &Timestamp) -> SystemTime {
    const YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
    const NANOS: std::ops::Range<i32> = 0..1_000_000_000;
    if !YEARS.contains(&timestamp.seconds) || !NANOS.contains(&timestamp.nanos) {
        return SystemTime::UNIX_EPOCH;
    }
    let whole = Duration::from_secs(timestamp.seconds.unsigned_abs());
    let nanos = Duration::from_nanos(u64::from(timestamp.nanos.unsigned_abs()));
    if timestamp.seconds >= 0 {
        SystemTime::UNIX_EPOCH + whole + nanos
    } else {
        SystemTime::UNIX_EPOCH - whole + nanos
    }
}

fn optional_time(timestamp: Option<Timestamp>) -> Option<SystemTime> {
    timestamp.as_ref().map(system_time)
}

fn required_time(timestamp: Option<Timestamp>) -> SystemTime {
    optional_time(timestamp).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
impl From<control::StatusResponse> for SolveStatus {
    fn from(response: control::StatusResponse) -> Self {
        Self {
            vertexes: response.vertexes.into_iter().map(Into::into).collect(),
            statuses: response.statuses.into_iter().map(Into::into).collect(),
            logs: response.logs.into_iter().map(Into::into).collect(),
            warnings: response.warnings.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<control::Vertex> for Vertex {
    fn from(vertex: control::Vertex) -> Self {
        Self {
            digest: vertex.digest,
            inputs: vertex.inputs,
            name: vertex.name,
            started: optional_time(vertex.started),
            completed: optional_time(vertex.completed),
            cached: vertex.cached,
            error: vertex.error,
            progress_group: vertex.progress_group.map(|group| ProgressGroup {
                id: group.id,
                name: group.name,
                weak: group.weak,
            }),
        }
    }
}

impl From<control::VertexStatus> for VertexStatus {
    fn from(status: control::VertexStatus) -> Self {
        Self {
            id: status.id,
            vertex: status.vertex,
            name: status.name,
            total: status.total,
            current: status.current,
            timestamp: required_time(status.timestamp),
            started: optional_time(status.started),
            completed: optional_time(status.completed),
        }
    }
}

#[cfg(test)]
impl From<control::VertexLog> for VertexLog {
    fn from(log: control::VertexLog) -> Self {
        Self {
            vertex: log.vertex,
            stream: log.stream,
            data: log.msg.into(),
            timestamp: required_time(log.timestamp),
        }
    }
}

impl From<control::VertexWarning> for VertexWarning {
    fn from(warning: control::VertexWarning) -> Self {
        Self {
            vertex: warning.vertex,
            level: warning.level,
            short: warning.short.into(),
            detail: warning.detail.into_iter().map(Into::into).collect(),
            url: warning.url,
            source_info: warning.info.map(Into::into),
            ranges: warning.ranges.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<pb::SourceInfo> for SourceInfo {
    fn from(info: pb::SourceInfo) -> Self {
        Self {
            filename: info.filename,
            data: info.data.into(),
            language: info.language,
        }
    }
}

impl From<pb::Range> for Range {
    fn from(range: pb::Range) -> Self {
        let position = |position: Option<pb::Position>| {
            position.map_or_else(Position::default, |position| Position {
                line: position.line,
                character: position.character,
            })
        };
        Self {
            start: position(range.start),
            end: position(range.end),
        }
    }
}

mod rfc3339 {
    use super::SystemTime;
    use serde::{Deserialize, Deserializer, Serializer};
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    pub(super) fn serialize<S: Serializer>(
        time: &SystemTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = OffsetDateTime::from(*time)
            .format(&Rfc3339)
            .map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .map(Into::into)
            .map_err(serde::de::Error::custom)
    }
}

mod rfc3339_option {
    use super::{SystemTime, rfc3339};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => rfc3339::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        #[derive(Deserialize)]
        struct Wrapped(#[serde(with = "super::rfc3339")] SystemTime);
        Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|Wrapped(time)| time))
    }
}

mod base64_bytes {
    use super::Bytes;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(data: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(data))
    }

    /// Go writes an empty slice as `""` and a nil slice as `null`.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        STANDARD
            .decode(text)
            .map(Into::into)
            .map_err(serde::de::Error::custom)
    }
}

mod base64_list {
    use super::Bytes;
    use serde::ser::SerializeSeq as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Wrapped(#[serde(with = "super::base64_bytes")] Bytes);

    pub(super) fn serialize<S: Serializer>(
        list: &[Bytes],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(list.len()))?;
        for item in list {
            sequence.serialize_element(&Wrapped(item.clone()))?;
        }
        sequence.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Bytes>, D::Error> {
        let list = Vec::<Wrapped>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|Wrapped(item)| item).collect())
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn times_outside_the_range_do_not_panic() {
        for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (0, -5), (0, i32::MAX)] {
            let time = system_time(&Timestamp { seconds, nanos });
            assert_eq!(time, SystemTime::UNIX_EPOCH);
        }
        for seconds in [-62_135_596_800, 253_402_300_799] {
            let nanos = 999_999_999;
            let log = VertexLog {
                vertex: String::new(),
                stream: 0,
                data: Bytes::new(),
                timestamp: system_time(&Timestamp { seconds, nanos }),
            };
            let text = serde_json::to_string(&log).unwrap();
            assert!(text.contains(".999999999Z"), "{text}");
        }
        let before = Timestamp {
            seconds: -1,
            nanos: 500_000_000,
        };
        assert_eq!(
            system_time(&before),
            SystemTime::UNIX_EPOCH - Duration::from_millis(500)
        );
    }
}
