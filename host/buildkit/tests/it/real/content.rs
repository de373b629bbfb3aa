//! Stores of blobs: caches, an OCI layout as a named context, and a result that becomes an OCI layout.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use iechor_buildkit::session::content::{ContentStore, EXPORT_STORE};
use iechor_buildkit::{CacheEntry, ExportTarget, Exporter};
use tempfile::TempDir;

use super::{context, dockerfile, offering, to_directory};
use crate::machine::machine;
use crate::solve;

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// Returns the value of a field of some JSON without spaces.
fn field(json: &str, name: &str) -> String {
    let (_, rest) = json.split_once(&format!("\"{name}\":\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_becomes_a_layout_and_a_context() {
    let layout = TempDir::new().unwrap();
    let made = context("FROM scratch\nCOPY hello /\n");
    fs::write(made.path().join("hello"), "hello\n").unwrap();
    let daemon = machine().dial().await;

    let request = dockerfile(vec![Exporter {
        kind: "oci".into(),
        attrs: pairs(&[("tar", "false")]),
        target: ExportTarget::ContentStore,
    }]);
    let store = ContentStore::writable(&layout).unwrap();
    let session = offering(made.path()).content_store(EXPORT_STORE, store.clone());
    let (result, _) = solve(&daemon.client, request, session.build()).await;
    let response = result.unwrap().exporter_response;
    let descriptor = base64::engine::general_purpose::STANDARD
        .decode(&response["containerimage.descriptor"])
        .unwrap();
    let digest = field(&String::from_utf8(descriptor).unwrap(), "digest");
    assert!(store.contains(&digest), "{digest}");

    let using = context("FROM base\nCOPY Dockerfile /\n");
    let out = TempDir::new().unwrap();
    let mut request = dockerfile(vec![to_directory(out.path())]);
    let source = format!("oci-layout://some-id:latest@{digest}");
    request.frontend_attrs = pairs(&[
        ("context:base", &source),
        ("frontend.caps", "moby.buildkit.frontend.contexts+forward"),
    ]);
    let store = ContentStore::read_only(&layout).unwrap();
    let session = offering(using.path()).content_store("oci:some-id", store);
    let (result, _) = solve(&daemon.client, request, session.build()).await;
    result.unwrap();
    assert_eq!(
        fs::read_to_string(out.path().join("hello")).unwrap(),
        "hello\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_is_written_and_read() {
    let cache = TempDir::new().unwrap();
    let context = context("FROM scratch\nCOPY hello /\n");
    fs::write(context.path().join("hello"), "hello\n").unwrap();
    let daemon = machine().dial().await;
    let entry = |attrs: &[(&str, &str)]| CacheEntry {
        kind: "local".into(),
        attrs: pairs(attrs),
    };

    let mut request = dockerfile(vec![]);
    request.cache_exports = vec![entry(&[("dest", "some name"), ("mode", "max")])];
    let store = ContentStore::writable(&cache).unwrap();
    let session = offering(context.path()).content_store("local:some name", store.clone());
    let (result, _) = solve(&daemon.client, request, session.build()).await;
    let manifest = result.unwrap().exporter_response["cache.manifest"].clone();
    let digest = field(&manifest, "digest");
    assert!(store.contains(&digest), "{digest}");

    let mut request = dockerfile(vec![]);
    request.cache_imports = vec![entry(&[("src", "some name"), ("digest", &digest)])];
    let store = ContentStore::read_only(&cache).unwrap();
    let session = offering(context.path()).content_store("local:some name", store);
    let (result, statuses) = solve(&daemon.client, request, session.build()).await;
    result.unwrap();
    let vertexes = crate::vertexes(&statuses);
    let import = vertexes
        .iter()
        .find(|vertex| {
            vertex
                .name
                .starts_with("importing cache manifest from local:")
        })
        .unwrap();
    assert_eq!(import.error, "");
}
