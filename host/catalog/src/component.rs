//! The format of a component in a registry: the WebAssembly OCI artifact layout
//! (<https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>), which `wkg` and other
//! tools use as well. It is an image manifest with a config of a special media type and one layer, which
//! is the component.

use std::collections::BTreeMap;

use iechor_registry::Digest;
use iechor_registry::digest::DigestError;
use iechor_registry::manifest::{
    DOCKER_MANIFEST, Descriptor, IMAGE_CONFIGS, INDEXES, MANIFEST, Manifest,
};
use serde::Serialize;

/// Media type of the manifest of a component.
pub(crate) const MEDIA_TYPE: &str = MANIFEST;
/// Media type of the config.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// Media type of the layer.
const LAYER: &str = "application/wasm";
const ARCHITECTURE: &str = "wasm";
const OS: &str = "wasip2";

/// The media types in requests to registries: those of components, and others that are often found
/// instead, so that an error can name them.
pub(crate) const ACCEPTED: &[&str] = &[MANIFEST, DOCKER_MANIFEST, INDEXES[0], INDEXES[1]];

/// The contents of a component, for its manifest and config.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    /// The imported interfaces.
    pub(crate) imports: Vec<String>,
    /// The exported interfaces.
    pub(crate) exports: Vec<String>,
    /// Time of the push, in RFC 3339.
    pub(crate) created: String,
    /// Annotations of the manifest, with keys of the OCI (`org.opencontainers.image.*`).
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'a str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [&'a str; 1],
    component: Component<'a>,
}

#[derive(Serialize)]
struct Component<'a> {
    exports: &'a [String],
    imports: &'a [String],
    target: Option<&'a str>,
}

/// Finds the component in a manifest.
///
/// # Errors
///
/// Returns what the manifest describes instead.
pub(crate) fn find(manifest: &[u8]) -> Result<(Digest, u64), String> {
    let manifest: Manifest = serde_json::from_slice(manifest)
        .map_err(|error| format!("its manifest is invalid: {error}"))?;
    if let Some(kind) = &manifest.media_type
        && INDEXES.contains(&kind.as_str())
    {
        return Err("it is a list of container images, not a WebAssembly component".into());
    }
    let Some(config) = &manifest.config else {
        return Err("its manifest has no config".into());
    };
    if IMAGE_CONFIGS.contains(&config.media_type.as_str()) {
        return Err("it is a container image, not a WebAssembly component".into());
    }
    if config.media_type != CONFIG {
        return Err(format!(
            "its config has the media type {:?}; that of a WebAssembly component is {CONFIG}",
            config.media_type
        ));
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(format!(
            "it has {} layers; a WebAssembly component has one",
            manifest.layers.len()
        ));
    };
    if layer.media_type != LAYER {
        return Err(format!(
            "its layer has the media type {:?}; that of a WebAssembly component is {LAYER}",
            layer.media_type
        ));
    }
    let digest = layer.digest.parse();
    let digest = digest.map_err(|error: DigestError| error.to_string())?;
    Ok((digest, layer.size))
}

/// The config and the manifest of a component to push.
pub(crate) struct Parts {
    pub(crate) config: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

/// Returns the config and the manifest of a component.
///
/// # Errors
///
/// Returns an error if they cannot be written as JSON.
pub(crate) fn parts(component: &[u8], contents: &Contents) -> Result<Parts, serde_json::Error> {
    let digest = Digest::of(component);
    let config = serde_json::to_vec(&Config {
        created: &contents.created,
        architecture: ARCHITECTURE,
        os: OS,
        layer_digests: [digest.as_str()],
        component: Component {
            exports: &contents.exports,
            imports: &contents.imports,
            target: None,
        },
    })?;
    let manifest = serde_json::to_vec(&Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.into()),
        config: Some(Descriptor {
            media_type: CONFIG.into(),
            digest: Digest::of(&config).to_string(),
            size: config.len() as u64,
        }),
        layers: vec![Descriptor {
            media_type: LAYER.into(),
            digest: digest.to_string(),
            size: component.len() as u64,
        }],
        annotations: contents.annotations.clone(),
    })?;
    Ok(Parts { config, manifest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let contents = Contents {
            imports: vec!["iechor:driver/log@0.1.0".into()],
            exports: vec!["iechor:driver/driver@0.1.0".into()],
            created: "2026-01-02T03:04:05Z".into(),
            annotations: [("a".to_owned(), "b".to_owned())].into(),
        };
        let written = parts(b"component", &contents).expect("written");
        let found = find(&written.manifest);
        assert_eq!(found, Ok((Digest::of(b"component"), 9)));

        let config: serde_json::Value = serde_json::from_slice(&written.config).expect("JSON");
        let expected = serde_json::json!({
            "created": "2026-01-02T03:04:05Z",
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [Digest::of(b"component").as_str()],
            "component": {
                "exports": ["iechor:driver/driver@0.1.0"],
                "imports": ["iechor:driver/log@0.1.0"],
                "target": null,
            },
        });
        assert_eq!(config, expected);
        let manifest: serde_json::Value = serde_json::from_slice(&written.manifest).expect("JSON");
        assert_eq!(manifest["mediaType"], MANIFEST);
        assert_eq!(manifest["schemaVersion"], 2);
        assert_eq!(manifest["annotations"]["a"], "b");
        let digest = Digest::of(&written.config);
        assert_eq!(manifest["config"]["digest"], digest.as_str());
    }

    #[test]
    fn what_is_no_component_is_named() {
        let layer = |kind: &str| {
            let digest = Digest::of(b"");
            format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":0}}"#)
        };
        let manifest = |config: &str, layers: &[&str]| {
            let layers: Vec<_> = layers.iter().map(|kind| layer(kind)).collect();
            format!(
                r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
                layer(config),
                layers.join(",")
            )
        };
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#,
            INDEXES[0]
        );
        for (text, words) in [
            ("<html>".to_owned(), "its manifest is invalid"),
            (r#"{"schemaVersion":1}"#.into(), "no config"),
            (index, "a list of container images"),
            (
                manifest(IMAGE_CONFIGS[0], &["x"]),
                "it is a container image",
            ),
            (
                manifest(IMAGE_CONFIGS[1], &["x"]),
                "it is a container image",
            ),
            (manifest("other", &[LAYER]), r#"media type "other""#),
            (manifest(CONFIG, &[]), "it has 0 layers"),
            (manifest(CONFIG, &[LAYER, LAYER]), "it has 2 layers"),
            (manifest(CONFIG, &["tar"]), r#"media type "tar""#),
        ] {
            let error = find(text.as_bytes()).expect_err(&text);
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(find(manifest(CONFIG, &[LAYER]).as_bytes()).is_ok());
    }
}
