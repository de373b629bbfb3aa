//! Conversions from BuildKit's messages.

use std::time::{Duration, SystemTime};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1 as control;
use bollard_buildkit_proto::pb;

use super::{Position, ProgressGroup, Range, SourceInfo, Vertex, VertexStatus, VertexWarning};
#[cfg(test)]
use super::{SolveStatus, VertexLog};

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

pub(super) fn required_time(timestamp: Option<Timestamp>) -> SystemTime {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

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
