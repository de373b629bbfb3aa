use std::fs;
use std::path::Path;

use iechor_registry::layout::{Entry, Name};

use super::*;
use crate::spec::Context;

fn spec(from: &[&str], to: &[&str]) -> BuildSpec {
    let mut spec = BuildSpec::new(Context::Directory(".".into()));
    for text in from {
        spec.cache_from.extend(Cache::imports(text).expect(text));
    }
    for text in to {
        spec.cache_to.extend(Cache::exports(text).expect(text));
    }
    spec
}

fn found(spec: &BuildSpec) -> (Caches, Vec<Warning>) {
    let mut warnings = Vec::new();
    (Caches::find(spec, &mut warnings), warnings)
}

/// Adds a cache to a directory, and returns its digest.
fn add(directory: &Path, tag: &str) -> String {
    let digest = Digest::of(tag.as_bytes());
    let layout = Layout::new(directory);
    let path = layout.blob_path(&digest);
    fs::create_dir_all(path.parent().expect("below")).expect("made");
    fs::write(path, tag).expect("written");
    let json = format!("{{\"digest\":\"{digest}\"}}");
    let entry = Entry::parse(json.as_bytes()).expect("a descriptor");
    layout
        .put(&entry, &[Name::Tag(tag.to_owned())])
        .expect("added");
    digest.to_string()
}

#[test]
fn a_local_cache_is_found_by_its_tag() {
    let directory = tempfile::tempdir().expect("directory");
    let place = directory.path().to_str().expect("Unicode");
    let (latest, other) = (
        add(directory.path(), "latest"),
        add(directory.path(), "other"),
    );
    for (rest, digest) in [
        ("", &latest),
        (",tag=other", &other),
        (&*format!(",digest={other}"), &other),
    ] {
        let (caches, warnings) = found(&spec(&[&format!("type=local,src={place}{rest}")], &[]));
        assert_eq!(warnings, []);
        assert_eq!(caches.imports[0].option("digest"), Some(&**digest));
        assert_eq!(caches.imports[0].option("src"), Some(place));
        let read_only = Directory {
            path: directory.path().to_owned(),
            export: None,
        };
        assert_eq!(caches.directories[&format!("local:{place}")], read_only);
    }
}

#[test]
fn a_local_cache_that_is_missing_is_left_out_with_a_warning() {
    let directory = tempfile::tempdir().expect("directory");
    let place = directory.path().to_str().expect("Unicode");
    let digest = add(directory.path(), "latest");
    let missing = Digest::of(b"missing");
    let said = |rest: &str| {
        let from = format!("type=local,src={place}{rest}");
        let (caches, warnings) = found(&spec(&[&from, "r/cache"], &[]));
        assert_eq!(
            (caches.imports.len(), caches.directories.len()),
            (1, 0),
            "{rest}"
        );
        let [Warning::LocalCache { problem, .. }] = &warnings[..] else {
            panic!("{warnings:?}")
        };
        problem.to_string()
    };
    let none = said("/none");
    let start = format!("not found due to err: could not read {place}/none/index.json: ");
    assert!(none.starts_with(&start), "{none}");
    assert_eq!(said(",tag=x"), "skipped: no digest found for tag x");
    for digest in [missing.as_str(), "sha256:../../index.json"] {
        let expected = format!("skipped: digest {digest} unavailable: not found");
        assert_eq!(said(&format!(",digest={digest}")), expected);
    }
    let digest: Digest = digest.parse().expect("a digest");
    let path = Layout::new(directory.path()).blob_path(&digest);
    fs::remove_file(path).expect("removed");
    let expected = format!("skipped: digest {digest} unavailable: not found");
    assert_eq!(said(""), expected);
    // docker buildx creates the directory.
    assert!(!directory.path().join("none").exists());
}

#[test]
fn a_directory_that_is_read_and_written_is_writable() {
    let directory = tempfile::tempdir().expect("directory");
    let place = directory.path().to_str().expect("Unicode");
    add(directory.path(), "latest");
    let from = format!("type=local,src={place}");
    let to = format!("type=local,dest={place},tag=new,reset=1,mode=max");
    let (caches, _) = found(&spec(&[&from], &[&to]));
    let export = caches.directories[&format!("local:{place}")].export.clone();
    let expected = Update {
        tag: "new".into(),
        reset: true,
    };
    assert_eq!(export, Some(expected));
    assert_eq!(caches.exports[0].option("mode"), Some("max"));
}

#[test]
fn a_directory_with_any_name_has_a_name_for_the_daemon() {
    assert_eq!(name_for_daemon("a/b c%"), "a/b c%");
    assert_eq!(name_for_daemon("a/\u{e4}%"), "a/%C3%A4%25");
    let (caches, _) = found(&spec(&[], &["type=local,dest=\u{e4}"]));
    assert_eq!(caches.exports[0].option("dest"), Some("%C3%A4"));
    let directory = &caches.directories["local:%C3%A4"];
    assert_eq!(directory.path, Path::new("\u{e4}"));
}

#[test]
fn a_build_argument_exports_the_inline_cache() {
    for (value, count) in [("1", 1), ("true", 1), ("0", 0), ("x", 0)] {
        let mut spec = spec(&[], &[]);
        spec.build_args.insert(INLINE_CACHE.into(), value.into());
        assert_eq!(found(&spec).0.exports.len(), count, "{value}");
        assert!(!Caches::needs_cache_export(&spec));
    }
}

#[test]
fn the_cache_of_github_actions_needs_a_token_and_an_address() {
    for (options, has_token, has_url) in [
        ("", false, false),
        (",token=t", true, false),
        (",url=u", false, true),
        (",token=,url_v2=u", false, true),
    ] {
        let text = format!("type=gha{options}");
        let (caches, warnings) = found(&spec(&[&text], &[&text]));
        assert_eq!(
            (caches.imports.len(), caches.exports.len()),
            (0, 0),
            "{text}"
        );
        assert_eq!(
            warnings,
            [Warning::GhaCache { has_token, has_url }],
            "{text}"
        );
    }
    for url in ["url", "url_v2"] {
        let text = format!("type=gha,token=t,{url}=u");
        let (caches, warnings) = found(&spec(&[&text], &[&text]));
        assert_eq!((caches.imports.len(), caches.exports.len()), (1, 1));
        assert_eq!(warnings, []);
    }
}

#[test]
fn a_cache_other_than_an_inline_one_needs_a_driver_for_it() {
    use crate::plan::Abilities;
    use iechor_sandbox::contract::Feature;

    let without = Abilities::new("iechor", &[]);
    let with = Abilities::new("other", &[Feature::CacheExport]);
    for text in [
        "type=registry,ref=r",
        "type=local,dest=d",
        "type=s3",
        "type=x",
    ] {
        let spec = spec(&[], &["type=inline", text]);
        let error = without.check_caches(&spec).expect_err(text).to_string();
        assert_eq!(error, "Cache export is not supported for the iechor driver");
        assert_eq!(with.check_caches(&spec), Ok(()));
    }
    let inline = spec(&["type=registry,ref=r"], &["type=inline"]);
    assert_eq!(without.check_caches(&inline), Ok(()));
}
