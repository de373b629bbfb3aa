//! The end of a build as data for programs.

use schemars::JsonSchema;
use serde::Serialize;

use super::metadata::Metadata;
use super::result::BuildResult;
use crate::run::Outcome;

/// The result of a build, or its failure.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct BuildView {
    /// Name of the builder; `null` if the build failed before the builder was chosen.
    builder: Option<String>,
    /// Name of the driver of the builder.
    driver: Option<String>,
    /// Name of the build in the history of the builder: `BUILDER/NODE/ID`; `null` if the build did not
    /// begin, or is a call.
    #[serde(rename = "Ref")]
    reference: Option<String>,
    /// The end of the build.
    status: Status,
    /// ID of the image: the digest of its configuration, or of its manifest if it has several platforms;
    /// `null` if there is no image.
    #[serde(rename = "ImageID")]
    image_id: Option<String>,
    /// Digest of the manifest or index of the image; `null` if there is no image.
    digest: Option<String>,
    /// Names of the image.
    names: Vec<String>,
    /// The error of a build that failed.
    error: Option<String>,
    /// Warnings about the build.
    warnings: Vec<String>,
    /// The metadata of the build.
    metadata: Metadata,
}

/// The end of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// The build succeeded, and its results are delivered.
    Completed,
    /// The build failed.
    Failed,
    /// The user cancelled the build.
    Canceled,
}

impl BuildView {
    /// Returns the data of an outcome. `builder` has the names of the builder and of its driver.
    pub fn new(outcome: &Outcome, builder: Option<(&str, &str)>) -> Self {
        let Outcome {
            metadata,
            result,
            remarks,
        } = outcome;
        let status = match result {
            Ok(_) => Status::Completed,
            Err(error) if error.is_cancelled() => Status::Canceled,
            Err(_) => Status::Failed,
        };
        let error = result.as_ref().err().map(ToString::to_string);
        let result = result.as_ref().ok();
        let owned = |text: &str| text.to_owned();
        let mut warnings: Vec<_> = remarks.iter().map(ToString::to_string).collect();
        warnings.extend(
            result
                .into_iter()
                .flat_map(BuildResult::warnings)
                .map(owned),
        );
        Self {
            builder: builder.map(|(builder, _)| builder.to_owned()),
            driver: builder.map(|(_, driver)| driver.to_owned()),
            reference: metadata.reference().map(owned),
            status,
            image_id: result.and_then(|result| result.image_id()).map(owned),
            digest: result.and_then(|result| result.digest()).map(owned),
            names: result.map_or(Vec::new(), |result| result.names().map(owned).collect()),
            error,
            warnings,
            metadata: metadata.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::deliver::recorder::Record;
    use crate::deliver::result::NodeResult;
    use crate::error::BuildError;
    use crate::remark::Remark;

    #[test]
    fn every_field_is_there() {
        let node = NodeResult {
            reference: "b/b0/x".into(),
            response: [
                ("containerimage.digest".to_owned(), "sha256:1".to_owned()),
                ("image.name".to_owned(), "a,b".to_owned()),
            ]
            .into(),
            warnings: vec!["careful".into()],
            ..NodeResult::default()
        };
        let result = BuildResult {
            nodes: vec![node],
            merged: None,
        };
        let outcome = Outcome {
            metadata: Metadata::of_result(&result, &Record::default(), false),
            result: Ok(result),
            remarks: vec![Remark::Skipped {
                node: "b1".into(),
                reason: "no".into(),
            }],
        };
        let view = serde_json::to_value(BuildView::new(&outcome, Some(("b", "d")))).expect("JSON");
        assert_eq!(
            view,
            json!({
                "Builder": "b",
                "Driver": "d",
                "Ref": "b/b0/x",
                "Status": "completed",
                "ImageID": "sha256:1",
                "Digest": "sha256:1",
                "Names": ["a", "b"],
                "Error": null,
                "Warnings": [
                    "node b1 is skipped, because it cannot be used: no",
                    "careful",
                ],
                "Metadata": {
                    "buildx.build.ref": "b/b0/x",
                    "containerimage.digest": "sha256:1",
                    "image.name": "a,b",
                },
            })
        );

        let cancelled = || BuildError::Solve(iechor_buildkit::Error::Cancelled);
        let outcome = Outcome {
            metadata: Metadata::of_failure(&cancelled(), None, &Record::default()),
            result: Err(cancelled()),
            remarks: Vec::new(),
        };
        let view = serde_json::to_value(BuildView::new(&outcome, None)).expect("JSON");
        assert_eq!(view["Status"], "canceled");
        assert_eq!(view["Builder"], json!(null));
        assert_eq!(view["Names"], json!([]));
        assert_eq!(
            view["Error"],
            view["Metadata"]["iechor.build.error"]["message"]
        );
    }
}
