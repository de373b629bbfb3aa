//! Debug messages, and help at a terminal.

use crate::support::Sandbox;

#[test]
fn debug_messages_name_requests_and_operations() {
    let sandbox = Sandbox::new();
    // A header of every request to the engine.
    sandbox.configure_docker(&serde_json::json!({"HttpHeaders": {"X-Meta": "the-secret-header"}}));
    for line in [
        "-D buildx inspect",
        "buildx inspect -D",
        "buildx --debug inspect",
    ] {
        sandbox
            .iechor(line)
            .success()
            .says("DEBUG: engine: GET /")
            .says("DEBUG: buildkit: call /moby.buildkit.v1.Control/")
            .says("DEBUG: sandbox: driver iechor: ")
            .does_not_say("the-secret-header");
    }
    sandbox
        .iechor("-D volume ls")
        .success()
        .says("DEBUG: engine: GET /volumes");
    sandbox
        .iechor("buildx inspect")
        .success()
        .does_not_say("DEBUG");
}

#[test]
fn a_variable_chooses_the_messages() {
    let sandbox = Sandbox::new();
    let inspect = |levels: &str| {
        sandbox
            .buildx("inspect")
            .variable("RUST_LOG", levels)
            .success()
    };
    inspect("iechor_engine=debug")
        .says("DEBUG: engine: ")
        .does_not_say("DEBUG: buildkit");
    inspect("warn,iechor_buildkit=trace")
        .says("DEBUG: buildkit: ")
        .does_not_say("engine: ");
    // Libraries are not heard: their messages may have credentials.
    let all = inspect("trace");
    let messages = all
        .stderr
        .lines()
        .filter(|line| line.starts_with("DEBUG: ") || line.starts_with("TRACE: "));
    for message in messages {
        let area = message.split(' ').nth(1).unwrap_or_default();
        assert!(
            ["engine:", "buildkit:", "sandbox:"].contains(&area),
            "{message}"
        );
    }
    inspect("=nonsense=").says("WARNING: invalid RUST_LOG");
}

#[test]
fn an_error_shows_its_causes() {
    let sandbox = Sandbox::new();
    sandbox
        .iechor("manual /nonexistent -D")
        .failure(1)
        .says("ERROR: cannot write to /nonexistent: ")
        .says("DEBUG: cause 1: No such file");
    sandbox
        .iechor("manual /nonexistent")
        .failure(1)
        .does_not_say("cause 1");
}

#[test]
fn help_is_coloured_and_wrapped_at_a_terminal_only() {
    let sandbox = Sandbox::new();
    let help = |variables: &[(&str, &str)]| {
        let mut command = sandbox.iechor("buildx build --help");
        for (name, value) in variables {
            command = command.variable(name, value);
        }
        command.start_at_terminal().finish().success().stderr
    };
    let coloured = help(&[("TERM", "xterm")]);
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    let longest = |text: &str| text.lines().map(|line| line.chars().count()).max();
    for variables in [
        [("TERM", "xterm"), ("NO_COLOR", "1")],
        [("TERM", "dumb"), ("LANG", "C")],
    ] {
        let plain = help(&variables);
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(longest(&plain) <= Some(110), "{plain}");
    }
    let piped = sandbox
        .iechor("buildx build --help")
        .variable("TERM", "xterm")
        .success()
        .stdout;
    assert!(!piped.contains('\u{1b}'), "{piped}");
    assert!(longest(&piped) > Some(110), "{piped}");
}
