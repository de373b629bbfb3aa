//! What a build records about the version of its sources.

use serde_json::Value;

use crate::git_server::Repository;
use crate::support::{Finished, Sandbox, docker};

const REVISION: &str = "org.opencontainers.image.revision";
const SOURCE: &str = "org.opencontainers.image.source";
const DOCKERFILE: &str = "com.docker.image.source.entrypoint";

/// Returns a repository with the context `app`, and its commit.
fn repository() -> (Repository, String) {
    let repository = Repository::new();
    repository.file("app/Dockerfile", "FROM scratch\nCOPY . /\n");
    let commit = repository.commit();
    let url = "https://user:secret@example.com/owner/name.git";
    repository.git(&["remote", "add", "origin", url]);
    (repository, commit)
}

#[test]
fn labels_of_the_image() {
    let sandbox = Sandbox::new();
    sandbox.booted("labels", "");
    let (repository, commit) = repository();
    let tag = sandbox.name("labels:1");
    let context = repository.path().join("app");
    let labels = |line: &str, variables: &[(&str, &str)]| -> Value {
        let mut build = sandbox
            .buildx(&format!("build --load -t {tag}"))
            .words(line);
        for (name, value) in variables {
            build = build.variable(name, value);
        }
        build.argument(&context).success().does_not_say("secret");
        let image = docker(&format!("image inspect {tag}")).success().json();
        image[0]["Config"]["Labels"].clone()
    };
    assert_eq!(labels("", &[]), Value::Null);
    let full = labels("", &[("BUILDX_GIT_LABELS", "full")]);
    assert_eq!(full[REVISION], commit.as_str());
    assert_eq!(full[SOURCE], "https://example.com/owner/name.git");
    assert_eq!(full[DOCKERFILE], "app/Dockerfile");
    // A label of the user takes precedence.
    let own = labels(
        &format!("--label {REVISION}=mine"),
        &[("BUILDX_GIT_LABELS", "1")],
    );
    assert_eq!(own[REVISION], "mine");

    repository.file("new", "");
    let marked = [("BUILDX_GIT_LABELS", "1"), ("BUILDX_GIT_CHECK_DIRTY", "1")];
    let dirty = labels("", &marked);
    assert_eq!(dirty[REVISION], format!("{commit}-dirty"));
    let clean = labels("", &marked[..1]);
    assert_eq!(clean[REVISION], commit.as_str());
}

#[test]
fn provenance_of_the_build() {
    let sandbox = Sandbox::new();
    sandbox.booted("provenance", "");
    let (repository, commit) = repository();
    let recorded = |variable: (&str, &str)| {
        sandbox
            .buildx("build --provenance mode=max --metadata-file about.json")
            .argument(repository.path().join("app"))
            .variable("BUILDX_METADATA_PROVENANCE", "max")
            .variable(variable.0, variable.1)
            .success();
        std::fs::read_to_string(sandbox.path("about.json")).expect("written")
    };
    let text = recorded(("BUILDX_GIT_INFO", "1"));
    for part in [
        commit.as_str(),
        "https://example.com/owner/name.git",
        "\"localdir:context\": \"app\"",
        "\"localdir:dockerfile\": \"app\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("secret"), "{text}");
    let text = recorded(("BUILDX_GIT_INFO", "0"));
    assert!(
        !text.contains(&commit) && !text.contains("localdir:"),
        "{text}"
    );
}

#[test]
fn a_missing_git_is_not_an_error() {
    let sandbox = Sandbox::new();
    sandbox.booted("absent", "");
    let (repository, _) = repository();
    let nothing = sandbox.path("empty");
    std::fs::create_dir(&nothing).expect("made");
    let build = |context: &std::path::Path| -> Finished {
        let build = sandbox
            .buildx("build --file")
            .argument(repository.path().join("app/Dockerfile"));
        build
            .argument(context)
            .variable("PATH", &nothing)
            .start()
            .finish()
            .success()
    };
    build(repository.path()).says_line(
        "WARNING: current commit information was not captured by the build: git was not found in the system",
    );
    // As in docker buildx, below the repository there is no warning.
    build(&repository.path().join("app")).does_not_say("commit information");
}
