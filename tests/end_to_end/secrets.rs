//! `--secret`: secrets of builds, also those with which BuildKit fetches Git repositories.

use std::fs;
use std::io::Write as _;

use base64::Engine as _;

use crate::context::Context;
use crate::git_server::{GitServer, Repository};
use crate::support::Sandbox;

/// A context whose build stores the sum of the secrets `one` and `two`.
fn context() -> Context {
    Context::on_base(
        "RUN --mount=type=secret,id=one --mount=type=secret,id=two,target=/two \\\n\
         \x20   cat /run/secrets/one /two | md5sum | cut -c 1-32 >/sum\n\
         FROM scratch\nCOPY --from=base /sum /\n",
    )
}

fn sum(sandbox: &Sandbox) -> String {
    let text = fs::read_to_string(sandbox.path("out/sum")).expect("built");
    text.trim().to_owned()
}

/// Returns the MD5 sum of a text.
fn md5(text: &str) -> String {
    let mut child = std::process::Command::new("md5sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("md5sum runs");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(text.as_bytes())
        .expect("written");
    let output = child.wait_with_output().expect("ended");
    String::from_utf8(output.stdout).expect("text")[..32].to_owned()
}

#[test]
fn files_and_variables_are_given_to_the_build() {
    let sandbox = Sandbox::new();
    sandbox.booted("secrets", "");
    let context = context();
    sandbox.write("file", "from a file");
    sandbox.write("TWO", "from the wrong file");
    for (number, secrets) in [
        "--secret id=one,src=file --secret id=two,env=TWO",
        "--secret type=file,id=one,source=file --secret type=env,id=two,env=TWO",
        "--secret id=one,src=file --secret type=env,id=two,src=TWO",
        // With only an ID, a variable of that name takes precedence over a file.
        "--secret id=two --secret id=one",
    ]
    .into_iter()
    .enumerate()
    {
        sandbox.write("one", "from a file");
        let built = sandbox
            .buildx(&format!(
                "build --no-cache --progress plain -o out {secrets}"
            ))
            .argument(context.path())
            .variable("TWO", "from the environment")
            .variable("two", "from the environment")
            .success();
        let text = format!("{}{}", built.stdout, built.stderr);
        assert!(!text.contains("from the environment"), "{text}");
        assert!(!text.contains("from a file"), "{text}");
        assert_eq!(
            sum(&sandbox),
            md5("from a filefrom the environment"),
            "{number}"
        );
    }
}

#[test]
fn a_pipe_is_read_for_the_build() {
    let sandbox = Sandbox::new();
    sandbox.booted("secrets", "");
    let context = context();
    let built = sandbox
        .shell(&format!(
            "printf 'from a pipe' | \"$0\" buildx build -o out --secret id=one,src=/dev/stdin \
             --secret id=two,env=TWO {}",
            context.word()
        ))
        .variable("TWO", "x")
        .success();
    built.does_not_say("from a pipe");
    assert_eq!(sum(&sandbox), md5("from a pipex"));
}

#[test]
fn mistakes_are_reported_before_anything_boots() {
    let sandbox = Sandbox::new();
    sandbox.unbooted("unbooted");
    let context = context();
    sandbox.write("large", vec![b'x'; (500 << 10) + 1]);
    for (secret, message) in [
        (
            "id=one,src=missing",
            "failed to stat missing: No such file or directory",
        ),
        (
            "id=missing",
            "failed to stat missing: No such file or directory",
        ),
        ("id=one,src=.", "failed to stat .: it is a directory"),
        ("id=one,src=large", "secret one too big. max size 500KB"),
        ("src=large", "secret missing ID"),
        ("id=one,type=vault", "unsupported secret type \"vault\""),
        ("one", "invalid field 'one' must be a key=value pair"),
        ("id=one,value=hush", "unexpected key 'value' in 'value="),
    ] {
        sandbox
            .buildx(&format!("build --secret {secret} {}", context.word()))
            .failure(1)
            .says(message)
            .says("--secret")
            .does_not_say("hush");
        assert_eq!(sandbox.left_in_engine().len(), 0, "{secret}");
    }
}

#[test]
fn a_secret_that_was_not_offered_is_not_there() {
    let sandbox = Sandbox::new();
    sandbox.booted("secrets", "");
    let context = Context::on_base("RUN --mount=type=secret,id=one,required=true true\n");
    sandbox
        .buildx(&format!("build --secret id=two,env=TWO {}", context.word()))
        .variable("TWO", "hush")
        .failure(1)
        .says("secret one: not found")
        .does_not_say("hush");
}

/// The header that BuildKit makes of a token.
fn header_of(token: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
    format!("basic {text}")
}

fn repository() -> Repository {
    let repository = Repository::new();
    repository.file("Dockerfile", "FROM scratch\nCOPY marker /\n");
    repository.file("marker", "from Git\n");
    repository.commit();
    repository
}

#[test]
fn a_private_repository_is_fetched_with_a_token() {
    let sandbox = Sandbox::new();
    sandbox.booted("git", "--driver-opt network=host");
    let repository = repository();
    let server = GitServer::guarded(&repository, &header_of("s3cret"));
    let build = |secrets: &str| {
        sandbox
            .buildx(&format!("build --no-cache -o out {secrets}"))
            .argument(server.url(""))
            .variable("GIT_AUTH_TOKEN", "s3cret")
            .variable("OTHER", "wrong")
            .start()
            .finish()
    };
    build("").failure(1).says("could not read Username");
    assert!(server.shown().is_empty());
    let host = format!("GIT_AUTH_TOKEN.{}", server.address());
    for secrets in [
        "--secret id=GIT_AUTH_TOKEN".to_owned(),
        // The token of the host takes precedence.
        format!("--secret id=GIT_AUTH_TOKEN,env=OTHER --secret id={host},env=GIT_AUTH_TOKEN"),
    ] {
        build(&secrets).success().does_not_say("s3cret");
        let marker = fs::read_to_string(sandbox.path("out/marker")).expect("fetched");
        assert_eq!(marker, "from Git\n", "{secrets}");
        fs::remove_dir_all(sandbox.path("out")).expect("removed");
        let shown = server.shown();
        assert!(shown.contains(&header_of("s3cret")), "{shown:?}");
    }
}

#[test]
fn a_private_repository_is_fetched_with_a_header() {
    let sandbox = Sandbox::new();
    sandbox.booted("git", "--driver-opt network=host");
    let repository = repository();
    let server = GitServer::guarded(&repository, "Custom s3cret");
    sandbox
        .buildx("build -o out --secret id=GIT_AUTH_HEADER,env=HEADER")
        .argument(server.url(""))
        .variable("HEADER", "Custom s3cret")
        .success()
        .does_not_say("s3cret");
    let marker = fs::read_to_string(sandbox.path("out/marker")).expect("fetched");
    assert_eq!(marker, "from Git\n");
}
