//! The check that no two results of a build have the same destination.

use std::path::Path;

use iechor_files::place::Place;

use super::error::{PlanError, Written};
use crate::spec::BuildSpec;

/// Returns an error for each result with the destination of an earlier one.
pub(super) fn mistakes(spec: &BuildSpec) -> Vec<PlanError> {
    let outputs = spec.exporters.iter().filter_map(|exporter| {
        let path = exporter.path()?;
        Some((Written::Output(exporter.kind()), path))
    });
    let metadata = spec.metadata_file.as_ref();
    let metadata = metadata.map(|file| (Written::Metadata, file.path.as_path()));
    let image_id = spec.iid_file.as_deref();
    let image_id = image_id.map(|path| (Written::ImageId, path));
    let mut earlier: Vec<(Written, Place)> = Vec::new();
    let mut found = Vec::new();
    for (result, path) in outputs.chain(image_id).chain(metadata) {
        let Some(place) = Place::of(path) else {
            continue;
        };
        match earlier.iter().find(|(_, taken)| *taken == place) {
            Some((first, _)) => found.push(same(path, *first, result)),
            None => earlier.push((result, place)),
        }
    }
    found
}

fn same(path: &Path, first: Written, second: Written) -> PlanError {
    PlanError::SameDestination {
        path: path.to_owned(),
        first,
        second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Context, MetadataFile, ProvenanceMode, parse};

    #[test]
    fn every_pair_of_results_is_compared() {
        let directory = tempfile::tempdir().expect("directory");
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("sub")).expect("made");
        std::os::unix::fs::symlink("a", path("link")).expect("linked");
        let output = |text: &str| {
            let text = text.replace("dest=", &format!("dest={}/", directory.path().display()));
            parse::output(&text).expect("an output")
        };
        let found = |outputs: &[&str], metadata: Option<&str>, image_id: Option<&str>| {
            let mut spec = BuildSpec::new(Context::StandardInput);
            spec.exporters = outputs.iter().map(|text| output(text)).collect();
            spec.metadata_file = metadata.map(|name| MetadataFile {
                path: path(name),
                provenance: ProvenanceMode::Min,
                warnings: false,
            });
            spec.iid_file = image_id.map(path);
            let found = mistakes(&spec).into_iter().map(|error| match error {
                PlanError::SameDestination { first, second, .. } => format!("{first}, {second}"),
                other => panic!("{other}"),
            });
            found.collect::<Vec<_>>().join("; ")
        };
        for (outputs, metadata, image_id, expected) in [
            (
                &["type=tar,dest=a", "type=oci,dest=sub/../a"][..],
                None,
                None,
                "the tar output, the oci output",
            ),
            (
                &["type=local,dest=new", "type=local,dest=./new"],
                None,
                None,
                "the local output, the local output",
            ),
            (
                &["type=oci,dest=a", "type=oci,tar=false,dest=sub"],
                Some("link"),
                Some("a"),
                "the oci output, the image ID; the oci output, the metadata",
            ),
            (
                &["type=docker,dest=b"],
                Some("a"),
                Some("link"),
                "the image ID, the metadata",
            ),
            (
                &["type=tar,dest=a", "type=local,dest=sub", "type=image"],
                Some("sub/a"),
                Some("b"),
                "",
            ),
        ] {
            assert_eq!(found(outputs, metadata, image_id), expected);
        }
        let devices = ["type=tar,dest=/dev/null", "type=oci,dest=/dev/null"];
        let mut spec = BuildSpec::new(Context::StandardInput);
        spec.exporters = devices
            .map(|text| parse::output(text).expect("an output"))
            .into();
        assert_eq!(mistakes(&spec), []);
    }
}
