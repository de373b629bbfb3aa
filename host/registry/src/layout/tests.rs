use std::fs;

use super::*;

const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn entry(digest: &str) -> Entry {
    let json = json!({"mediaType": MANIFEST_TYPE, "digest": digest, "size": 3, "x": true});
    Entry::parse(json.to_string().as_bytes()).expect("a descriptor")
}

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

fn layout() -> (tempfile::TempDir, Layout) {
    let directory = tempfile::tempdir().expect("directory");
    let layout = Layout::new(directory.path());
    (directory, layout)
}

fn index(directory: &tempfile::TempDir) -> Value {
    let text = fs::read(directory.path().join("index.json")).expect("written");
    serde_json::from_slice(&text).expect("JSON")
}

fn digest(found: Option<Entry>) -> Option<String> {
    found.map(|entry| entry.digest().expect("a digest").to_string())
}

#[test]
fn a_tag_is_added_and_moved() {
    let (directory, layout) = layout();
    let tag = |tag: &str| [Name::Tag(tag.to_owned())];
    layout.put(&entry(A), &tag("latest")).expect("added");
    assert_eq!(
        index(&directory),
        json!({
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [{
                "mediaType": MANIFEST_TYPE, "digest": A, "size": 3, "x": true,
                "annotations": {REFERENCE_NAME: "latest"},
            }],
        })
    );
    assert_eq!(
        fs::read_to_string(directory.path().join("oci-layout")).expect("written"),
        "{\"imageLayoutVersion\":\"1.0.0\"}"
    );
    layout.put(&entry(A), &tag("old")).expect("added");
    layout.put(&entry(B), &tag("latest")).expect("moved");
    assert_eq!(
        digest(layout.find("latest").expect("read")).as_deref(),
        Some(B)
    );
    assert_eq!(
        digest(layout.find("old").expect("read")).as_deref(),
        Some(A)
    );
    assert_eq!(layout.find("other").expect("read"), None);
    assert_eq!(layout.only().expect("read"), None, "there are two");
    // Neither the lock nor temporary files stay.
    assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 2);
}

#[test]
fn an_image_is_found_by_its_name_and_its_tag() {
    let (directory, layout) = layout();
    let name = "docker.io/library/demo:1";
    layout
        .put(&entry(A), &[Name::Image(name.to_owned())])
        .expect("added");
    let annotations = &index(&directory)["manifests"][0]["annotations"];
    assert_eq!(*annotations, json!({IMAGE_NAME: name, REFERENCE_NAME: "1"}));
    for tag in [name, "1"] {
        assert_eq!(digest(layout.find(tag).expect("read")).as_deref(), Some(A));
    }
    assert_eq!(digest(layout.only().expect("read")).as_deref(), Some(A));
    for (image, tag) in [
        ("localhost:5000/a:2", "2"),
        ("localhost:5000/a", ""),
        ("a.io/b@sha256:12", "@sha256:12"),
        ("demo:1", ""),
    ] {
        assert_eq!(tag_of(image), tag, "{image}");
    }
}

#[test]
fn what_others_wrote_into_the_index_stays() {
    let (directory, layout) = layout();
    let path = directory.path().join("index.json");
    let own = json!({"schemaVersion": 2, "annotations": {"a": "b"}, "manifests": [{"digest": B}]});
    fs::write(&path, own.to_string()).expect("written");
    layout
        .put(&entry(A), &[Name::Tag("t".to_owned())])
        .expect("added");
    let index = index(&directory);
    assert_eq!(index["annotations"]["a"], "b");
    assert_eq!(index["manifests"][0], json!({"digest": B}));
    assert_eq!(index["manifests"][1]["digest"], A);
}

#[test]
fn a_malformed_index_is_named_and_unchanged() {
    let (directory, layout) = layout();
    let path = directory.path().join("index.json");
    let error = layout.find("a").expect_err("missing").to_string();
    assert!(
        error.starts_with(&format!("could not read {}: ", path.display())),
        "{error}"
    );
    for text in ["{", "[]", "{\"manifests\":1}", "{\"manifests\":[1]}"] {
        fs::write(&path, text).expect("written");
        let tag = [Name::Tag("t".to_owned())];
        for error in [
            layout.find("a").expect_err(text).to_string(),
            layout.put(&entry(A), &tag).expect_err(text).to_string(),
        ] {
            let start = format!("could not unmarshal {}: ", path.display());
            assert!(error.starts_with(&start), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).expect("there"), text);
    }
}

#[test]
fn a_descriptor_has_a_digest() {
    for text in [
        "",
        "{}",
        "{\"digest\":1}",
        "{\"digest\":\"sha256:..\"}",
        "[]",
    ] {
        assert!(Entry::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn changes_at_the_same_time_are_all_kept() {
    let (directory, layout) = layout();
    std::thread::scope(|scope| {
        for number in 0..16 {
            let layout = &layout;
            scope.spawn(move || {
                let tag = [Name::Tag(format!("t{number}"))];
                layout.put(&entry(A), &tag).expect("added");
            });
        }
    });
    let count = index(&directory)["manifests"].as_array().map(Vec::len);
    assert_eq!(count, Some(16));
}

/// Writes a blob, and returns a descriptor of it.
fn blob(directory: &tempfile::TempDir, kind: &str, content: &str) -> Value {
    let digest = Digest::of(content.as_bytes());
    let blobs = directory.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("made");
    fs::write(blobs.join(digest.digits()), content).expect("written");
    json!({"mediaType": kind, "digest": digest.as_str(), "size": content.len()})
}

#[test]
fn only_blobs_that_the_index_does_not_lead_to_are_removed() {
    let (directory, layout) = layout();
    let config = blob(&directory, "config", "config");
    let layer = blob(&directory, "layer", "layer");
    let manifest = json!({"config": config, "layers": [layer]}).to_string();
    let manifest = blob(&directory, MANIFEST_TYPE, &manifest);
    let inner = json!({"manifests": [manifest]}).to_string();
    let inner = blob(&directory, INDEX_TYPE, &inner);
    blob(&directory, "layer", "old");
    let entry = Entry::parse(inner.to_string().as_bytes()).expect("a descriptor");
    layout
        .put(&entry, &[Name::Tag("t".to_owned())])
        .expect("added");
    assert_eq!(layout.sweep().expect("swept"), 1);
    assert_eq!(layout.sweep().expect("swept"), 0);

    // Nothing is removed if it is not known what is needed.
    blob(&directory, "layer", "new");
    let digits = manifest["digest"].as_str().expect("text")["sha256:".len()..].to_owned();
    fs::remove_file(directory.path().join("blobs/sha256").join(digits)).expect("removed");
    let error = layout.sweep().expect_err("missing").to_string();
    assert!(error.starts_with("could not read "), "{error}");
    let blobs = fs::read_dir(directory.path().join("blobs/sha256")).expect("listed");
    assert_eq!(blobs.count(), 4);
}
