//! The typed details of a failed build.

use bollard_buildkit_proto::google::protobuf::Any;
use bytes::Bytes;
use prost::Message as _;
use serde::Deserialize;

use super::{SolveError, SourceError};
use crate::fields::Fields;
use crate::wire;

/// Maximum number of details of an error that are read. A real error has a stack, a vertex and a
/// few sources.
const MOST_DETAILS: usize = 1000;

/// Maximum number of sources of an error that are kept. Each has the text of its file.
const MOST_SOURCES: usize = 10;

impl SolveError {
    /// Reads the typed details that BuildKit puts into the `grpc-status-details-bin` trailer.
    /// Details that cannot be decoded are left out: the message already describes the error.
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        let mut error = Self::new(status.code().into(), status.message());
        error.encoded = Bytes::copy_from_slice(status.details());
        // Field 3 of `google.rpc.Status` has the details.
        let details = Fields::new(error.encoded.clone())
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
                "errdefs.Subrequest" => {
                    if let Some(name) = decode_subrequest(&detail.value) {
                        error.unsupported_request = Some(name);
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

fn decode_subrequest(value: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Subrequest {
        name: String,
    }
    if is_json(value) {
        Some(serde_json::from_slice::<Subrequest>(value).ok()?.name)
    } else {
        Some(wire::ErrdefsSubrequest::decode(value).ok()?.name)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::snippet::tests::source;
    use crate::error::{Code, Error};
    use bollard_buildkit_proto::google::rpc;
    use bollard_buildkit_proto::pb;

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
                "errdefs.Subrequest+json",
                br#"{"name":"frontend.lint"}"#.to_vec(),
            ),
            any(
                "errdefs.Source+json",
                br#"{"info":{"filename":"Dockerfile","data":"YQo=","definition":{},"language":"Dockerfile"},
                    "ranges":[{"start":{"line":1},"end":{"line":1}}]}"#
                    .to_vec(),
            ),
        ]);
        let binary = status(vec![
            any(
                "errdefs.Subrequest",
                wire::ErrdefsSubrequest {
                    name: "frontend.lint".into(),
                }
                .encode_to_vec(),
            ),
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
        for status in [json, binary] {
            let error = SolveError::from_status(&status);
            assert_eq!(error.vertex.as_deref(), Some("sha256:v"));
            assert_eq!(error.sources, [source("a\n", 1, 1)]);
            assert_eq!(error.unsupported_request.as_deref(), Some("frontend.lint"));
        }
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
