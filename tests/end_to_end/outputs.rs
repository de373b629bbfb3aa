//! Outputs other than registries.

use std::fs;
use std::fs::File;
use std::process::Command;

use crate::context::{Context, files_in_tar};
use crate::support::{Sandbox, docker};

fn two_files() -> Context {
    let context = Context::bare("FROM scratch\nCOPY first /\nCOPY deep/second /deep/\n");
    context.file("first", "1");
    context.file("deep/second", "2");
    context
}

#[test]
fn load() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("load", "");
    let tag = sandbox.name("demo");
    let context = Context::on_base("RUN echo hello > /out\nCMD [\"cat\", \"/out\"]\n");
    sandbox
        .buildx(&format!(
            "build -t {tag} --builder={name} --load {}",
            context.word()
        ))
        .success()
        .does_not_say("WARNING")
        .says("importing to docker");
    docker(&format!("run --rm {tag}"))
        .success()
        .prints("hello\n");
}

#[test]
fn a_directory() {
    let sandbox = Sandbox::new();
    sandbox.booted("directory", "");
    let context = two_files();
    let target = sandbox.path("out");
    fs::create_dir(&target).expect("made");
    fs::write(target.join("mine"), "stays").expect("written");
    for output in ["out", "type=local,dest=out"] {
        sandbox
            .buildx(&format!("build -o {output} {}", context.word()))
            .success();
        assert_eq!(
            fs::read_to_string(target.join("first")).expect("there"),
            "1"
        );
        assert_eq!(
            fs::read_to_string(target.join("deep/second")).expect("there"),
            "2"
        );
        assert_eq!(
            fs::read_to_string(target.join("mine")).expect("there"),
            "stays"
        );
        fs::remove_file(target.join("first")).expect("removed");
    }
}

#[test]
fn a_tar_file() {
    let sandbox = Sandbox::new();
    sandbox.booted("tar", "");
    let context = two_files();
    sandbox
        .buildx(&format!(
            "build -o type=tar,dest=out.tar {}",
            context.word()
        ))
        .success();
    let bytes = fs::read(sandbox.path("out.tar")).expect("written");
    assert_eq!(files_in_tar(&bytes), ["deep/second", "first"]);
}

#[test]
fn a_tar_stream() {
    let sandbox = Sandbox::new();
    sandbox.booted("tar", "");
    let context = two_files();
    for output in ["-", "type=tar"] {
        let built = sandbox
            .buildx(&format!("build -o {output} {}", context.word()))
            .success();
        assert_eq!(files_in_tar(&built.bytes), ["deep/second", "first"]);
    }
}

#[test]
fn an_oci_layout() {
    let sandbox = Sandbox::new();
    sandbox.booted("oci", "");
    let context = two_files();
    sandbox
        .buildx(&format!(
            "build -o type=oci,dest=out.tar {}",
            context.word()
        ))
        .success();
    let names = files_in_tar(&fs::read(sandbox.path("out.tar")).expect("written"));
    for name in ["index.json", "oci-layout"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
}

#[test]
fn a_docker_archive() {
    let sandbox = Sandbox::new();
    sandbox.booted("docker", "");
    let tag = sandbox.name("archive:1");
    let context = Context::on_base("CMD [\"echo\", \"from the archive\"]\n");
    sandbox
        .buildx(&format!(
            "build -t {tag} -o type=docker,dest=out.tar {}",
            context.word()
        ))
        .success();
    docker(&format!("image inspect {tag}")).failure(1);
    docker(&format!(
        "load --input {}",
        sandbox.path("out.tar").display()
    ))
    .success();
    docker(&format!("run --rm {tag}"))
        .success()
        .prints("from the archive\n");
}

#[test]
fn several_outputs_of_one_build() {
    let sandbox = Sandbox::new();
    sandbox.booted("several", "");
    let context = two_files();
    let tag = sandbox.name("several:1");
    sandbox
        .buildx(&format!(
            "build -t {tag} --load -o type=tar,dest=out.tar -o out {}",
            context.word()
        ))
        .success();
    docker(&format!("image inspect {tag}")).success();
    assert!(sandbox.path("out.tar").is_file());
    assert!(sandbox.path("out/first").is_file());
}

#[test]
fn every_output_gets_its_own_result() {
    let sandbox = Sandbox::new();
    sandbox.booted("four", "");
    let context = two_files();
    sandbox
        .buildx(
            "build -o type=tar,dest=a.tar -o type=oci,dest=b.tar -o type=docker,dest=c.tar -o out",
        )
        .argument(context.path())
        .success();
    let names = |name: &str| files_in_tar(&fs::read(sandbox.path(name)).expect("written"));
    assert_eq!(names("a.tar"), ["deep/second", "first"]);
    let has = |name: &str, file: &str| names(name).iter().any(|known| known == file);
    assert!(has("b.tar", "oci-layout") && !has("b.tar", "manifest.json"));
    assert!(has("c.tar", "manifest.json"));
    assert!(sandbox.path("out/deep/second").is_file());
}

#[test]
fn an_image_is_loaded_into_the_engine_of_a_context() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("context", "");
    sandbox.docker_context("other", &crate::support::machine().docker_host);
    let context = two_files();
    let tag = sandbox.name("context:1");
    let build = |output: &str| {
        sandbox
            .buildx(&format!("build --builder {name} -t {tag} -o {output}"))
            .argument(context.path())
            // There is no engine.
            .variable("DOCKER_HOST", "unix:///nonexistent.sock")
    };
    build("type=docker").failure(4).says("/nonexistent.sock");
    build("type=docker,context=other").success();
    docker(&format!("image inspect {tag}")).success();
    build("type=docker,context=absent")
        .failure(1)
        .says("absent");
}

#[test]
fn a_tag_may_have_a_digest() {
    let sandbox = Sandbox::new();
    let registry = crate::registry::Registry::open();
    sandbox.booted("digest", "--driver-opt network=host");
    let context = two_files();
    let digest = format!("sha256:{}", "0".repeat(64));
    let tag = format!("{}/{}:1", registry.address(), sandbox.name("pinned"));
    sandbox
        .buildx(&format!("build -t {tag}@{digest} --push --load"))
        .argument(context.path())
        .success();
    registry.manifest(&sandbox.name("pinned"), "1");
    docker(&format!("image inspect {tag}")).success();
}

#[test]
fn a_file_is_replaced_only_by_a_whole_one() {
    let sandbox = Sandbox::new();
    sandbox.booted("whole", "");
    let file = sandbox.write("out.tar", "the old one");
    let context = Context::on_base("RUN exit 1\n");
    sandbox
        .buildx(&format!(
            "build -o type=tar,dest=out.tar {}",
            context.word()
        ))
        .failure(1);
    assert_eq!(fs::read_to_string(&file).expect("there"), "the old one");
    let directory = file.parent().expect("in a directory");
    assert_eq!(
        fs::read_dir(directory).expect("readable").count(),
        1,
        "nothing beside it"
    );
}

#[test]
fn wrong_outputs_are_named() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("wrong");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let context = two_files();
    for (output, words) in [
        ("type=banana", r#"unknown type "banana""#),
        ("type=local", "dest is required for local exporter"),
        ("type=registry", "tag is needed when pushing to registry"),
        (
            "type=image,push=1",
            "tag is needed when pushing to registry",
        ),
        (
            "type=image,push=T",
            "tag is needed when pushing to registry",
        ),
        (
            "type=image,push=maybe",
            "invalid value \"maybe\" of push for image exporter",
        ),
        ("type=tar,x", "invalid value x, expecting KEY=VALUE"),
        (
            "type=local,dest=-",
            "dest cannot be stdout for local exporter",
        ),
        (
            "type=local,dest=/dev/null",
            "destination directory /dev/null is a file",
        ),
        ("type=tar,dest=/", "destination file / is a directory"),
        (
            "- -o type=oci",
            "multiple outputs configured to write to stdout",
        ),
        (
            "out --iidfile id",
            "local and tar exporters are incompatible with image ID file",
        ),
    ] {
        sandbox
            .buildx(&format!("build -o {output} {}", context.word()))
            .failure(1)
            .says(words);
    }
    assert!(sandbox.left_in_engine().is_empty(), "not even booted");
}

#[test]
fn a_full_disk_is_an_error() {
    if !std::path::Path::new("/dev/full").exists() {
        panic!("this machine has no /dev/full");
    }
    let sandbox = Sandbox::new();
    sandbox.booted("full", "");
    let context = two_files();
    let mut command = Command::new("sh");
    // Standard output is a device that accepts no data.
    command
        .args([
            "-c",
            "exec \"$0\" buildx build -o - \"$1\" >/dev/full",
            env!("CARGO_BIN_EXE_iechor"),
        ])
        .arg(context.path())
        .env("HOME", sandbox.home())
        .env("BUILDX_CONFIG", sandbox.store())
        .env("DOCKER_HOST", &crate::support::machine().docker_host)
        .stdin(File::open("/dev/null").expect("there"));
    crate::support::Running::start(command)
        .finish()
        .failure(1)
        .says("No space left on device");
}

#[test]
fn two_platforms_go_to_a_directory_each() {
    let sandbox = Sandbox::new();
    sandbox.booted("platforms", "");
    let context = Context::bare("FROM scratch\nARG TARGETARCH\nCOPY file-${TARGETARCH} /\n");
    for architecture in ["amd64", "arm64"] {
        context.file(&format!("file-{architecture}"), architecture);
    }
    sandbox
        .buildx("build --platform linux/amd64,linux/arm64 -o out")
        .argument(context.path())
        .success();
    for architecture in ["amd64", "arm64"] {
        let path = sandbox.path(&format!("out/linux_{architecture}/file-{architecture}"));
        assert_eq!(fs::read_to_string(path).expect("written"), architecture);
    }
}
