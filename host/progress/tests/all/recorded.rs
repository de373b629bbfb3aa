//! Builds that a real BuildKit reported, in the plain format.
//!
//! `tests/recorded/NAME.jsonl` has the statuses of a build, as the rawjson format prints them. `NAME.plain` is
//! what BuildKit's own display prints for them, with two exceptions: a carriage return ends a line, and the
//! block of a failed step has its last lines in their order, each of them once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use iechor_buildkit::status::SolveStatus;
use iechor_progress::{Clock, Mode, Options, Printer, REFRESH, TICK, description};

/// Returns the last time in a status, which is about the time of its arrival.
fn last_time(status: &SolveStatus) -> Option<SystemTime> {
    let vertexes = status.vertexes.iter();
    let vertexes = vertexes.flat_map(|vertex| [vertex.started, vertex.completed]);
    let statuses = status.statuses.iter();
    let statuses = statuses.flat_map(|status| [Some(status.timestamp), status.completed]);
    let logs = status.logs.iter().map(|log| Some(log.timestamp));
    vertexes.chain(statuses).chain(logs).flatten().max()
}

fn first_time(status: &SolveStatus) -> Option<SystemTime> {
    let vertexes = status.vertexes.iter();
    vertexes.filter_map(|vertex| vertex.started).min()
}

/// Prints the statuses of a build as if they arrived now.
fn replayed(statuses: &[SolveStatus]) -> String {
    let time = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&time);
    let clock = Clock::new(move || Duration::from_millis(read.load(Ordering::Relaxed)));
    let set = |to: Duration| time.store(u64::try_from(to.as_millis()).unwrap(), Ordering::Relaxed);
    let options = Options {
        description: Some(description("b", "docker-container")),
        ..Options::default()
    };
    let mut text = Vec::new();
    let mut printer = Printer::new(Mode::Plain, &mut text, options, clock).unwrap();
    assert_eq!((REFRESH.as_millis(), printer.tick_interval()), (100, TICK));
    let start = statuses.iter().filter_map(first_time).min().unwrap();
    let mut now = Duration::ZERO;
    for status in statuses {
        let arrival =
            last_time(status).map_or(now, |time| time.duration_since(start).unwrap_or_default());
        let arrival = Duration::from_millis(u64::try_from(arrival.as_millis()).unwrap()).max(now);
        while now + TICK < arrival {
            now += TICK;
            set(now);
            printer.tick().unwrap();
        }
        now = arrival;
        set(now);
        printer.update(status).unwrap();
    }
    printer.finish().unwrap();
    drop(printer);
    String::from_utf8(text).unwrap()
}

/// Returns the recorded builds: the name, the statuses as lines, and the plain format.
fn recorded() -> Vec<(String, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let files = std::fs::read_dir(folder).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let builds: Vec<_> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .map(|path| {
            let name = path.file_stem().unwrap().display().to_string();
            let read = |path: &Path| std::fs::read_to_string(path).unwrap();
            (name, read(&path), read(&path.with_extension("plain")))
        })
        .collect();
    assert!(builds.len() >= 4);
    builds
}

#[test]
fn builds_look_like_those_of_the_peer() {
    for (name, statuses, expected) in recorded() {
        let statuses: Vec<SolveStatus> = statuses
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let shown = replayed(&statuses);
        for (number, (shown, expected)) in shown.lines().zip(expected.lines()).enumerate() {
            assert_eq!(shown, expected, "{name}.plain:{}", number + 1);
        }
        assert_eq!(shown, expected, "{name}");
    }
}

#[test]
fn raw_json_is_printed_as_it_was_recorded() {
    for (name, statuses, _) in recorded() {
        let mut text = Vec::new();
        let options = Options::default();
        let mut printer = Printer::new(Mode::RawJson, &mut text, options, Clock::system()).unwrap();
        for line in statuses.lines() {
            printer
                .update(&serde_json::from_str(line).unwrap())
                .unwrap();
        }
        printer.finish().unwrap();
        drop(printer);
        // As Go, the format escapes what has a meaning in HTML.
        let text = String::from_utf8(text).unwrap();
        let text = text
            .replace("\\u003e", ">")
            .replace("\\u003c", "<")
            .replace("\\u0026", "&");
        assert_eq!(text, statuses, "{name}");
    }
}
