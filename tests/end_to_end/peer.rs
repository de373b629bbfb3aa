//! Output for people that is the same as that of docker buildx, on the same store and builder.

use std::process::Command;
use std::sync::OnceLock;

use crate::context::Context;
use crate::support::{Finished, Running, Sandbox};

/// Returns the program of the peer.
fn peer() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machine/buildx");
        let ran = Command::new(script).output().expect("it runs");
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout)
            .expect("a path")
            .trim()
            .to_owned()
    })
}

/// Runs docker buildx with the words of `line`, in the same environment.
fn peer_buildx(sandbox: &Sandbox, line: &str) -> Finished {
    let ours = sandbox.buildx("").into_command();
    let mut command = Command::new(peer());
    command
        .args(line.split_whitespace())
        .current_dir(ours.get_current_dir().expect("set"))
        .env_clear();
    let variables = ours.get_envs();
    command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    Running::start(command).finish()
}

/// Returns the lines of a text without spaces at their ends.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim_end).collect()
}

#[test]
fn inspections_listings_and_disk_usage_are_equal() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("equal");
    let config = sandbox.write(
        "buildkitd.toml",
        "debug = true\n\n[worker.oci]\n  max-parallelism = 3\n",
    );
    sandbox
        .buildx(&format!(
            "create --name {name} --use --bootstrap --driver docker-container --platform linux/amd64"
        ))
        .words(&format!("--buildkitd-config {} --driver-opt env.A=b", config.display()))
        .success();
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success();
    for line in [
        "inspect".to_owned(),
        "du".to_owned(),
        "du --verbose".to_owned(),
        "du --filter type=regular".to_owned(),
    ] {
        let (ours, theirs) = (
            sandbox.buildx(&line).success(),
            peer_buildx(&sandbox, &line),
        );
        // The time since the last use may have changed in between.
        let shown = |finished: &Finished| -> Vec<String> {
            let mut lines = lines(&finished.stdout);
            // BuildKit lists its records in another order each time.
            if line.starts_with("du") {
                lines.sort();
            }
            let lines = lines.into_iter();
            lines
                .map(|line| line.replace("Less than a second ago", "1 second ago"))
                .map(|line| match line.rsplit_once(" seconds ago") {
                    Some((rest, _)) => rest
                        .trim_end_matches(|c: char| c.is_ascii_digit())
                        .to_owned(),
                    None => line.trim_end_matches("1 second ago").to_owned(),
                })
                .collect()
        };
        assert_eq!(shown(&ours), shown(&theirs), "{line}");
    }
    // The names of the drivers of contexts differ, and with them the widths of columns.
    let (ours, theirs) = (sandbox.buildx("ls").success(), peer_buildx(&sandbox, "ls"));
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for (ours, theirs) in lines(&ours.stdout)
        .into_iter()
        .zip(lines(&theirs.stdout))
        .take(3)
    {
        assert_eq!(words(ours), words(theirs));
    }
}

#[test]
fn json_listings_have_the_fields_of_the_peer() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("fields");
    sandbox
        .buildx(&format!(
            "create --name {name} --use --bootstrap --driver docker-container"
        ))
        .success();
    let first = |finished: Finished| -> serde_json::Value {
        let line = finished
            .stdout
            .lines()
            .next()
            .expect("a builder")
            .to_owned();
        serde_json::from_str(&line).expect("JSON")
    };
    let ours = || first(sandbox.buildx("ls --format json").success());
    let theirs = first(peer_buildx(&sandbox, "ls --format json"));
    let (asked, remembered) = (ours(), ours());
    assert_eq!(asked, remembered);
    for (field, value) in theirs.as_object().expect("an object") {
        if field != "Nodes" {
            assert_eq!(ours()[field], *value, "{field}");
        }
    }
    for (field, value) in theirs["Nodes"][0].as_object().expect("an object") {
        let ours = match field.as_str() {
            // The peer writes null for an empty list.
            "GCPolicy" => {
                let text = asked["Nodes"][0][field].to_string();
                serde_json::from_str(&text.replace("[]", "null")).expect("JSON")
            }
            _ => asked["Nodes"][0][field].clone(),
        };
        assert_eq!(ours, *value, "{field}");
    }
}

#[test]
fn removals_from_the_cache_are_equal() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("pruned");
    sandbox
        .buildx(&format!(
            "create --name {name} --use --bootstrap --driver docker-container"
        ))
        .success();
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let build = format!("build {}", context.word());
    let prune = "prune --all --force --filter type=regular";
    sandbox.buildx(&build).success();
    let theirs = peer_buildx(&sandbox, prune);
    sandbox.buildx(&build).success();
    let ours = sandbox.buildx(prune).success();
    // The peer pads the size, and IDs and times differ.
    let shape = |finished: &Finished| -> Vec<String> {
        let lines = finished.stdout.lines();
        lines
            .map(|line| match line.split_once(' ') {
                Some((_, rest)) if line.contains(" ago") => {
                    rest.split_inclusive('\t').take(4).collect::<String>()
                }
                _ => line.to_owned(),
            })
            .collect()
    };
    assert_eq!(shape(&ours), shape(&theirs));
}
