//! The program as a plugin of the newest Docker CLI, by the name `docker-buildx`, and by the name `buildx`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::context::Context;
use crate::support::{Invocation, Sandbox, docker as engine, machine, wait_until};

/// The Docker CLI with the program as its plugin, and with Compose.
pub struct Docker {
    /// Its configuration and names.
    pub sandbox: Sandbox,
}

impl Docker {
    /// Creates a configuration with both plugins.
    pub fn new() -> Self {
        let sandbox = Sandbox::new();
        let plugins = sandbox.docker_directory().join("cli-plugins");
        fs::create_dir(&plugins).expect("a directory");
        let compose = machine()
            .docker_cli
            .ancestors()
            .nth(3)
            .expect("a root")
            .join("usr/libexec/docker/cli-plugins/docker-compose");
        symlink(env!("CARGO_BIN_EXE_iechor"), plugins.join("docker-buildx")).expect("linked");
        symlink(compose, plugins.join("docker-compose")).expect("linked");
        Self { sandbox }
    }

    /// Returns a command of the Docker CLI.
    pub fn run(&self, line: &str) -> Invocation {
        self.sandbox.program(&machine().docker_cli, line)
    }

    /// Returns a command of the plugin itself, as another program calls it.
    pub fn call(&self, line: &str) -> Invocation {
        let plugin = self
            .sandbox
            .docker_directory()
            .join("cli-plugins/docker-buildx");
        self.sandbox.program(plugin, line)
    }

    /// Returns the directory in which docker buildx has its builders.
    fn instances(&self) -> PathBuf {
        self.sandbox.docker_directory().join("buildx/instances")
    }
}

/// Returns a context whose build runs until it is cancelled.
fn endless() -> Context {
    Context::on_base("RUN echo it is running && sleep 1000\n")
}

#[test]
fn the_docker_cli_accepts_the_plugin() {
    let docker = Docker::new();
    let info = docker.run("info --format");
    let info = info.argument("{{json .ClientInfo.Plugins}}");
    let info = info.success().json();
    let plugins = info.as_array().expect("plugins");
    let plugin = plugins.iter().find(|plugin| plugin["Name"] == "buildx");
    let plugin = plugin.expect("the plugin");
    assert_eq!(plugin["SchemaVersion"], "0.1.0", "{plugin}");
    assert_eq!(plugin["Err"], Value::Null, "{plugin}");
    // Compose reads the version from here, without its first letter.
    let version = plugin["Version"].as_str().expect("a version");
    let line = docker.run("buildx version").success().stdout;
    assert!(
        line.starts_with(&format!("github.com/docker/buildx {version} ")),
        "{line}"
    );
    docker.run("--help").success().shows("buildx*");
    // Docker's actions take the exit code for the proof that the plugin is there.
    for line in ["buildx", "buildx --help", "help buildx", "buildx help"] {
        docker
            .run(line)
            .success()
            .shows("Usage: docker buildx [OPTIONS] <COMMAND>");
    }
    for line in [
        "buildx build --help",
        "help buildx build",
        "buildx help build",
    ] {
        let usage = "Usage: docker buildx build [OPTIONS] <PATH | URL | ->";
        docker.run(line).success().shows(usage);
    }
}

#[test]
fn messages_name_the_commands_of_docker() {
    let docker = Docker::new();
    docker
        .run("buildx build")
        .failure(1)
        .says_line("ERROR: docker: 'docker buildx build' requires 1 argument")
        .says_line("Run 'docker buildx build --help' for more information");
    docker
        .run("buildx use missing")
        .failure(3)
        .says_line("hint: run `docker buildx ls` to list the builders");
    docker
        .run("buildx ls --nosuch")
        .failure(1)
        .says("unknown flag: --nosuch");
    // Without the word of the Docker CLI, as Compose calls it.
    docker
        .call("build")
        .failure(1)
        .says("'docker buildx build' requires 1 argument");
    docker.call("buildx ls").success().shows("default*");
    docker.call("ls").success().shows("default*");
}

#[test]
fn by_the_name_buildx_it_is_the_standalone_tool() {
    let docker = Docker::new();
    let program = docker.sandbox.path("buildx");
    symlink(env!("CARGO_BIN_EXE_iechor"), &program).expect("linked");
    let run = |line: &str| docker.sandbox.program(&program, line);
    run("").success().shows("Usage: buildx [OPTIONS] <COMMAND>");
    run("build")
        .failure(1)
        .says_line("ERROR: buildx: 'buildx build' requires 1 argument");
    run("use missing")
        .failure(3)
        .says_line("hint: run `buildx ls` to list the builders");
    run("version").success().shows("github.com/docker/buildx v");
    let name = docker.sandbox.name("alone");
    run(&format!("create --name {name}")).success();
    assert!(docker.instances().join(&name).is_file());
    // The flags of the Docker CLI are those of the plugin only.
    run("--context default ls")
        .failure(1)
        .says("unknown flag: --context");
}

#[test]
fn global_flags_of_the_docker_cli() {
    let docker = Docker::new();
    let sandbox = &docker.sandbox;
    let far = sandbox.name("far");
    sandbox.docker_context(&far, &machine().docker_host);
    let current = |line: &str| {
        let listed = docker.run(&format!("{line} buildx ls --format json"));
        let listed = listed.without_variable("DOCKER_HOST").success();
        let builders = listed
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let current = builders.filter(|builder| builder["Current"] == true);
        let names: Vec<_> = current.map(|builder| builder["Name"].clone()).collect();
        assert_eq!(names.len(), 1, "{}", listed.transcript());
        names[0].as_str().expect("a name").to_owned()
    };
    for line in [
        format!("--context {far}"),
        format!("--context={far}"),
        format!("-c {far}"),
        format!("-c{far}"),
        format!("-Dc {far}"),
        format!("--debug --log-level debug -c={far}"),
    ] {
        assert_eq!(current(&line), far, "{line}");
    }
    let host = &machine().docker_host;
    for line in [
        format!("--host {host}"),
        format!("-H {host}"),
        format!("-H={host}"),
        format!("-l info --tls=false -H {host}"),
    ] {
        assert_eq!(current(&line), "default", "{line}");
        // The engine answers.
        docker
            .run(&format!("{line} buildx inspect"))
            .without_variable("DOCKER_HOST")
            .success()
            .shows("running");
    }
    // The flag takes precedence over the variable.
    docker
        .run("--host unix:///nonexistent/docker.sock buildx inspect")
        .success()
        .shows("/nonexistent/docker.sock");
    docker
        .run(&format!("--host {host} --context {far} buildx ls"))
        .failure(1)
        .says("conflicting options");
}

#[test]
fn another_configuration_has_its_own_builders() {
    let docker = Docker::new();
    let other = docker.sandbox.path("other");
    fs::create_dir_all(other.join("cli-plugins")).expect("a directory");
    symlink(
        env!("CARGO_BIN_EXE_iechor"),
        other.join("cli-plugins/docker-buildx"),
    )
    .expect("linked");
    let name = docker.sandbox.name("other");
    let other = other.display();
    docker
        .run(&format!("--config {other} buildx create --name {name}"))
        .success()
        .prints(&format!("{name}\n"));
    docker
        .run(&format!("--config={other} buildx ls"))
        .success()
        .shows(&name);
    let here = docker.run("buildx ls").success().stdout;
    assert!(!here.contains(&name), "{here}");
}

#[test]
fn tls_of_the_command_line() {
    let docker = Docker::new();
    let missing = docker.sandbox.path("missing.pem");
    // Nothing listens there: the files are read before.
    let seen = docker
        .run("--host tcp://127.0.0.1:1 --tlsverify")
        .words(&format!("--tlscacert {} buildx inspect", missing.display()))
        .success();
    assert!(seen.stdout.contains("missing.pem"), "{}", seen.transcript());
}

#[test]
fn builders_are_where_docker_buildx_has_them() {
    let docker = Docker::new();
    let sandbox = &docker.sandbox;
    let name = sandbox.name("mine");
    docker
        .run(&format!("buildx create --name {name} --use --bootstrap"))
        .success()
        .prints(&format!("{name}\n"));
    assert!(docker.instances().join(&name).is_file());
    let listed = docker.run("buildx ls").success();
    let row = listed.stdout.lines().find(|line| line.starts_with(&name));
    assert!(
        row.is_some_and(|row| row.starts_with(&format!("{name}*"))),
        "{}",
        listed.transcript()
    );
    let context = Context::on_base("RUN echo built > /made\n");
    let tag = sandbox.name("mine:1");
    docker
        .run(&format!("buildx build --load -t {tag} {}", context.word()))
        .success();
    engine(&format!("image inspect {tag}")).success();
    // Docker's own command builds with the engine's builder, whatever the current one is.
    let tag = sandbox.name("mine:2");
    docker
        .run(&format!("build -t {tag} {}", context.word()))
        .success();
    engine(&format!("image inspect {tag}")).success();
    docker.run(&format!("buildx rm {name}")).success();
    assert!(!docker.instances().join(&name).exists());
    assert!(
        !sandbox
            .left_in_engine()
            .iter()
            .any(|left| left.contains("container"))
    );
}

#[test]
fn docker_build() {
    let docker = Docker::new();
    let sandbox = &docker.sandbox;
    let context = Context::on_base("ARG WHAT=nothing\nRUN echo $WHAT > /made\n");
    let failing = Context::on_base("RUN exit 42\n");
    for (number, command) in ["build", "image build", "builder build", "buildx b"]
        .into_iter()
        .enumerate()
    {
        let tag = sandbox.name(&format!("built:{number}"));
        docker
            .run(command)
            .words(&format!(
                "-t {tag} --build-arg WHAT={number} --load {}",
                context.word()
            ))
            .success();
        engine(&format!("image inspect {tag}")).success();
        docker
            .run(command)
            .words(failing.word())
            .failure(1)
            .says("exit code: 42");
    }
    let quiet = docker
        .run(&format!("build -q {}", context.word()))
        .success();
    assert!(
        quiet.stdout.starts_with("sha256:"),
        "{}",
        quiet.transcript()
    );
    docker
        .run("build .")
        .variable("DOCKER_BUILDKIT", "1")
        .failure(1)
        .says("Dockerfile");
}

#[test]
fn the_plugin_ends_with_the_docker_cli() {
    let docker = Docker::new();
    let name = docker.sandbox.name("ends");
    docker
        .run(&format!("buildx create --name {name} --use --bootstrap"))
        .success();
    let context = endless();
    for signal in [Signal::TERM, Signal::KILL] {
        let mut running = docker
            .run(&format!(
                "buildx build --no-cache --progress plain {}",
                context.word()
            ))
            .start();
        running.wait_until_it_says("it is running");
        let plugin = running.children();
        let plugin = plugin.first().expect("the plugin runs").to_owned();
        running.signal(signal);
        // Without a terminal, the Docker CLI does not pass the signal on.
        wait_until("the plugin has ended", || {
            let stat = fs::read_to_string(format!("/proc/{plugin}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z "))
        });
        drop(running);
    }
}

#[test]
fn one_ctrl_c_is_one_interruption() {
    let docker = Docker::new();
    let name = docker.sandbox.name("once");
    docker
        .run(&format!("buildx create --name {name} --use --bootstrap"))
        .success();
    let context = endless();
    // The signal reaches both processes, and the Docker CLI closes the connection as well.
    let mut running = docker
        .run(&format!(
            "buildx build --no-cache --progress plain {}",
            context.word()
        ))
        .start();
    running.wait_until_it_says("it is running");
    let plugin = running.children().first().expect("it runs").to_owned();
    running.interrupt();
    let id = i32::try_from(plugin).expect("a process id");
    let id = rustix::process::Pid::from_raw(id).expect("a process id");
    let _ = rustix::process::kill_process(id, Signal::INT);
    running
        .finish()
        .failure(130)
        .does_not_say("interrupted again");
}

#[test]
fn hooks_of_the_docker_cli() {
    let docker = Docker::new();
    let hook = |data: &str| {
        let called = docker.call("buildx docker-cli-plugin-hooks").argument(data);
        called.success().stdout
    };
    let failed = r#"{"RootCmd":"build","Flags":{"tag":""},"CommandError":"exit status 1"}"#;
    let answer: Value = serde_json::from_str(&hook(failed)).expect("JSON");
    assert_eq!(answer["Type"], 0);
    let template = answer["Template"].as_str().expect("a template");
    assert!(template.contains("docker buildx build"), "{template}");
    // No answer: the Docker CLI prints nothing.
    assert_eq!(
        hook(r#"{"RootCmd":"build","Flags":{},"CommandError":""}"#),
        ""
    );
}

/// A project of Compose with two services.
fn project(directory: &Path, prefix: &str) {
    let services = [("one", "1"), ("two", "2")].map(|(service, what)| {
        format!(
            "  {service}:\n    image: {prefix}{service}\n    build:\n      context: .\n      args:\n        WHAT: \"{what}\"\n"
        )
    });
    let file = format!("services:\n{}", services.concat());
    fs::write(directory.join("compose.yaml"), file).expect("written");
}

#[test]
fn docker_compose_build() {
    let docker = Docker::new();
    let context = Context::on_base("ARG WHAT\nRUN echo $WHAT > /made\n");
    let prefix = docker.sandbox.name("composed-");
    project(Path::new(context.word()), &prefix);
    // Compose calls `docker-buildx bake`, or uses a BuildKit client of its own.
    for bake in ["true", "false"] {
        docker
            .run("compose build")
            .variable("COMPOSE_BAKE", bake)
            .directory(Path::new(context.word()))
            .success();
        for service in ["one", "two"] {
            let image = format!("{prefix}{service}");
            engine(&format!("image inspect {image}")).success();
            engine(&format!("image rm {image}")).success();
        }
    }
}

#[test]
fn the_plugin_is_installed_as_a_link() {
    let docker = Docker::new();
    let sandbox = &docker.sandbox;
    let link = sandbox.docker_directory().join("cli-plugins/docker-buildx");
    fs::remove_file(&link).expect("removed");
    docker.run("buildx version").failure(1);
    sandbox
        .iechor("plugin install")
        .success()
        .prints("")
        .says("docker-buildx now leads to");
    docker
        .run("buildx version")
        .success()
        .shows("github.com/docker/buildx v");
    sandbox.iechor("plugin install").success().says("leads to");
    sandbox
        .iechor("plugin uninstall")
        .success()
        .says("removed ");
    sandbox
        .iechor("plugin rm")
        .failure(1)
        .says("docker-buildx does not exist");
    assert!(!link.exists());
    // Another program stays.
    fs::write(&link, "theirs").expect("written");
    sandbox
        .iechor("plugin install")
        .failure(1)
        .says("docker-buildx is another program")
        .says("--force");
    sandbox
        .iechor("plugin uninstall")
        .failure(1)
        .says("docker-buildx is another program");
    assert_eq!(fs::read_to_string(&link).expect("readable"), "theirs");
    sandbox
        .iechor("plugin install --force")
        .success()
        .says("was another program");
    docker
        .run("buildx version")
        .success()
        .shows("github.com/docker/buildx v");
}
