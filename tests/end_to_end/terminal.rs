//! Foreign text on the terminal: it cannot control the terminal or imitate the program.

use std::fs;

use serde_json::{Value, json};

use crate::context::Context;
use crate::impostor::{Answers, BuildKit, engine};
use crate::support::{Finished, Invocation, Sandbox, docker};

/// Text with all line ends, lines that begin like the program's, and terminal control characters.
const LINES: &str = "v1\nERROR: forged\r\nhint: forged\rWARNING: forged\n#7 forged\u{2028}ERROR: forged\u{85}\
                     ERROR: forged\x1b[2J\x1b]0;title\x07\u{9b}31m\u{202e}\u{200b}\u{e0041}\u{7f}\0\tend";

/// Text that begins like a message of the program.
const MARKED: &str = "ERROR: forged";

/// Text that begins like a hint, after a direction mark.
const ADVICE: &str = "\u{202e}hint: forged";

/// Checks all output of a command.
#[track_caller]
fn assert_harmless(finished: &Finished) {
    // Only colours of logs are allowed on standard error.
    for (text, colours) in [(&finished.stdout, false), (&finished.stderr, true)] {
        let harmless = iechor_text::displayable(text, colours);
        assert_eq!(harmless, *text, "{:?}", finished.transcript());
        for line in text.lines() {
            for mark in [
                "ERROR: forged",
                "hint: forged",
                "WARNING: forged",
                "#7 forged",
            ] {
                assert!(!line.starts_with(mark), "{}", finished.transcript());
            }
        }
    }
}

/// Runs commands, which may fail. Their output must contain foreign text.
#[track_caller]
fn run(invocations: impl IntoIterator<Item = Invocation>) {
    for invocation in invocations {
        let finished = invocation.start().finish();
        assert_harmless(&finished);
        let whole = finished.stdout.clone() + &finished.stderr;
        assert!(whole.contains("forged"), "{}", finished.transcript());
    }
}

#[test]
fn words_of_buildkit_are_harmless() {
    for (number, text) in [LINES, MARKED, ADVICE].into_iter().enumerate() {
        let sandbox = Sandbox::new();
        let socket = sandbox.path("buildkit.sock");
        let _daemon = BuildKit::start(&socket, text);
        let name = sandbox.name(&format!("b{number}"));
        let created = sandbox
            .buildx(&format!(
                "create --name {name} --driver remote --use --bootstrap"
            ))
            .argument(format!("unix://{}", socket.display()))
            .success();
        assert_harmless(&created);
        let context = Context::bare("FROM scratch\n");
        let build = |flags: &str| sandbox.buildx(&format!("build {flags} {}", context.word()));
        run([
            sandbox.buildx("ls"),
            sandbox.buildx("ls --no-trunc"),
            sandbox.buildx("ls --format json"),
            sandbox.buildx("inspect"),
            sandbox.buildx("inspect --format json"),
            build(""),
            build("--progress rawjson"),
            build("--quiet"),
            build("--target fails"),
            build("--target fails --progress rawjson"),
            build("--target fails --quiet"),
        ]);
        // The meaning of JSON is unchanged.
        let shown = sandbox.buildx("inspect --format json").success().json();
        assert_eq!(shown["Nodes"][0]["IDs"], json!([text]));
        // Files are not sanitised.
        build("--progress none --metadata-file metadata.json --iidfile id").success();
        let metadata = fs::read(sandbox.path("metadata.json")).expect("written");
        let metadata: Value = serde_json::from_slice(&metadata).expect("JSON");
        assert_eq!(metadata[text], text);
        assert_eq!(
            fs::read_to_string(sandbox.path("id")).expect("written"),
            text
        );
        sandbox.buildx(&format!("rm {name}")).success();
    }
}

#[test]
fn a_failing_build_chooses_no_advice() {
    let sandbox = Sandbox::new();
    let socket = sandbox.path("buildkit.sock");
    let _daemon = BuildKit::start(
        &socket,
        "unable to apply caps; Privileged mode is incompatible; cannot reach the engine",
    );
    let name = sandbox.remote("advice", &socket);
    let context = Context::bare("FROM scratch\n");
    sandbox
        .buildx(&format!("build --target fails {}", context.word()))
        .failure(1)
        .says("unable to apply caps")
        .does_not_say("hint:");
    sandbox.buildx(&format!("rm {name}")).success();
}

#[test]
fn words_of_an_engine_are_harmless() {
    for text in [LINES, MARKED, ADVICE] {
        for answers in [Answers::Objects, Answers::Errors, Answers::Garbage] {
            let sandbox = Sandbox::new();
            let socket = sandbox.path("engine.sock");
            engine(&socket, text, answers);
            let context = Context::bare("FROM scratch\n");
            let at = |invocation: Invocation| {
                invocation.variable("DOCKER_HOST", format!("unix://{}", socket.display()))
            };
            let mut commands = vec![
                at(sandbox.iechor("volume ls")),
                at(sandbox.iechor("volume ls --format json")),
                at(sandbox.iechor("network ls")),
                at(sandbox.iechor("network ls --format json")),
                at(sandbox.iechor("network create forged")),
                at(sandbox.iechor("network rm forged forged2")),
                at(sandbox.iechor("inspect thing")).argument("--format={{.Forged}}{{.forged}}"),
                at(sandbox.buildx("create --name forged --bootstrap")),
                at(sandbox.buildx("inspect forged")),
                at(sandbox.buildx("rm forged")),
                at(sandbox.buildx("rm --force forged")),
                at(sandbox.buildx(&format!("build --tag forged {}", context.word()))),
            ];
            if answers == Answers::Objects {
                commands.push(at(sandbox.iechor("inspect thing")));
                let formats = [
                    "{{.Name}}",
                    "{{.Id}}{{.State.Error}}",
                    "a\n{{.Name}}\n{{.Config}}",
                    "{{json .Config}}",
                    "{{index .Config.Env 0}}",
                    "{{.Config.Labels}}",
                    "{{.Config.Labels.nothing}}",
                ];
                for format in formats {
                    commands.push(at(sandbox.iechor("inspect thing --format")).argument(format));
                }
            }
            for command in commands {
                assert_harmless(&command.start().finish());
            }
        }
    }
}

/// Returns `LINES` in a form that is possible in an argument or a variable.
fn argument() -> String {
    LINES.replace('\0', "")
}

#[test]
fn words_of_files_are_harmless() {
    let text = argument();
    let sandbox = Sandbox::new();
    let instances = sandbox.store().join("instances");
    fs::create_dir_all(&instances).expect("directory");
    let builder = |name: &str, node: Value| {
        let builder = json!({
            "Name": name, "Driver": "docker-container", "Nodes": [node], "Dynamic": false,
        });
        fs::write(instances.join(name), builder.to_string()).expect("written");
    };
    let node = |name: &str, endpoint: &str| {
        json!({
            "Name": name, "Endpoint": endpoint, "Platforms": [{ "os": text, "architecture": text }],
            "DriverOpts": { text.as_str(): text }, "Flags": [text],
            "Files": { text.as_str(): "Zm9yZ2VkClwKRVJST1I6IGZvcmdlZAobWzJK" },
        })
    };
    builder("one", node(&text, &text));
    builder("two", node("two0", &text));
    builder("three", node("three0", "unix:///nonexistent"));
    let odd = json!({ "Name": text, "Driver": text, "Nodes": [], "Dynamic": text });
    fs::write(instances.join("four"), odd.to_string()).expect("written");
    fs::write(instances.join("five"), format!("{{{text}")).expect("written");
    let odd = json!({ "Name": "six", "Driver": text, "Nodes": [node("six0", "unix:///x")] });
    fs::write(instances.join("six"), odd.to_string()).expect("written");
    let context = Context::bare("FROM scratch\n");
    let mut commands = vec![
        sandbox.buildx("ls"),
        sandbox.buildx("ls --format json"),
        sandbox.buildx("rm --all-inactive --force"),
    ];
    for name in ["one", "two", "three", "four", "five", "six"] {
        for line in [
            "inspect",
            "inspect --format json",
            "inspect --bootstrap",
            "use",
            "stop",
            "rm",
        ] {
            commands.push(sandbox.buildx(&format!("{line} {name}")));
        }
        commands.push(sandbox.buildx(&format!("--builder {name} build {}", context.word())));
    }
    for command in commands {
        assert_harmless(&command.start().finish());
    }

    let drivers = sandbox.store().join("drivers");
    fs::create_dir_all(&drivers).expect("directory");
    let entry = |field: &str| {
        let quoted = Value::from(text.as_str()).to_string();
        let fields = [
            "name",
            "source",
            "pinned",
            "digest",
            "version",
            "installed-at",
        ];
        let values = fields.map(|name| match name == field {
            true => format!("{name} = {quoted}\n"),
            false => format!("{name} = \"x\"\n"),
        });
        format!("version = 1\n\n[[driver]]\n{}", values.concat())
    };
    let locks = [
        text.clone(),
        entry("name"),
        entry("source"),
        entry("pinned"),
        entry("digest"),
        entry("version"),
        entry("installed-at"),
    ];
    for lock in locks {
        fs::write(drivers.join("drivers.lock"), lock).expect("written");
        for line in [
            "driver ls",
            "driver ls --format json",
            "driver ls --format {{.Err}}",
            "driver verify --offline",
            "driver inspect x",
            "driver rm x",
            "driver update x",
        ] {
            assert_harmless(&sandbox.iechor(line).start().finish());
        }
    }

    sandbox.configure_docker(&json!({ "currentContext": text, "credsStore": text }));
    assert_harmless(
        &sandbox
            .iechor("volume ls")
            .without_variable("DOCKER_HOST")
            .start()
            .finish(),
    );
    let policy = sandbox.write("policy.toml", format!("[images]\nallow = [\"{text}"));
    for line in [
        "driver policy policy.toml",
        "driver policy",
        "driver inspect remote",
    ] {
        let command = sandbox.iechor(line).variable("IECHOR_POLICY", &policy);
        assert_harmless(&command.start().finish());
    }
}

#[test]
fn words_of_arguments_and_variables_are_harmless() {
    let text = argument();
    let sandbox = Sandbox::new();
    let file = sandbox.write(&text.replace('/', ""), "no component");
    for line in [
        "",
        "--",
        "buildx",
        "buildx build",
        "buildx build --file",
        "buildx build . --progress",
        "buildx build . --output",
        "buildx build . --platform",
        "buildx build . --build-arg",
        "buildx build . --tag",
        "buildx create --name",
        "buildx create --driver",
        "buildx create --driver-opt",
        "buildx create --platform",
        "buildx create --node",
        "buildx create --buildkitd-flags",
        "buildx create --buildkitd-config",
        "buildx create",
        "buildx inspect",
        "buildx ls --format",
        "buildx ls --timeout",
        "buildx use",
        "buildx stop",
        "buildx rm",
        "buildx --builder",
        "driver inspect",
        "driver install",
        "driver install --grant",
        "driver new",
        "driver ls --format",
        "driver policy",
        "driver push x",
        "driver rm",
        "driver test",
        "driver test --driver-opt",
        "driver trust",
        "driver verify",
        "driver update",
        "inspect",
        "inspect thing --format",
        "network create",
        "network ls --format",
        "network rm",
        "volume ls --format",
        "volume",
    ] {
        for argument in [
            text.clone(),
            format!("--{text}"),
            file.display().to_string(),
        ] {
            let finished = sandbox.iechor(line).argument(argument).start().finish();
            assert_harmless(&finished);
            // Engines accept such names. The network has no name that the sandbox could find it by.
            if line == "network create" && finished.succeeded() {
                docker(&format!("network rm {}", finished.stdout.trim())).success();
            }
        }
    }
    for variable in [
        "BUILDX_BUILDER",
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "BUILDKIT_PROGRESS",
        "DOCKER_DEFAULT_PLATFORM",
        "BUILDX_CONFIG",
        "DOCKER_CONFIG",
        "IECHOR_POLICY",
    ] {
        for line in [
            "buildx ls",
            "buildx inspect",
            "buildx build .",
            "volume ls",
            "driver ls",
        ] {
            let finished = sandbox
                .iechor(line)
                .variable(variable, &text)
                .start()
                .finish();
            assert_harmless(&finished);
        }
    }
}
