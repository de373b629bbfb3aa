//! The steps of a driver's author (create, build, test and publish a driver), and of a user who installs the
//! driver, trusts it and builds with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::components::named_flags;
use crate::context::Context;
use crate::daemon::Daemon;
use crate::python;
use crate::registry::Registry;
use crate::support::{Running, Sandbox, docker};

/// Runs a program in the directory of the project, and asserts that it succeeds.
#[track_caller]
fn run(project: &Path, program: &str, line: &str, variables: &[(&str, &Path)]) {
    let mut command = Command::new(program);
    command.args(line.split_whitespace()).current_dir(project);
    // An author does not have the environment of the tests.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "COMPONENTIZE_PY",
    ] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    Running::start(command).finish().success();
}

/// Performs all steps with a new driver. `build` replaces the first of the commands that `driver new`
/// prints.
fn go(language: &str, build: impl FnOnce(&Path, &str)) {
    let author = Sandbox::new();
    let said = author
        .iechor(&format!("driver new my-driver --lang {language}"))
        .success()
        .prints("my-driver\n");
    let project = author.path("my-driver");
    let heading = "Next steps, in my-driver:";
    let mut commands = said.stderr.lines().skip_while(|line| *line != heading);
    assert_eq!(commands.next(), Some(heading));
    let mut next = || commands.next().expect("another command").trim();
    let (build_command, test_command, install_command) = (next(), next(), next());
    build(&project, build_command);
    let component = install_command
        .strip_prefix("iechor driver install ./")
        .expect("the component");
    assert_eq!(
        test_command,
        format!("iechor driver test {component} --scenario scenarios")
    );
    let readme = fs::read_to_string(project.join("README.md")).expect("written");
    for command in [build_command, test_command, install_command] {
        let is_it = |line: &str| line.strip_prefix("    ") == Some(command);
        assert!(readme.lines().any(is_it), "{command} is not in {readme}");
    }

    // Compiled once for both of them.
    let cache = TempDir::new().expect("directory");
    let cached = |sandbox: &Sandbox, line: &str| {
        let command = sandbox.iechor(line);
        command.variable("XDG_CACHE_HOME", cache.path())
    };
    let test = test_command
        .strip_prefix("iechor ")
        .expect("a command of ours");
    cached(&author, test)
        .directory(&project)
        .success()
        .shows("scenario:first-boot");
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
            "driver {source} requests capabilities that were not granted:"
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
    // The text in the README that introduces the driver's own text.
    let shown = readme.split('`').find_map(|code| code.strip_suffix(" ..."));
    let shown = shown.and_then(|command| command.strip_prefix("iechor "));
    cached(&user, shown.expect("a command of ours"))
        .words("create --driver my-driver --use --bootstrap")
        .words(&format!("--name {name}"))
        .success()
        .says("DEBUG: driver my-driver: BuildKit answers")
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
    // Shared by all runs, because the dependencies of the template do not change.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newcomer");
    go("rust", |project, command| {
        let variables = [("CARGO_TARGET_DIR", target.as_path())];
        let cargo = |line: &str| run(project, env!("CARGO"), line, &variables);
        cargo("fmt --check");
        // Its dependencies were fetched for this workspace.
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
        // It fetches its dependencies, as for any author.
        run(project, command, "", &[]);
        run(project, "./test", "", &[]);
    });
}

#[test]
fn a_new_driver_in_python_reaches_a_buildkit_that_is_no_container_of_the_engine() {
    let author = Sandbox::new();
    author
        .iechor("driver new elsewhere --lang python")
        .success();
    let project = author.path("elsewhere");
    let build = project.join("build");
    let script = fs::read_to_string(&build).expect("written");
    let changed = script.replace("\nworld=container-driver\n", "\nworld=remote-driver\n");
    assert_ne!(changed, script);
    fs::write(&build, changed).expect("written");
    fs::write(project.join("src/driver.py"), include_str!("elsewhere.py")).expect("written");
    let componentize: PathBuf = python::componentize();
    run(
        &project,
        "./build",
        "",
        &[("COMPONENTIZE_PY", &componentize)],
    );

    let socket = author.path("buildkitd.sock");
    let endpoint = format!("unix://{}", socket.display());
    author
        .iechor("driver test elsewhere.wasm --endpoint unix:///run/buildkitd.sock")
        .directory(&project)
        .success();
    let daemon = Daemon::start(&author);
    daemon.on_socket(&socket);
    let name = author.name("elsewhere");
    author
        .buildx("create --use --bootstrap --driver ./elsewhere.wasm")
        .words(&format!(
            "--name {name} --grant transport.local={}",
            socket.display()
        ))
        .argument(&endpoint)
        .directory(&project)
        .success()
        .prints(&format!("{name}\n"));
    let context = Context::on_base("RUN echo elsewhere >/made\n");
    let out = author.path("out");
    author
        .buildx("build")
        .words(&format!("--output type=local,dest={}", out.display()))
        .argument(context.path())
        .success();
    let made = fs::read_to_string(out.join("made")).expect("built");
    assert_eq!(made, "elsewhere\n");
    author.buildx("rm").success();
    assert_eq!(author.builders(), Vec::<String>::new());
}

#[test]
fn a_new_driver_gets_a_good_name_and_a_place_of_its_own() {
    let sandbox = Sandbox::new();
    for (name, words) in [
        ("My-Driver", "'M' is not allowed in a name"),
        ("../up", "'.' is not allowed in a name"),
        ("-x", "unknown shorthand flag: 'x' in -x"),
        ("fn", "is a reserved word of Rust"),
        ("iechor-container", "is a built-in driver"),
        ("docker", "is a built-in driver"),
        (
            "iechor-buildkit-container",
            "is the name of a crate that drivers depend on",
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
        .says("cannot use full/file as the directory of the driver");
    let entries = fs::read_dir(sandbox.path(".")).expect("there").count();
    assert_eq!(entries, 1, "nothing is written beside {}", full.display());
}
