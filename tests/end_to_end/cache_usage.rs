//! `du` and `prune`.

use serde_json::Value;

use crate::context::Context;
use crate::support::{Finished, Sandbox, cells, container_of, docker, inspect};

/// Creates a builder with something in its cache.
fn with_cache(sandbox: &Sandbox, suffix: &str) -> String {
    let name = sandbox.booted(suffix, "");
    let context = Context::on_base("RUN echo cached > /cached\n");
    sandbox
        .buildx(&format!("build --builder {name} {}", context.word()))
        .success();
    name
}

/// Returns the records that `du` lists as JSON.
fn records(finished: &Finished) -> Vec<Value> {
    let lines = finished.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn du_shows_the_records_in_all_formats() {
    let sandbox = Sandbox::new();
    let name = with_cache(&sandbox, "du");
    let json = records(&sandbox.buildx("du --format json").success());
    let run = json
        .iter()
        .find(|record| {
            record["Description"]
                .as_str()
                .is_some_and(|text| text.contains("echo cached"))
        })
        .expect("the step");
    assert_eq!(run["Type"], "regular");
    assert_eq!(run["Node"], format!("{name}0"));
    assert_eq!(run["Reclaimable"], true);
    assert!(
        run["Bytes"].as_i64().is_some_and(|bytes| bytes > 0),
        "{run}"
    );
    let id = run["ID"].as_str().expect("an ID");
    let size = run["Size"].as_str().expect("a size");

    let table = sandbox.buildx("du").success();
    let rows: Vec<_> = table.stdout.lines().collect();
    assert_eq!(
        cells(rows[0]),
        ["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED"]
    );
    let row = rows.iter().find(|row| row.starts_with(id)).expect("a row");
    assert_eq!(cells(row)[1..3], ["true", size]);
    assert!(row.ends_with(" ago"), "{row}");
    assert_eq!(rows.len(), 1 + json.len() + 2, "{}", table.stdout);
    assert!(rows[rows.len() - 2].starts_with("Reclaimable:\t"));
    assert!(rows[rows.len() - 1].starts_with("Total:\t\t"));

    let pretty = sandbox.buildx("du --verbose").success();
    let pretty = pretty.shows(&format!("ID:           {id}\n"));
    let pretty = pretty.shows("Description:  ").shows("\nTotal:\t\t");
    let same = sandbox.buildx("du --format pretty").success();
    assert_eq!(
        same.stdout.matches("Description:").count(),
        pretty.stdout.matches("Description:").count()
    );
    sandbox
        .buildx("du --format {{.ID}}")
        .success()
        .shows(&format!("{id}\n"));
    sandbox
        .buildx("du --format json --verbose")
        .failure(1)
        .says_line("ERROR: --format and --verbose cannot be used together");
}

#[test]
fn du_filters() {
    let sandbox = Sandbox::new();
    with_cache(&sandbox, "filters");
    let ids = |filter: &str| -> Vec<String> {
        let listed = sandbox.buildx(&format!("du --format json --filter {filter}"));
        let records = records(&listed.success());
        let ids = records
            .iter()
            .map(|record| record["ID"].as_str().expect("an ID"));
        ids.map(str::to_owned).collect()
    };
    let regular = ids("type=regular");
    assert!(!regular.is_empty());
    assert_eq!(ids(&format!("id={}", regular[0])), [regular[0].clone()]);
    assert!(!ids("type!=regular").contains(&regular[0]));
    assert!(ids("until=1h").is_empty(), "all were used a moment ago");
    assert!(!ids("until=1ms").is_empty());
    assert!(ids("mutable=").len() < ids("until=0s").len());
    // A total of some records would look like the total of the builder.
    let listed = sandbox.buildx("du --filter type=regular").success();
    assert!(!listed.stdout.contains("Total:"), "{}", listed.stdout);

    for (filters, text) in [
        (
            "--filter banana",
            "invalid argument \"banana\" for \"--filter\" flag: bad format of filter (expected name=value)",
        ),
        (
            "--filter until=x",
            "\"until\" filter expects a duration (e.g., '24h'): time: invalid duration \"x\"",
        ),
        (
            "--filter until=1h --filter unused-for=1h",
            "conflicting filters \"until\" and \"unused-for\"",
        ),
    ] {
        for command in ["du", "prune --force"] {
            sandbox
                .buildx(&format!("{command} {filters}"))
                .failure(1)
                .says_line(&format!("ERROR: {text}"));
        }
    }
}

#[test]
fn prune_removes_what_du_lists() {
    let sandbox = Sandbox::new();
    with_cache(&sandbox, "prune");
    let pruned = sandbox
        .buildx("prune --all --force --filter type=regular")
        .success();
    let rows: Vec<_> = pruned.stdout.lines().collect();
    assert_eq!(rows[0], "ID\t\t\t\t\t\tRECLAIMABLE\tSIZE\t\tLAST ACCESSED");
    assert!(rows[1].contains("\ttrue \t\t"), "{}", rows[1]);
    assert!(
        rows[rows.len() - 1].starts_with("Total:\t"),
        "{}",
        pruned.stdout
    );
    let left = records(&sandbox.buildx("du --format json").success());
    assert!(
        left.iter().all(|record| record["Type"] != "regular"),
        "{left:?}"
    );

    let removed = records(&sandbox.buildx("prune --all -f --format json").success());
    assert_eq!(removed.len(), left.len());
    sandbox
        .buildx("prune --all --force")
        .success()
        .prints("Total:\t0B\n");
    sandbox.buildx("du").success().prints(
        "ID        RECLAIMABLE   SIZE      LAST ACCESSED\nReclaimable:\t0B\nTotal:\t\t0B\n",
    );
}

#[test]
fn prune_asks() {
    let sandbox = Sandbox::new();
    with_cache(&sandbox, "ask");
    let count = || records(&sandbox.buildx("du --format json").success()).len();
    let before = count();
    let question = "WARNING! This will remove all dangling build cache. Are you sure you want to \
                    continue? [y/N]";
    sandbox
        .buildx("prune")
        .failure(1)
        .says(question)
        .says("ERROR: prune asks for confirmation, but standard input has no answer; add --force");
    for answer in ["n\n", "\n", "maybe\n"] {
        let answer = sandbox.write("answer", answer);
        sandbox.buildx("prune").input(&answer).success().prints("");
    }
    assert_eq!(count(), before);
    let answer = sandbox.write("answer", "y\nand more\n");
    sandbox
        .buildx("prune --all")
        .input(&answer)
        .success()
        .says("WARNING! This will remove all build cache.")
        .shows("Total:\t");
    assert_eq!(count(), 0);
}

#[test]
fn prune_applies_the_filters_of_the_configuration() {
    let sandbox = Sandbox::new();
    with_cache(&sandbox, "configured");
    sandbox.configure_docker(&serde_json::json!({ "pruneFilters": ["until=24h"] }));
    sandbox
        .buildx("prune --all --force")
        .success()
        .prints("Total:\t0B\n");
    let pruned = sandbox
        .buildx("prune --all --force --filter until=0s")
        .success();
    assert_ne!(pruned.stdout, "Total:\t0B\n");
}

#[test]
fn prune_takes_limits() {
    let sandbox = Sandbox::new();
    with_cache(&sandbox, "limits");
    sandbox
        .buildx("prune --all --force --reserved-space 1t")
        .success()
        .prints("Total:\t0B\n");
    sandbox
        .buildx("prune --all --force --keep-storage 1t")
        .success()
        .says_line(
            "Flag --keep-storage has been deprecated, keep-storage flag has been changed to \
             reserved-space",
        )
        .prints("Total:\t0B\n");
    sandbox
        .buildx("prune --all --force --max-used-space x --min-free-space y")
        .failure(1)
        .says("  --max-used-space: invalid argument \"x\" for \"--max-used-space\" flag: invalid size: 'x'")
        .says("  --min-free-space: ");
    // It keeps less than there is.
    let pruned = sandbox
        .buildx("prune --all --force --max-used-space 1")
        .success();
    assert_ne!(pruned.stdout, "Total:\t0B\n");
}

#[test]
fn the_engines_own_buildkit_has_no_limits_of_space() {
    let sandbox = Sandbox::new();
    sandbox
        .buildx("prune --force --max-used-space 1g")
        .failure(1)
        .says_line(
            "ERROR: buildkit v0.17.0+ is required for max-used-space and min-free-space filters",
        );
}

#[test]
fn a_stopped_builder_is_booted_and_an_absent_one_is_not() {
    let sandbox = Sandbox::new();
    let name = with_cache(&sandbox, "stopped");
    for command in ["du --format json", "prune --force --all --format json"] {
        sandbox.buildx("stop").success();
        let ran = sandbox.buildx(command).success();
        let ran = ran.says("[internal] booting buildkit");
        assert!(!records(&ran).is_empty(), "{}", ran.transcript());
        assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);
    }
    // The cache is in the volume.
    docker(&format!("rm --force {}", container_of(&name))).success();
    sandbox.buildx("du").success().says("booting buildkit");

    let never = sandbox.name("never");
    sandbox.buildx(&format!("create --name {never}")).success();
    for command in ["du", "prune --force"] {
        sandbox
            .buildx(&format!("--builder {never} {command}"))
            .success()
            .says_line(&format!(
                "node {never}0 is inactive and has no cache: there is no container and no volume of it"
            ))
            .shows("0B\n");
    }
    docker(&format!("inspect {}", container_of(&never))).failure(1);
}
