//! The metadata of a build, for programs.

use std::collections::BTreeMap;

use base64::Engine as _;
use iechor_buildkit::Provenance;
use iechor_buildkit::status::VertexWarning;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::recorder::Record;
use super::result::BuildResult;
use crate::error::BuildError;
use crate::spec::metadata::ProvenanceMode;

/// The key of the provenance. That of a platform is the key, `/` and the platform.
const PROVENANCE: &str = "buildx.build.provenance";

/// The metadata of a build. The keys of a build that succeeded are those of docker buildx.
///
/// A build for several platforms has a provenance for each: `buildx.build.provenance/PLATFORM`.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Metadata {
    /// Name of the build in the history of the builder: `BUILDER/NODE/ID`.
    #[serde(rename = "buildx.build.ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// Warnings about the Dockerfile, if they are requested.
    #[serde(
        rename = "buildx.build.warnings",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<Vec<Map<String, Value>>>")]
    warnings: Option<Vec<VertexWarning>>,
    /// The failure of the build, if it failed.
    #[serde(rename = "iechor.build.error", skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    /// Values that the exporters of BuildKit reported, for example `containerimage.digest`.
    #[serde(flatten)]
    values: BTreeMap<String, Value>,
}

/// The failure of a build.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Failure {
    /// The error.
    message: String,
    /// The gRPC status code, for example `Unknown`, if the error came from BuildKit.
    code: Option<String>,
    /// The step that failed, if a step failed.
    step: Option<Step>,
    /// The places in the Dockerfile that the error refers to.
    sources: Vec<Place>,
}

/// A step that failed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Step {
    /// Digest of the step.
    digest: String,
    /// Name of the step, for example `[2/3] RUN make`.
    name: String,
    /// The error of the step.
    error: String,
    /// The end of the output of the step.
    log: String,
}

/// A place in a file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Place {
    /// Name of the file.
    file: String,
    /// The first line, from 1.
    start: i32,
    /// The last line.
    end: i32,
}

impl Metadata {
    /// Returns the metadata of a build that succeeded. `has_warnings` states whether it has the warnings.
    pub(crate) fn of_result(result: &BuildResult, record: &Record, has_warnings: bool) -> Self {
        let mut metadata = Self::default();
        for node in result.nodes.iter().rev() {
            metadata.values.extend(node.provenance.clone());
        }
        if let Some(node) = result.nodes.first() {
            // The history of the daemon has no calls.
            let is_call = !node.answer.is_empty();
            metadata.reference = (!is_call).then(|| node.reference.clone());
            let values = result.values().into_iter().chain(node.answer.clone());
            let values = values.map(|(key, value)| {
                let value = decoded(&key, &value);
                (key, value)
            });
            metadata.values.extend(values);
        }
        let warnings = record.warnings.list();
        if has_warnings && !warnings.is_empty() {
            metadata.warnings = Some(warnings.to_vec());
        }
        metadata
    }

    /// Returns the metadata of a build that failed. `reference` is its name in the history, if it has
    /// begun.
    pub fn of_failure(error: &BuildError, reference: Option<String>, record: &Record) -> Self {
        let buildkit = match error.of_node() {
            BuildError::Solve(error) | BuildError::MissingFile { error, .. } => Some(error),
            _ => None,
        };
        let vertex = match buildkit {
            Some(iechor_buildkit::Error::Solve(error)) => error.vertex.as_deref(),
            _ => None,
        };
        let mut failed = record.failed.iter();
        let step = match vertex {
            Some(digest) => failed
                .clone()
                .find(|step| step.digest == digest)
                .or_else(|| failed.next()),
            None => failed.next(),
        };
        let sources = buildkit.map_or(&[][..], iechor_buildkit::Error::sources);
        let places = sources.iter().flat_map(|source| {
            source.ranges.iter().map(|range| Place {
                file: source.info.filename.clone(),
                start: range.start.line,
                end: range.end.line,
            })
        });
        Self {
            reference,
            error: Some(Failure {
                message: error.to_string(),
                code: buildkit
                    .and_then(iechor_buildkit::Error::code)
                    .map(|code| code.to_string()),
                step: step.map(|step| Step {
                    digest: step.digest.clone(),
                    name: step.name.clone(),
                    error: step.error.clone(),
                    log: step.output.clone(),
                }),
                sources: places.collect(),
            }),
            ..Self::default()
        }
    }

    /// Returns the name of the build in the history.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }
}

/// Returns the values for documents about the sources and steps of a build.
pub(crate) fn provenance_values(
    documents: Vec<Provenance>,
    mode: ProvenanceMode,
) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for Provenance { platform, document } in documents {
        let Ok(Value::Object(mut document)) = serde_json::from_slice(&document) else {
            continue;
        };
        let id = document
            .get("builder")
            .and_then(|builder| builder.get("id"));
        if id.is_some_and(|id| id == "") {
            document.remove("builder");
        }
        if mode == ProvenanceMode::Min {
            document.remove("buildConfig");
            document.remove("metadata");
        }
        let key = match platform {
            Some(platform) => format!("{PROVENANCE}/{platform}"),
            None => PROVENANCE.to_owned(),
        };
        values.insert(key, Value::Object(document));
    }
    values
}

/// Decodes a base64-encoded JSON object or list of objects that is not empty. The result of a subrequest is
/// JSON already. Returns any other text unchanged.
fn decoded(key: &str, value: &str) -> Value {
    let bytes = match key {
        "result.json" => Some(value.as_bytes().to_vec()),
        _ => base64::engine::general_purpose::STANDARD.decode(value).ok(),
    };
    bytes
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .filter(|decoded| match decoded {
            Value::Object(members) => !members.is_empty(),
            Value::Array(members) => !members.is_empty() && members.iter().all(Value::is_object),
            _ => false,
        })
        .unwrap_or_else(|| Value::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use iechor_buildkit::{Code, SolveError};
    use serde_json::json;

    use super::*;
    use crate::deliver::recorder::FailedStep;
    use crate::deliver::result::NodeResult;

    fn json_of(metadata: &Metadata) -> Value {
        serde_json::to_value(metadata).expect("JSON")
    }

    #[test]
    fn the_metadata_of_a_result_is_that_of_the_peer() {
        let response = [
            ("containerimage.digest", "sha256:1"),
            ("containerimage.descriptor", "eyJzaXplIjoxfQ=="),
            // These happen to be base64, but not of JSON objects.
            ("image.name", "demo"),
            ("number", "MTIz"),
            ("result.json", "{\"a\":1}"),
        ];
        let response = response
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()));
        let documents = vec![Provenance {
            platform: Some("linux/amd64".into()),
            document: Bytes::from_static(
                br#"{"builder":{"id":""},"buildType":"t","buildConfig":{},"metadata":{}}"#,
            ),
        }];
        let node = NodeResult {
            reference: "b/b0/xyz".into(),
            response: response.collect(),
            provenance: provenance_values(documents.clone(), ProvenanceMode::Min),
            warnings: vec![],
            ..NodeResult::default()
        };
        let result = BuildResult {
            nodes: vec![node],
            merged: None,
        };
        let mut record = Record::default();
        record.warnings.add(&VertexWarning {
            level: 1,
            ..VertexWarning::default()
        });
        let mut expected = json!({
            "buildx.build.ref": "b/b0/xyz",
            "buildx.build.provenance/linux/amd64": {"buildType": "t"},
            "containerimage.digest": "sha256:1",
            "containerimage.descriptor": {"size": 1},
            "image.name": "demo",
            "number": "MTIz",
            "result.json": {"a": 1},
        });
        let metadata = Metadata::of_result(&result, &record, false);
        assert_eq!(json_of(&metadata), expected);
        expected["buildx.build.warnings"] = json!([{"level": 1}]);
        let metadata = Metadata::of_result(&result, &record, true);
        assert_eq!(json_of(&metadata), expected);

        let whole = provenance_values(documents, ProvenanceMode::Max);
        assert_eq!(
            whole["buildx.build.provenance/linux/amd64"],
            json!({"buildType": "t", "buildConfig": {}, "metadata": {}})
        );
    }

    #[test]
    fn the_metadata_of_a_call_is_its_answer() {
        let answer = [("result.json", "{\"a\":1}"), ("version", "1.0.0")];
        let answer = answer.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let node = NodeResult {
            reference: "b/b0/xyz".into(),
            answer: answer.into(),
            ..NodeResult::default()
        };
        let result = BuildResult {
            nodes: vec![node],
            merged: None,
        };
        let metadata = Metadata::of_result(&result, &Record::default(), false);
        assert_eq!(
            json_of(&metadata),
            json!({"result.json": {"a": 1}, "version": "1.0.0"})
        );
    }

    #[test]
    fn the_metadata_of_a_failure_has_the_step_and_its_output() {
        let step = |digest: &str| FailedStep {
            digest: digest.into(),
            name: format!("RUN {digest}"),
            error: "exit code: 1".into(),
            output: "broken\n".into(),
        };
        let mut record = Record::default();
        record.failed = vec![step("other"), step("a")];
        let mut error = SolveError::new(Code::Unknown, "it failed");
        error.vertex = Some("a".into());
        let error = BuildError::Solve(iechor_buildkit::Error::Solve(Box::new(error)));
        let metadata = Metadata::of_failure(&error, Some("b/b0/xyz".into()), &record);
        assert_eq!(
            json_of(&metadata),
            json!({
                "buildx.build.ref": "b/b0/xyz",
                "iechor.build.error": {
                    "message": "failed to build: failed to solve: it failed",
                    "code": "Unknown",
                    "step": {
                        "digest": "a",
                        "name": "RUN a",
                        "error": "exit code: 1",
                        "log": "broken\n",
                    },
                    "sources": [],
                },
            })
        );
        let early = Metadata::of_failure(&BuildError::SeveralOutputs, None, &Record::default());
        assert_eq!(json_of(&early)["iechor.build.error"]["step"], Value::Null);
    }
}
