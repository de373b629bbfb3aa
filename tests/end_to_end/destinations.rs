//! Outputs to files of every kind: what is there is kept, except for its content.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, FileType, Gid, Mode, Uid, makedev, mkfifoat, mknodat};

use crate::context::{Context, files_in_tar};
use crate::support::{Running, Sandbox, machine, wait_until};

fn one_file() -> Context {
    let context = Context::bare("FROM scratch\nCOPY file /\n");
    context.file("file", "content");
    context
}

fn file_type(path: &Path) -> fs::FileType {
    fs::symlink_metadata(path).expect("there").file_type()
}

#[track_caller]
fn assert_tar(path: &Path) {
    assert_eq!(files_in_tar(&fs::read(path).expect("there")), ["file"]);
}

/// Creates a device that discards everything. A program that replaces devices must not do it to the one of
/// this machine.
fn null_device(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.path("null");
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(1, 3)).expect("root");
    path
}

#[test]
fn files_keep_their_kind_their_owner_and_their_names() {
    let sandbox = Sandbox::new();
    sandbox.booted("kinds", "");
    let context = one_file();
    let path = |name: &str| sandbox.path(name);
    let old = "old, and longer than the tar archive".repeat(1000);

    let private = sandbox.write("private", &old);
    rustix::fs::chown(&private, Some(Uid::from_raw(12)), Some(Gid::from_raw(34))).expect("root");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).expect("own");
    sandbox.write("target", &old);
    symlink("target", path("link")).expect("linked");
    symlink("absent", path("dangling")).expect("linked");
    sandbox.write("first-name", &old);
    fs::hard_link(path("first-name"), path("second-name")).expect("linked");
    let device = null_device(&sandbox);
    mkfifoat(CWD, path("pipe"), Mode::RWXU).expect("made");
    let reader = {
        let pipe = path("pipe");
        std::thread::spawn(move || fs::read(pipe).expect("read"))
    };

    let mut build = sandbox.buildx("build");
    for name in [
        "private",
        "link",
        "dangling",
        "first-name",
        "null",
        "pipe",
        "a/b/new",
    ] {
        build = build.words(&format!("-o type=tar,dest={name}"));
    }
    build.argument(context.path()).success();

    assert_tar(&private);
    let metadata = fs::metadata(&private).expect("there");
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!((metadata.uid(), metadata.gid()), (12, 34));
    for (link, target) in [("link", "target"), ("dangling", "absent")] {
        assert_eq!(
            fs::read_link(path(link)).expect("a link"),
            Path::new(target)
        );
        assert!(file_type(&path(target)).is_file());
        assert_tar(&path(target));
    }
    assert_tar(&path("second-name"));
    assert_eq!(fs::metadata(path("first-name")).expect("there").nlink(), 2);
    assert!(file_type(&device).is_char_device());
    assert!(file_type(&path("pipe")).is_fifo());
    assert_eq!(files_in_tar(&reader.join().expect("no panic")), ["file"]);
    assert_tar(&path("a/b/new"));
    let names = fs::read_dir(path("")).expect("readable");
    let names = names.map(|entry| entry.expect("readable").file_name());
    let hidden = names.filter(|name| name.to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "no temporary file is left");
}

#[test]
fn every_exporter_of_archives_writes_to_a_device_and_a_pipe() {
    let sandbox = Sandbox::new();
    sandbox.booted("archives", "");
    let context = one_file();
    let device = null_device(&sandbox);
    let pipe = sandbox.path("pipe");
    mkfifoat(CWD, &pipe, Mode::RWXU).expect("made");
    for kind in ["oci", "docker"] {
        let reader = {
            let pipe = pipe.clone();
            std::thread::spawn(move || fs::read(pipe).expect("read"))
        };
        sandbox
            .buildx(&format!(
                "build -o type={kind},dest=null -o type={kind},dest=pipe {}",
                context.word()
            ))
            .success();
        let names = files_in_tar(&reader.join().expect("no panic"));
        assert!(names.iter().any(|name| name == "index.json"), "{names:?}");
        assert!(file_type(&device).is_char_device());
        assert!(file_type(&pipe).is_fifo());
    }
}

#[test]
fn a_failed_build_changes_no_file() {
    let sandbox = Sandbox::new();
    sandbox.booted("failed", "");
    let context = Context::on_base("RUN exit 1\n");
    let path = |name: &str| sandbox.path(name);
    sandbox.write("file", "old");
    fs::hard_link(path("file"), path("other")).expect("linked");
    sandbox.write("alone", "old");
    sandbox
        .buildx("build -o type=tar,dest=file -o type=tar,dest=alone -o type=tar,dest=new/deep/file")
        .argument(context.path())
        .failure(1);
    for name in ["file", "other", "alone"] {
        assert_eq!(
            fs::read_to_string(path(name)).expect("there"),
            "old",
            "{name}"
        );
    }
    assert!(!path("new").exists(), "the directory was made for the file");
}

/// A file that is mounted into a container cannot be replaced.
#[test]
fn a_mounted_file_is_written_in_place() {
    let sandbox = Sandbox::new();
    sandbox.booted("mounted", "");
    let context = one_file();
    sandbox.write("outside", "old, and longer than the archive".repeat(1000));
    sandbox.write("inside", "");
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "sh",
            "-c",
            "mount --bind outside inside && exec \"$0\" buildx build -o type=tar,dest=inside \"$1\"",
            env!("CARGO_BIN_EXE_iechor"),
        ])
        .arg(context.path())
        .current_dir(sandbox.path(""))
        .env("HOME", sandbox.home())
        .env("BUILDX_CONFIG", sandbox.store())
        .env("DOCKER_HOST", &machine().docker_host);
    Running::start(command).finish().success();
    assert_tar(&sandbox.path("outside"));
    assert_eq!(fs::read(sandbox.path("inside")).expect("there"), b"");
}

#[test]
fn standard_output_by_its_name() {
    let sandbox = Sandbox::new();
    sandbox.booted("stdout", "");
    let context = one_file();
    let built = sandbox
        .buildx(&format!(
            "build -o type=tar,dest=/dev/stdout {}",
            context.word()
        ))
        .success();
    assert_eq!(files_in_tar(&built.bytes), ["file"]);
}

#[test]
fn a_pipe_that_nothing_reads_does_not_block_an_interrupt() {
    let sandbox = Sandbox::new();
    sandbox.booted("unread", "");
    let context = one_file();
    mkfifoat(CWD, sandbox.path("pipe"), Mode::RWXU).expect("made");
    let mut running = sandbox
        .buildx("build -o type=tar,dest=pipe")
        .argument(context.path())
        .start();
    running.wait_until_it_says("sending tarball");
    running.interrupt();
    running.finish().failure(130);
}

#[test]
fn a_destination_that_cannot_be_written_is_named_before_the_build() {
    let sandbox = Sandbox::new();
    sandbox.booted("refused", "");
    let context = Context::on_base("RUN echo it runs\n");
    sandbox.write("file", "");
    let _socket = std::os::unix::net::UnixListener::bind(sandbox.path("socket")).expect("bound");
    for (destination, words) in [
        ("socket", "cannot write output socket: it is a socket"),
        (
            "file/below",
            "cannot write output file/below: Not a directory",
        ),
    ] {
        sandbox
            .buildx(&format!("build -o type=tar,dest={destination}"))
            .argument(context.path())
            .failure(1)
            .says(words)
            .does_not_say("it runs")
            .does_not_say(".iechor-");
    }
}

#[test]
fn a_directory_that_mirrors_the_result() {
    let sandbox = Sandbox::new();
    sandbox.booted("mirror", "");
    let context = Context::bare("FROM scratch\nARG TARGETARCH\nCOPY file-${TARGETARCH} /\n");
    for architecture in ["amd64", "arm64"] {
        context.file(&format!("file-{architecture}"), architecture);
    }
    let path = |name: &str| sandbox.path(name);
    let stale = || {
        for name in ["out/stale", "out/linux_amd64/stale", "out/deep/stale"] {
            fs::create_dir_all(path(name).parent().expect("below")).expect("made");
            fs::write(path(name), "old").expect("written");
        }
    };
    let outside = sandbox.write("outside", "stays");
    stale();
    symlink("..", path("out/link")).expect("linked");
    let build = |options: &str| {
        let line = format!("build --platform linux/amd64,linux/arm64 -o type=local,{options}");
        sandbox.buildx(&line).argument(context.path())
    };
    build("dest=out").success();
    assert!(path("out/stale").exists(), "mode=copy is the default");
    build("dest=out,mode=delete").success();
    for architecture in ["amd64", "arm64"] {
        let file = path(&format!("out/linux_{architecture}/file-{architecture}"));
        assert_eq!(fs::read_to_string(file).expect("built"), architecture);
    }
    for name in ["out/stale", "out/linux_amd64/stale", "out/deep", "out/link"] {
        assert!(fs::symlink_metadata(path(name)).is_err(), "{name}");
    }
    assert!(outside.exists(), "the link was not followed");

    build("dest=out,mode=delete,platform-split=false").success();
    let mut names: Vec<_> = fs::read_dir(path("out"))
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["file-amd64", "file-arm64"]);

    // A build that fails removes nothing.
    stale();
    fs::remove_file(context.path().join("file-arm64")).expect("there");
    build("dest=out,mode=delete").failure(1);
    assert!(path("out/stale").exists());

    build(&format!(
        "dest={}/new,mode=delete",
        sandbox.home().display()
    ))
    .failure(1)
    .says("local output mode=delete for destination")
    .says("requires --allow=buildx.local.delete");
    build("dest=out,mode=bogus")
        .failure(1)
        .says("invalid local exporter mode \"bogus\"");
}

#[test]
fn a_path_with_an_equals_sign_is_a_directory() {
    let sandbox = Sandbox::new();
    sandbox.booted("equals", "");
    let context = one_file();
    for directory in ["a=b", "dest=c"] {
        sandbox
            .buildx(&format!("build -o {directory} {}", context.word()))
            .success();
        let file = sandbox.path(directory).join("file");
        wait_until("the file is there", || file.is_file());
    }
}

#[test]
fn results_with_the_same_destination_are_refused_before_anything_boots() {
    let sandbox = Sandbox::new();
    sandbox.unbooted("same");
    let context = one_file();
    sandbox.write("x", "old");
    symlink("x", sandbox.path("link")).expect("linked");
    for (line, results) in [
        (
            "-o type=tar,dest=x -o type=oci,dest=./link",
            "the tar output and the oci output",
        ),
        (
            "-o new -o type=local,dest=./a/../new",
            "the local output and the local output",
        ),
        (
            "-o type=tar,dest=x --metadata-file link",
            "the tar output and the metadata",
        ),
        (
            "-o type=oci,dest=link --iidfile x",
            "the oci output and the image ID",
        ),
        (
            "--metadata-file x --iidfile ./x",
            "the image ID and the metadata",
        ),
    ] {
        sandbox
            .buildx(&format!("build {line} {}", context.word()))
            .failure(1)
            .says(&format!("ERROR: {results} have the same destination: "))
            .says("hint: give each --output, --metadata-file and --iidfile a path of its own");
        let kept = fs::read_to_string(sandbox.path("x")).expect("there");
        assert_eq!(kept, "old", "{line}");
    }
    assert!(sandbox.left_in_engine().is_empty());
}
