//! Attestations of images: the provenance and the bill of materials.

use std::fs;

use serde_json::Value;

use crate::context::Context;
use crate::registry::Registry;
use crate::support::{Sandbox, docker};

/// The annotation with the type of an attestation.
const PREDICATE: &str = "in-toto.io/predicate-type";

/// Pushes an image with the flags of `line`, and returns its attestations: type and content.
fn pushed(
    sandbox: &Sandbox,
    registry: &Registry,
    tag: &str,
    line: &str,
    variables: &[(&str, &str)],
) -> Vec<(String, Value)> {
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let name = format!("{}/attested:{tag}", registry.address());
    let mut build = sandbox.buildx(&format!("build -t {name} --push {line}"));
    for (name, value) in variables {
        build = build.variable(name, value);
    }
    build.argument(context.path()).success();
    attestations(registry, tag)
}

fn attestations(registry: &Registry, tag: &str) -> Vec<(String, Value)> {
    let index = registry.manifest("attested", tag);
    let manifests = index["manifests"].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for entry in manifests {
        if entry["annotations"]["vnd.docker.reference.type"] != "attestation-manifest" {
            continue;
        }
        let digest = entry["digest"].as_str().expect("a digest");
        let manifest = registry.manifest("attested", digest);
        for layer in manifest["layers"].as_array().expect("layers") {
            let predicate = layer["annotations"][PREDICATE].as_str().expect("a type");
            let digest = layer["digest"].as_str().expect("a digest");
            found.push((predicate.to_owned(), registry.blob("attested", digest)));
        }
    }
    found
}

/// Returns whether a provenance has the steps of the build, which only the largest mode has.
fn has_steps(provenance: &Value) -> bool {
    let predicate = &provenance["predicate"];
    let internal = &predicate["buildDefinition"]["internalParameters"];
    !predicate["buildConfig"].is_null() || !internal["buildConfig"].is_null()
}

#[test]
fn the_provenance_has_the_requested_mode() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    sandbox.booted("provenance", "--driver-opt network=host");
    for (tag, line, variable, steps) in [
        ("default", "", None, Some(false)),
        ("max", "--provenance=mode=max", None, Some(true)),
        (
            "attest",
            "--attest type=provenance,mode=max",
            None,
            Some(true),
        ),
        ("on", "--provenance=true", None, Some(true)),
        ("off", "--provenance=0", None, None),
        (
            "disabled",
            "--attest type=provenance,disabled=T",
            None,
            None,
        ),
        ("no-default", "", Some("1"), None),
        ("explicit", "--provenance=mode=min", Some("1"), Some(false)),
    ] {
        let variables = variable.map(|value| ("BUILDX_NO_DEFAULT_ATTESTATIONS", value));
        let variables: Vec<_> = variables.into_iter().collect();
        let found = pushed(&sandbox, &registry, tag, line, &variables);
        match steps {
            Some(steps) => {
                assert_eq!(found.len(), 1, "{tag}");
                let (predicate, document) = &found[0];
                let kind = "https://slsa.dev/provenance/";
                assert!(predicate.starts_with(kind), "{tag}: {predicate}");
                assert_eq!(has_steps(document), steps, "{tag}: {document:#}");
            }
            None => assert!(found.is_empty(), "{tag}"),
        }
    }
}

#[test]
fn an_sbom_is_made_by_the_requested_generator() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    sandbox.booted("sbom", "--driver-opt network=host");
    let generator = format!("{}/scanner:1", registry.address());
    let context = Context::on_base("COPY --chmod=755 scan /scan\nENTRYPOINT [\"/scan\"]\n");
    context.file(
        "scan",
        "#!/bin/sh\nset -e\nprintf '%s' '{\"_type\":\"https://in-toto.io/Statement/v0.1\",\
         \"predicateType\":\"https://spdx.dev/Document\",\
         \"predicate\":{\"name\":\"made by the test\"}}' \
         > \"$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json\"\n",
    );
    sandbox
        .buildx(&format!("build -t {generator} --push --provenance=false"))
        .argument(context.path())
        .success();
    for (tag, line) in [
        ("short", format!("--sbom=generator={generator}")),
        ("long", format!("--attest type=sbom,generator={generator}")),
    ] {
        let line = format!("{line} --provenance=false");
        let found = pushed(&sandbox, &registry, tag, &line, &[]);
        assert_eq!(found.len(), 1, "{tag}");
        let (predicate, document) = &found[0];
        assert_eq!(predicate, "https://spdx.dev/Document");
        assert_eq!(document["predicate"]["name"], "made by the test");
    }
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx("build --sbom=generator=127.0.0.1:1/absent:1 -o type=oci,dest=x")
        .argument(context.path())
        .failure(1)
        .says("127.0.0.1:1/absent:1");
}

#[test]
fn an_archive_for_docker_has_no_attestations() {
    let sandbox = Sandbox::new();
    sandbox.booted("archive", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let tag = sandbox.name("attested:1");
    let build = |line: &str| {
        sandbox
            .buildx(&format!("build -t {tag} {line}"))
            .argument(context.path())
    };
    build("--load --sbom=true")
        .failure(1)
        .says("docker exporter does not currently support exporting manifest lists");
    build("-o type=docker,dest=x --provenance=true").failure(1).says(
        "docker exporter does not support exporting manifest lists, use the oci exporter instead",
    );
    assert!(!sandbox.path("x").exists());
    // The default provenance is left out.
    build("--load").success();
    docker(&format!("image inspect {tag}")).success();
    build("--provenance=mode=max -o type=oci,dest=x").success();
    assert!(fs::metadata(sandbox.path("x")).is_ok());
}

#[test]
fn wrong_attestations_are_named() {
    let sandbox = Sandbox::new();
    for (line, words) in [
        ("--attest generator=x", "attestation type not specified"),
        ("--sbom generator", "invalid value generator"),
    ] {
        sandbox
            .buildx(&format!("build {line} ."))
            .failure(1)
            .says(words)
            .says("--attest takes type=TYPE,KEY=VALUE,...");
    }
    sandbox
        .buildx("build .")
        .variable("BUILDX_NO_DEFAULT_ATTESTATIONS", "maybe")
        .failure(1)
        .says("invalid BUILDX_NO_DEFAULT_ATTESTATIONS: ");
}
