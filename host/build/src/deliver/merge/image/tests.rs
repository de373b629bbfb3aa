use std::collections::BTreeSet;

use iechor_registry::manifest::MANIFEST;

use super::*;

/// What a node sent: the layer that its image has beside the one that all nodes have.
struct Sent {
    platform: &'static str,
    /// Whether a blob has other content than its digest states.
    is_forged: bool,
}

fn blob(blobs: &mut BTreeMap<Digest, Vec<u8>>, content: impl Into<Vec<u8>>) -> (Digest, usize) {
    let content = content.into();
    let digest = Digest::of(&content);
    let size = content.len();
    blobs.insert(digest.clone(), content);
    (digest, size)
}

fn write(directory: &Path, sent: &Sent) -> PathBuf {
    let mut blobs = BTreeMap::new();
    let platform: Platform = sent.platform.parse().expect("a platform");
    let (config, _) = blob(&mut blobs, json!(platform).to_string());
    let (shared, _) = blob(&mut blobs, "of all nodes");
    let (own, _) = blob(&mut blobs, format!("of {platform}"));
    let layer = |digest: &Digest| json!({"mediaType": "layer", "digest": digest, "size": 1});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "config", "digest": config, "size": 1},
        "layers": [layer(&shared), layer(&own)],
    });
    let (manifest, size) = blob(&mut blobs, manifest.to_string());
    let index = json!({
        "schemaVersion": 2,
        "mediaType": iechor_images::index::INDEX,
        "manifests": [
            {"mediaType": MANIFEST, "digest": manifest, "size": size, "platform": platform},
        ],
    });
    let (root, size) = blob(&mut blobs, index.to_string());
    let named = |name: &str| {
        json!({
            "mediaType": iechor_images::index::INDEX,
            "digest": root,
            "size": size,
            "annotations": {IMAGE_NAME: format!("docker.io/library/{name}")},
        })
    };
    let top = json!({"schemaVersion": 2, "manifests": [named("demo:1"), named("demo:2")]});
    if sent.is_forged {
        blobs.insert(own, b"forged".to_vec());
    }
    let path = directory.join(sent.platform.replace('/', "_"));
    let mut archive = Archive(tar::Builder::new(File::create(&path).expect("created")));
    for (digest, content) in &blobs {
        let size = content.len() as u64;
        let added = archive.add(digest, size, &mut content.as_slice());
        added.expect("added");
    }
    archive
        .file(INDEX, top.to_string().as_bytes())
        .expect("added");
    archive.file(MARK.0, MARK.1.as_bytes()).expect("added");
    archive.0.finish().expect("finished");
    path
}

const AMD: Sent = Sent {
    platform: "linux/amd64",
    is_forged: false,
};
const ARM: Sent = Sent {
    platform: "linux/arm64",
    is_forged: false,
};

fn platforms() -> Vec<Platform> {
    Platform::parse_list(&["linux/arm64,linux/amd64"]).expect("platforms")
}

/// Returns the files of an archive. Fails if one of them is there twice.
fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().expect("a tar") {
        let mut entry = entry.expect("whole");
        let name = entry.path().expect("a name").display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("content");
        assert!(files.insert(name, content).is_none());
    }
    files
}

#[test]
fn the_images_of_all_nodes_are_in_one_archive() {
    let directory = tempfile::tempdir().expect("a directory");
    let parts = [&AMD, &ARM].map(|sent| write(directory.path(), sent));
    let mut output = Vec::new();
    let merged = to_archive(&parts, &platforms(), &mut output).expect("merged");
    let files = files(&output);
    let top: Value = serde_json::from_slice(&files[INDEX]).expect("JSON");
    let entries = top["manifests"].as_array().expect("entries");
    assert_eq!(entries.len(), 2, "an entry for each name: {top}");
    for entry in entries {
        assert_eq!(entry["digest"], merged.digest.as_str());
    }
    assert_eq!(
        merged.values()[NAMES],
        "docker.io/library/demo:1,docker.io/library/demo:2"
    );
    let content = |digest: &str| &files[&format!("blobs/{}", digest.replace(':', "/"))];
    let index: Value = serde_json::from_slice(content(merged.digest.as_str())).expect("JSON");
    let architectures: Vec<_> = index["manifests"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["platform"]["architecture"].clone())
        .collect();
    assert_eq!(architectures, ["arm64", "amd64"]);
    // Two manifests, two configurations, three layers and the index; not those of the nodes.
    let blobs = files.keys().filter(|name| name.starts_with(BLOBS));
    assert_eq!(blobs.count(), 8);
    for (name, content) in &files {
        if let Some(digits) = name.strip_prefix(BLOBS) {
            assert_eq!(Digest::of(content).digits(), digits);
        }
    }
}

#[test]
fn a_layout_gets_the_blobs_of_all_nodes() {
    let directory = tempfile::tempdir().expect("a directory");
    let parts = [&AMD, &ARM].map(|sent| write(directory.path(), sent));
    let mut output = Vec::new();
    let of_archive = to_archive(&parts, &platforms(), &mut output).expect("merged");
    let layout = directory.path().join("layout");
    let merged = to_directory(&parts, &platforms(), &layout).expect("merged");
    assert_eq!(merged.values(), of_archive.values());
    let expected: BTreeSet<_> = files(&output)
        .into_iter()
        .filter(|(name, _)| name.starts_with(BLOBS))
        .collect();
    let found = fs::read_dir(layout.join(BLOBS))
        .expect("blobs")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").display().to_string();
            (format!("{BLOBS}{name}"), fs::read(path).expect("content"))
        });
    assert_eq!(found.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_blob_with_another_digest_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let forged = Sent {
        is_forged: true,
        ..ARM
    };
    let parts = [&AMD, &forged].map(|sent| write(directory.path(), sent));
    let error = to_archive(&parts, &platforms(), &mut Vec::new()).expect_err("forged");
    assert!(
        error.to_string().contains("does not have this digest"),
        "{error}"
    );
    let layout = directory.path().join("layout");
    let error = to_directory(&parts, &platforms(), &layout).expect_err("forged");
    assert!(
        error.to_string().contains("does not have this digest"),
        "{error}"
    );
    for entry in fs::read_dir(layout.join(BLOBS)).expect("blobs") {
        let path = entry.expect("an entry").path();
        let content = fs::read(&path).expect("content");
        assert_eq!(
            path.file_name().expect("a name"),
            Digest::of(&content).digits()
        );
    }
}

#[test]
fn other_archives_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("part");
    let archive = |files: &[(&str, &str)]| {
        let mut archive = Archive(tar::Builder::new(File::create(&path).expect("created")));
        for (name, content) in files {
            archive.file(name, content.as_bytes()).expect("added");
        }
        archive.0.finish().expect("finished");
    };
    let missing = format!(r#"{{"manifests":[{{"digest":"{}"}}]}}"#, Digest::of(b""));
    for (files, words) in [
        (&[][..], "malformed archive"),
        (&[(INDEX, "{}")], "no image"),
        (
            &[(INDEX, r#"{"manifests":[{"digest":"x"}]}"#)],
            "not a digest",
        ),
        (&[(INDEX, &missing)], "is missing"),
        (&[("blobs/sha256/x", "")], "not a digest"),
    ] {
        archive(files);
        let parts = [path.clone()];
        let error = to_archive(&parts, &[], &mut Vec::new()).expect_err(words);
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
}
