//! The path of somebody who writes a driver: begins it, builds it, tests it, publishes it; and of
//! somebody else who installs it, trusts it and builds with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::components::named_flags;
use crate::context::Context;
use crate::python;
use crate::registry::Registry;
use crate::support::{Running, Sandbox, docker};

/// A program in the directory of the project; it has to succeed.
#[track_caller]
fn run(project: &Path, program: &str, line: &str, variables: &[(&str, &Path)]) {
    let mut command = Command::new(program);
    command
        .args(line.split_whitespace())
        .current_dir(project)
        .envs(variables.iter().copied());
    // What was set for the build of the tests is about their target.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    Running::start(command).finish().success();
}

/// Goes the whole path with a new driver; `build` does what the first of the commands that
/// `driver new` prints does.
fn go(language: &str, build: impl FnOnce(&Path, &str)) {
    let author = Sandbox::new();
    let said = author
        .iechor(&format!("driver new my-driver --lang {language}"))
        .success()
        .prints("my-driver\n");
    let project = author.path("my-driver");
    let heading = "next, in my-driver:";
    let mut commands = said.stderr.lines().skip_while(|line| *line != heading);
    assert_eq!(commands.next(), Some(heading));
    let mut next = || commands.next().expect("another command").trim();
    let (build_command, test_command, install_command) = (next(), next(), next());
    build(&project, build_command);
    let component = test_command.rsplit(' ').next().expect("a word");
    assert_eq!(
        install_command,
        format!("iechor driver install ./{component}")
    );

    // Compiled once for both of them.
    let cache = TempDir::new().expect("directory");
    let cached = |sandbox: &Sandbox, line: &str| {
        let command = sandbox.iechor(line);
        command.variable("XDG_CACHE_HOME", cache.path())
    };
    let test = test_command
        .strip_prefix("iechor ")
        .expect("a command of ours");
    cached(&author, test).directory(&project).success();
    let registry = Registry::open();
    let source = format!("oci://{}/team/my-driver:1", registry.address());
    cached(&author, &format!("driver push {component} {source}"))
        .directory(&project)
        .success();

    let user = Sandbox::new();
    let install = format!("driver install {source}");
    let refused = cached(&user, &install)
        .failure(1)
        .says(&format!(
            "driver {source} is not trusted with what it asks for:"
        ))
        .says("BuildKit mounts file systems and starts containers of its own");
    cached(&user, &install)
        .words(&named_flags(&refused))
        .success()
        .prints("my-driver\n");
    cached(&user, "driver trust my-driver")
        .success()
        .shows("container.privileged");
    cached(&user, "driver verify my-driver").success();

    let name = user.name("mine");
    cached(&user, "buildx create --driver my-driver --use --bootstrap")
        .words(&format!("--name {name}"))
        .success()
        .prints(&format!("{name}\n"));
    let image = user.name("image");
    let context = Context::on_base("CMD [\"/bin/sh\", \"-c\", \"echo built by a newcomer\"]\n");
    cached(&user, "buildx build --load")
        .words(&format!("--tag {image}"))
        .argument(context.path())
        .success();
    docker(&format!("run --rm {image}"))
        .success()
        .prints("built by a newcomer\n");
    cached(&user, "buildx rm").success();
    assert_eq!(user.builders(), Vec::<String>::new());
}

#[test]
fn from_a_new_driver_in_rust_to_an_image() {
    // Shared by all runs: what the crates of the template are built from does not change.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newcomer");
    go("rust", |project, command| {
        let variables = [("CARGO_TARGET_DIR", target.as_path())];
        let cargo = |line: &str| run(project, env!("CARGO"), line, &variables);
        cargo("fmt --check");
        // What it needs was fetched for this workspace.
        cargo("clippy --quiet --offline --locked --all-targets -- --deny warnings");
        cargo("test --quiet --offline --locked");
        let line = command.strip_prefix("cargo ").expect("a command of cargo");
        cargo(&format!("{line} --quiet --offline --locked"));
        let file = Path::new("wasm32-wasip2/release/my_driver.wasm");
        let place = project.join("target").join(file);
        fs::create_dir_all(place.parent().expect("above")).expect("made");
        fs::copy(target.join(file), place).expect("built");
    });
}

#[test]
fn from_a_new_driver_in_python_to_an_image() {
    go("python", |project, command| {
        let componentize: PathBuf = python::componentize();
        run(project, command, "", &[("COMPONENTIZE_PY", &componentize)]);
    });
}

#[test]
fn a_new_driver_gets_a_good_name_and_a_place_of_its_own() {
    let sandbox = Sandbox::new();
    for (name, words) in [
        ("My-Driver", "'M' is none of the characters of a name"),
        ("../up", "'.' is none of the characters of a name"),
        ("-x", "unexpected argument '-x'"),
        ("fn", "is a word of Rust"),
        ("iechor-container", "is part of iechor"),
        ("docker", "is part of iechor"),
        (
            "iechor-driver-container",
            "is a crate that drivers stand on",
        ),
    ] {
        sandbox
            .iechor(&format!("driver new {name} --lang python"))
            .failure(1)
            .says(words);
    }
    sandbox
        .iechor("driver new mine --lang cobol")
        .failure(1)
        .says("possible values: rust, python");
    let full = sandbox.path("full");
    fs::create_dir(&full).expect("made");
    fs::write(full.join("file"), "kept").expect("written");
    sandbox
        .iechor("driver new mine --lang python --directory full")
        .failure(1)
        .says("full is not empty");
    assert_eq!(fs::read_dir(&full).expect("there").count(), 1);
    sandbox
        .iechor("driver new mine --lang python --directory full/file")
        .failure(1)
        .says("full/file cannot be the driver's directory");
    let entries = fs::read_dir(sandbox.path(".")).expect("there").count();
    assert_eq!(entries, 1, "nothing is written beside {}", full.display());
}
