//! What each misdeed of a hostile driver comes to: the answer, the time, the memory of the host.
//!
//! Every behaviour runs in a process of its own, on an engine in memory, as a command would run it.
//! Prints a table in Markdown, and fails where something is left in the engine, where the next
//! operation does not work, or where the host grew beyond what a driver may have.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the table is the result, and a measurement ends where it goes wrong"
)]

mod behaviours;
mod child;
#[path = "../../tests/all/support.rs"]
#[expect(dead_code, reason = "what only tests use")]
mod support;

use std::process::{Command, ExitCode};

use behaviours::{BEHAVIOURS, Behaviour, Call};
use child::Outcome;

/// What a process may have at its peak beside the memory of the driver, in MiB: the program, the
/// compiler's tables, one call's data on its way.
const BESIDE: u64 = 128;

fn main() -> ExitCode {
    iechor_sandbox::compiler::serve_if_asked();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [marker, number, file] = arguments.as_slice()
        && marker == child::MARKER
    {
        match number.parse::<usize>() {
            Ok(number) => child::run(&BEHAVIOURS[number], file),
            Err(_) => child::compile(file),
        }
        return ExitCode::SUCCESS;
    }
    let most = (iechor_sandbox::limits::MEMORY_BYTES >> 20) as u64 + BESIDE;
    let directory = tempfile::tempdir().unwrap();
    let guest = support::guest().to_owned();
    let mut faults = 0;
    println!("| behaviour | answer | time | peak memory |");
    println!("| --- | --- | --- | --- |");
    for (number, behaviour) in BEHAVIOURS.iter().enumerate() {
        let file = match behaviour.call {
            Call::Ordered(_) => {
                let order = support::order(behaviour.name);
                let patched = support::patched_guest(directory.path(), support::ORDER, &order);
                patched.display().to_string()
            }
            _ => guest.display().to_string(),
        };
        in_child("compile", &file);
        let outcome = in_child(&number.to_string(), &file);
        let outcome: Outcome = serde_json::from_str(outcome.lines().last().unwrap()).unwrap();
        println!("{}", row(behaviour, &outcome));
        for fault in outcome.faults(behaviour, most) {
            println!("FAULT: {}: {fault}", behaviour.name);
            faults += 1;
        }
    }
    ExitCode::from(u8::from(faults > 0))
}

/// What a process of its own prints.
fn in_child(number: &str, file: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([child::MARKER, number, file])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn row(behaviour: &Behaviour, outcome: &Outcome) -> String {
    let time = match outcome.milliseconds {
        0..10_000 => format!("{} ms", outcome.milliseconds),
        long => format!("{} s", long / 1000),
    };
    let words = outcome.words.replace('|', "\\|").replace('\n', " ");
    format!(
        "| {} | **{}**: {words} | {time} | {} MiB |",
        behaviour.shown, outcome.kind, outcome.peak
    )
}
