//! `--cache-from` and `--cache-to`: an empty builder continues with the cache of another one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::context::Context;
use crate::registry::Registry;
use crate::support::{Finished, Sandbox};

/// A step whose result differs between any two runs.
const STEP: &str = "RUN cat /proc/sys/kernel/random/uuid > /made";

/// A context with [`STEP`] in a stage of its own, and another one in the stage that is built last.
fn two_steps() -> Context {
    Context::on_base(&format!(
        "FROM base AS made\n{STEP}\nFROM base\nCOPY --from=made /made /made\nRUN cat /made\n"
    ))
}

/// Creates an empty builder that can connect to servers on this machine.
fn builder(sandbox: &Sandbox, suffix: &str) -> String {
    sandbox.booted(suffix, "--driver-opt network=host")
}

fn blobs(directory: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory.join("blobs/sha256")).expect("listed");
    entries
        .map(|entry| entry.expect("readable").path())
        .collect()
}

fn index(directory: &Path) -> Value {
    let text = fs::read(directory.join("index.json")).expect("written");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn a_cache_in_a_registry() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    let context = two_steps();
    let name = format!("{}/{}:cache", registry.address(), sandbox.name("demo"));
    let first = builder(&sandbox, "first");
    sandbox
        .buildx(&format!("build --builder {first} {}", context.word()))
        .words(&format!("--cache-to type=registry,mode=max,ref={name}"))
        .success()
        .does_not_say("CACHED");
    let second = builder(&sandbox, "second");
    sandbox
        .buildx(&format!("build --builder {second} {}", context.word()))
        .words(&format!("--cache-from {name}"))
        .success()
        .says(&format!("importing cache manifest from {name}"))
        .says_cached(STEP)
        .says_cached("RUN cat /made");
}

#[test]
fn a_cache_in_a_directory() {
    let sandbox = Sandbox::new();
    let context = two_steps();
    let first = builder(&sandbox, "first");
    let build = |builder: &str| {
        let line = format!("build --builder {builder} {}", context.word());
        sandbox.buildx(&line)
    };
    // The cache of the last stage, under a tag.
    build(&first)
        .words("--cache-to type=local,dest=deep/cache,tag=small")
        .success()
        .does_not_say("CACHED");
    // The larger cache of all stages, beside it.
    build(&first)
        .words("--cache-to type=local,mode=max,dest=deep/cache")
        .success();
    let directory = sandbox.path("deep/cache");
    assert!(directory.join("oci-layout").is_file());
    let entries = index(&directory);
    let [small, latest] = entries["manifests"].as_array().expect("a list").as_slice() else {
        panic!("{entries}")
    };
    let tag = |entry: &Value| entry["annotations"]["org.opencontainers.image.ref.name"].clone();
    assert_eq!((tag(small), tag(latest)), ("small".into(), "latest".into()));
    assert_ne!(small["digest"], latest["digest"]);
    let small = small["digest"].as_str().expect("a digest");

    let second = builder(&sandbox, "second");
    build(&second)
        .words("--cache-from type=local,src=deep/cache")
        .success()
        .says_cached(STEP)
        .says_cached("RUN cat /made");
    let third = builder(&sandbox, "third");
    build(&third)
        .words(&format!(
            "--cache-from type=local,src=deep/cache,digest={small}"
        ))
        .success()
        .says_cached("RUN cat /made");
}

#[test]
fn a_cache_in_the_image() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    let context = Context::on_base(&format!("{STEP}\n"));
    let first = builder(&sandbox, "first");
    let second = builder(&sandbox, "second");
    let flags = [
        "--cache-to type=inline",
        "--build-arg BUILDKIT_INLINE_CACHE=1",
    ];
    for (number, flag) in flags.iter().enumerate() {
        let tag = format!("{}/{}:{number}", registry.address(), sandbox.name("demo"));
        // Another step for each flag.
        context.file("number", number.to_string());
        let step = format!("{STEP}{number}");
        let dockerfile = format!("{}{step}\n", crate::context::BASE);
        context.file("Dockerfile", dockerfile);
        let build = format!("build {} ", context.word());
        sandbox
            .buildx(&build)
            .words(&format!("--builder {first} -t {tag} --push {flag}"))
            .success()
            .says("preparing layers for inline cache");
        sandbox
            .buildx(&build)
            .words(&format!(
                "--builder {second} --cache-from type=registry,ref={tag}"
            ))
            .success()
            .says_cached(&step);
    }
}

#[test]
fn a_cache_that_is_missing_is_a_warning() {
    let sandbox = Sandbox::new();
    sandbox.booted("missing", "");
    let context = Context::on_base(&format!("{STEP}\n"));
    let build = format!("build {}", context.word());
    sandbox
        .buildx(&build)
        .words("--cache-from type=local,src=none")
        .success()
        .says("WARNING: local cache import at none not found due to err: could not read none/index.json: ");
    assert!(!sandbox.path("none").exists());
    sandbox
        .buildx(&build)
        .words("--cache-to type=local,dest=cache")
        .success();
    sandbox
        .buildx(&build)
        .words("--cache-from type=local,src=cache,tag=x --cache-from type=local,src=cache")
        .success()
        .says_line("WARNING: local cache import at cache skipped: no digest found for tag x")
        .says("importing cache manifest from local:");
}

#[test]
fn a_damaged_cache_is_not_used() {
    let sandbox = Sandbox::new();
    let first = builder(&sandbox, "first");
    let context = Context::on_base(&format!("{STEP}\n"));
    sandbox
        .buildx(&format!("build --builder {first} {}", context.word()))
        .words("--cache-to type=local,dest=cache")
        .success();
    let directory = sandbox.path("cache");
    let digest = index(&directory)["manifests"][0]["digest"].clone();
    let digits = digest.as_str().expect("text")["sha256:".len()..].to_owned();
    let manifest = directory.join("blobs/sha256").join(digits);
    let mut content = fs::read(&manifest).expect("there");
    *content.last_mut().expect("not empty") = b' ';
    fs::remove_file(&manifest).expect("removed");
    fs::write(&manifest, content).expect("written");
    let second = builder(&sandbox, "second");
    sandbox
        .buildx(&format!("build --builder {second} {}", context.word()))
        .words("--cache-from type=local,src=cache")
        .success()
        .says("its content has another digest")
        .does_not_say(" CACHED");
}

#[test]
fn obsolete_blobs_are_removed_on_request() {
    let sandbox = Sandbox::new();
    sandbox.booted("reset", "");
    let directory = sandbox.path("cache");
    let context = Context::on_base("RUN echo one > /one\n");
    let build = format!("build {}", context.word());
    let export = |options: &str| {
        sandbox
            .buildx(&build)
            .words(&format!("--cache-to type=local,dest=cache{options}"))
            .success();
        blobs(&directory)
    };
    let one = export("");
    context.file(
        "Dockerfile",
        format!("{}RUN echo two > /two\n", crate::context::BASE),
    );
    let both = export("");
    assert!(both.is_superset(&one) && both != one);
    let two = export(",reset=true");
    assert!(two.len() < both.len(), "{two:?} of {both:?}");
    assert_eq!(
        index(&directory)["manifests"].as_array().map(Vec::len),
        Some(1)
    );
    let second = builder(&sandbox, "second");
    sandbox
        .buildx(&build)
        .words(&format!(
            "--builder {second} --cache-from type=local,src=cache"
        ))
        .success()
        .says_cached("RUN echo two > /two");
}

#[test]
fn a_directory_with_any_name() {
    let sandbox = Sandbox::new();
    let first = builder(&sandbox, "first");
    let context = Context::on_base(&format!("{STEP}\n"));
    let (from, to) = (
        "type=local,src=K\u{e4}che %41",
        "type=local,dest=K\u{e4}che %41",
    );
    sandbox
        .buildx(&format!(
            "build --builder {first} {} --cache-to",
            context.word()
        ))
        .argument(to)
        .success();
    assert!(sandbox.path("K\u{e4}che %41/index.json").is_file());
    let second = builder(&sandbox, "second");
    sandbox
        .buildx(&format!(
            "build --builder {second} {} --cache-from",
            context.word()
        ))
        .argument(from)
        .success()
        .says_cached(STEP);
}

#[test]
fn mistakes_are_found_before_anything_boots() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("wrong");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let context = Context::bare("FROM scratch\n");
    for (flag, words) in [
        ("--cache-from ref=a/b", "type required for \"ref=a/b\""),
        (
            "--cache-to type=local",
            "local cache exporter requires dest",
        ),
        ("--cache-from type=local,x", "invalid value x"),
    ] {
        sandbox
            .buildx(&format!("build {flag} {}", context.word()))
            .failure(1)
            .says_line(&format!("ERROR: {words}"))
            .says("hint: ");
    }
    assert!(sandbox.left_in_engine().is_empty(), "not even booted");
}

#[test]
fn a_driver_that_cannot_export_caches_is_named() {
    let sandbox = Sandbox::new();
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx(&format!("build --builder default {}", context.word()))
        .words("--cache-to type=local,dest=cache")
        .failure(1)
        .says_line("ERROR: Cache export is not supported for the iechor driver")
        .says("https://docs.docker.com/go/build-cache-backends/");
    assert!(!sandbox.path("cache").exists());
    // A cache within the image needs no such feature.
    sandbox
        .buildx(&format!("build --builder default {}", context.word()))
        .words("--cache-to type=inline")
        .success();
}

#[test]
fn the_cache_of_github_actions_is_used_in_a_workflow_only() {
    let sandbox = Sandbox::new();
    sandbox.booted("gha", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let build = || {
        let line = format!("build {}", context.word());
        sandbox.buildx(&line).words("--cache-from type=gha")
    };
    build()
        .words("--cache-to type=gha")
        .success()
        .says("WARNING: The cache type=gha is not used: it needs a token and an address")
        .does_not_say("importing cache manifest");
    let found = build()
        .variable("ACTIONS_RUNTIME_TOKEN", TOKEN)
        .variable("ACTIONS_CACHE_URL", "http://127.0.0.1:9/")
        .success()
        .does_not_say("is not used")
        .does_not_say(TOKEN);
    let line = format!("build {} --cache-from", context.word());
    let given = sandbox
        .buildx(&line)
        .argument(format!("type=gha,token={TOKEN},url=http://127.0.0.1:9/"))
        .success();
    assert_eq!(imported(&found), imported(&given));
}

#[test]
fn credentials_of_aws_are_found() {
    let sandbox = Sandbox::new();
    sandbox.booted("aws", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let build = |credentials: &str| {
        let line = format!("build {} --cache-from", context.word());
        let cache = format!("type=s3,region=here,bucket=b{credentials}");
        sandbox.buildx(&line).argument(&cache)
    };
    let keys = |id: &str| format!(",access_key_id={id},secret_access_key={TOKEN}");
    let without = imported(&build("").success());
    let in_environment = build("")
        .variable("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
        .variable("AWS_SECRET_ACCESS_KEY", TOKEN)
        .success()
        .does_not_say(TOKEN);
    assert_ne!(imported(&in_environment), without);
    let given = imported(&build(&keys("ENVIRONMENT")).success());
    assert_eq!(imported(&in_environment), given);

    fs::create_dir(sandbox.home().join(".aws")).expect("made");
    let file = format!("[default]\naws_access_key_id = FILE\naws_secret_access_key={TOKEN}\n");
    fs::write(sandbox.home().join(".aws/credentials"), file).expect("written");
    let in_file = build("").success().does_not_say(TOKEN);
    let given = imported(&build(&keys("FILE")).success());
    assert_eq!(imported(&in_file), given);
}

/// A credential that nothing displays.
const TOKEN: &str = "a.hidden-token.b";

/// Returns the name of the cache that BuildKit tried to import. It has a hash of all options, so it is the same
/// for the same credentials.
fn imported(finished: &Finished) -> String {
    let (_, rest) = finished
        .stderr
        .split_once("importing cache manifest from ")
        .unwrap_or_else(|| panic!("no import: {}", finished.transcript()));
    rest.lines().next().expect("a name").to_owned()
}
