//! Annotations of images, by level and platform.

use std::fs;

use serde_json::{Value, json};

use crate::context::Context;
use crate::registry::Registry;
use crate::support::Sandbox;

/// Returns an object of a tar archive with an OCI layout.
fn in_tar(bytes: &[u8], name: &str) -> Value {
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().expect("a tar") {
        let entry = entry.expect("whole");
        if entry.path().expect("a name").to_str() == Some(name) {
            return serde_json::from_reader(entry).expect("JSON");
        }
    }
    panic!("there is no {name}");
}

#[test]
fn annotations_are_where_their_levels_say() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    sandbox.booted("annotated", "--driver-opt network=host");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let name = format!("{}/annotated:1", registry.address());
    sandbox
        .buildx("build --platform linux/amd64,linux/arm64 --provenance=false")
        .words("--annotation every=manifest")
        .words("--annotation index:of=index")
        .words("--annotation index-descriptor:of=layout")
        .words("--annotation manifest[linux/arm64],manifest-descriptor[linux/amd64]:one=platform")
        .argument("--annotation")
        .argument("manifest:text=with spaces, = and :")
        .words(&format!("-t {name} --push -o type=oci,dest=layout.tar"))
        .argument(context.path())
        .success();

    let index = registry.manifest("annotated", "1");
    assert_eq!(index["annotations"], json!({"of": "index"}));
    for entry in index["manifests"].as_array().expect("manifests") {
        let architecture = entry["platform"]["architecture"].as_str().expect("text");
        let digest = entry["digest"].as_str().expect("a digest");
        let manifest = registry.manifest("annotated", digest);
        let annotations = &manifest["annotations"];
        assert_eq!(annotations["every"], "manifest");
        assert_eq!(annotations["text"], "with spaces, = and :");
        let is_arm = architecture == "arm64";
        assert_eq!(annotations["one"] == "platform", is_arm, "{annotations}");
        let descriptor = &entry["annotations"]["one"];
        assert_eq!(descriptor == "platform", !is_arm, "{entry}");
    }

    let layout = fs::read(sandbox.path("layout.tar")).expect("written");
    let top = in_tar(&layout, "index.json");
    let descriptor = &top["manifests"][0];
    assert_eq!(descriptor["annotations"]["of"], "layout", "{top}");
    let digest = descriptor["digest"].as_str().expect("a digest");
    let index = in_tar(&layout, &format!("blobs/{}", digest.replace(':', "/")));
    assert_eq!(index["annotations"]["of"], "index");
}

#[test]
fn an_index_annotation_needs_an_index() {
    let sandbox = Sandbox::new();
    sandbox.booted("single", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx("build --annotation index:a=b --provenance=false -o type=oci,dest=x")
        .argument(context.path())
        .failure(1)
        .says("index annotations not supported for single platform export");
}

#[test]
fn wrong_annotations_are_named() {
    let sandbox = Sandbox::new();
    for (annotation, words) in [
        (
            "a",
            "parse annotations: invalid annotation \"a\", expected key=value",
        ),
        ("layer:a=b", "unknown annotation type \"layer\""),
        ("manifest[]:a=b", "invalid annotation type \"manifest[]\""),
    ] {
        sandbox
            .buildx(&format!("build --annotation {annotation} ."))
            .failure(1)
            .says(words)
            .says("--annotation takes [TYPE[[PLATFORM]],...:]KEY=VALUE");
    }
}
