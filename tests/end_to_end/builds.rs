//! Builds: flags, contexts, progress.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::context::{Context, files_in_tar};
use crate::support::{Sandbox, docker, native_architecture};

#[test]
fn without_an_output_there_is_a_warning() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("silent", "");
    let context = Context::on_base("RUN echo hello\n");
    sandbox
        .buildx(&format!(
            "build -t demo --builder={name} {}",
            context.word()
        ))
        .success()
        .prints("")
        .says_line(
            "WARNING: No output specified with iechor-container driver. Build result will only \
             remain in the build cache. To push result image into registry use --push or to load \
             image into docker use --load",
        )
        .says_line(&format!(
            "#0 building with {name:?} instance using iechor-container driver"
        ));
}

#[test]
fn a_build_boots_the_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("cold");
    sandbox.buildx(&format!("create --name {name}")).success();
    let context = Context::on_base("RUN echo hello\n");
    sandbox
        .buildx(&format!("build --builder {name} {}", context.word()))
        .success()
        .says_line("#1 [internal] booting buildkit")
        .says_line("#2 [internal] load build definition from Dockerfile");
}

#[test]
fn the_second_build_is_cached() {
    let sandbox = Sandbox::new();
    sandbox.booted("cached", "");
    let context = Context::on_base("RUN echo hello > /made\n");
    let build = format!("build {}", context.word());
    sandbox.buildx(&build).success().does_not_say("CACHED");
    sandbox.buildx(&build).success().says(" CACHED");
    sandbox
        .buildx(&build)
        .words("--no-cache")
        .success()
        .does_not_say("CACHED");
    // Changed steps run again.
    context.file("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    sandbox.buildx(&build).success().does_not_say("CACHED");
}

#[test]
fn flags_reach_the_dockerfile() {
    let sandbox = Sandbox::new();
    sandbox.booted("flags", "");
    let context = Context::on_base(
        "FROM base AS wanted\nARG GIVEN=default\nARG INHERITED\n\
         RUN echo \"$GIVEN $INHERITED\" > /arguments\nCMD [\"cat\", \"/arguments\"]\n\
         FROM base AS other\nRUN exit 1\n",
    );
    fs::rename(
        context.path().join("Dockerfile"),
        context.path().join("Other.Dockerfile"),
    )
    .expect("renamed");
    let tag = sandbox.name("flags:1");
    sandbox
        .buildx(&format!(
            "build -t {tag} --load --target wanted --label kind=test --pull"
        ))
        .words("--build-arg GIVEN=value --build-arg INHERITED")
        .variable("INHERITED", "from outside")
        .words(&format!("-f {0}/Other.Dockerfile {0}", context.word()))
        .success();
    docker(&format!("run --rm {tag}"))
        .success()
        .prints("value from outside\n");
    let image = docker(&format!("image inspect {tag}")).success().json();
    assert_eq!(image[0]["Config"]["Labels"]["kind"], "test");
}

#[test]
fn a_dockerfile_outside_of_the_context() {
    let sandbox = Sandbox::new();
    sandbox.booted("outside", "");
    let context = Context::bare("");
    context.file("inside", "content\n");
    let file = sandbox.write("Elsewhere", "FROM scratch\nCOPY inside /\n");
    let built = sandbox
        .buildx(&format!(
            "build -f {} -o - {}",
            file.display(),
            context.word()
        ))
        .success();
    assert_eq!(files_in_tar(&built.bytes), ["inside"]);
}

#[test]
fn a_platform() {
    let sandbox = Sandbox::new();
    sandbox.booted("platform", "");
    let native = native_architecture();
    let context = Context::bare("FROM scratch\nARG TARGETPLATFORM\nCOPY ${TARGETPLATFORM}.txt /\n");
    context.file(&format!("linux/{native}.txt"), "");
    let built = sandbox
        .buildx(&format!(
            "build --platform linux/{native} -o - {}",
            context.word()
        ))
        .success();
    assert_eq!(files_in_tar(&built.bytes), [format!("{native}.txt")]);
}

#[test]
fn dockerignore_is_honoured() {
    let sandbox = Sandbox::new();
    sandbox.booted("ignore", "");
    let context = Context::bare("FROM scratch\nCOPY . /\n");
    for name in [
        "kept",
        "dropped",
        "logs/a.log",
        "logs/b.txt",
        "logs/keep.log",
    ] {
        context.file(name, name);
    }
    context.file(
        ".dockerignore",
        "# a comment\ndropped\n**/*.log\n!logs/keep.log\nDockerfile\n.dockerignore\n",
    );
    let built = sandbox
        .buildx(&format!("build -o - {}", context.word()))
        .success();
    assert_eq!(
        files_in_tar(&built.bytes),
        ["kept", "logs/b.txt", "logs/keep.log"]
    );
}

#[test]
fn symbolic_links_in_the_context() {
    let sandbox = Sandbox::new();
    sandbox.booted("links", "");
    let context = Context::bare("FROM scratch\nCOPY linked /\nCOPY directory /directory\n");
    context.file("directory/file", "content");
    symlink("directory/file", context.path().join("linked")).expect("made");
    symlink("file", context.path().join("directory/beside")).expect("made");
    symlink("/etc/hostname", context.path().join("directory/away")).expect("made");
    let target = sandbox.path("out");
    sandbox
        .buildx(&format!("build -o {} {}", target.display(), context.word()))
        .success();
    assert_eq!(
        fs::read_to_string(target.join("linked")).expect("copied"),
        "content"
    );
    for (name, to) in [("beside", "file"), ("away", "/etc/hostname")] {
        let link = fs::read_link(target.join("directory").join(name)).expect("a link");
        assert_eq!(link.to_str(), Some(to));
    }
}

#[test]
fn a_changed_file_is_sent_again_and_a_removed_one_is_gone() {
    let sandbox = Sandbox::new();
    sandbox.booted("changes", "");
    let context = Context::bare("FROM scratch\nCOPY files /\n");
    context.file("files/same", "same");
    context.file("files/changed", "before");
    context.file("files/removed", "here");
    let build = |directory: &str| {
        let target = sandbox.path(directory);
        sandbox
            .buildx(&format!("build -o {} {}", target.display(), context.word()))
            .success();
        target
    };
    let first = build("first");
    assert_eq!(
        fs::read_to_string(first.join("changed")).expect("there"),
        "before"
    );
    context.file("files/changed", "after!");
    fs::remove_file(context.path().join("files/removed")).expect("removed");
    let second = build("second");
    assert_eq!(
        fs::read_to_string(second.join("changed")).expect("there"),
        "after!"
    );
    assert_eq!(
        fs::read_to_string(second.join("same")).expect("there"),
        "same"
    );
    assert!(!second.join("removed").exists());
}

#[test]
fn quiet_prints_the_id_alone() {
    let sandbox = Sandbox::new();
    sandbox.booted("quiet", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let tag = sandbox.name("quiet:1");
    let built = sandbox
        .buildx(&format!("build -q --load -t {tag} {}", context.word()))
        .success();
    assert_eq!(built.stderr, "");
    let image = docker(&format!("image inspect {tag}")).success().json();
    assert_eq!(
        built.stdout,
        format!("{}\n", image[0]["Id"].as_str().expect("an id"))
    );
    let by_progress = sandbox
        .buildx(&format!(
            "build --progress quiet --load -t {tag} {}",
            context.word()
        ))
        .success();
    assert_eq!(
        (by_progress.stdout, by_progress.stderr),
        (built.stdout, String::new())
    );
}

#[test]
fn plain_progress_has_the_output_of_steps() {
    let sandbox = Sandbox::new();
    sandbox.booted("plain", "");
    let context = Context::on_base("RUN echo to stdout; echo to stderr >&2\n");
    let built = sandbox
        .buildx(&format!("build --progress plain {}", context.word()))
        .success();
    let step = built
        .stderr
        .lines()
        .find(|line| line.contains("] RUN "))
        .expect("the step");
    let number = step.split(' ').next().expect("a number");
    for text in ["to stdout", "to stderr"] {
        assert!(
            built
                .stderr
                .lines()
                .any(|line| line.starts_with(&format!("{number} ")) && line.ends_with(text)),
            "{}",
            built.transcript()
        );
    }
}

#[test]
fn rawjson_progress_is_a_json_object_a_line() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("raw");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let context = Context::on_base("RUN echo hello\n");
    let built = sandbox
        .buildx(&format!(
            "build --progress rawjson -o type=tar,dest=out.tar {}",
            context.word()
        ))
        .success()
        .prints("");
    let lines: Vec<Value> = built
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let names: Vec<_> = lines
        .iter()
        .filter_map(|line| line["vertexes"].as_array())
        .flatten()
        .filter_map(|vertex| vertex["name"].as_str())
        .collect();
    for name in [
        "[internal] booting buildkit",
        "[internal] load build definition from Dockerfile",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn the_environment_chooses_progress() {
    let sandbox = Sandbox::new();
    sandbox.booted("progress", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let build = format!("build -o type=tar,dest=out.tar {}", context.word());
    let built = sandbox
        .buildx(&build)
        .variable("BUILDKIT_PROGRESS", "rawjson")
        .success();
    assert!(built.stderr.starts_with('{'), "{}", built.stderr);
    sandbox
        .buildx(&build)
        .words("--progress banana")
        .failure(1)
        .says("banana");
    sandbox
        .buildx(&build)
        .words("--quiet --progress plain")
        .failure(1)
        .says("cannot be used together");
}

#[test]
fn two_builders_build_at_once() {
    let sandbox = Sandbox::new();
    let context =
        Context::on_base("RUN echo $RANDOM > /made && sleep 1\nCMD [\"echo\", \"both\"]\n");
    let builds = ["left", "right"].map(|suffix| {
        let name = sandbox.name(suffix);
        sandbox.buildx(&format!("create --name {name}")).success();
        let tag = sandbox.name(&format!("{suffix}:1"));
        let build = format!("build --builder {name} --load -t {tag} {}", context.word());
        (tag, sandbox.buildx(&build).start())
    });
    for (tag, build) in builds {
        build.finish().success();
        docker(&format!("run --rm {tag}"))
            .success()
            .prints("both\n");
    }
}

#[test]
fn one_builder_builds_twice_at_once() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("shared");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    // Both find no container, and one of them creates it.
    let builds = ["one", "two"].map(|word| {
        let context = Context::on_base(&format!("RUN echo {word}\n"));
        let running = sandbox.buildx(&format!("build {}", context.word())).start();
        (context, running)
    });
    for (_context, build) in builds {
        build.finish().success();
    }
}

#[test]
fn two_first_builds_boot_one_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("raced");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let build = format!("build {}", context.word());
    let running = [
        sandbox.buildx(&build).start(),
        sandbox.buildx(&build).start(),
    ];
    for build in running {
        build.finish().success();
    }
}
