//! Archives as BuildKit sends them, and archives with other names.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use iechor_engine::Engine;
use iechor_engine::simulated::SimulatedEngine;
use serde_json::{Value, json};
use tar::{EntryType, Header};

use super::error::ArchiveError;
use super::filter::filter;
use super::names::{IMAGE_NAME, REFERENCE_NAME, canonical};

/// Writes an archive with these entries.
fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, entry_type, contents) in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(*entry_type);
        header.set_size(contents.len() as u64);
        header.set_mode(0o444);
        // Write the name unchanged, also if the crate would change it.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if *entry_type == EntryType::Symlink {
            header.set_link_name("blobs/names").expect("short");
        }
        header.set_cksum();
        builder.append(&header, *contents).expect("written");
    }
    builder.into_inner().expect("written")
}

const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux","config":{}}"#;

/// Returns an image with the given names, in the format of the exporter `docker`.
fn image(names: &[&str]) -> Vec<u8> {
    let manifest = json!([{"Config": "config.json", "RepoTags": names, "Layers": []}]);
    let manifests: Vec<_> = names
        .iter()
        .map(|name| {
            json!({"mediaType": "m", "digest": "sha256:0", "size": 1, "annotations": {
                IMAGE_NAME: canonical(name).expect("a name"),
                REFERENCE_NAME: name.rsplit_once(':').map_or("latest", |(_, tag)| tag),
            }})
        })
        .collect();
    let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
    archive(&[
        ("blobs", EntryType::Directory, b""),
        ("blobs/sha256/0a", EntryType::Regular, &[7; 70_000]),
        ("config.json", EntryType::Regular, CONFIG),
        ("index.json", EntryType::Regular, index.as_bytes()),
        (
            "manifest.json",
            EntryType::Regular,
            manifest.to_string().as_bytes(),
        ),
        (
            "oci-layout",
            EntryType::Regular,
            br#"{"imageLayoutVersion":"1.0.0"}"#,
        ),
    ])
}

fn with(name: &str, contents: &str) -> Vec<u8> {
    archive(&[(name, EntryType::Regular, contents.as_bytes())])
}

/// Passes an archive through the filter in pieces of the given size.
async fn passed(archive: &[u8], asked: &[&str], piece: usize) -> Result<Vec<u8>, ArchiveError> {
    let asked = asked.iter().map(|name| (*name).to_owned()).collect();
    let pieces: Vec<_> = archive
        .chunks(piece)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let refusal = Arc::default();
    let passed = filter(stream::iter(pieces).boxed(), asked, Arc::clone(&refusal));
    let passed: Result<Vec<Bytes>, _> = passed.try_collect().await;
    match passed {
        Ok(parts) => Ok(parts.concat()),
        Err(_) => Err(refusal.get().expect("a reason").clone()),
    }
}

#[tokio::test]
async fn what_was_asked_for_comes_through_whole() {
    for names in [
        &[][..],
        &["demo:1"],
        &["demo", "registry.example:5000/a/b:v1"],
    ] {
        let image = image(names);
        for piece in [1, 511, 512, 1 << 20] {
            let through = passed(&image, names, piece).await.expect("as asked");
            let files = |archive: &[u8]| {
                let mut archive = tar::Archive::new(archive);
                let entries = archive.entries().expect("an archive");
                let read = entries.map(|entry| {
                    let mut entry = entry.expect("an entry");
                    let path = entry.path().expect("a path").display().to_string();
                    let mut contents = Vec::new();
                    io::Read::read_to_end(&mut entry, &mut contents).expect("read");
                    let parsed: Result<Value, _> = serde_json::from_slice(&contents);
                    (path, parsed.map_err(|_| contents).map_err(|c| c.len()))
                });
                read.collect::<Vec<_>>()
            };
            assert_eq!(files(&through), files(&image), "{names:?} {piece}");
        }
    }
}

#[tokio::test]
async fn a_name_that_was_not_asked_for_is_refused_wherever_it_stands() {
    let annotated = |key: &str, name: &str| {
        let index = json!({"manifests": [{"annotations": {key: name}}]});
        with("index.json", &index.to_string())
    };
    for (archive, name) in [
        (
            image(&["demo:1", "base:latest"]),
            "docker.io/library/base:latest",
        ),
        (
            with(
                "manifest.json",
                r#"[{"Config":"c","RepoTags":["base"],"Layers":[]}]"#,
            ),
            "base",
        ),
        (
            with("repositories", r#"{"base":{"latest":"0a"}}"#),
            "base:latest",
        ),
        (annotated(IMAGE_NAME, "base"), "base"),
        (annotated(REFERENCE_NAME, "base"), "base"),
        // Without the whole name, the tag counts as a name.
        (annotated(REFERENCE_NAME, "1"), "1"),
        (annotated(IMAGE_NAME, "demo:1@sha256:0"), "demo:1@sha256:0"),
    ] {
        let refused = passed(&archive, &["demo:1"], 512).await.expect_err(name);
        let expected = ArchiveError::Unasked {
            name: name.into(),
            asked: vec!["demo:1".into()],
        };
        assert_eq!(refused, expected);
        let said = refused.to_string();
        assert!(
            said.ends_with("which was not requested; nothing was loaded"),
            "{said}"
        );
    }
    let untagged = passed(&image(&["base"]), &[], 512)
        .await
        .expect_err("no tag");
    assert_eq!(
        untagged,
        ArchiveError::Unasked {
            name: "docker.io/library/base:latest".into(),
            asked: vec![],
        }
    );
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let good = image(&["demo:1"]);
    let mut behind = good.clone();
    behind.extend(with(
        "manifest.json",
        r#"[{"Config":"c","RepoTags":["base"],"Layers":[]}]"#,
    ));
    let mut damaged = good.clone();
    damaged[0] = b'x';
    let path = "31 path=blobs/../manifest.json\n";
    for (what, archive) in [
        ("no archive", b"\x1f\x8b\x08 compressed".repeat(100)),
        ("cut short", good[..good.len() - 1024].to_vec()),
        ("behind the end", behind),
        ("damaged", damaged),
        (
            "link",
            archive(&[("manifest.json", EntryType::Symlink, b"")]),
        ),
        (
            "hard link",
            archive(&[("manifest.json", EntryType::Link, b"")]),
        ),
        (
            "record",
            archive(&[("x", EntryType::XHeader, path.as_bytes())]),
        ),
        (
            "long name",
            archive(&[("x", EntryType::GNULongName, b"manifest.json")]),
        ),
        ("global", archive(&[("x", EntryType::XGlobalHeader, b"")])),
        ("sparse", archive(&[("x", EntryType::GNUSparse, b"")])),
        ("dot", with("./manifest.json", "[]")),
        ("root", with("/manifest.json", "[]")),
        ("parent", with("a/../manifest.json", "[]")),
        ("twice", with("a//manifest.json", "[]")),
        (
            "spelling",
            with(
                "manifest.json",
                r#"[{"Config":"c","repotags":["base"],"RepoTags":[],"Layers":[]}]"#,
            ),
        ),
        (
            "two of a key",
            with(
                "manifest.json",
                r#"[{"Config":"c","RepoTags":["base"],"RepoTags":[],"Layers":[]}]"#,
            ),
        ),
        ("index", with("index.json", r#"{"Manifests":[]}"#)),
        (
            "annotations",
            with("index.json", r#"{"manifests":[{"Annotations":{}}]}"#),
        ),
        ("no JSON", with("index.json", "{")),
        ("large", with("manifest.json", &" ".repeat((1 << 20) + 1))),
    ] {
        let refused = passed(&archive, &["demo:1"], 4096).await;
        assert!(
            matches!(refused, Err(ArchiveError::Malformed(_))),
            "{what}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_loaded_under_a_name_that_was_not_asked_for() {
    for (asked, loaded) in [(&["demo:1", "base"][..], true), (&["demo:1"], false)] {
        let engine = SimulatedEngine::new();
        engine.add_image("base");
        let before = engine.inspect_image("base").await.expect("answers");
        let image = image(&["demo:1", "base"]);
        let pieces: Vec<_> = image
            .chunks(1000)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let asked = asked.iter().map(|name| (*name).to_owned()).collect();
        let body = filter(stream::iter(pieces).boxed(), asked, Arc::default());
        let (events, _) = tokio::sync::mpsc::channel(1);
        let result = engine.load_images(body, events).await;
        assert_eq!(result.is_ok(), loaded, "{result:?}");
        let after = engine.inspect_image("base").await.expect("answers");
        assert_eq!(after != before, loaded);
        let demo = engine.inspect_image("demo:1").await.expect("answers");
        assert_eq!(demo.is_some(), loaded);
    }
}
