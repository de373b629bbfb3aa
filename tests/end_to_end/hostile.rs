//! A hostile driver on a real engine: it gets no access to existing objects, and the objects that it leaves
//! are removed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::components::build;
use crate::context::Context;
use crate::daemon::Daemon;
use crate::meddler::Meddler;
use crate::support::{Finished, Sandbox, container_of, docker, inspect};

/// The image of the driver's containers.
pub const IMAGE: &str = "image";

/// Returns the component of the misbehaving driver, which is built once.
pub fn component() -> &'static Path {
    static COMPONENT: OnceLock<PathBuf> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        docker(&format!("tag iechor-test/busybox {IMAGE}")).success();
        build("iechor-guest-misbehaving")
    })
}

/// Creates a builder with the driver, which may create ordinary containers from its image. `behave` selects
/// the misbehaviour at each boot.
#[track_caller]
pub fn create(sandbox: &Sandbox, name: &str, behaviour: &str) {
    create_with(sandbox, name, behaviour, "");
}

/// Does the same, with additional flags.
#[track_caller]
fn create_with(sandbox: &Sandbox, name: &str, behaviour: &str, flags: &str) {
    sandbox
        .buildx(&format!("create --name {name}"))
        .words(&format!("--driver {}", component().display()))
        .words(&format!("--grant container.create={IMAGE}"))
        .words(flags)
        .words("--grant container.privileged=none --grant image.pull=none")
        .words("--driver-opt")
        .argument(format!("behave={behaviour}"))
        .success();
}

#[track_caller]
fn boot(sandbox: &Sandbox, name: &str) -> Finished {
    sandbox
        .buildx(&format!("inspect --bootstrap {name}"))
        .start()
        .finish()
}

#[test]
fn a_container_is_not_lent_with_the_networks_that_it_was_put_into() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("joined");
    // The existing container runs a command that is not BuildKit's.
    let command = format!("--grant container.command={IMAGE}");
    create_with(&sandbox, &name, "run in what is there", &command);
    let container = container_of(&name);
    let foreign = sandbox.name("foreign");
    docker(&format!("network create {foreign}")).success();
    docker(&format!(
        "run --detach --name {container} {IMAGE} sleep 600"
    ))
    .success();
    boot(&sandbox, &name).failure(1).does_not_say("already");
    docker(&format!("network connect {foreign} {container}")).success();
    boot(&sandbox, &name)
        .failure(1)
        .says(&format!("container {container} exists already"))
        .says("container.network: ")
        .says(&foreign);
    docker(&format!("network disconnect {foreign} {container}")).success();
    boot(&sandbox, &name).failure(1).does_not_say("already");
    docker(&format!("rm --force {container}")).success();
    docker(&format!("network rm {foreign}")).success();
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_container_is_not_put_into_a_network_whose_grant_was_taken_back() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("put");
    // The existing container runs a command that is not BuildKit's.
    let command = format!("--grant container.command={IMAGE}");
    create_with(&sandbox, &name, "join what is there", &command);
    let container = container_of(&name);
    let network = format!("{container}..net");
    let labels = format!("--label dev.iechor.builder={name} --label dev.iechor.node={name}0");
    docker(&format!(
        "run --detach --name {container} {IMAGE} sleep 600"
    ))
    .success();
    // As the driver itself could have created it with the grant.
    docker(&format!(
        "network create {labels} --opt com.docker.network.bridge.enable_icc=true {network}"
    ))
    .success();
    boot(&sandbox, &name)
        .failure(1)
        .says("container.network: ")
        .says(&format!("network {network}"));
    let networks = || inspect(&container)["NetworkSettings"]["Networks"].take();
    assert!(networks().get(&network).is_none(), "{}", networks());
    sandbox
        .iechor("driver trust")
        .words(&component().display().to_string())
        .words("--grant container.network")
        .success();
    // It joins the network, and is not recognised as a BuildKit.
    boot(&sandbox, &name).does_not_say("container.network");
    assert!(networks().get(&network).is_some(), "{}", networks());
    docker(&format!("rm --force {container}")).success();
    docker(&format!("network rm {network}")).success();
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_container_that_is_there_is_not_lent_with_its_privileges() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("lent");
    create(&sandbox, &name, "run in what is there");
    let container = container_of(&name);
    for (flags, words) in [
        ("--privileged", "container.privileged: "),
        ("--cap-add SYS_ADMIN", "container.privileged: "),
        ("--pid host", "container.privileged: "),
        ("--volume /etc:/data:ro", "container.bind: "),
        ("--network host", "container.network: "),
        ("--device /dev/null:/dev/x", "container.devices: "),
        ("--entrypoint /bin/ls", "container.command: "),
        ("--env LD_PRELOAD=/x", "container.command: "),
        ("--user 1000", "container.command: "),
        ("--health-cmd true", "container.command: "),
        (
            "--tmpfs /x --mount type=tmpfs,target=/usr/bin",
            "container.command: ",
        ),
    ] {
        docker(&format!(
            "run --detach --interactive --name {container} {flags} {IMAGE}"
        ))
        .success();
        boot(&sandbox, &name)
            .failure(1)
            .says(words)
            .says(&format!("container {container} exists already"));
        docker(&format!("rm --force {container}")).success();
    }
    // In a container that the driver could have created, the command runs, but does not exist in this
    // image.
    docker(&format!(
        "run --detach --interactive --name {container} {IMAGE}"
    ))
    .success();
    boot(&sandbox, &name)
        .failure(1)
        .says("buildkitd")
        .does_not_say("already");
    sandbox.buildx(&format!("rm {name}")).success();
    docker(&format!("rm --force {container}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn what_a_driver_does_not_remove_is_removed() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("liar");
    create(&sandbox, &name, "create and succeed");
    boot(&sandbox, &name);
    let container = container_of(&name);
    inspect(&container);
    sandbox
        .buildx(&format!("rm {name}"))
        .success()
        .says(&format!("left container {container} behind"))
        .says(&format!("left volume {container}_state behind"))
        .says_line(&format!("{name} removed"));
    sandbox.assert_nothing_left();
}

#[test]
fn forgetting_a_builder_whose_driver_fails_removes_what_is_its_own() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("crash");
    create(&sandbox, &name, "create and panic in remove");
    boot(&sandbox, &name);
    let container = container_of(&name);
    sandbox
        .buildx(&format!("rm {name}"))
        .failure(1)
        .says("crashed in remove")
        .says("--force");
    inspect(&container);
    sandbox
        .buildx(&format!("rm --force {name}"))
        .success()
        .says(&format!("left container {container} behind"));
    sandbox.assert_nothing_left();
}

#[test]
fn a_secret_option_is_not_shown() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("secret");
    let create = |pin: &str| {
        sandbox
            .buildx(&format!("create --name {name}"))
            .words(&format!("--driver {}", component().display()))
            .words("--grant container.privileged=none --grant image.pull=none")
            .words(&format!("--driver-opt value=seen,pin={pin}"))
    };
    create("hunter2")
        .failure(1)
        .says("option pin: the value is not a whole number")
        .does_not_say("hunter2");
    create("4711").success().does_not_say("4711");
    for command in [
        format!("inspect {name}"),
        format!("inspect {name} --format json"),
        "ls --format json".to_owned(),
    ] {
        let shown = sandbox.buildx(&command).words("--debug").success();
        let shown = shown.transcript();
        assert!(!shown.contains("4711"), "{shown}");
        assert!(shown.contains("seen"), "{shown}");
    }
    sandbox
        .buildx(&format!("inspect {name}"))
        .success()
        .shows("pin=(not shown)");
}

/// Creates a builder with the driver, which may also mount directories of the machine.
#[track_caller]
fn create_with_binds(
    sandbox: &Sandbox,
    name: &str,
    behaviour: &str,
    value: &str,
    binds: &[String],
) {
    let mut ran = sandbox
        .buildx(&format!("create --name {name}"))
        .words(&format!("--driver {}", component().display()))
        .words(&format!("--grant container.create={IMAGE}"))
        .words("--grant container.privileged=none --grant image.pull=none");
    for bind in binds {
        ran = ran
            .words("--grant")
            .argument(format!("container.bind={bind}"));
    }
    ran.words("--driver-opt")
        .argument(format!("behave={behaviour}"))
        .words("--driver-opt")
        .argument(format!("value={value}"))
        .success();
}

#[test]
fn a_link_in_one_directory_is_no_way_to_another() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("link");
    let shared = sandbox.path("shared");
    let data = shared.join("data");
    std::fs::create_dir_all(&data).expect("directory");
    let shared = shared.display();
    // Do what a container with write access could do.
    let volume = format!("{}:/mnt", data.display());
    docker(&format!(
        "run --rm --volume {volume} {IMAGE} ln -s / /mnt/link"
    ))
    .success();
    assert!(data.join("link").is_symlink());
    for (value, grants, words) in [
        (
            format!("{}/link", data.display()),
            vec![format!("{shared}/*")],
            "leads to /: ",
        ),
        (
            format!("{}/link/etc", data.display()),
            vec![format!("{shared}/*")],
            "leads to /etc: ",
        ),
        (
            format!("{}/link", data.display()),
            vec![format!("{shared}/*"), data.display().to_string()],
            "which containers of this driver may write to",
        ),
    ] {
        create_with_binds(&sandbox, &name, "bind read-only", &value, &grants);
        boot(&sandbox, &name).failure(1).says(words);
        sandbox.buildx(&format!("rm {name}")).success();
    }
    // The directory itself was granted.
    let value = data.display().to_string();
    create_with_binds(
        &sandbox,
        &name,
        "bind read-only",
        &value,
        &[format!("{shared}/*")],
    );
    boot(&sandbox, &name);
    let mounts = inspect(&container_of(&name))["Mounts"].take();
    assert_eq!(mounts[0]["Source"], value.as_str());
    assert_eq!(mounts[0]["RW"], false);
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn nothing_listens_in_on_a_build() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("tap");
    for (behaviour, value) in [
        ("command", "sleep 600"),
        ("environment", "LD_PRELOAD=/x"),
        ("mount at", "/usr/bin"),
        ("copy program", "usr/bin/buildctl"),
    ] {
        create_with_binds(&sandbox, &name, behaviour, value, &[]);
        boot(&sandbox, &name).failure(1).says("container.command: ");
        sandbox.buildx(&format!("rm {name}")).success();
    }
    sandbox.assert_nothing_left();
}

#[test]
fn buildkit_takes_no_names_from_other_images() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start(&sandbox);
    let (honest, meddling) = (sandbox.path("honest.sock"), sandbox.path("meddling.sock"));
    daemon.on_socket(&honest);
    let victim = sandbox.name("victim:1");
    docker(&format!("tag iechor-test/busybox {victim}")).success();
    let id = || docker(&format!("image inspect --format {{{{.Id}}}} {victim}")).success();
    let before = id().stdout;
    let _meddler = Meddler::start(&meddling, &honest, &victim);

    let name = sandbox.name("meddled");
    sandbox
        .buildx(&format!(
            "create --name {name} --use unix://{}",
            meddling.display()
        ))
        .success();
    let asked = sandbox.name("asked:1");
    let context = Context::on_base("CMD [\"echo\", \"meddled\"]\n");
    sandbox
        .buildx(&format!("build -t {asked} --load {}", context.word()))
        .failure(1)
        .says(&format!("{victim}\", which was not requested"))
        .says("nothing was loaded");
    docker(&format!("image inspect {asked}")).failure(1);
    assert_eq!(id().stdout, before, "the name was taken");

    // The requested image can be loaded.
    sandbox
        .buildx(&format!(
            "build -t {asked} -t {victim} --load {}",
            context.word()
        ))
        .success();
    assert_ne!(id().stdout, before, "the name was not given");
    docker(&format!("rmi {asked} {victim}")).success();
}
