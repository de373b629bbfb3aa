//! The scenarios of the drivers that are built in, and what becomes of wrong ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use iechor_sandbox::{EMBEDDED, Sandbox};
use iechor_testkit::report::Status;
use iechor_testkit::{Kit, Report};

use crate::support::guest;

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios")
}

#[tokio::test]
async fn the_drivers_that_are_built_in_do_what_their_scenarios_say() {
    let mut played = BTreeSet::new();
    let mut names = BTreeSet::new();
    for embedded in EMBEDDED {
        let driver = Sandbox::embedded(embedded.name).unwrap().unwrap();
        let report = Kit::new(driver).scenarios(ours()).unwrap().run().await;
        report.assert_passed();
        for test in report.tests {
            names.insert(test.name.clone());
            if test.status == Status::Passed {
                played.insert(test.name);
            }
        }
    }
    assert_eq!(played, names, "a scenario that nobody plays");
    for entry in std::fs::read_dir(ours()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let known = names.contains(&format!("scenario:{stem}"));
        assert!(known, "{} is left over", path.display());
    }
}

async fn play(directory: &Path, bless: bool) -> Report {
    let kit = Kit::load(guest()).await.unwrap();
    kit.scenarios(directory).unwrap().bless(bless).run().await
}

#[tokio::test]
async fn a_trace_is_written_when_asked_for_and_compared_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = directory.path().join("boot.toml");
    let text = "summary = \"A boot\"\n[[steps]]\ndo = \"boot\"\n";
    std::fs::write(&scenario, text).unwrap();
    let missing = play(directory.path(), false).await;
    let failure = missing.tests[0].failure.as_ref().unwrap();
    assert!(
        failure.expected.contains("blessing the scenario writes it"),
        "{failure:?}"
    );

    play(directory.path(), true).await.assert_passed();
    play(directory.path(), false).await.assert_passed();
    let trace = std::fs::read_to_string(directory.path().join("boot.trace")).unwrap();
    assert!(
        trace.contains("\n  container.start buildx_buildkit_node0\n"),
        "{trace}"
    );

    std::fs::write(&scenario, text.to_owned() + "[[steps]]\ndo = \"stop\"\n").unwrap();
    let report = play(directory.path(), false).await;
    let test = &report.tests[0];
    let failure = test.failure.as_ref().unwrap();
    let added = "+  container.stop buildx_buildkit_node0".to_owned();
    assert!(failure.trace.contains(&added), "{failure:?}");
    assert!(test.rerun.contains("--scenario"), "{}", test.rerun);
}

#[tokio::test]
async fn what_a_step_expects_has_to_happen() {
    for (steps, words) in [
        ("do = \"boot\"\nerror = \"denied\"", "it succeeded"),
        ("do = \"dial\"", "not-running"),
        ("do = \"dial\"\nerror = \"engine\"", "not-running"),
        (
            "do = \"info\"\nreturns = \"running\"",
            "it returned inactive",
        ),
        (
            "do = \"boot\"\nobjects = []",
            "container buildx_buildkit_node0",
        ),
        ("do = \"boot\"\nbuildkit = 5\nwithin = \"500ms\"", "it took"),
        (
            "do = \"boot\"\nfault = { call = 1, kind = \"error\" }\nerror = \"engine\"\nsays = \"moon\"",
            "a fault of the scenario",
        ),
        (
            "do = \"boot\"\nfault = { call = 999, kind = \"error\" }",
            "calls of the engine, counted from 1",
        ),
        (
            "do = \"boot\"\nfault = { call = 0, kind = \"hang\" }",
            "calls of the engine, counted from 1",
        ),
        (
            "do = \"boot\"\nfault = { connection = 1, kind = \"error\" }",
            "it made 0 connections",
        ),
        (
            "do = \"info\"\ncancel-at = 999",
            "calls to the host, counted from 1",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let text = format!("summary = \"x\"\n[[steps]]\n{steps}\n");
        std::fs::write(directory.path().join("x.toml"), text).unwrap();
        let report = play(directory.path(), true).await;
        let failure = report.tests[0].failure.as_ref().unwrap();
        assert!(failure.happened.contains(words), "{steps}: {failure:?}");
    }
}

#[tokio::test]
async fn a_scenario_that_is_none_is_named_with_the_place() {
    let directory = tempfile::tempdir().unwrap();
    let kit = async || Kit::load(guest()).await.unwrap();
    let error = kit().await.scenarios(directory.path()).err().unwrap();
    assert!(error.to_string().contains("no scenario"), "{error}");
    let path = directory.path().join("x.toml");
    std::fs::write(&path, "summary = \"x\"\nstep = []\n").unwrap();
    let error = kit().await.scenarios(directory.path()).err().unwrap();
    for words in [path.to_str().unwrap(), "line 2", "`step`", "`steps`"] {
        assert!(error.to_string().contains(words), "{error}");
    }
}
