//! Builds over several nodes of a builder.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use crate::context::{Context, files_in_tar};
use crate::registry::{PASSWORD, Registry, USER};
use crate::support::{Sandbox, docker, machine, require_arm64};

const BOTH: &str = "--platform linux/arm64,linux/amd64";

/// The endpoint of a node that cannot be reached.
const NOWHERE: &str = "unix:///nonexistent/engine.sock";

/// A builder whose nodes `amd` and `arm` declare a platform each.
struct Nodes {
    sandbox: Sandbox,
    name: String,
}

impl Nodes {
    /// Creates the builder with these nodes: their names, flags and endpoints.
    fn new(nodes: &[(&str, &str, &str)]) -> Self {
        let sandbox = Sandbox::new();
        let name = sandbox.name("nodes");
        for (index, (node, flags, endpoint)) in nodes.iter().enumerate() {
            // Only an engine that can be reached becomes an endpoint.
            sandbox.docker_context(node, &machine().docker_host);
            let how = match index {
                0 => "--driver iechor-container --use",
                _ => "--append",
            };
            let node_name = sandbox.name(node);
            sandbox
                .buildx(&format!("create --name {name} {how} --node {node_name}"))
                .words("--driver-opt network=host")
                .words(&format!("{flags} {node}"))
                .success();
            sandbox.docker_context(node, endpoint);
        }
        Self { sandbox, name }
    }

    fn both() -> Self {
        require_arm64();
        let engine = machine().docker_host.as_str();
        Self::new(&[
            ("amd", "--platform linux/amd64", engine),
            ("arm", "--platform linux/arm64", engine),
        ])
    }

    fn node(&self, suffix: &str) -> String {
        self.sandbox.name(suffix)
    }

    fn is_booted(&self, suffix: &str) -> bool {
        let container = format!("buildx_buildkit_{}", self.node(suffix));
        docker(&format!("inspect {container}")).succeeded()
    }
}

/// Returns a context whose result has the architecture in `machine`.
fn context(steps: &str) -> Context {
    let context = Context::on_base(&format!(
        "RUN uname -m > /machine\n{steps}FROM scratch\nCOPY --from=base /machine /machine\n"
    ));
    context.add_busybox("amd64");
    context.add_busybox("arm64");
    context.file("marker", "one\n");
    context
}

/// Returns the platforms of the entries of an index, `+` standing for an attestation.
fn platforms(index: &Value) -> Vec<String> {
    let entries = index["manifests"].as_array().expect("an index");
    let platform = |entry: &Value| {
        let architecture = entry["platform"]["architecture"].as_str().expect("text");
        match architecture {
            "unknown" => "+".to_owned(),
            other => other.to_owned(),
        }
    };
    entries.iter().map(platform).collect()
}

#[test]
fn an_image_of_two_nodes_is_pushed_under_its_tags() {
    let nodes = Nodes::both();
    let sandbox = &nodes.sandbox;
    let registry = Registry::open();
    let address = registry.address();
    let context = context("");
    let tags = format!("-t {address}/demo:1 -t {address}/demo:2 -t {address}/other");
    let built = sandbox
        .buildx(&format!("build {BOTH} {tags} --push --format json"))
        .words("--annotation index:made=here --iidfile id --metadata-file about.json")
        .words(context.word())
        .success()
        .says(&format!(
            "merging manifest list {address}/demo:1, {address}/demo:2, {address}/other"
        ))
        .says(&format!(
            "[{} internal] booting buildkit",
            nodes.node("arm")
        ))
        .says(&format!("[{} base 2/2] RUN uname -m", nodes.node("amd")));

    let index = registry.manifest("demo", "1");
    // In the requested order, with the attestations that docker buildx adds by default.
    assert_eq!(platforms(&index), ["arm64", "amd64", "+", "+"]);
    assert_eq!(index["annotations"]["made"], "here");
    for (image, added) in [(0, 2), (1, 3)] {
        let added = &index["manifests"][added]["annotations"];
        assert_eq!(
            added["vnd.docker.reference.digest"],
            index["manifests"][image]["digest"]
        );
    }
    assert_eq!(registry.manifest("demo", "2"), index);
    assert_eq!(registry.manifest("other", "latest"), index);
    for (platform, machine) in [("linux/amd64", "x86_64\n"), ("linux/arm64", "aarch64\n")] {
        let image = format!("{address}/demo:1");
        docker(&format!("pull --quiet --platform {platform} {image}")).success();
        let container = sandbox.name(&platform.replace('/', "-"));
        docker(&format!(
            "create --name {container} --platform {platform} {image} x"
        ))
        .success();
        let copied = sandbox.path("machine");
        docker(&format!("cp {container}:/machine {}", copied.display())).success();
        assert_eq!(fs::read_to_string(&copied).expect("copied"), machine);
        docker(&format!("rm {container}")).success();
        docker(&format!("image rm --force {image}")).success();
    }

    let digest = fs::read_to_string(sandbox.path("id")).expect("written");
    assert_eq!(registry.manifest("demo", &digest), index);
    let about = fs::read_to_string(sandbox.path("about.json")).expect("written");
    let about: Value = serde_json::from_str(&about).expect("JSON");
    assert_eq!(about["containerimage.digest"], digest.as_str());
    assert_eq!(
        about["containerimage.descriptor"]["digest"],
        digest.as_str()
    );
    assert_eq!(
        about["containerimage.descriptor"]["mediaType"],
        index["mediaType"]
    );
    assert!(
        about.get("containerimage.config.digest").is_none(),
        "{about}"
    );
    assert_eq!(
        about["image.name"],
        format!("{address}/demo:1,{address}/demo:2,{address}/other")
    );
    for platform in ["linux/amd64", "linux/arm64"] {
        let key = format!("buildx.build.provenance/{platform}");
        assert!(about[&key].is_object(), "{about}");
    }
    let first = format!("{}/{}/", nodes.name, nodes.node("arm"));
    let reference = about["buildx.build.ref"].as_str().expect("text");
    assert!(reference.starts_with(&first), "{reference}");
    let result = built.json();
    assert_eq!(result["Digest"], digest.as_str());
    assert_eq!(result["ImageID"], digest.as_str());
    assert_eq!(result["Warnings"], serde_json::json!([]));
    // Each node has a record of its part.
    for node in ["amd", "arm"] {
        let records = sandbox.store().join("refs").join(&nodes.name);
        let records = fs::read_dir(records.join(nodes.node(node))).expect("records");
        assert_eq!(records.count(), 1, "{node}");
    }

    // A failure on one node leaves no tag, no file and no result.
    let failing = context_that_fails_on_arm();
    let failed = sandbox
        .buildx(&format!("build {BOTH} -t {address}/broken:1 --push"))
        .words(&format!(
            "-o out -o type=tar,dest=out.tar --progress=rawjson --metadata-file about.json {}",
            failing.word()
        ))
        .failure(1)
        .says("exit code: 7")
        .says(&format!("the build failed on node {}", nodes.node("arm")))
        .says(&format!("it was cancelled on {}", nodes.node("amd")));
    assert!(
        failed
            .stderr
            .contains(&format!("[{} base", nodes.node("arm")))
    );
    assert!(!registry.has("broken", "1"));
    for name in ["out", "out.tar"] {
        assert!(!sandbox.path(name).exists(), "{name}");
    }
    let about = fs::read_to_string(sandbox.path("about.json")).expect("written");
    assert!(about.contains("exit code: 7"), "{about}");
}

/// A build that fails for arm64, and takes very long for amd64.
fn context_that_fails_on_arm() -> Context {
    context("RUN if [ $(uname -m) = aarch64 ]; then exit 7; fi; sleep 600\n")
}

#[test]
fn the_outputs_of_two_nodes_are_merged() {
    let nodes = Nodes::both();
    let sandbox = &nodes.sandbox;
    let context = context("");
    let build = |flags: &str| {
        sandbox
            .buildx(&format!("build {BOTH} --provenance=false {flags}"))
            .words(context.word())
    };
    let machines = |directory: &Path| {
        [("linux_amd64", "x86_64\n"), ("linux_arm64", "aarch64\n")].map(|(platform, machine)| {
            let file = directory.join(platform).join("machine");
            assert_eq!(fs::read_to_string(file).expect("built"), machine);
        })
    };
    build("-o out -o type=tar,dest=out.tar -o type=oci,dest=oci.tar,name=example.com/demo:1")
        .words("-o type=oci,dest=layout,tar=false")
        .success();
    machines(&sandbox.path("out"));
    assert_eq!(names(&sandbox.path("out")), ["linux_amd64", "linux_arm64"]);
    let archive = fs::read(sandbox.path("out.tar")).expect("written");
    assert_eq!(
        files_in_tar(&archive),
        ["linux_amd64/machine", "linux_arm64/machine"]
    );
    // The tool that users have accepts it as well.
    let unpacked = sandbox.path("unpacked");
    fs::create_dir(&unpacked).expect("made");
    sandbox.shell("tar -xf out.tar -C unpacked").success();
    machines(&unpacked);

    let archive = fs::read(sandbox.path("oci.tar")).expect("written");
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive.as_slice())
        .entries()
        .expect("a tar")
    {
        let mut entry = entry.expect("whole");
        let name = entry.path().expect("a name").display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("content");
        assert!(
            files.insert(name.clone(), content).is_none(),
            "{name} is there twice"
        );
    }
    let blob = |digest: &Value| {
        let path = digest.as_str().expect("text").replace(':', "/");
        files[&format!("blobs/{path}")].clone()
    };
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
    let entry = parsed(&files["index.json"])["manifests"][0].clone();
    assert_eq!(
        entry["annotations"]["io.containerd.image.name"],
        "example.com/demo:1"
    );
    let index = parsed(&blob(&entry["digest"]));
    assert_eq!(platforms(&index), ["arm64", "amd64"]);
    for image in index["manifests"].as_array().expect("images") {
        let manifest = parsed(&blob(&image["digest"]));
        let config = parsed(&blob(&manifest["config"]["digest"]));
        assert_eq!(config["architecture"], image["platform"]["architecture"]);
        for layer in manifest["layers"].as_array().expect("layers") {
            assert_eq!(blob(&layer["digest"]).len() as u64, layer["size"]);
        }
    }
    // The directory has the same image.
    let layout = fs::read(sandbox.path("layout/index.json")).expect("written");
    assert_eq!(parsed(&layout)["manifests"][0]["digest"], entry["digest"]);

    // The other node's files stay, and nothing else does.
    sandbox.write("out/old", "old");
    build("-o type=local,dest=out,mode=delete").success();
    machines(&sandbox.path("out"));
    assert_eq!(names(&sandbox.path("out")), ["linux_amd64", "linux_arm64"]);
    // On standard output.
    let printed = build("-o -").success();
    assert_eq!(
        files_in_tar(&printed.bytes),
        ["linux_amd64/machine", "linux_arm64/machine"]
    );
    // Both nodes read the archive on standard input.
    let script = format!(
        "tar -C {} -c . | \"$0\" buildx build {BOTH} -o piped -",
        context.word()
    );
    sandbox.shell(&script).success();
    machines(&sandbox.path("piped"));
    build("-o cached --cache-to type=local,dest=cache")
        .success()
        .says("export their caches to the same place of type local");
    build("-o type=docker,dest=image.tar")
        .failure(1)
        .says("docker exporter does not support exporting manifest lists");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("Unicode")
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn platforms_go_to_the_nodes_that_have_them() {
    let nodes = Nodes::both();
    let sandbox = &nodes.sandbox;
    let context = context("");
    let build = |flags: &str| {
        sandbox
            .buildx(&format!("build {flags}"))
            .words(context.word())
    };
    // One node gets everything. Nothing is merged, and steps have their usual names.
    build("--platform linux/arm64 -o out")
        .success()
        .says("[base 2/2] RUN uname -m")
        .does_not_say("merging");
    assert_eq!(
        fs::read_to_string(sandbox.path("out/machine")).expect("built"),
        "aarch64\n"
    );
    assert!(!nodes.is_booted("amd"), "it has no part");
    build("--platform linux/arm64,linux/sparc64")
        .failure(1)
        .says(&format!(
            "no node of builder {} builds for linux/sparc64: node {} offers linux/amd64",
            nodes.name,
            nodes.node("amd")
        ))
        .says(&format!("; node {} offers linux/arm64", nodes.node("arm")))
        .says(&format!(
            "--append --name {} --platform linux/sparc64",
            nodes.name
        ));
    // Without platforms, the first node builds. One node answers a call.
    build("-o native").success();
    assert_eq!(
        fs::read_to_string(sandbox.path("native/machine")).expect("built"),
        format!("{}\n", std::env::consts::ARCH)
    );
    build(&format!("{BOTH} --check"))
        .success()
        .does_not_say(&format!("[{}", nodes.node("amd")));
}

#[test]
fn a_node_that_is_down_is_skipped_if_another_one_serves_its_platforms() {
    let engine = machine().docker_host.as_str();
    let native = format!("--platform linux/{}", crate::support::native_architecture());
    let nodes = Nodes::new(&[
        ("down", "", NOWHERE),
        ("up", "", engine),
        ("other", "--platform linux/sparc64", NOWHERE),
    ]);
    let sandbox = &nodes.sandbox;
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let skipped = format!("node {} is skipped", nodes.node("down"));
    for flags in [native.as_str(), ""] {
        sandbox
            .buildx(&format!("build {flags} -o out {}", context.word()))
            .success()
            .says(&skipped)
            .says("/nonexistent/engine.sock")
            .does_not_say(&format!("node {} is skipped", nodes.node("other")));
        assert!(sandbox.path("out/Dockerfile").exists());
    }
    let printed = sandbox
        .buildx(&format!("build --format json {}", context.word()))
        .success()
        .json();
    let warning = printed["Warnings"][0].as_str().expect("text");
    assert!(warning.starts_with(&skipped), "{printed}");
    // Its error is the error if no other node serves its platforms.
    sandbox
        .buildx(&format!(
            "build --platform linux/sparc64 {}",
            context.word()
        ))
        .failure(4)
        .says(&format!("failed to use node {}", nodes.node("other")))
        .says("/nonexistent/engine.sock");
}

#[test]
fn a_registry_with_a_password_gets_the_index() {
    let nodes = Nodes::both();
    let sandbox = &nodes.sandbox;
    let registry = Registry::with_password();
    let address = registry.address();
    let context = context("");
    let push = || {
        sandbox
            .buildx(&format!("build {BOTH} -t {address}/demo:1 --push"))
            .words(context.word())
    };
    push().failure(1);
    use base64::Engine as _;
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    sandbox.configure_docker(&serde_json::json!({"auths": {address: {"auth": login}}}));
    push()
        .success()
        .says(&format!("merging manifest list {address}/demo:1"));
}

#[test]
fn ctrl_c_ends_the_builds_of_all_nodes() {
    let nodes = Nodes::both();
    let sandbox = &nodes.sandbox;
    let context = context("RUN sleep 600\n");
    let mut build = sandbox
        .buildx(&format!("build {BOTH} -o out {}", context.word()))
        .start();
    for node in ["amd", "arm"] {
        build.wait_until_it_says(&format!("[{} base 3/3] RUN sleep", nodes.node(node)));
    }
    build.interrupt();
    build.finish().failure(130);
    assert!(!sandbox.path("out").exists());
}
