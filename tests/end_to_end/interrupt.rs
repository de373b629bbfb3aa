//! Ctrl-C.

use std::process::Command;

use rustix::process::Signal;

use crate::context::Context;
use crate::support::{
    Running, Sandbox, container_of, docker, inspect, machine, native_architecture, wait_until,
};

/// Creates an image whose container runs and never answers.
pub fn sleeper(sandbox: &Sandbox) -> String {
    let image = sandbox.name("sleeper:1");
    let tar = machine()
        .base
        .join(native_architecture())
        .join("busybox.tar");
    let mut import = Command::new("docker");
    import
        .args(["--host", &machine().docker_host, "import", "--change"])
        // Without the program that connects to BuildKit, a boot would end at once.
        .arg(r#"ENTRYPOINT ["/bin/sh", "-c", "trap : TERM; ln -s false /bin/buildctl; while true; do sleep 1; done"]"#)
        .arg(tar)
        .arg(&image);
    Running::start(import).finish().success();
    image
}

pub fn wait_until_running(container: &str) {
    wait_until(&format!("{container} runs"), || {
        docker(&format!("ps --quiet --filter name=^{container}$"))
            .stdout
            .trim()
            != ""
    });
}

#[test]
fn during_boot_nothing_is_left() {
    let sandbox = Sandbox::new();
    let image = sleeper(&sandbox);
    let name = sandbox.name("boots");
    let create = sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt image={image}"
        ))
        .start();
    wait_until_running(&container_of(&name));
    create.interrupt();
    create.finish().failure(130).prints("");
    docker(&format!("rmi {image}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_terminal_that_is_closed_gives_up_too() {
    let sandbox = Sandbox::new();
    let image = sleeper(&sandbox);
    for (signal, suffix) in [(Signal::HUP, "closed"), (Signal::TERM, "ended")] {
        let name = sandbox.name(suffix);
        let create = sandbox
            .buildx(&format!(
                "create --name {name} --bootstrap --driver-opt image={image}"
            ))
            .start();
        wait_until_running(&container_of(&name));
        create.signal(signal);
        create.finish().failure(130);
    }
    docker(&format!("rmi {image}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn during_the_boot_for_a_build_the_builder_stays() {
    let sandbox = Sandbox::new();
    let image = sleeper(&sandbox);
    let name = sandbox.name("boots");
    sandbox
        .buildx(&format!("create --name {name} --driver-opt image={image}"))
        .success();
    let context = Context::on_base("RUN echo hello\n");
    let line = format!("build --builder {name} {}", context.word());
    let build = sandbox.buildx(&line).start();
    wait_until_running(&container_of(&name));
    build.interrupt();
    build.finish().failure(130);
    assert_eq!(sandbox.builders(), std::slice::from_ref(&name));
    docker(&format!("rmi {image}")).success();
    assert!(
        sandbox.left_in_engine().is_empty(),
        "{:?}",
        sandbox.left_in_engine()
    );

    let option = format!("--driver-opt image={}", machine().buildkit_image);
    sandbox
        .buildx(&format!("create --name {name} --node {name}0 {option}"))
        .success();
    sandbox.buildx(&line).success();
}

#[test]
fn during_a_build_the_builder_goes_on() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("builds", "");
    let context = Context::on_base("RUN echo underway; sleep 600\n");
    let file = sandbox.write("out.tar", "the old one");
    let mut build = sandbox
        .buildx(&format!(
            "build -o type=tar,dest=out.tar {}",
            context.word()
        ))
        .start();
    build.wait_until_it_says(" underway\n");
    build.interrupt();
    build
        .finish()
        .failure(130)
        .says("Cancelling")
        .says("CANCELED");
    assert_eq!(std::fs::read_to_string(file).expect("there"), "the old one");
    assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);

    // The step does not continue to run.
    wait_until("the step has ended", || {
        !docker(&format!("exec {} ps", container_of(&name)))
            .stdout
            .contains("sleep 600")
    });
    let context = Context::on_base("RUN echo hello\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success();
}

#[test]
fn twice_ends_at_once() {
    let sandbox = Sandbox::new();
    let image = sleeper(&sandbox);
    let name = sandbox.name("twice");
    let mut create = sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt image={image}"
        ))
        .start();
    wait_until_running(&container_of(&name));
    create.interrupt();
    create.wait_until_it_says("Cancelling; press Ctrl-C again to exit immediately");
    create.interrupt();
    create.finish().failure(130);
}

#[test]
fn before_the_engine_answers() {
    // An address that accepts connections and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = format!("tcp://{}", listener.local_addr().expect("bound"));
    let sandbox = Sandbox::new();
    let create = sandbox
        .buildx(&format!("create --name {}", sandbox.name("mute")))
        .variable("DOCKER_HOST", host)
        .start();
    let _connection = listener.accept().expect("it connects");
    create.interrupt();
    create.finish().failure(130);
    sandbox.assert_nothing_left();
}

#[test]
fn a_stop_of_several_nodes_is_cancelled_for_each() {
    // Two engines that take connections and do not answer.
    let engines = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    let sandbox = Sandbox::new();
    let name = sandbox.name("stops");
    let nodes: Vec<_> = engines
        .iter()
        .enumerate()
        .map(|(number, engine)| {
            let address = engine.local_addr().expect("bound");
            format!(r#"{{"Name":"{name}{number}","Endpoint":"tcp://{address}"}}"#)
        })
        .collect();
    let instances = sandbox.store().join("instances");
    std::fs::create_dir_all(&instances).expect("made");
    let text = format!(
        r#"{{"Name":"{name}","Driver":"docker-container","Nodes":[{}]}}"#,
        nodes.join(",")
    );
    std::fs::write(instances.join(&name), text).expect("written");

    let stop = sandbox.buildx(&format!("stop {name}")).start();
    let _connections = engines
        .each_ref()
        .map(|engine| engine.accept().expect("it connects"));
    stop.interrupt();
    stop.finish()
        .failure(130)
        .says(&format!("failed to stop node {name}0: "))
        .says(&format!("failed to stop node {name}1: "));
}

/// Starts `rm --all-inactive` at a terminal, and waits for its question.
fn ask_about_all_inactive(sandbox: &Sandbox) -> Running {
    let mut asked = sandbox.buildx("rm --all-inactive").start_at_terminal();
    asked.wait_until_it_says("Are you sure you want to continue? [y/N]");
    asked
}

#[test]
fn at_the_question_of_rm_nothing_is_removed() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("inactive");
    sandbox.buildx(&format!("create --name {name}")).success();
    let mut interrupted = ask_about_all_inactive(&sandbox);
    // Ctrl-C, as a terminal sends it.
    interrupted.type_in("\x03");
    interrupted.finish().failure(130);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let ended = ask_about_all_inactive(&sandbox);
        ended.signal_command(signal);
        ended.finish().failure(130);
    }
    for answer in ["n\n", "\n", "\x04"] {
        let mut refused = ask_about_all_inactive(&sandbox);
        refused.type_in(answer);
        refused.finish().success();
    }
    let closed = ask_about_all_inactive(&sandbox);
    closed.close_terminal();
    assert_eq!(sandbox.builders(), std::slice::from_ref(&name));

    let mut agreed = ask_about_all_inactive(&sandbox);
    agreed.type_in("y\n");
    agreed.finish().success();
    assert_eq!(sandbox.builders(), [""; 0]);
    sandbox
        .buildx("rm --all-inactive")
        .failure(1)
        .says("there is no terminal; add --force");
}

#[test]
fn a_message_stands_on_a_line_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.booted("builds", "");
    let context = Context::on_base("RUN printf %s-a-line half; sleep 600\n");
    let mut build = sandbox.buildx(&format!("build {}", context.word())).start();
    build.wait_until_it_says(" half-a-line");
    build.interrupt();
    let finished = build
        .finish()
        .failure(130)
        .says_line("Cancelling; press Ctrl-C again to exit immediately");
    for line in finished.stderr.lines() {
        let known = [
            "#",
            "ERROR: ",
            "WARNING: ",
            "hint: ",
            "Cancelling; ",
            "  ",
            "------",
            " > ",
        ];
        let is_whole = line.is_empty() || known.iter().any(|mark| line.starts_with(mark));
        assert!(is_whole, "{line:?} in {}", finished.transcript());
    }
}
