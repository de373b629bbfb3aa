//! `buildx bake`: definitions are found, printed, listed and built, and their faults are shown with their place.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::context::Context;
use crate::support::Sandbox;

/// A directory with definitions.
struct Project(TempDir);

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("written");
        }
        Self(directory)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iechor"));
        command
            .args(["buildx", "bake"])
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.0.path())
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        command
    }

    /// Runs a command. Returns its output, its messages and whether it succeeded.
    fn run(&self, arguments: &[&str]) -> (String, String, bool) {
        let ran = self.command(arguments).output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&ran.stdout), text(&ran.stderr), ran.status.success())
    }

    /// Prints targets.
    fn print(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--print"];
        all.extend(arguments);
        let (output, messages, ok) = self.run(&all);
        assert!(ok, "{messages}");
        serde_json::from_str(&output).expect("JSON")
    }
}

const SHOP: &str = r#"variable "TAG" {
  default     = "dev"
  description = "Tag of the images"
}
group "default" {
  targets = ["web"]
}
target "web" {
  description = "The shop"
  tags        = ["example/web:${TAG}"]
}
target "_base" {}
"#;

#[test]
fn targets_are_printed_with_flags_as_overrides() {
    let project = Project::new(&[("docker-bake.hcl", SHOP)]);
    let printed = project.print(&[
        "--var=TAG=v1",
        "--push",
        "--pull",
        "--no-cache",
        "--check",
        "--sbom=true",
        "--provenance=mode=max",
        "--set=*.args.A=1",
    ]);
    assert_eq!(
        printed,
        json!({
            "group": {"default": {"targets": ["web"]}},
            "target": {"web": {
                "description": "The shop",
                "attest": [{"mode": "max", "type": "provenance"}, {"type": "sbom"}],
                "context": ".",
                "dockerfile": "Dockerfile",
                "args": {"A": "1"},
                "tags": ["example/web:v1"],
                "output": [{"push": "true", "type": "image"}],
                "pull": true,
                "no-cache": true,
                "call": "lint",
            }},
        })
    );
    let (output, _, _) = project.run(&["--print", "web"]);
    assert!(
        output.starts_with("{\n  \"group\": {\n    \"default\": {\n"),
        "{output}"
    );
    assert!(output.ends_with("}\n"), "{output}");
}

#[test]
fn definitions_are_found_in_the_order_of_docker_buildx() {
    let project = Project::new(&[
        (
            "docker-bake.hcl",
            "target \"default\" { args = { A = \"hcl\", B = \"hcl\" } }\n",
        ),
        (
            "docker-bake.override.hcl",
            "target \"default\" { args = { B = \"override\" } }\n",
        ),
        (
            "other.json",
            "{\"target\": {\"default\": {\"args\": {\"A\": \"json\"}}}}\n",
        ),
        ("compose.yaml", "services: {}\n"),
    ]);
    let args = |value: Value| value["target"]["default"]["args"].clone();
    assert_eq!(
        args(project.print(&[])),
        json!({"A": "hcl", "B": "override"})
    );
    let (_, messages, _) = project.run(&["--print"]);
    assert!(messages.contains("compose.yaml is not read"), "{messages}");
    assert_eq!(
        args(project.print(&["-f", "other.json"])),
        json!({"A": "json"})
    );
    let both = ["-f", "other.json", "--file=cwd://docker-bake.hcl"];
    assert_eq!(args(project.print(&both)), json!({"A": "hcl", "B": "hcl"}));
    let mut command = project.command(&["--print"]);
    let ran = command
        .env("BUILDX_BAKE_FILE", "other.json")
        .output()
        .expect("it runs");
    let printed: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(args(printed), json!({"A": "json"}));
}

#[test]
fn a_definition_is_read_from_standard_input() {
    let project = Project::new(&[]);
    let mut command = project.command(&["--print", "-f", "-", "a"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("standard input");
    input
        .write_all(b"{\"target\": {\"a\": {\"tags\": [\"x\"]}}}")
        .expect("written");
    drop(input);
    let ran = child.wait_with_output().expect("it ends");
    let printed: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(printed["target"]["a"]["tags"], json!(["x"]));
}

#[test]
fn targets_and_variables_are_listed() {
    let project = Project::new(&[("docker-bake.hcl", SHOP)]);
    let (output, _, ok) = project.run(&["--list=targets"]);
    assert!(ok);
    assert_eq!(
        output,
        "TARGET    DESCRIPTION\ndefault   web\nweb       The shop\n"
    );
    let (output, _, _) = project.run(&["--list=variables", "--var=TAG=v2"]);
    assert_eq!(
        output,
        "VARIABLE   TYPE      VALUE     DESCRIPTION\nTAG                  v2        Tag of the images\n"
    );
    let (output, _, _) = project.run(&["--list=type=targets,format=json"]);
    let listed: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(
        listed,
        json!([
            {"name": "default", "description": "web", "group": true},
            {"name": "web", "description": "The shop"},
        ])
    );
    let (_, messages, ok) = project.run(&["--list=targets", "--print"]);
    assert!(
        !ok && messages.contains("--print and --list are mutually exclusive"),
        "{messages}"
    );
}

#[test]
fn faults_show_the_lines_around_them() {
    let project = Project::new(&[(
        "docker-bake.hcl",
        "target \"a\" {\n  tags = [uppr(\"x\")]\n}\n",
    )]);
    let (_, messages, ok) = project.run(&["--print", "a"]);
    assert!(!ok);
    assert_eq!(
        messages,
        "docker-bake.hcl:2\n--------------------\n   1 |     target \"a\" {\n   2 | >>>   tags = [uppr(\"x\")]\n   3 |     }\n\
         --------------------\nERROR: docker-bake.hcl:2,11-15: Call to unknown function; There is no function named \
         \"uppr\". Did you mean \"upper\"?\n"
    );
}

#[test]
fn wrong_requests_are_explained() {
    let project = Project::new(&[
        ("docker-bake.hcl", SHOP),
        ("compose.yaml", "services: {}\n"),
    ]);
    for (arguments, expected) in [
        (
            &["--print", "wbe"][..],
            "ERROR: failed to find target wbe\nhint: did you mean \"web\"?\n",
        ),
        (
            &["--print", "-f", "nope.hcl"],
            "ERROR: open nope.hcl: no such file or directory\n",
        ),
        (
            &["--print", "-f", "compose.yaml"],
            "ERROR: failed to parse compose.yaml: compose files are not supported\n",
        ),
        (
            &["--print", "--var=A"],
            "ERROR: invalid variable \"A\", expected key=value\n",
        ),
        (
            &["--print", "https://example.com/a.git"],
            "ERROR: definitions at a URL are not supported: https://example.com/a.git\n",
        ),
    ] {
        let (_, messages, ok) = project.run(arguments);
        assert!(
            !ok && messages.contains(expected),
            "{arguments:?}: {messages}"
        );
    }
    let empty = Project::new(&[]);
    let (_, messages, ok) = empty.run(&["--print"]);
    assert!(
        !ok && messages
            .starts_with("ERROR: couldn't find a bake definition\nhint: create docker-bake.hcl"),
        "{messages}"
    );
}

/// Writes a definition, and a Dockerfile that writes the argument `TEXT` to `made`.
fn write(sandbox: &Sandbox, definition: &str) {
    sandbox.write("docker-bake.hcl", definition);
    sandbox.write(
        "Dockerfile",
        "FROM scratch\nARG TEXT\nCOPY <<EOF /made\n$TEXT\nEOF\n",
    );
}

#[test]
fn all_targets_are_built_at_once_and_have_metadata() {
    let sandbox = Sandbox::new();
    let builder = sandbox.booted("bake", "");
    write(
        &sandbox,
        "target \"app\" {\n  name = \"app-${v}\"\n  matrix = { v = [\"one\", \"two\"] }\n  args = { TEXT = v }\n  output = [\"out/${v}\"]\n}\n",
    );
    sandbox
        .buildx("bake app --metadata-file about.json --progress plain")
        .success()
        .says("[app-one internal] load build definition from Dockerfile")
        .says("[app-two internal] load build definition from Dockerfile");
    for name in ["one", "two"] {
        let made = fs::read_to_string(sandbox.path(&format!("out/{name}/made"))).expect("made");
        assert_eq!(made, format!("{name}\n"));
    }
    let text = fs::read_to_string(sandbox.path("about.json")).expect("metadata");
    let metadata: Value = serde_json::from_str(&text).expect("JSON");
    for name in ["app-one", "app-two"] {
        let reference = metadata[name]["buildx.build.ref"]
            .as_str()
            .expect("a reference");
        assert!(reference.starts_with(&format!("{builder}/")), "{reference}");
    }
    // A single target has no prefix.
    sandbox
        .buildx("bake app-one --progress plain --set *.args.TEXT=new")
        .success()
        .says("[internal] load build definition from Dockerfile")
        .does_not_say("[app-one");
    // A check answers for each target.
    sandbox
        .buildx("bake app --check --progress none")
        .success()
        .shows("app-one\n")
        .shows("app-two\n");
    assert_eq!(
        fs::read_to_string(sandbox.path("out/one/made")).expect("made"),
        "new\n"
    );
}

#[test]
fn a_target_that_fails_is_named_with_those_that_it_cancels() {
    let sandbox = Sandbox::new();
    sandbox.booted("bake-fails", "");
    let slow = Context::on_base("RUN sleep 300\n");
    fs::create_dir(sandbox.path("bad")).expect("made");
    sandbox.write("bad/Dockerfile", "FROM scratch\nCOPY missing /\n");
    sandbox.write(
        "docker-bake.hcl",
        format!(
            "group \"default\" {{ targets = [\"bad\", \"slow\"] }}\n\
             target \"bad\" {{ context = \"bad\" }}\n\
             target \"slow\" {{ context = {:?} }}\n",
            slow.word()
        ),
    );
    sandbox
        .buildx("bake --progress plain --allow fs.read=*")
        .failure(1)
        .says_line(
            "WARNING: No output specified for bad, slow target(s) with iechor-container driver. Build result \
             will only remain in the build cache. To push result image into registry use --push or to load \
             image into docker use --load",
        )
        .says_line("WARNING: cancelled because target bad failed: slow")
        .says("ERROR: target bad: failed to build: failed to solve: ");
}

#[test]
fn what_a_definition_demands_needs_consent() {
    let sandbox = Sandbox::new();
    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("secret"), "hush").expect("written");
    let place = outside.path().canonicalize().expect("real");
    let place = place.display();
    std::os::unix::fs::symlink(outside.path(), sandbox.path("link")).expect("linked");
    sandbox.write("Dockerfile", "FROM scratch\n");
    for (setting, asked) in [
        (format!("context = \"{place}\""), format!("fs.read={place}")),
        ("context = \"link\"".to_owned(), format!("fs.read={place}")),
        (
            format!("dockerfile = \"{place}/secret\""),
            format!("fs.read={place}/secret"),
        ),
        (
            format!("contexts = {{ x = \"{place}\" }}"),
            format!("fs.read={place}"),
        ),
        (
            format!("contexts = {{ x = \"oci-layout://{place}\" }}"),
            format!("fs.read={place}"),
        ),
        (
            format!("secret = [\"id=s,src={place}/secret\"]"),
            format!("fs.read={place}/secret"),
        ),
        (
            format!("ssh = [\"default={place}/secret\"]"),
            format!("fs.read={place}/secret"),
        ),
        (
            format!("cache-from = [\"type=local,src={place}\"]"),
            format!("fs.read={place}"),
        ),
        (
            format!("cache-to = [\"type=local,dest={place}\"]"),
            format!("fs.write={place}"),
        ),
        (
            format!("output = [\"{place}/new\"]"),
            format!("fs.write={place}/new"),
        ),
        (
            "output = [\"link/new\"]".to_owned(),
            format!("fs.write={place}/new"),
        ),
        (
            format!("output = [\"type=tar,dest={place}/x.tar\"]"),
            format!("fs.write={place}/x.tar"),
        ),
        (
            format!("output = [\"type=oci,dest={place}/x.tar\"]"),
            format!("fs.write={place}/x.tar"),
        ),
        (
            format!("output = [\"type=docker,dest={place}/x.tar\"]"),
            format!("fs.write={place}/x.tar"),
        ),
        (
            "output = [\"type=local,dest=out,mode=delete\"]".to_owned(),
            "buildx.local.delete".to_owned(),
        ),
        ("network = \"host\"".to_owned(), "network.host".to_owned()),
        (
            "entitlements = [\"security.insecure\"]".to_owned(),
            "security.insecure".to_owned(),
        ),
        (
            "entitlements = [\"device=gpu\"]".to_owned(),
            "device=gpu".to_owned(),
        ),
    ] {
        sandbox.write(
            "docker-bake.hcl",
            format!("group \"all\" {{ targets = [\"plain\", \"greedy\"] }}\ntarget \"plain\" {{}}\ntarget \"greedy\" {{\n  {setting}\n}}\n"),
        );
        for targets in ["greedy", "all"] {
            for mode in ["auto", "plain", "rawjson", "quiet", "none"] {
                sandbox
                    .buildx(&format!("bake {targets} --progress {mode}"))
                    .failure(1)
                    .says(&format!(
                        "Pass \"--allow={asked}\" to grant requested privileges."
                    ))
                    .says_line("ERROR: additional privileges requested");
            }
        }
    }
    assert_eq!(
        fs::read_dir(outside.path()).expect("read").count(),
        1,
        "nothing is written"
    );
}

#[test]
fn what_the_user_allows_or_requests_needs_no_further_consent() {
    let sandbox = Sandbox::new();
    sandbox.booted("bake-allowed", "");
    let outside = tempfile::tempdir().expect("a directory");
    let place = outside.path().canonicalize().expect("real");
    let place = place.display();
    write(
        &sandbox,
        &format!(
            "target \"default\" {{\n  args = {{ TEXT = \"x\" }}\n  output = [\"{place}/one\"]\n}}\n"
        ),
    );
    sandbox
        .buildx(&format!("bake --allow fs.write={place}"))
        .success();
    assert!(outside.path().join("one/made").is_file());
    sandbox
        .buildx(&format!("bake --set *.output={place}/two"))
        .success();
    assert!(outside.path().join("two/made").is_file());
    sandbox
        .buildx(&format!("bake --set *.context={place}"))
        .failure(1)
        .says_line("ERROR: additional privileges requested");
}

#[test]
fn what_is_not_supported_is_said_before_anything_is_built() {
    let sandbox = Sandbox::new();
    for (setting, problem) in [
        (
            "contexts = { x = \"target:b\" }",
            "a target as a context of another one is not supported",
        ),
        (
            "dockerfile-inline = \"FROM scratch\"",
            "a Dockerfile in the definition is not supported",
        ),
        ("policy = [\"filename=x\"]", "a policy is not supported"),
        ("platforms = [\"banana\"]", "banana"),
    ] {
        sandbox.write(
            "docker-bake.hcl",
            format!("target \"a\" {{\n  {setting}\n}}\ntarget \"b\" {{}}\n"),
        );
        sandbox
            .buildx("bake a")
            .failure(1)
            .says("ERROR: target a: ")
            .says(problem);
    }
}
