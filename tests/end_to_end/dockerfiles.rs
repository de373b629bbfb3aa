//! Where the Dockerfile of a build comes from.

use std::fs;
use std::os::unix::fs::symlink;

use crate::context::{Context, files_in_tar};
use crate::support::{Finished, Sandbox};
use crate::web::{Page, WebServer};

#[track_caller]
fn has_files(built: Finished, expected: &[&str]) {
    let built = built.success();
    assert_eq!(files_in_tar(&built.bytes), expected);
}

#[test]
fn a_dockerfile_on_standard_input() {
    let sandbox = Sandbox::new();
    sandbox.booted("stdin", "");
    let context = Context::bare("FROM scratch\nCOPY wrong /\n");
    context.file("right", "");
    context.file("ignored", "");
    context.file(".dockerignore", "ignored\nDockerfile\n.dockerignore\n");
    let file = sandbox.write("given", "FROM scratch\nCOPY . /\n");
    let build = sandbox.buildx(&format!("build -o - --file - {}", context.word()));
    has_files(build.input(&file).start().finish(), &["right"]);
    sandbox
        .buildx(&format!("build --file - {}", context.word()))
        .failure(1)
        .says("standard input is empty");
}

#[test]
fn a_dockerfile_has_its_own_ignore_file() {
    let sandbox = Sandbox::new();
    sandbox.booted("own", "");
    let context = Context::bare("FROM scratch\nCOPY . /\n");
    context.file("one", "");
    context.file("two", "");
    context.file(".dockerignore", "one\nDockerfile*\n.dockerignore\n");
    context.file(
        "Dockerfile.dockerignore",
        "two\nDockerfile*\n.dockerignore\n",
    );
    let build = sandbox.buildx(&format!("build -o - {}", context.word()));
    has_files(build.start().finish(), &["one"]);
}

#[test]
fn a_lower_case_dockerfile() {
    let sandbox = Sandbox::new();
    sandbox.booted("lower", "");
    let context = Context::bare("");
    context.file("file", "");
    let lower = context.path().join("dockerfile");
    fs::rename(context.path().join("Dockerfile"), &lower).expect("renamed");
    fs::write(&lower, "FROM scratch\nCOPY file /\n").expect("written");
    for flag in [
        String::new(),
        format!("--file {}/Dockerfile", context.word()),
    ] {
        let build = sandbox.buildx(&format!("build -o - {flag} {}", context.word()));
        has_files(build.start().finish(), &["file"]);
    }
}

#[test]
fn a_link_to_a_dockerfile_elsewhere() {
    let sandbox = Sandbox::new();
    sandbox.booted("linked", "");
    let context = Context::bare("");
    context.file("file", "");
    let elsewhere = sandbox.write("Elsewhere", "FROM scratch\nCOPY file /\n");
    let link = context.path().join("Dockerfile");
    fs::remove_file(&link).expect("removed");
    symlink(elsewhere, &link).expect("linked");
    let build = sandbox.buildx(&format!("build -o - {}", context.word()));
    has_files(build.start().finish(), &["file"]);
}

#[test]
fn what_is_no_dockerfile_is_reported_before_anything_boots() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("cold");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let context = Context::bare("");
    let pipe = sandbox.path("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("made");
    fs::create_dir(sandbox.path("directory")).expect("made");
    symlink("gone", sandbox.path("dangling")).expect("linked");
    for (file, said) in [
        (
            "missing",
            "cannot read Dockerfile missing: there is no such file",
        ),
        (
            "directory",
            "cannot read Dockerfile directory: it is a directory, not a regular file",
        ),
        (
            "pipe",
            "cannot read Dockerfile pipe: it is a named pipe, not a regular file",
        ),
        (
            "dangling",
            "cannot read Dockerfile dangling: it is a symbolic link to gone, which does not exist",
        ),
        (
            "ftp://example.com/Dockerfile",
            "it is a URL, but only http:// and https:// are supported",
        ),
    ] {
        sandbox
            .buildx(&format!("build --file {file} {}", context.word()))
            .failure(1)
            .says(said)
            .does_not_say("booting");
    }
    let in_engine = sandbox.left_in_engine();
    assert!(in_engine.is_empty(), "{in_engine:?}");
}

#[test]
fn a_dockerfile_at_a_url() {
    let sandbox = Sandbox::new();
    sandbox.booted("url", "--driver-opt network=host");
    let large = [b"FROM scratch\n".as_slice(), &vec![b'#'; 2 << 20]].concat();
    let server = WebServer::start([
        (
            "/Dockerfile",
            Page::File(b"FROM scratch\nCOPY a /fetched\n".to_vec()),
        ),
        ("/large", Page::File(large)),
    ]);
    // The Dockerfile of the context is another one.
    let context = Context::bare("FROM scratch\nCOPY a /local\n");
    context.file("a", "a");
    let build = |path: &str| {
        sandbox
            .buildx("build -o - --file")
            .argument(server.url(path))
            .argument(context.path())
    };
    has_files(build("/Dockerfile").start().finish(), &["fetched"]);
    let large = server.url("/large");
    build("/large").failure(1).says(&format!(
        "Dockerfile {large} bigger than allowed max size (2.097MB)"
    ));
    build("/missing").failure(1).says("404");

    // An archive as context, and a Dockerfile apart from it.
    let archive = sandbox.path("context.tar");
    let packed = std::process::Command::new("tar")
        .arg("-cf")
        .arg(&archive)
        .arg("-C")
        .arg(context.path())
        .arg(".")
        .status();
    assert!(packed.expect("tar is installed").success());
    let built = sandbox
        .buildx("build -o - --file")
        .argument(server.url("/Dockerfile"))
        .argument("-")
        .input(&archive);
    has_files(built.start().finish(), &["fetched"]);
}
