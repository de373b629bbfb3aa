//! The builder of each context: the engine's own BuildKit.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::context::{Context, files_in_tar};
use crate::registry::{PASSWORD, Registry, USER};
use crate::support::{Sandbox, cells, docker, inspect, machine};

fn context() -> Context {
    Context::on_base("RUN echo made > /made\nCMD [\"cat\", \"/made\"]\n")
}

#[test]
fn a_fresh_home_builds_into_the_engine() {
    let sandbox = Sandbox::new();
    let context = context();
    let image = sandbox.name("fresh");
    let built = sandbox
        .buildx(&format!(
            "build -t {image} --iidfile iid --metadata-file about.json {}",
            context.word()
        ))
        .success()
        .says_line("#0 building with \"default\" instance using iechor driver")
        .does_not_say("WARNING");
    drop(built);
    docker(&format!("run --rm {image}"))
        .success()
        .prints("made\n");
    let id = fs::read_to_string(sandbox.path("iid")).expect("written");
    assert_eq!(inspect(&image)["Id"], id.as_str());
    let about = fs::read_to_string(sandbox.path("about.json")).expect("written");
    let about: Value = serde_json::from_str(&about).expect("JSON");
    assert!(
        about["buildx.build.ref"]
            .as_str()
            .is_some_and(|name| name.starts_with("default/default/")),
        "{about}"
    );

    // Equivalent settings.
    for output in [
        "--load",
        "-o type=docker",
        "-o type=image",
        "--builder default -q",
    ] {
        let again = sandbox.name("again");
        sandbox
            .buildx(&format!("build -t {again} {output} {}", context.word()))
            .success();
        assert_eq!(inspect(&again)["Id"], id.as_str(), "{output}");
        docker(&format!("rmi {again}")).success();
    }
    assert_eq!(sandbox.builders(), Vec::<String>::new());
}

#[test]
fn it_is_listed_and_inspected() {
    let sandbox = Sandbox::new();
    let listed = sandbox.buildx("ls").success();
    let rows: Vec<_> = listed.stdout.lines().map(cells).collect();
    assert_eq!(rows[1], ["default*", "iechor"]);
    assert_eq!(rows[2][..3], ["\\_ default", "\\_ default", "running"]);
    assert!(rows[2][3].starts_with('v'), "{rows:?}");
    assert_eq!(rows.len(), 3);

    let shown = sandbox
        .buildx("inspect default --format json")
        .success()
        .json();
    assert_eq!(shown["Driver"], "iechor");
    assert_eq!(shown["Nodes"][0]["Status"], "running");
    let shown = sandbox.buildx("inspect --bootstrap").success().stdout;
    assert!(
        shown.lines().any(|line| line.starts_with("Platforms:")),
        "{shown}"
    );

    // A selected builder takes precedence; `use default` restores the default.
    let name = sandbox.name("other");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let current = || {
        let listed = sandbox.buildx("ls").success();
        let row = listed.stdout.lines().find_map(|row| row.split_once('*'));
        row.map(|(name, _)| name.to_owned())
    };
    assert_eq!(current(), Some(name));
    sandbox.buildx("use default").success();
    assert_eq!(current().as_deref(), Some("default"));
}

#[test]
fn files_come_to_this_side() {
    let sandbox = Sandbox::new();
    let context = Context::bare("FROM scratch\nCOPY a b /\n");
    context.file("a", "A");
    context.file("b", "B");
    sandbox
        .buildx(&format!("build -o out {}", context.word()))
        .success();
    assert_eq!(fs::read(sandbox.path("out/a")).expect("exported"), b"A");
    let built = sandbox
        .buildx(&format!("build -o - {}", context.word()))
        .success();
    assert_eq!(files_in_tar(&built.bytes), ["a", "b"]);
    sandbox
        .buildx(&format!("build -o type=cacheonly {}", context.word()))
        .success();
    // Its BuildKit would silently ignore one of them.
    sandbox
        .buildx(&format!(
            "build -o one -o type=tar,dest=two.tar {}",
            context.word()
        ))
        .failure(1)
        .says("multiple outputs currently unsupported by the current BuildKit daemon");
}

#[test]
fn what_it_cannot_do_is_refused_with_what_can() {
    let sandbox = Sandbox::new();
    let context = context();
    for (flags, words) in [
        (
            "-o type=oci,dest=x",
            "OCI exporter is not supported for the iechor driver",
        ),
        (
            "-o type=docker,dest=x",
            "Docker exporter is not supported for the iechor driver",
        ),
        (
            "--platform linux/amd64,linux/arm64",
            "Multi-platform build is not supported for the iechor driver",
        ),
    ] {
        sandbox
            .buildx(&format!("build {flags} {}", context.word()))
            .failure(1)
            .says(words)
            .says("iechor buildx create --use");
    }
    sandbox
        .buildx("rm default")
        .failure(1)
        .says("context builder cannot be removed, run `docker context rm default`");
    sandbox.buildx("stop").success().says("nothing to stop");
    for driver in ["iechor", "docker"] {
        sandbox
            .buildx(&format!("create --driver {driver}"))
            .failure(1)
            .says(&format!(
                "additional instances of driver {driver:?} cannot be created"
            ));
    }
    sandbox.assert_nothing_left();
}

#[test]
fn the_engine_pushes_what_it_built() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    let context = context();
    let repository = sandbox.name("pushed");
    let tag = format!("{}/{repository}:1", registry.address());
    sandbox
        .buildx(&format!(
            "build -t {tag} --push --metadata-file about.json {}",
            context.word()
        ))
        .success()
        .says(&format!("pushing {tag} with docker"));
    let about = fs::read_to_string(sandbox.path("about.json")).expect("written");
    let about: Value = serde_json::from_str(&about).expect("JSON");
    let digest = about["containerimage.digest"].as_str().expect("a digest");
    let manifest = registry.manifest(&repository, digest);
    assert_eq!(manifest["config"]["digest"], inspect(&tag)["Id"]);
}

#[test]
fn the_engine_pushes_with_the_users_credentials() {
    let sandbox = Sandbox::new();
    let registry = Registry::with_password();
    let context = context();
    let tag = format!("{}/{}:1", registry.address(), sandbox.name("secret"));
    let push = format!("build -t {tag} --push {}", context.word());
    sandbox
        .buildx(&push)
        .failure(1)
        .says(&format!("cannot push {tag}"))
        .says(&format!("docker login {}", registry.address()));
    let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    sandbox.configure_docker(&json!({"auths": {registry.address(): {"auth": auth}}}));
    sandbox.buildx(&push).success();
}

#[test]
fn every_context_has_one() {
    let sandbox = Sandbox::new();
    sandbox.docker_context("near", &machine().docker_host);
    sandbox.docker_context("far", "unix:///nonexistent.sock");
    let listed = sandbox.buildx("ls --format json").success();
    let builders: Vec<Value> = listed
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let seen: Vec<_> = builders
        .iter()
        .map(|builder| (&builder["Name"], &builder["Nodes"][0]["Status"]))
        .collect();
    let text = |text: &str| json!(text);
    assert_eq!(
        seen,
        [
            (&text("default"), &text("running")),
            (&text("far"), &text("error")),
            (&text("near"), &text("running")),
        ]
    );
    let error = builders[1]["Nodes"][0]["Err"].as_str().expect("why not");
    assert!(error.contains("/nonexistent.sock"), "{error}");

    let context = context();
    let image = sandbox.name("near");
    let build = format!("build -t {image} --builder near {}", context.word());
    sandbox
        .buildx(&build)
        .failure(1)
        .says("use `docker --context=near buildx` to switch to context \"near\"");
    sandbox
        .buildx(&build)
        .without_variable("DOCKER_HOST")
        .variable("DOCKER_CONTEXT", "near")
        .success()
        .says("building with \"near\" instance");
    docker(&format!("run --rm {image}"))
        .success()
        .prints("made\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .variable("DOCKER_HOST", "unix:///nonexistent.sock")
        .failure(4)
        .says("cannot reach the engine at unix:///nonexistent.sock");
}
