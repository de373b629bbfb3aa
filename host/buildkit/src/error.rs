//! The errors of the client, and their texts, which follow BuildKit's Go client.

use std::fmt;
use std::time::Duration;

use bollard_buildkit_proto::google::protobuf::Any;
use bytes::Bytes;
use prost::Message as _;
use serde::Deserialize;

use crate::fields::Fields;
use crate::status::{Range, SourceInfo};
use crate::wire;

/// Maximum number of details of an error that are read. A real error has a stack, a vertex and a
/// few sources.
const MOST_DETAILS: usize = 1000;

/// Maximum number of sources of an error that are kept. Each has the text of its file.
const MOST_SOURCES: usize = 10;

/// Maximum number of lines that a snippet shows. A heredoc is the longest instruction.
const MOST_LINES: i64 = 200;

/// An error between opening the byte stream and the end of a build.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stream ended or broke, or the other side does not speak HTTP/2. The client cannot be
    /// used any more: connect again with a new stream.
    #[error("lost the connection to BuildKit: {reason}")]
    ConnectionLost {
        /// Reason, for example the text that arrived instead of HTTP/2.
        reason: String,
    },
    /// BuildKit sent nothing for longer than the client waits. A healthy daemon calls the session
    /// every few seconds.
    #[error("BuildKit did not answer for {} seconds", .limit.as_secs_f32())]
    Silent {
        /// Time that the client waited.
        limit: Duration,
    },
    /// BuildKit refused a call other than Solve.
    #[error("{call}: {}", worded(*.code, .message))]
    Call {
        /// Name of the call, for example `Control.Info`.
        call: &'static str,
        /// The gRPC status code.
        code: Code,
        /// The gRPC status message.
        message: String,
    },
    /// The build failed on the daemon.
    #[error("failed to solve: {0}")]
    Solve(Box<SolveError>),
    /// A result could not be written on this side.
    #[error("{kind} export: {message}")]
    Export {
        /// Index in [`SolveRequest::exporters`](crate::SolveRequest::exporters).
        index: usize,
        /// Kind of the exporter, for example `local`.
        kind: String,
        /// Reason, for example `No space left on device`.
        message: String,
    },
    /// The caller cancelled the build.
    #[error("build cancelled: context canceled")]
    Cancelled,
    /// The request is invalid. Nothing was sent.
    #[error("{0}")]
    Request(String),
}

impl Error {
    /// Returns the gRPC status code, if the error came from the daemon or is a cancellation.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Call { code, .. } => Some(*code),
            Self::Solve(error) => Some(error.code),
            Self::Cancelled => Some(Code::Canceled),
            _ => None,
        }
    }

    /// Returns the places in source files (Dockerfiles) that the error refers to, in display order.
    pub fn sources(&self) -> &[SourceError] {
        match self {
            Self::Solve(error) => &error.sources,
            _ => &[],
        }
    }
}

/// The failure of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolveError {
    /// The gRPC status code; [`Code::Unknown`] for most failures of a build.
    pub code: Code,
    /// The message, without the prefix `failed to solve: `.
    pub message: String,
    /// Digest of the vertex that failed.
    pub vertex: Option<String>,
    /// Places in the Dockerfile.
    pub sources: Vec<SourceError>,
}

impl fmt::Display for SolveError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&worded(self.code, &self.message))
    }
}

impl std::error::Error for SolveError {}

impl SolveError {
    /// Reads the typed details that BuildKit puts into the `grpc-status-details-bin` trailer.
    /// Details that cannot be decoded are left out: the message already describes the error.
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        let mut error = Self {
            code: status.code().into(),
            message: status.message().to_owned(),
            vertex: None,
            sources: Vec::new(),
        };
        // Field 3 of `google.rpc.Status` has the details.
        let details = Fields::new(Bytes::copy_from_slice(status.details()))
            .map_while(Result::ok)
            .filter(|(number, _)| *number == 3)
            .take(MOST_DETAILS)
            .filter_map(|(_, detail)| Any::decode(detail).ok());
        for detail in details {
            // For example `github.com/moby/buildkit/errdefs.Source+json`. The value is JSON, but
            // daemons that encode it as protobuf keep the name.
            let name = detail.type_url.rsplit('/').next().unwrap_or_default();
            match name.trim_end_matches("+json") {
                "errdefs.Vertex" => {
                    if let Some(vertex) = decode_vertex(&detail.value) {
                        error.vertex = Some(vertex);
                    }
                }
                "errdefs.Source" if error.sources.len() < MOST_SOURCES => {
                    error.sources.extend(decode_source(&detail.value));
                }
                _ => {}
            }
        }
        error
    }
}

fn is_json(value: &[u8]) -> bool {
    // In protobuf this byte would begin a group, which no message here has.
    value.first() == Some(&b'{')
}

fn decode_vertex(value: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Vertex {
        digest: String,
    }
    if is_json(value) {
        Some(serde_json::from_slice::<Vertex>(value).ok()?.digest)
    } else {
        Some(wire::ErrdefsVertex::decode(value).ok()?.digest)
    }
}

fn decode_source(value: &[u8]) -> Option<SourceError> {
    if is_json(value) {
        serde_json::from_slice(value).ok()
    } else {
        let source = wire::ErrdefsSource::decode(value).ok()?;
        Some(SourceError {
            info: source.info.unwrap_or_default().into(),
            ranges: source.ranges.into_iter().map(Into::into).collect(),
        })
    }
}

/// A place in a source file that an error refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SourceError {
    /// The file and its text.
    pub info: SourceInfo,
    /// The affected lines.
    pub ranges: Vec<Range>,
}

impl SourceError {
    fn contains(&self, line: i64) -> bool {
        self.ranges.iter().any(|range| {
            let (start, end) = lines(range);
            start <= line && line <= end
        })
    }
}

/// Returns the first and the last line of a range. A range may have no end.
fn lines(range: &Range) -> (i64, i64) {
    let start = i64::from(range.start.line);
    (start, start.max(i64::from(range.end.line)))
}

/// Returns the lines around a place, with marks, as buildx prints them before `ERROR:`. Returns
/// none if the place is outside the text.
///
/// The lines contain the text of the file. Clean them before you display them.
///
/// ```text
/// Dockerfile:3
/// --------------------
///    1 |     FROM x
///    2 |
///    3 | >>> RUN false
/// --------------------
/// ```
pub fn source_snippet(source: &SourceError) -> Vec<String> {
    // As in `errdefs.Source.Print`: four lines around a single line, two around a range.
    let text = &source.info.data;
    let line_ends = text.iter().filter(|byte| **byte == b'\n').count();
    let count = i64::try_from(line_ends)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let starts = source.ranges.iter().map(|range| lines(range).0);
    let ends = source.ranges.iter().map(|range| lines(range).1);
    let (Some(first), Some(last)) = (starts.min(), ends.max()) else {
        return Vec::new();
    };
    if first < 1 || first > count {
        return Vec::new();
    }
    let mut start = first;
    let mut end = last.min(count);
    let padding = if start == end { 4 } else { 2 };
    let mut padded = 0;
    while padded < padding {
        if start > 1 {
            start -= 1;
            padded += 1;
        }
        if end != count {
            end += 1;
            padded += 1;
        }
        padded += 1;
    }
    let rule = "--------------------";
    let mut snippet = vec![format!("{}:{first}", source.info.filename), rule.to_owned()];
    let shown = (1_i64..).zip(text.split(|byte| *byte == b'\n'));
    for (number, line) in shown.skip_while(|(number, _)| *number < start) {
        if number > end {
            break;
        }
        if number - start == MOST_LINES {
            snippet.push(format!(
                "       |     ... ({} more lines)",
                end - number + 1
            ));
            break;
        }
        let mark = if source.contains(number) {
            ">>>"
        } else {
            "   "
        };
        let line = String::from_utf8_lossy(line);
        snippet.push(format!(" {number:3} | {mark} {line}"));
    }
    snippet.push(rule.to_owned());
    snippet
}

/// Formats a status as BuildKit's Go client does: the code precedes the message unless it is
/// Unknown.
fn worded(code: Code, message: &str) -> String {
    match code {
        Code::Ok | Code::Unknown => message.to_owned(),
        code => format!("{code}: {message}"),
    }
}

/// Returns the text of an error and of its causes.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "the names are those of the gRPC specification, which explains them"
)]
pub enum Code {
    Ok = 0,
    Canceled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

impl From<tonic::Code> for Code {
    fn from(code: tonic::Code) -> Self {
        match code {
            tonic::Code::Ok => Self::Ok,
            tonic::Code::Cancelled => Self::Canceled,
            tonic::Code::Unknown => Self::Unknown,
            tonic::Code::InvalidArgument => Self::InvalidArgument,
            tonic::Code::DeadlineExceeded => Self::DeadlineExceeded,
            tonic::Code::NotFound => Self::NotFound,
            tonic::Code::AlreadyExists => Self::AlreadyExists,
            tonic::Code::PermissionDenied => Self::PermissionDenied,
            tonic::Code::ResourceExhausted => Self::ResourceExhausted,
            tonic::Code::FailedPrecondition => Self::FailedPrecondition,
            tonic::Code::Aborted => Self::Aborted,
            tonic::Code::OutOfRange => Self::OutOfRange,
            tonic::Code::Unimplemented => Self::Unimplemented,
            tonic::Code::Internal => Self::Internal,
            tonic::Code::Unavailable => Self::Unavailable,
            tonic::Code::DataLoss => Self::DataLoss,
            tonic::Code::Unauthenticated => Self::Unauthenticated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Position;
    use bollard_buildkit_proto::google::rpc;
    use bollard_buildkit_proto::pb;

    fn source(text: &str, start: i32, end: i32) -> SourceError {
        let line = |line| Position { line, character: 0 };
        SourceError {
            info: SourceInfo {
                filename: "Dockerfile".into(),
                data: Bytes::copy_from_slice(text.as_bytes()),
                language: "Dockerfile".into(),
            },
            ranges: vec![Range {
                start: line(start),
                end: line(end),
            }],
        }
    }

    fn snippet(source: &SourceError) -> String {
        let lines = source_snippet(source);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn a_snippet_is_that_of_the_peer() {
        let rule = "--------------------\n";
        assert_eq!(
            snippet(&source("FROM x\n\nRUN false\n", 3, 3)),
            format!(
                "Dockerfile:3\n{rule}   1 |     FROM x\n   2 |     \n   3 | >>> RUN false\n   4 |     \n{rule}"
            )
        );
        // A range has two lines of padding, and a range that ends before it starts is one line.
        assert_eq!(
            snippet(&source("a\nb\nc\nd\ne\nf", 3, 4)),
            format!(
                "Dockerfile:3\n{rule}   2 |     b\n   3 | >>> c\n   4 | >>> d\n   5 |     e\n{rule}"
            )
        );
        assert_eq!(
            snippet(&source("a", 1, 0)),
            format!("Dockerfile:1\n{rule}   1 | >>> a\n{rule}")
        );
    }

    #[test]
    fn a_place_outside_the_text_gives_no_snippet() {
        assert_eq!(snippet(&source("a\n", 9, 9)), "");
        assert_eq!(snippet(&source("a\n", 0, 0)), "");
        assert_eq!(snippet(&source("a\n", -7, -7)), "");
        assert_eq!(snippet(&SourceError::default()), "");
    }

    #[test]
    fn a_snippet_of_a_huge_range_is_cut() {
        let lines = source_snippet(&source(&"x\n".repeat(100_000), 1, i32::MAX));
        assert_eq!(lines.len(), 204);
        assert_eq!(lines[202], "       |     ... (99801 more lines)");
    }

    #[test]
    fn of_many_details_some_are_kept() {
        let source = || {
            let value = br#"{"info":{"filename":"Dockerfile"},"ranges":[]}"#;
            any("errdefs.Source+json", value.to_vec())
        };
        let many = std::iter::repeat_with(source).take(50).collect();
        assert_eq!(SolveError::from_status(&status(many)).sources.len(), 10);
        let mut many = vec![any("stack.Stack+json", b"{}".to_vec()); 100_000];
        many.push(source());
        assert_eq!(SolveError::from_status(&status(many)).sources.len(), 0);
    }

    fn status(details: Vec<Any>) -> tonic::Status {
        let details = rpc::Status {
            code: 2,
            message: "boom".into(),
            details,
        };
        tonic::Status::with_details(tonic::Code::Unknown, "boom", details.encode_to_vec().into())
    }

    fn any(name: &str, value: Vec<u8>) -> Any {
        Any {
            type_url: format!("github.com/moby/buildkit/{name}"),
            value,
        }
    }

    #[test]
    fn details_are_read_as_json_and_as_protobuf() {
        let json = status(vec![
            any("stack.Stack+json", b"{}".to_vec()),
            any("errdefs.Vertex+json", br#"{"digest":"sha256:v"}"#.to_vec()),
            any(
                "errdefs.Source+json",
                br#"{"info":{"filename":"Dockerfile","data":"YQo=","definition":{},"language":"Dockerfile"},
                    "ranges":[{"start":{"line":1},"end":{"line":1}}]}"#
                    .to_vec(),
            ),
        ]);
        let binary = status(vec![
            any(
                "errdefs.Vertex",
                wire::ErrdefsVertex {
                    digest: "sha256:v".into(),
                }
                .encode_to_vec(),
            ),
            any(
                "errdefs.Source+json",
                wire::ErrdefsSource {
                    info: Some(pb::SourceInfo {
                        filename: "Dockerfile".into(),
                        data: b"a\n".to_vec(),
                        language: "Dockerfile".into(),
                        ..Default::default()
                    }),
                    ranges: vec![pb::Range {
                        start: Some(pb::Position {
                            line: 1,
                            character: 0,
                        }),
                        end: Some(pb::Position {
                            line: 1,
                            character: 0,
                        }),
                    }],
                }
                .encode_to_vec(),
            ),
        ]);
        let error = SolveError::from_status(&json);
        assert_eq!(error, SolveError::from_status(&binary));
        assert_eq!(error.vertex.as_deref(), Some("sha256:v"));
        assert_eq!(error.sources, [source("a\n", 1, 1)]);
    }

    #[test]
    fn broken_details_leave_the_message() {
        let mut garbled = status(vec![
            any("errdefs.Source+json", b"{not json".to_vec()),
            any("errdefs.Source+json", vec![0xff; 9]),
        ]);
        assert_eq!(SolveError::from_status(&garbled).message, "boom");
        garbled = tonic::Status::with_details(
            tonic::Code::Internal,
            "boom",
            Bytes::from_static(b"\xff\xff"),
        );
        let error = Error::Solve(Box::new(SolveError::from_status(&garbled)));
        assert_eq!(error.to_string(), "failed to solve: Internal: boom");
        assert_eq!(error.code(), Some(Code::Internal));
        assert!(error.sources().is_empty());
    }
}
