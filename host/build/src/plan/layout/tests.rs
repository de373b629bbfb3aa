use std::fs;

use iechor_registry::layout::{Entry, Name};

use super::*;

/// Adds an image to a layout, and returns its digest.
fn add(directory: &tempfile::TempDir, content: &str, tag: &str) -> Digest {
    let digest = Digest::of(content.as_bytes());
    let layout = Layout::new(directory.path());
    let path = layout.blob_path(&digest);
    fs::create_dir_all(path.parent().expect("below")).expect("made");
    fs::write(path, content).expect("written");
    let json = format!("{{\"digest\":\"{digest}\"}}");
    let entry = Entry::parse(json.as_bytes()).expect("a descriptor");
    layout
        .put(&entry, &[Name::Tag(tag.to_owned())])
        .expect("added");
    digest
}

fn found(directory: &tempfile::TempDir, rest: &str) -> Result<FoundLayout, PlanError> {
    let text = format!("{}{rest}", directory.path().display());
    FoundLayout::find(&OciLayout::parse(&text).expect("well-formed"))
}

#[test]
fn an_image_is_found_by_tag_and_digest() {
    let directory = tempfile::tempdir().expect("directory");
    let first = add(&directory, "one", "v1");
    // The only image needs no tag.
    let only = found(&directory, "").expect("found");
    let store = &only.store;
    assert_eq!(
        only.attribute(),
        format!("oci-layout://{store}:latest@{first}")
    );
    assert_eq!(only.store().expect("opened").0, format!("oci:{store}"));
    assert_eq!(found(&directory, ":other").expect("found").digest, first);

    let second = add(&directory, "two", "v2");
    let tagged = found(&directory, ":v2").expect("found");
    let store = &tagged.store;
    assert_eq!(
        tagged.attribute(),
        format!("oci-layout://{store}:v2@{second}")
    );
    let pinned = found(&directory, &format!("@{first}")).expect("found");
    assert_eq!(pinned.digest, first);
    assert_ne!(pinned.store, tagged.store);
}

#[test]
fn an_image_that_is_missing_is_named() {
    let directory = tempfile::tempdir().expect("directory");
    let place = directory.path().display().to_string();
    let said = |rest: &str| found(&directory, rest).expect_err(rest).to_string();
    let start = format!("oci-layout reference \"oci-layout://{place}\" could not be resolved: ");
    let error = said("");
    assert!(
        error.starts_with(&format!("{start}could not read ")),
        "{error}"
    );
    add(&directory, "one", "v1");
    let digest = add(&directory, "two", "v2");
    assert_eq!(said(""), format!("{start}failed to resolve digest"));
    let path = Layout::new(directory.path()).blob_path(&digest);
    fs::remove_file(path).expect("removed");
    for rest in [":v2".to_owned(), format!("@{digest}")] {
        let error = said(&rest);
        assert!(
            error.ends_with(&format!("the layout has no {digest}")),
            "{error}"
        );
    }
}
