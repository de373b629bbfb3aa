//! OCI layouts: directories that images are written to (`tar=false`) and read from.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::context::Context;
use crate::support::Sandbox;

fn entries(directory: &Path) -> Vec<Value> {
    let text = fs::read(directory.join("index.json")).expect("written");
    let index: Value = serde_json::from_slice(&text).expect("JSON");
    index["manifests"].as_array().expect("a list").clone()
}

/// Returns a blob that is JSON.
fn blob(directory: &Path, descriptor: &Value) -> Value {
    let digest = descriptor["digest"].as_str().expect("a digest");
    let digits = digest.strip_prefix("sha256:").expect("SHA-256");
    let text = fs::read(directory.join("blobs/sha256").join(digits)).expect("written");
    serde_json::from_slice(&text).expect("JSON")
}

fn image(content: &str) -> Context {
    let context = Context::bare("FROM scratch\nCOPY file /\nLABEL kind=layout\n");
    context.file("file", content);
    context
}

#[test]
fn images_are_added_to_a_directory() {
    let sandbox = Sandbox::new();
    sandbox.booted("layout", "");
    let directory = sandbox.path("deep/layout");
    for (tag, content) in [
        ("demo:1", "one"),
        ("r.example/demo:2", "two"),
        ("demo:1", "new"),
    ] {
        let context = image(content);
        sandbox
            .buildx(&format!("build -t {tag} {}", context.word()))
            .words("-o type=oci,tar=false,dest=deep/layout")
            .success();
    }
    let names: Vec<_> = entries(&directory)
        .iter()
        .map(|entry| {
            let annotations = &entry["annotations"];
            let text = |key: &str| annotations[key].as_str().expect("text").to_owned();
            let name = text("io.containerd.image.name");
            (name, text("org.opencontainers.image.ref.name"))
        })
        .collect();
    let named = |name: &str, tag: &str| (name.to_owned(), tag.to_owned());
    assert_eq!(
        names,
        [
            named("r.example/demo:2", "2"),
            named("docker.io/library/demo:1", "1")
        ]
    );
    let mut manifest = blob(&directory, &entries(&directory)[0]);
    if let Some(platform) = manifest["manifests"]
        .as_array()
        .and_then(|list| list.first())
    {
        manifest = blob(&directory, platform);
    }
    let config = blob(&directory, &manifest["config"]);
    assert_eq!(config["config"]["Labels"]["kind"], "layout");
    let layout = fs::read_to_string(directory.join("oci-layout")).expect("written");
    assert_eq!(layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
    assert!(!directory.join("ingest").exists(), "nothing unfinished");
}

#[test]
fn an_image_without_a_name_is_the_latest() {
    let sandbox = Sandbox::new();
    sandbox.booted("nameless", "");
    let context = image("content");
    for kind in ["oci", "docker"] {
        sandbox
            .buildx(&format!("build {}", context.word()))
            .words(&format!("-o type={kind},tar=false,dest={kind}"))
            .success();
        let entries = entries(&sandbox.path(kind));
        let annotations = &entries[0]["annotations"];
        assert_eq!(annotations["org.opencontainers.image.ref.name"], "latest");
    }
}

#[test]
fn a_build_that_fails_leaves_no_directory() {
    let sandbox = Sandbox::new();
    sandbox.booted("failing", "");
    let context = Context::on_base("RUN exit 3\n");
    fs::create_dir(sandbox.path("mine")).expect("made");
    for directory in ["new", "mine"] {
        sandbox
            .buildx(&format!("build {}", context.word()))
            .words(&format!("-o type=oci,tar=false,dest={directory}"))
            .failure(1);
    }
    assert!(!sandbox.path("new").exists());
    assert_eq!(
        fs::read_dir(sandbox.path("mine")).expect("stays").count(),
        0
    );
}

#[test]
fn wrong_destinations_are_named() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("wrong");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    sandbox.write("file", "content");
    let context = image("content");
    for (outputs, words) in [
        ("-o type=oci,tar=false", "dest is required for oci exporter"),
        (
            "-o type=oci,tar=false,dest=-",
            "dest cannot be stdout for oci exporter",
        ),
        (
            "-o type=oci,tar=false,dest=file",
            "destination directory file is a file",
        ),
        (
            "-o type=oci,tar=false,dest=a -o type=oci,tar=false,dest=b",
            "oci store key \"export\" already exists",
        ),
    ] {
        sandbox
            .buildx(&format!("build {outputs} {}", context.word()))
            .failure(1)
            .says(words);
    }
    assert!(sandbox.left_in_engine().is_empty(), "not even booted");
}

#[test]
fn an_image_in_a_layout_is_a_named_context() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("context", "");
    for (tag, content) in [("demo:1", "one"), ("demo:2", "two")] {
        let context = image(content);
        sandbox
            .buildx(&format!("build -t {tag} {}", context.word()))
            .words("-o type=oci,tar=false,dest=layout")
            .success();
    }
    let first = entries(&sandbox.path("layout"))[0]["digest"].clone();
    let first = first.as_str().expect("a digest").to_owned();
    let using = Context::bare("FROM base AS used\nFROM scratch\nCOPY --from=used /file /\n");
    for (layout, content) in [
        ("layout:1".to_owned(), "one"),
        ("layout:2".to_owned(), "two"),
        (format!("layout@{first}"), "one"),
    ] {
        sandbox
            .buildx(&format!("build --builder {name} -o out {}", using.word()))
            .words(&format!("--build-context base=oci-layout://{layout}"))
            .success();
        let file = fs::read_to_string(sandbox.path("out/file")).expect("copied");
        assert_eq!(file, content, "{layout}");
    }
}

#[test]
fn an_image_that_is_missing_is_named_before_anything_boots() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("missing");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let context = image("content");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .words("--build-context base=oci-layout://none:1")
        .failure(1)
        .says(
            "ERROR: oci-layout reference \"oci-layout://none:1\" could not be resolved: could not read \
             none/index.json: ",
        );
    assert!(sandbox.left_in_engine().is_empty(), "not even booted");
}
