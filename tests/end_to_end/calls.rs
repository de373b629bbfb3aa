//! Calls of the frontend (`--call`, `--check`), the frontend itself, and the warnings of builds.

use std::fs;

use serde_json::Value;

use crate::context::Context;
use crate::registry::Registry;
use crate::support::Sandbox;

/// A Dockerfile with two warnings. It needs no image of a registry.
const CARELESS: &str = "FROM scratch as base\ncopy Dockerfile /\n";

#[test]
fn the_metadata_of_a_call_is_its_answer() {
    let sandbox = Sandbox::new();
    sandbox.booted("answer", "");
    let context = Context::bare(CARELESS);
    sandbox
        .buildx("build --call outline --metadata-file about.json")
        .words(context.word())
        .success();
    let metadata = || -> Value {
        let text = fs::read_to_string(sandbox.path("about.json")).expect("written");
        serde_json::from_str(&text).expect("JSON")
    };
    let outline = metadata();
    let keys: Vec<_> = outline.as_object().expect("an object").keys().collect();
    // As docker buildx: no name in the history, which has no calls.
    assert_eq!(keys, ["result.json", "result.txt", "version"]);
    assert_eq!(outline["result.json"]["name"], "base");
    // A check that fails has an answer as well.
    sandbox
        .buildx("build --check --metadata-file about.json")
        .words(context.word())
        .failure(1);
    let checked = metadata();
    assert_eq!(checked["result.statuscode"], "1");
    let warnings = checked["result.json"]["warnings"].as_array();
    assert_eq!(warnings.map(Vec::len), Some(2));
}

#[test]
fn a_check_without_warnings_succeeds() {
    let sandbox = Sandbox::new();
    sandbox.booted("clean", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    for flag in ["--check", "--call=check", "--call lint", "--print=check"] {
        sandbox
            .buildx(&format!("build {flag} {}", context.word()))
            .success()
            .prints("Check complete, no warnings found.\n")
            .does_not_say("No output specified");
    }
    // Nothing was built.
    let built = sandbox
        .buildx(&format!("build --check -o out -q {}", context.word()))
        .success();
    assert_eq!(built.stdout, "Check complete, no warnings found.\n");
    assert!(!sandbox.path("out").exists());
}

#[test]
fn warnings_of_a_check_are_shown_with_their_lines() {
    let sandbox = Sandbox::new();
    sandbox.booted("careless", "");
    let context = Context::bare(CARELESS);
    let checked = sandbox
        .buildx(&format!("build --check {}", context.word()))
        .failure(1)
        .does_not_say("ERROR");
    let expected = "Check complete, 2 warnings have been found!\n\
         \n\
         WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/\n\
         'as' and 'FROM' keywords' casing do not match\n\
         Dockerfile:1\n\
         --------------------\n   1 | >>> FROM scratch as base\n   2 |     copy Dockerfile /\n   3 |     \n--------------------\n";
    assert!(
        checked.stdout.starts_with(expected),
        "{}",
        checked.transcript()
    );
    assert!(
        checked
            .stdout
            .contains("\nWARNING: ConsistentInstructionCasing - https://")
    );

    // A Dockerfile that the user names is named as the user named it.
    let path = context.path().join("Dockerfile");
    sandbox
        .buildx(&format!(
            "build --check -f {} {}",
            path.display(),
            context.word()
        ))
        .failure(1)
        .shows(&format!("\n{}:1\n", path.display()));

    sandbox
        .buildx(&format!(
            "build --call=check,ignorestatus=true {}",
            context.word()
        ))
        .success()
        .shows("Check complete, 2 warnings have been found!\n");
    let json = sandbox
        .buildx(&format!(
            "build --call check,format=json {}",
            context.word()
        ))
        .failure(1)
        .json();
    assert_eq!(json["warnings"][0]["ruleName"], "FromAsCasing");
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_dockerfile_that_cannot_be_built_fails_the_check() {
    let sandbox = Sandbox::new();
    sandbox.booted("broken", "");
    let context = Context::bare("FROM scratch\nCOPY --from=nothing\n");
    sandbox
        .buildx(&format!("build --check {}", context.word()))
        .failure(1)
        .says("ERROR: ")
        .says("Dockerfile:2");
}

#[test]
fn outlines_targets_and_calls_are_listed() {
    let sandbox = Sandbox::new();
    sandbox.booted("lists", "");
    let context = Context::bare(
        "# base is the first\nFROM scratch AS base\nARG VERSION=1\n\
         FROM base AS final\nRUN --mount=type=secret,id=key,required true\n",
    );
    let word = context.word();
    sandbox
        .buildx(&format!("build --call targets {word}"))
        .success()
        .prints(
            "TARGET            DESCRIPTION\nbase              is the first\nfinal (default)   \n",
        );
    sandbox
        .buildx(&format!("build --call=outline {word}"))
        .success()
        .prints(
            "TARGET: final\n\nBUILD ARG   VALUE   DESCRIPTION\nVERSION     1       \n\n\
             SECRET   REQUIRED\nkey      true\n\n",
        );
    let base = sandbox
        .buildx(&format!("build --call=outline --target base {word}"))
        .success();
    assert!(base.stdout.starts_with("TARGET:      base\nDESCRIPTION: "));
    let described = sandbox
        .buildx(&format!("build --call subrequests.describe {word}"))
        .success();
    assert!(
        described.stdout.starts_with("NAME "),
        "{}",
        described.stdout
    );
    assert!(
        described.stdout.contains("\noutline "),
        "{}",
        described.stdout
    );
    let json = sandbox
        .buildx(&format!("build --call outline,format=json {word}"))
        .success()
        .json();
    assert_eq!(json["args"][0]["name"], "VERSION");
    sandbox
        .buildx(&format!("build --call nothing {word}"))
        .failure(1)
        .says("frontend.nothing");
    sandbox
        .buildx(&format!("build --call check,outline {word}"))
        .failure(1)
        .says_line("ERROR: invalid print value: check,outline");
}

#[test]
fn warnings_are_listed_after_a_build() {
    let sandbox = Sandbox::new();
    sandbox.booted("warned", "");
    let context = Context::bare(CARELESS);
    let line = format!("build {}", context.word());
    let built = sandbox.buildx(&line).success();
    let end = "\n 2 warnings found (use docker --debug to expand):\n \
         - FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)\n \
         - ConsistentInstructionCasing: ";
    assert!(built.stderr.contains(end), "{}", built.transcript());
    sandbox
        .buildx("--debug")
        .words(&line)
        .success()
        .says("\n 2 warnings found:\n")
        .says_line("More info: https://docs.docker.com/go/dockerfile/rule/from-as-casing/")
        .says_line("   1 | >>> FROM scratch as base");
    sandbox
        .buildx(&line)
        .words("-q")
        .success()
        .does_not_say("warnings found");
    // A build that fails has warnings, too.
    let context = Context::on_base("from base as other\nRUN exit 1\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .failure(1)
        .says(" found (use docker --debug to expand):\n");
}

#[test]
fn the_frontend_is_an_image_on_request() {
    let sandbox = Sandbox::new();
    sandbox.booted("syntax", "--driver-opt network=host");
    let registry = Registry::open();
    let image = format!("{}/frontend:1", registry.address());
    // A frontend that only ends, with a code that tells what it was called with.
    let frontend = Context::on_base(
        "ENTRYPOINT [\"/bin/sh\", \"-c\", \"env | grep -q 'cmdline=.*frontend:1 with options' && exit 42; exit 43\"]\n",
    );
    sandbox
        .buildx(&format!("build --push -t {image} {}", frontend.word()))
        .success();
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let line = format!("build {} --build-arg", context.word());
    for (argument, variable, code) in [
        (format!("BUILDKIT_SYNTAX={image} with options"), "", 42),
        (format!("BUILDKIT_SYNTAX={image}"), "", 43),
        (
            "BUILDKIT_SYNTAX".to_owned(),
            &*format!("{image} with options"),
            42,
        ),
    ] {
        sandbox
            .buildx(&line)
            .argument(&argument)
            .variable("BUILDKIT_SYNTAX", variable)
            .failure(1)
            .says(&format!("exit code: {code}"));
    }
    // The variable alone has no effect.
    sandbox
        .buildx(&format!("build {}", context.word()))
        .variable("BUILDKIT_SYNTAX", &image)
        .success();
    // Nothing listens there, so the error names the image of the frontend.
    sandbox
        .buildx(&line)
        .argument("BUILDKIT_SYNTAX=127.0.0.1:9/frontend:1 option")
        .failure(1)
        .says("127.0.0.1:9/frontend:1");
    sandbox
        .buildx(&line)
        .argument("BUILDKIT_SYNTAX=")
        .failure(1)
        .says_line(
            "ERROR: empty BUILDKIT_SYNTAX build-arg is invalid, use --build-arg BUILDKIT_SYNTAX \
             without '=' for optional behavior",
        );
    sandbox.buildx(&line).argument("BUILDKIT_SYNTAX").success();
}

#[test]
fn entitlements_that_a_node_does_not_declare_are_refused_before_it_boots() {
    let sandbox = Sandbox::new();
    let name = sandbox.unbooted("declared");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx("build --allow network.host --allow security.insecure")
        .words(context.word())
        .failure(1)
        .says(
            "ERROR: failed to build: failed to solve: granting entitlement security.insecure is not allowed \
             by build daemon configuration\n",
        )
        .says("--allow-insecure-entitlement security.insecure");
    assert!(sandbox.left_in_engine().is_empty());
    // The configuration states it, too.
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.write(
        "buildkitd.toml",
        "insecure-entitlements = [\"security.insecure\"]\n",
    );
    sandbox
        .buildx("create --use --buildkitd-config buildkitd.toml --driver iechor-container")
        .words(&format!("--name {name}"))
        .success();
    sandbox
        .buildx("build --allow network.host --allow security.insecure")
        .words(context.word())
        .success();
}

#[test]
fn entitlements_are_checked_before_the_build() {
    let sandbox = Sandbox::new();
    sandbox.booted("usual", "");
    let context = Context::on_base("RUN --network=host echo with the network\n");
    let line = format!("build {}", context.word());
    sandbox.buildx(&line).failure(1).says("network.host");
    sandbox
        .buildx(&line)
        .words("--allow network.host --allow buildx.local.delete --no-cache")
        .success()
        .says("with the network");
    // This builder does not allow it, so nothing of the build runs.
    sandbox
        .buildx(&line)
        .words("--allow security.insecure --allow network.host")
        .failure(1)
        .says("failed to solve: granting entitlement security.insecure is not allowed")
        .says("--allow-insecure-entitlement security.insecure")
        .does_not_say("load build definition");
    sandbox
        .buildx(&line)
        .words("--allow security.everything")
        .failure(1)
        .says_line("ERROR: unknown entitlement security.everything");

    let name = sandbox.name("insecure");
    sandbox
        .buildx(&format!("create --name {name} --bootstrap"))
        .argument("--buildkitd-flags")
        .argument("--allow-insecure-entitlement security.insecure")
        .success();
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let line = format!("build --builder {name} {} --allow", context.word());
    sandbox
        .buildx(&line)
        .argument("security.insecure")
        .success();
    sandbox
        .buildx(&line)
        .argument("network.host")
        .failure(1)
        .says("failed to solve: granting entitlement network.host is not allowed");
    assert!(fs::exists(sandbox.store()).expect("readable"));
}
