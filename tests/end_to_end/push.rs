//! Images to registries.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::certificates;
use crate::context::Context;
use crate::registry::{PASSWORD, Registry, USER};
use crate::support::{Sandbox, docker, require_arm64};

/// Creates a builder that can connect to servers on this machine.
fn near_builder(sandbox: &Sandbox) -> String {
    sandbox.booted("push", "--driver-opt network=host")
}

#[test]
fn an_image_is_pushed_and_pulled_back() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    near_builder(&sandbox);
    let context = Context::on_base("CMD [\"echo\", \"from the registry\"]\n");
    let repository = sandbox.name("demo");
    let tag = format!("{}/{repository}:1", registry.address());
    sandbox
        .buildx(&format!(
            "build -t {tag} --push --provenance=false --metadata-file about.json {}",
            context.word()
        ))
        .success()
        .says(&format!("pushing manifest for {tag}"));
    let manifest = registry.manifest(&repository, "1");
    assert!(
        manifest["layers"]
            .as_array()
            .is_some_and(|layers| layers.len() == 1),
        "{manifest}"
    );
    docker(&format!("run --rm {tag}"))
        .success()
        .prints("from the registry\n");
}

#[test]
fn the_output_registry_pushes_as_well() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    near_builder(&sandbox);
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    for (output, tag) in [
        ("type=registry", "a"),
        ("type=image,push=true", "b"),
        ("type=image,oci-mediatypes=true,push=true", "c"),
    ] {
        let name = format!("{}/outputs:{tag}", registry.address());
        sandbox
            .buildx(&format!(
                "build -t {name} --provenance=false -o {output} {}",
                context.word()
            ))
            .success();
        registry.manifest("outputs", tag);
    }
    let oci = registry.manifest("outputs", "c");
    assert_eq!(
        oci["config"]["mediaType"],
        "application/vnd.oci.image.config.v1+json"
    );
}

#[test]
fn an_image_that_is_not_pushed_stays_away() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    near_builder(&sandbox);
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let tag = format!("{}/stays:1", registry.address());
    sandbox
        .buildx(&format!("build -t {tag} -o type=image {}", context.word()))
        .success();
    docker(&format!("pull {tag}")).failure(1);
}

#[test]
fn two_platforms_are_built_and_pushed() {
    require_arm64();
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    let name = near_builder(&sandbox);
    let context = Context::on_base("RUN uname -m > /machine\n");
    context.add_busybox("amd64");
    context.add_busybox("arm64");
    let tag = format!("{}/demo", registry.address());
    sandbox
        .buildx(&format!(
            "build --builder={name} --platform=linux/amd64,linux/arm64 --provenance=false"
        ))
        .words(&format!("-t {tag} --push {}", context.word()))
        .success();

    let index = registry.manifest("demo", "latest");
    let mut platforms = Vec::new();
    for entry in index["manifests"].as_array().expect("a list of manifests") {
        let digest = entry["digest"].as_str().expect("a digest");
        let manifest = registry.manifest("demo", digest);
        let image = manifest["config"]["digest"].as_str().expect("a digest");
        let configuration = registry.blob("demo", image);
        assert_eq!(
            configuration["architecture"],
            entry["platform"]["architecture"]
        );
        platforms.push(
            entry["platform"]["architecture"]
                .as_str()
                .expect("text")
                .to_owned(),
        );
    }
    platforms.sort();
    assert_eq!(platforms, ["amd64", "arm64"]);

    // The output of RUN on each platform is in layers of this build and is exported as files.
    sandbox
        .buildx("build --platform linux/amd64,linux/arm64 -o out")
        .words(context.word())
        .success();
    for (platform, machine) in [("linux_amd64", "x86_64\n"), ("linux_arm64", "aarch64\n")] {
        let file = sandbox.path("out").join(platform).join("machine");
        assert_eq!(
            std::fs::read_to_string(&file).expect("built"),
            machine,
            "{platform}"
        );
    }
}

#[test]
fn several_platforms_cannot_be_loaded() {
    require_arm64();
    let sandbox = Sandbox::new();
    sandbox.booted("both", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx(&format!(
            "build --platform linux/amd64,linux/arm64 --load {}",
            context.word()
        ))
        .failure(1)
        .says("docker exporter does not currently support exporting manifest lists");
}

fn push_with(
    sandbox: &Sandbox,
    registry: &Registry,
    configuration: &Value,
) -> crate::support::Running {
    sandbox.configure_docker(configuration);
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let tag = format!("{}/private:1", registry.address());
    let running = sandbox
        .buildx(&format!("build -t {tag} --push {}", context.word()))
        .start();
    // The context must exist until the build ends.
    std::mem::forget(context);
    running
}

fn credentials(registry: &Registry, password: &str) -> Value {
    let secret = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
    json!({"auths": {registry.address(): {"auth": secret}}})
}

#[test]
fn a_registry_that_asks_for_a_password() {
    let sandbox = Sandbox::new();
    let registry = Registry::with_password();
    near_builder(&sandbox);
    for refused in [json!({}), credentials(&registry, "wrong")] {
        push_with(&sandbox, &registry, &refused)
            .finish()
            .failure(1)
            .says(&format!("{}/private:1", registry.address()))
            .does_not_say("wrong");
    }
    let accepted = push_with(&sandbox, &registry, &credentials(&registry, PASSWORD))
        .finish()
        .success();
    assert!(!accepted.stderr.contains(PASSWORD), "{}", accepted.stderr);
}

#[test]
fn a_registry_that_is_not_there() {
    let sandbox = Sandbox::new();
    near_builder(&sandbox);
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx(&format!(
            "build -t 127.0.0.1:1/demo --push {}",
            context.word()
        ))
        .failure(1)
        .says("ERROR: failed to build: ")
        .says("127.0.0.1:1")
        .says("connection refused");
}

#[test]
fn a_registry_that_wants_a_certificate_is_shown_the_users() {
    let sandbox = Sandbox::new();
    let place = sandbox.path("");
    certificates::authority(&place, "ca");
    certificates::certificate(&place, "ca", "server", certificates::LOCAL_SERVER, 1);
    certificates::certificate(&place, "ca", "client", certificates::CLIENT, 1);
    let registry = Registry::with_certificates(&place);
    let address = registry.address();
    let authority = format!("[registry.\"{address}\"]\nhttp = false\nca = [\"ca.pem\"]\n");
    let pair = format!(
        "[[registry.\"{address}\".keypair]]\nkey = \"client.key\"\ncert = \"client.pem\"\n"
    );
    sandbox.write("without.toml", &authority);
    sandbox.write("with.toml", authority + &pair);
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    for config in ["without.toml", "with.toml"] {
        sandbox.booted(
            config.trim_end_matches(".toml"),
            &format!("--driver-opt network=host --buildkitd-config {config}"),
        );
        let tag = format!("{address}/{}:1", sandbox.name("guarded"));
        let pushed = sandbox.buildx(&format!("build -t {tag} --push {}", context.word()));
        match config {
            "with.toml" => pushed
                .success()
                .says(&format!("pushing manifest for {tag}")),
            // The registry refuses clients without a certificate, so the key is what gives access.
            _ => pushed.failure(1).says("remote error: tls: "),
        };
    }
}
