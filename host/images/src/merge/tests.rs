use std::collections::{BTreeMap, BTreeSet};

use iechor_registry::Digest;
use iechor_registry::manifest::{DOCKER_MANIFEST, MANIFEST};
use proptest::prelude::*;

use super::*;
use crate::content::Content;
use crate::index::{REFERENCE_DIGEST, REFERENCE_TYPE};

fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    list.iter().map(owned).collect()
}

fn image(content: &str, platform: &str) -> Descriptor {
    Descriptor {
        media_type: MANIFEST.to_owned(),
        digest: Digest::of(content.as_bytes()),
        size: 1,
        annotations: BTreeMap::new(),
        platform: Some(platform.parse().expect("a platform")),
        unknown: serde_json::Map::new(),
    }
}

fn attestation(of: &Descriptor) -> Descriptor {
    Descriptor {
        annotations: pairs(&[
            (REFERENCE_TYPE, "attestation-manifest"),
            (REFERENCE_DIGEST, of.digest.as_str()),
        ]),
        ..image(&format!("attestation of {}", of.digest), "unknown/unknown")
    }
}

fn part(manifests: &[&Descriptor]) -> Part {
    Part {
        manifests: manifests.iter().map(|entry| (*entry).clone()).collect(),
        annotations: BTreeMap::new(),
    }
}

fn platforms(text: &str) -> Vec<Platform> {
    Platform::parse_list(&[text]).expect("platforms")
}

fn docker(entry: Descriptor) -> Descriptor {
    Descriptor {
        media_type: DOCKER_MANIFEST.to_owned(),
        ..entry
    }
}

#[test]
fn entries_have_the_order_of_the_platforms() {
    let (amd64, arm64) = (image("a", "linux/amd64"), image("b", "linux/arm64"));
    let other = image("c", "linux/s390x");
    let (of_amd64, of_arm64) = (attestation(&amd64), attestation(&arm64));
    let parts = || {
        vec![
            part(&[&other, &arm64, &of_arm64]),
            part(&[&of_amd64, &amd64]),
        ]
    };
    let merged = merge(parts(), &platforms("linux/amd64,linux/arm64"));
    assert_eq!(
        merged.manifests,
        [
            amd64.clone(),
            arm64.clone(),
            other.clone(),
            of_amd64.clone(),
            of_arm64.clone()
        ]
    );
    let merged = merge(parts(), &[]);
    assert_eq!(merged.manifests, [other, arm64, amd64, of_arm64, of_amd64]);
}

#[test]
fn an_entry_of_several_parts_is_kept_once() {
    let plain = Descriptor {
        platform: None,
        annotations: pairs(&[("a", "first")]),
        ..image("a", "linux/amd64")
    };
    let described = Descriptor {
        annotations: pairs(&[("a", "second"), ("b", "second")]),
        ..image("a", "linux/amd64")
    };
    let merged = merge(vec![part(&[&plain]), part(&[&described])], &[]);
    let [entry] = merged.manifests.as_slice() else {
        panic!("{merged:?}");
    };
    assert_eq!(entry.annotations, pairs(&[("a", "first"), ("b", "second")]));
    assert_eq!(entry.platform, described.platform);
}

#[test]
fn the_type_of_the_index_is_that_of_its_entries() {
    let oci = image("a", "linux/amd64");
    let docker = docker(image("b", "linux/arm64"));
    for (entries, annotated, expected) in [
        (vec![&docker], false, DOCKER_LIST),
        (vec![&docker], true, INDEX),
        (vec![&oci], false, INDEX),
        (vec![&docker, &oci], false, INDEX),
        (vec![], false, INDEX),
    ] {
        let mut part = part(&entries);
        if annotated {
            part.annotations = pairs(&[("key", "value")]);
        }
        let merged = merge(vec![part.clone()], &[]);
        assert_eq!(merged.media_type, expected, "{entries:?}");
        assert_eq!(merged.annotations, part.annotations);
    }
}

#[test]
fn an_index_is_written_as_docker_buildx_does() {
    let merged = merge(vec![part(&[&image("a", "linux/arm/v7")])], &[]);
    let digest = Digest::of(b"a");
    let text = format!(
        r#"{{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {{
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "digest": "{digest}",
      "size": 1,
      "platform": {{
        "architecture": "arm",
        "os": "linux",
        "variant": "v7"
      }}
    }}
  ]
}}"#
    );
    assert_eq!(String::from_utf8(merged.to_bytes()).expect("text"), text);
}

/// A part of some images of a small set, each with or without its attestation.
fn parts() -> impl Strategy<Value = Vec<Part>> {
    let entry = (0..6usize, any::<bool>());
    let part = proptest::collection::vec(entry, 0..5).prop_map(|entries| {
        let mut manifests = Vec::new();
        for (number, is_attested) in entries {
            let architectures = ["amd64", "arm64", "s390x"];
            let platform = format!("linux/{}", architectures[number % 3]);
            let image = image(&number.to_string(), &platform);
            if is_attested {
                manifests.push(attestation(&image));
            }
            manifests.push(image);
        }
        Part {
            manifests,
            annotations: BTreeMap::new(),
        }
    });
    proptest::collection::vec(part, 0..4)
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_is_there_twice(parts in parts()) {
        let entries = parts.iter().flat_map(|part| &part.manifests);
        let expected: BTreeSet<_> = entries.map(|entry| entry.digest.clone()).collect();
        let order = platforms("linux/arm64,linux/amd64");
        let merged = merge(parts, &order);
        let found: Vec<_> = merged.manifests.iter().map(|entry| entry.digest.clone()).collect();
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        // Attestations follow the images, which have the requested order.
        let is_added: Vec<_> = merged.manifests.iter().map(|e| e.reference().is_some()).collect();
        prop_assert!(is_added.is_sorted());
        let ranks: Vec<_> = merged.manifests.iter().filter(|e| e.reference().is_none()).map(|e| {
            order.iter().position(|p| Some(p) == e.platform.as_ref()).unwrap_or(usize::MAX)
        }).collect();
        prop_assert!(ranks.is_sorted());
    }

    #[test]
    fn a_merged_index_is_a_part_that_merges_to_itself(parts in parts()) {
        let order = platforms("linux/arm64,linux/amd64");
        let merged = merge(parts, &order);
        let Ok(Content::Index(part)) = Content::read(&merged.to_bytes()) else {
            panic!("not an index: {merged:?}");
        };
        prop_assert_eq!(merge(vec![part], &order), merged);
    }
}
