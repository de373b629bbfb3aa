//! Where the context of a build comes from.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::context::{Context, files_in_tar};
use crate::git_server::{GitServer, Repository};
use crate::registry::Registry;
use crate::support::{Finished, Sandbox};
use crate::web::{Page, WebServer};

/// Packs a context. Returns the archive.
fn packed(sandbox: &Sandbox, context: &Context) -> PathBuf {
    let path = sandbox.path("context.tar");
    let mut archive = tar::Builder::new(fs::File::create(&path).expect("made"));
    archive
        .append_dir_all("", context.path())
        .and_then(|()| archive.finish())
        .expect("packed");
    path
}

/// Compresses a file. Returns the compressed one.
fn compressed(program: &str, ending: &str, file: &Path) -> PathBuf {
    let status = Command::new(program)
        .args(["--keep", "--quiet", "--force"])
        .arg(file)
        .status();
    assert!(status.expect("installed").success(), "{program}");
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[track_caller]
fn has_files(built: Finished, expected: &[&str]) {
    let built = built.success();
    assert_eq!(files_in_tar(&built.bytes), expected);
}

#[test]
fn an_archive_on_standard_input() {
    let sandbox = Sandbox::new();
    sandbox.booted("archive", "");
    let context = Context::bare("FROM scratch\nCOPY a b/* /\n");
    context.file("a", "a");
    context.file("b/c", "c");
    let plain = packed(&sandbox, &context);
    let build = |archive: &Path, line: &str| {
        let build = sandbox.buildx("build -o -").words(line);
        build.argument("-").input(archive).start().finish()
    };
    has_files(build(&plain, ""), &["a", "c"]);
    for (program, ending) in [
        ("gzip", ".gz"),
        ("bzip2", ".bz2"),
        ("xz", ".xz"),
        ("zstd", ".zst"),
    ] {
        let archive = compressed(program, ending, &plain);
        has_files(build(&archive, ""), &["a", "c"]);
    }

    // The Dockerfile is in the archive.
    context.file("other/Dockerfile", "FROM scratch\nCOPY b/c /only\n");
    let plain = packed(&sandbox, &context);
    has_files(build(&plain, "--file other/Dockerfile"), &["only"]);
    build(&plain, "--file -")
        .failure(1)
        .says("invalid argument: can't use stdin for both build context and dockerfile");
}

#[test]
fn an_archive_whose_first_name_is_long() {
    let sandbox = Sandbox::new();
    sandbox.booted("long", "");
    let long = format!("{}/file", "d".repeat(200));
    let path = sandbox.path("long.tar");
    let mut archive = tar::Builder::new(fs::File::create(&path).expect("made"));
    for (name, text) in [
        (long.as_str(), "text"),
        ("Dockerfile", "FROM scratch\nCOPY */file /\n"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let added = archive.append_data(&mut header, name, text.as_bytes());
        added.expect("packed");
    }
    archive.finish().expect("packed");
    let build = sandbox.buildx("build -o - -").input(&path);
    has_files(build.start().finish(), &["file"]);
}

#[test]
fn a_dockerfile_on_standard_input_has_an_empty_context() {
    let sandbox = Sandbox::new();
    sandbox.booted("alone", "");
    let file = sandbox.write("alone", "FROM scratch\nCOPY . /all/\nENV A=1\n");
    let build = sandbox.buildx("build -o - -").input(&file);
    has_files(build.start().finish(), &[]);
    sandbox
        .buildx("build --file alone -")
        .input(&file)
        .failure(1)
        .says("ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles");
    sandbox
        .buildx("build -")
        .failure(1)
        .says("standard input is empty");
}

#[test]
fn waiting_for_standard_input_can_be_interrupted() {
    let sandbox = Sandbox::new();
    let context = Context::bare("");
    let pipe = sandbox.path("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("made");
    let _open = fs::File::options().read(true).write(true).open(&pipe);
    for line in [
        "build -".to_owned(),
        format!("build -f - {}", context.word()),
    ] {
        let running = sandbox.buildx(&line).input(&pipe).start();
        running.wait_until_it_can_be_interrupted();
        running.interrupt();
        running.finish().failure(130);
    }
}

#[test]
fn a_context_that_does_not_exist() {
    let sandbox = Sandbox::new();
    sandbox
        .buildx("build missing")
        .failure(1)
        .says("unable to prepare context: path \"missing\" not found");
    sandbox
        .buildx("build")
        .argument("")
        .failure(1)
        .says("please specify build context (e.g. \".\" for the current directory)");
    sandbox.write("file", "");
    sandbox
        .buildx("build file")
        .failure(1)
        .says("is not a directory")
        .says("`iechor buildx build - < file`");
}

#[test]
fn git_repositories() {
    let sandbox = Sandbox::new();
    sandbox.booted("git", "--driver-opt network=host");
    let repository = Repository::new();
    repository.file("Dockerfile", "FROM scratch\nCOPY first /\n");
    repository.file("sub/Dockerfile", "FROM scratch\nCOPY inner /\n");
    repository.file("sub/inner", "inner");
    repository.file("first", "1");
    repository.commit();
    repository.git(&["tag", "v1"]);
    repository.git(&["checkout", "--quiet", "-b", "next"]);
    repository.file("Dockerfile", "FROM scratch\nCOPY second /\n");
    repository.file("second", "2");
    let commit = repository.commit();
    repository.git(&["checkout", "--quiet", "main"]);
    let server = GitServer::start(&repository);
    let build = |suffix: &str| {
        let build = sandbox.buildx("build -o -").argument(server.url(suffix));
        build.start().finish()
    };
    for (suffix, expected) in [
        ("", "first"),
        ("#next", "second"),
        (&format!("#{commit}"), "second"),
        ("#v1:sub", "inner"),
        ("#:sub", "inner"),
        ("?branch=next", "second"),
        ("?tag=v1&subdir=sub", "inner"),
    ] {
        has_files(build(suffix), &[expected]);
    }
    build("#unknown").failure(1).says("unknown");
    build("?banana=1")
        .failure(1)
        .says("unexpected query \"banana\"");

    // A Dockerfile within the repository, from standard input, and from an absolute path.
    let inner = sandbox.write("own", "FROM scratch\nCOPY sub/inner first /\n");
    let with = |file: &str| {
        let build = sandbox.buildx("build -o - --file").words(file);
        let build = build.argument(server.url("")).input(&inner);
        build.start().finish()
    };
    with("sub/Dockerfile").failure(1).says("/inner");
    has_files(with("-"), &["first", "inner"]);
    has_files(with(inner.to_str().expect("text")), &["first", "inner"]);
}

#[test]
fn http_contexts() {
    let sandbox = Sandbox::new();
    sandbox.booted("http", "--driver-opt network=host");
    let context = Context::bare("FROM scratch\nCOPY a /\n");
    context.file("a", "a");
    let archive = packed(&sandbox, &context);
    let compressed = compressed("gzip", ".gz", &archive);
    let read = |path: &Path| Page::File(fs::read(path).expect("readable"));
    let server = WebServer::start([
        ("/context.tar", read(&archive)),
        ("/context.tar.gz", read(&compressed)),
        (
            "/only",
            Page::File(b"FROM scratch\nCOPY . /all/\n".to_vec()),
        ),
    ]);
    for (path, expected) in [
        ("/context.tar", &["a"][..]),
        ("/context.tar.gz", &["a"]),
        // A file that is no archive is a Dockerfile.
        ("/only", &["all/context"]),
    ] {
        let build = sandbox.buildx("build -o -").argument(server.url(path));
        let built = build.start().finish().success();
        let files = files_in_tar(&built.bytes);
        assert_eq!(files, expected, "{path}: {}", built.transcript());
    }
}

#[test]
fn a_directory_takes_precedence_over_a_repository_of_the_same_name() {
    let sandbox = Sandbox::new();
    sandbox.booted("precedence", "");
    let context = sandbox.path("github.com/owner/name");
    fs::create_dir_all(&context).expect("made");
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY local /\n").expect("written");
    fs::write(context.join("local"), "").expect("written");
    let build = sandbox.buildx("build -o - github.com/owner/name");
    has_files(build.start().finish(), &["local"]);
}

#[test]
fn named_contexts() {
    let sandbox = Sandbox::new();
    sandbox.booted("named", "--driver-opt network=host");
    let context = Context::bare("FROM scratch\nCOPY --from=extra . /\n");
    let build = |line: &str| {
        let build = sandbox
            .buildx("build -o -")
            .words(line)
            .words(context.word());
        build.start().finish()
    };

    let directory = Context::bare("");
    directory.file("of-directory", "");
    directory.file(".dockerignore", "Dockerfile\n.dockerignore\n");
    let word = directory.word();
    has_files(
        build(&format!("--build-context extra={word}")),
        &["of-directory"],
    );
    // These names belong to the context and to the Dockerfile.
    for name in ["context", "dockerfile"] {
        context.file(
            "Dockerfile",
            format!("FROM scratch\nCOPY --from={name} . /\n"),
        );
        has_files(
            build(&format!("--build-context {name}={word}")),
            &["of-directory"],
        );
    }
    context.file("Dockerfile", "FROM scratch\nCOPY --from=extra . /\n");

    let repository = Repository::new();
    repository.file("sub/of-repository", "");
    repository.commit();
    let server = GitServer::start(&repository);
    for suffix in ["#main:sub", "?branch=main&subdir=sub"] {
        let url = server.url(suffix);
        has_files(
            build(&format!("--build-context extra={url}")),
            &["of-repository"],
        );
    }

    let of_archive = Context::bare("");
    of_archive.file("of-archive", "");
    let archive = compressed("gzip", ".gz", &packed(&sandbox, &of_archive));
    let server = WebServer::start([
        ("/files", Page::File(fs::read(archive).expect("readable"))),
        ("/notes", Page::File(b"a file that is no archive".to_vec())),
    ]);
    let url = server.url("/files");
    let built = build(&format!("--build-context extra={url}"));
    let built = built.says(&format!("[context extra] {url}"));
    has_files(built, &["Dockerfile", "of-archive"]);
    let url = server.url("/notes");
    has_files(build(&format!("--build-context extra={url}")), &["context"]);
    build(&format!("--build-context extra={}", server.url("/missing")))
        .failure(1)
        .says("404");

    let registry = Registry::open();
    let image = format!("{}/named:1", registry.address());
    let of_image = Context::bare("FROM scratch\nCOPY of-image /\n");
    of_image.file("of-image", "");
    sandbox
        .buildx(&format!("build --push -t {image} {}", of_image.word()))
        .success();
    let named = format!("--build-context extra=docker-image://{image}");
    has_files(build(&named), &["of-image"]);

    // Only definition files have targets that another target can use.
    build("--build-context extra=target:stage")
        .failure(1)
        .says("unsupported context source target for extra");

    context.file("of-stage", "");
    // An image of the Dockerfile is replaced.
    context.file("Dockerfile", "FROM example.com/base\nCOPY of-stage /\n");
    let named = format!("--build-context example.com/base:latest=docker-image://{image}");
    has_files(build(&named), &["of-image", "of-stage"]);
}

#[test]
fn mistakes_in_named_contexts() {
    let sandbox = Sandbox::new();
    let context = Context::bare("FROM scratch\n");
    for (named, said) in [
        ("extra", "invalid context value: extra, expected key=value"),
        (
            "Extra=.",
            "invalid context name Extra: invalid reference format",
        ),
        (
            "extra=missing",
            "failed to get build context extra: stat missing: no such file or directory",
        ),
    ] {
        sandbox
            .buildx(&format!("build --build-context {named} {}", context.word()))
            .failure(1)
            .says(said)
            .says("--build-context takes NAME=SOURCE");
    }
}

#[test]
fn paths_need_not_be_unicode() {
    let sandbox = Sandbox::new();
    sandbox.booted("bytes", "");
    let odd = |name: &[u8]| sandbox.path("").join(OsStr::from_bytes(name));
    for name in [&b"con\xfftext"[..], b"na\xfemed"] {
        fs::create_dir(odd(name)).expect("made");
    }
    let context = odd(b"con\xfftext");
    fs::write(context.join("of-context"), "").expect("written");
    fs::write(odd(b"na\xfemed").join("of-named"), "").expect("written");
    let file = context.join(OsStr::from_bytes(b"Docker\xff"));
    let text = "FROM scratch\nCOPY of-context /\nCOPY --from=extra of-named /\n";
    fs::write(&file, text).expect("written");
    let mut named = OsStr::new("extra=").to_owned();
    named.push(odd(b"na\xfemed"));
    let build = sandbox.buildx("build -o - --file").argument(&file);
    let build = build.words("--build-context").argument(named);
    let built = build.argument(&context).start().finish();
    has_files(built, &["of-context", "of-named"]);
}

#[test]
fn a_file_that_is_excluded_from_the_context() {
    let sandbox = Sandbox::new();
    sandbox.booted("excluded", "");
    let context = Context::bare("FROM scratch\nCOPY a.log /\n");
    context.file("a.log", "");
    let ignore = context.file(".dockerignore", "# logs\n*.log\n!b.log\n");
    let build = format!("build {}", context.word());
    sandbox
        .buildx(&build)
        .failure(1)
        .says("\"/a.log\": not found")
        .says_line(&format!(
            "hint: \"a.log\" is excluded by line 2 of {}: *.log",
            ignore.display()
        ));
    // The ignore file of the Dockerfile takes precedence.
    let own = context.file("Dockerfile.dockerignore", "a.*\n");
    sandbox
        .buildx(&build)
        .failure(1)
        .says(&format!("is excluded by line 1 of {}: a.*", own.display()));
    context.file("Dockerfile.dockerignore", "");
    sandbox.buildx(&build).success();
    fs::remove_file(context.path().join("a.log")).expect("removed");
    sandbox.buildx(&build).failure(1).says_line(&format!(
        "hint: there is no \"a.log\" in the context {}; no .dockerignore file excludes it",
        context.word()
    ));
    // A file of another stage has nothing to do with the context.
    context.file(
        "Dockerfile",
        "FROM scratch AS other\nCOPY Dockerfile /\nFROM scratch\nCOPY --from=other /a.log /\n",
    );
    sandbox
        .buildx(&build)
        .failure(1)
        .says("\"/a.log\": not found")
        .does_not_say("hint:");
}

#[test]
fn a_large_context_is_explained() {
    let sandbox = Sandbox::new();
    sandbox.booted("large", "");
    let context = Context::bare("FROM scratch\nCOPY . /\n");
    for (name, megabytes) in [
        ("node_modules/react/big", 70),
        ("data/raw/big", 30),
        ("data/other", 20),
        ("src/main", 2),
        ("tiny/file", 1),
        ("ignored/big", 500),
    ] {
        let file = fs::File::create(context.file(name, "")).expect("made");
        file.set_len(megabytes * 1_000_000).expect("sparse");
    }
    context.file(".dockerignore", "ignored\n");
    let build = format!("build {}", context.word());
    let built = sandbox.buildx(&build).success();
    let built = built
        .says("\nThe build context has 123.00MB. Its largest directories:\n")
        .says("\n    70.00MB  node_modules/react\n    50.00MB  data\n     2.00MB  src\n")
        .does_not_say("tiny");
    drop(built);
    for mode in ["quiet", "rawjson"] {
        sandbox
            .buildx(&build)
            .words(&format!("--progress {mode}"))
            .success()
            .does_not_say("largest");
    }
    context.file(".dockerignore", "ignored\nnode_modules\n");
    sandbox.buildx(&build).success().does_not_say("largest");
}
