//! The driver in Python: an ordinary but large component.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::context::Context;
use crate::support::{Invocation, Running, Sandbox, container_of, inspect, volume_of};

/// Returns the directory of its machine code. The tests of a run share it, because each has its own home.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-cache")
}

/// Returns the path of the program `componentize-py`.
pub fn componentize() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/machine/componentize");
    let said = Running::start(Command::new(script)).finish().success();
    said.stdout.trim_end().into()
}

/// Returns the component, which is built and compiled if necessary.
fn component() -> &'static str {
    static COMPONENT: OnceLock<String> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python-driver");
        let built = Running::start(Command::new(script)).finish().success();
        let path = built.stdout.trim_end().to_owned();
        let _ = fs::remove_dir_all(cache());
        let sandbox = Sandbox::new();
        let inspect = |sandbox: &Sandbox| {
            let command = sandbox.iechor(&format!("driver inspect {path}"));
            command.variable("XDG_CACHE_HOME", cache()).success()
        };
        inspect(&sandbox)
            .says(&format!("compiling driver {path} (17 MiB)"))
            .says(&format!("compiled driver {path} in "));
        inspect(&sandbox).does_not_say("compil");
        path
    })
}

/// Returns the command `iechor buildx` with the words of `line`, which uses the compiled driver.
fn buildx(sandbox: &Sandbox, line: &str) -> Invocation {
    sandbox.buildx(line).variable("XDG_CACHE_HOME", cache())
}

/// Returns the command that creates a builder with all grants that the driver requests.
fn create(sandbox: &Sandbox, name: &str) -> Invocation {
    let component = component();
    buildx(sandbox, "create --use --bootstrap")
        .words(&format!("--name {name} --driver {component}"))
        .words("--grant container.privileged --grant image.pull --grant engine.load")
}

#[test]
fn what_it_stands_on_passes_its_own_tests() {
    let sandbox = Sandbox::new();
    let bindings = sandbox.path("bindings");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut generate = Command::new(componentize());
    generate
        .arg("--wit-path")
        .arg(repository.join("wit"))
        .args(["--world", "container-driver", "bindings"])
        .arg(&bindings);
    Running::start(generate).finish().success();
    let helper = repository.join("drivers/sdk-python");
    let paths = std::env::join_paths([&bindings, &helper]).expect("paths");
    let mut tests = Command::new("python3");
    tests
        .args(["-m", "unittest", "discover", "--start-directory"])
        .arg(helper.join("tests"))
        .env("PYTHONPATH", paths)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Running::start(tests)
        .finish()
        .success()
        .does_not_say("Ran 0 tests");
}

#[test]
fn it_builds_stops_and_builds_again() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("python");
    let toml = sandbox.write("buildkitd.toml", "debug = true\n");
    create(&sandbox, &name)
        .words("--driver-opt memory=1g,default-load=true,env.ONE=1")
        .words(&format!("--buildkitd-config {}", toml.display()))
        .success()
        .says("creating container")
        .prints(&format!("{name}\n"));
    let container = inspect(&container_of(&name));
    assert_eq!(container["HostConfig"]["Memory"], 1 << 30);
    assert_eq!(container["HostConfig"]["Privileged"], true);
    let environment = container["Config"]["Env"].as_array().expect("a list");
    assert!(environment.contains(&"ONE=1".into()), "{container}");
    assert_eq!(container["Args"][0], "--config", "{container}");

    let context = Context::on_base("RUN echo hello >/hello\n");
    let out = sandbox.path("out");
    let build = || buildx(&sandbox, "build").argument(context.path());
    build()
        .words(&format!("--output type=local,dest={}", out.display()))
        .success();
    assert_eq!(
        fs::read_to_string(out.join("hello")).expect("built"),
        "hello\n"
    );
    buildx(&sandbox, "stop").success();
    buildx(&sandbox, "ls").success().shows("stopped");
    build()
        .words(&format!("--tag {}", sandbox.name("image")))
        .success()
        .says(&format!("starting container {}", container_of(&name)));
    inspect(&sandbox.name("image"));
    buildx(&sandbox, "rm").success();
    assert_eq!(sandbox.builders(), Vec::<String>::new());
}

#[test]
fn nobody_has_to_wait_for_the_compiler() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("impatient");
    let cache = sandbox.path("cache");
    let command = create(&sandbox, &name).variable("XDG_CACHE_HOME", cache);
    let mut running = command.start();
    running.wait_until_it_says("compiling driver");
    running.interrupt();
    running
        .finish()
        .failure(130)
        .does_not_say("compiled the driver");
    sandbox.assert_nothing_left();
}

#[test]
fn every_wrong_option_is_named() {
    let sandbox = Sandbox::new();
    create(&sandbox, &sandbox.name("wrong"))
        .words("--driver-opt memory=banana,image=Moby/X:,default-load=maybe,env.=x,colour=red")
        .failure(1)
        .says("option memory: 'banana' is not a size")
        .says("option image: 'Moby/X:' is not an image reference")
        .says("option default-load: ")
        .says("option env.: ")
        .says("option colour: there is no such option");
    sandbox.assert_nothing_left();
}

#[test]
fn a_container_that_ends_at_boot_ends_the_boot() {
    let sandbox = Sandbox::new();
    create(&sandbox, &sandbox.name("ends"))
        .words("--buildkitd-flags --no-such-flag")
        .failure(1)
        .says("its container ended, exit code")
        .says("no-such-flag");
    sandbox.assert_nothing_left();
}

#[test]
fn a_builder_goes_to_another_driver_and_back_with_its_cache() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("switched");
    let context = Context::on_base("RUN date +%s%N >/made\n");
    let build = |out: &str| {
        let out = sandbox.path(out);
        let finished = buildx(&sandbox, "build --progress plain")
            .argument(context.path())
            .words(&format!("--output type=local,dest={}", out.display()))
            .success();
        let made = fs::read_to_string(out.join("made")).expect("built");
        (made, finished)
    };
    let leave = || {
        buildx(&sandbox, "rm --keep-state").success();
        assert_eq!(inspect(&volume_of(&name))["Name"], volume_of(&name));
    };
    let create_built_in = || {
        buildx(
            &sandbox,
            "create --use --bootstrap --driver iechor-container",
        )
        .words(&format!("--name {name}"))
        .success();
    };

    create_built_in();
    let (made, _) = build("first");
    leave();
    create(&sandbox, &name).success();
    let (again, finished) = build("second");
    finished.says("CACHED");
    assert_eq!(again, made);
    leave();
    create_built_in();
    let (again, finished) = build("third");
    finished.says("CACHED");
    assert_eq!(again, made);
    buildx(&sandbox, "rm").success();
    sandbox.assert_nothing_left();
}
