//! Traces beside scenarios.

use std::collections::BTreeSet;
use std::path::Path;

use similar::TextDiff;

use crate::report::Failure;

/// Compares a trace with the one that was right, or writes it.
pub(super) fn compare(path: &Path, trace: &[String], bless: bool) -> Result<(), Failure> {
    let now = text(trace);
    if bless {
        return std::fs::write(path, now).map_err(|error| {
            Failure::new(
                format!("{} can be written", path.display()),
                error.to_string(),
            )
        });
    }
    let right = read(path)?;
    differ(path, &right, &now)
}

/// Compares what of a trace does not hang on time.
pub(super) fn compare_observable(path: &Path, trace: &[String]) -> Result<(), Failure> {
    let right = read(path)?;
    let right: Vec<_> = right.lines().map(str::to_owned).collect();
    differ(path, &text(&observable(&right)), &text(&observable(trace)))
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Largest trace that is read, in bytes: one line a call, and an operation has 10,000 at most.
const TRACE_BYTES: u64 = 16 << 20;

fn read(path: &Path) -> Result<String, Failure> {
    iechor_files::read_to_string(path, TRACE_BYTES).map_err(|error| {
        Failure::new(
            format!(
                "there is a trace at {}; blessing the scenario writes it",
                path.display()
            ),
            error.to_string(),
        )
    })
}

fn differ(path: &Path, right: &str, now: &str) -> Result<(), Failure> {
    if right == now {
        return Ok(());
    }
    let diff = TextDiff::from_lines(right, now);
    let mut unified = diff.unified_diff();
    let difference = unified
        .context_radius(3)
        .header("as it was", "as it is")
        .to_string();
    Err(Failure {
        trace: difference.lines().map(str::to_owned).collect(),
        ..Failure::new(
            format!("the driver does what {} says", path.display()),
            "it does something else (- as it was, + as it is); if that is right, bless the scenario to write it",
        )
    })
}

/// Returns the calls of each operation that reach something, each once: how often something was tried, and
/// with what words it failed, is not the same on every engine.
pub(super) fn observable(trace: &[String]) -> Vec<String> {
    const INNER: [&str; 3] = ["  clock.", "  log.", "  task."];
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for line in trace {
        if !line.starts_with(' ') {
            seen.clear();
            lines.push(without_words(line));
            continue;
        }
        let inner = INNER.iter().any(|prefix| line.starts_with(prefix));
        if inner || line.contains(" -> unavailable") {
            continue;
        }
        let line = without_words(line);
        // Whether an image is pulled or there already is between the engine and its registry.
        if line.starts_with("  image.resolve ") && line.contains(" -> ") {
            continue;
        }
        if seen.insert(line.clone()) {
            lines.push(line);
        }
    }
    lines
}

/// Returns the line without what an engine said, where it makes cgroups, and how a process ended.
fn without_words(line: &str) -> String {
    let (call, answer) = line.split_once(" -> ").unwrap_or((line, ""));
    let call: Vec<_> = call
        .split(' ')
        .filter(|word| !word.starts_with("cgroup-parent=") && !word.starts_with("pull="))
        .collect();
    let call = call.join(" ");
    // `conflict: words`, `engine 500: words` and `exited, exit code 3`.
    let answer = match answer.split_once([':', ',']) {
        Some((kind, _)) => kind.split(' ').next().unwrap_or(kind),
        None => answer,
    };
    if answer.is_empty() {
        call
    } else {
        format!("{call} -> {answer}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_and_words_are_not_compared_between_engines() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let quick = lines(
            "boot\n  image.resolve b pull=always\n  container.create a cgroup-parent=/x image=b\n  \
             container.dial a\n  client.open\nboot -> ok\n",
        );
        let slow = lines(
            "boot\n  task.new x\n  image.resolve b pull=always -> engine 500: c\n  image.resolve b \
             pull=never\n  container.create a image=b\n  container.dial a\n  client.open -> \
             unavailable: no\n  clock.sleep 1s\n  container.dial a\n  client.open\nboot -> ok\n",
        );
        assert_eq!(observable(&quick), observable(&slow));
        assert_eq!(
            observable(&lines("stop\nstop -> engine 500: a")),
            observable(&lines("stop\nstop -> engine 409: b"))
        );
    }

    #[test]
    fn a_difference_is_shown_with_what_is_around_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.trace");
        let right = ["boot", "  a.b", "boot -> ok"].map(str::to_owned);
        compare(&path, &right, true).expect("written");
        compare(&path, &right, false).expect("the same");
        let wrong = ["boot", "  a.c", "boot -> ok"].map(str::to_owned);
        let failure = compare(&path, &wrong, false).expect_err("another");
        for line in [" boot", "-  a.b", "+  a.c"] {
            assert!(
                failure.trace.iter().any(|found| found == line),
                "{failure:?}"
            );
        }
    }
}
