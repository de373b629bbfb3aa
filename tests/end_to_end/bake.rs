//! `buildx bake`: definitions are found, printed and listed, and their faults are shown with their place.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

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
        (
            &["web"],
            "ERROR: building the targets of a definition is not supported yet\n",
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
