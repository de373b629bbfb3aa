//! Completion of command lines, by the Docker CLI and by shells.

use crate::plugin::Docker;
use crate::support::Sandbox;

/// Returns the candidates that the Docker CLI prints for the last word, and the number at the end.
fn candidates(docker: &Docker, line: &str, last: &str) -> (Vec<String>, String) {
    let printed = docker
        .run("__complete buildx")
        .words(line)
        .argument(last)
        .success();
    let mut lines: Vec<_> = printed.stdout.lines().map(str::to_owned).collect();
    let directive = lines.pop().unwrap_or_default();
    (lines, directive)
}

#[test]
fn the_docker_cli_completes_commands_and_flags() {
    let docker = Docker::new();
    let names = |line: &str, last: &str| {
        let (lines, directive) = candidates(&docker, line, last);
        assert_eq!(directive, ":4", "{line}");
        let names = lines.iter().map(|line| line.split('\t').next());
        names
            .map(|name| name.unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("", "ins"), ["inspect"]);
    assert_eq!(names("build", "--pl"), ["--platform"]);
    assert!(names("build", "--").len() > 30);
    assert_eq!(names("build --progress", "ra"), ["rawjson"]);
    assert_eq!(names("build", "--progress=ra"), ["rawjson"]);
    assert!(
        names("build --platform", "linux/arm64,linux/s3")
            .contains(&"linux/arm64,linux/s390x".to_owned())
    );
    // A candidate has a description, unless none is wanted. The Docker CLI always wants one from a plugin.
    let (lines, _) = candidates(&docker, "", "stop");
    assert_eq!(lines, ["stop\tStop a builder"]);
    let bare = docker.call("__completeNoDesc buildx stop").success().stdout;
    assert!(bare.starts_with("stop\n"), "{bare}");
    // The shell completes names of files.
    assert_eq!(
        candidates(&docker, "build", ""),
        (Vec::new(), ":0".to_owned())
    );
}

#[test]
fn the_docker_cli_completes_builders_contexts_and_options() {
    let docker = Docker::new();
    let name = docker.sandbox.name("completed");
    let far = docker.sandbox.name("far");
    docker
        .sandbox
        .docker_context(&far, "unix:///nonexistent/docker.sock");
    docker
        .run(&format!("buildx create --name {name}"))
        .success();
    let found = |line: &str, last: &str| candidates(&docker, line, last).0;
    for line in [
        "inspect",
        "rm",
        "stop",
        "use",
        "build --builder",
        "--builder",
    ] {
        let builders = found(line, "");
        for expected in [name.as_str(), &far, "default"] {
            assert!(
                builders.iter().any(|found| found == expected),
                "{line}: {builders:?}"
            );
        }
    }
    assert_eq!(found("create", &far), [far.clone()]);
    let drivers = found("create --driver", "");
    for driver in ["remote", "docker-container", "iechor-container"] {
        assert!(drivers.iter().any(|found| found == driver), "{drivers:?}");
    }
    let options = found("create --driver docker-container --driver-opt", "mem");
    assert!(
        options.iter().any(|option| option.starts_with("memory=\t")),
        "{options:?}"
    );
    let options = found("create --driver remote --driver-opt", "ca");
    assert!(
        options.iter().any(|option| option.starts_with("cacert=\t")),
        "{options:?}"
    );
}

/// Bash calls the function of the script as it does when the user presses Tab.
const PRESS_TAB: &str = r#"
PATH="$(dirname "$0"):$PATH"
source <("$0" completion bash)
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_TYPE=9
_clap_complete_iechor iechor "${@: -1}" "${@: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_completes_with_the_script() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("tab");
    sandbox.buildx(&format!("create --name {name}")).success();
    sandbox.write("kept.wasm", "");
    let press = |words: &[&str]| {
        let mut bash = sandbox.program("bash", "-c").argument(PRESS_TAB);
        bash = bash.argument(env!("CARGO_BIN_EXE_iechor"));
        bash = bash.variable("BUILDX_CONFIG", sandbox.store());
        let bash = words.iter().fold(bash, |bash, word| bash.argument(word));
        let printed = bash.success().stdout;
        printed.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(press(&["iechor", "dri"]), ["driver"]);
    assert_eq!(
        press(&["iechor", "buildx", "inspect", &name]),
        [name.clone()]
    );
    assert_eq!(press(&["iechor", "driver", "test", "kep"]), ["kept.wasm"]);
}

#[test]
fn each_shell_has_a_script() {
    let sandbox = Sandbox::new();
    for (shell, part) in [
        ("bash", "complete -o nospace"),
        ("fish", "complete --keep-order"),
        ("zsh", "#compdef iechor"),
    ] {
        sandbox
            .iechor("completion")
            .words(shell)
            .success()
            .shows(part);
    }
    sandbox.iechor("completion tcsh").failure(1);
}
