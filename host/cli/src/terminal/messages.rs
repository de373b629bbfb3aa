//! Messages beside the results, on standard error.
//!
//! Markers such as `ERROR:` are added here and nowhere else. Text after a marker cannot begin
//! another line.

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::time::Duration;

use iechor_text::{clean_block, unmarked};

use super::owner::{self, Stream};
use crate::text::Text;

/// Maximum length of a message, in characters. The longest useful messages are errors with the last
/// log lines of a daemon.
const MESSAGE: usize = 64 << 10;

/// Time that a message of a signal handler or of a panic may take.
const BRIEF: Duration = Duration::from_millis(200);

/// Prints a message beside the result.
pub fn say(text: &str) {
    let block = clean_block(text, MESSAGE);
    print(&format!("{}\n", unmarked(&block)));
}

/// Prints lines beside the result.
pub fn show(text: &Text) {
    print(text.as_str());
}

/// Prints a warning.
pub fn warn(text: &str) {
    marked("WARNING: ", text);
}

/// Prints an error.
pub fn error(text: &str) {
    marked("ERROR: ", text);
}

/// Prints a hint: what to do about an error.
pub fn hint(text: &str) {
    marked("hint: ", text);
}

fn marked(marker: &'static str, text: &str) {
    print(&line_of(marker, text));
}

fn line_of(marker: &str, text: &str) -> String {
    format!("{marker}{}\n", clean_block(text, MESSAGE))
}

fn print(text: &str) {
    // There is nobody to report the failure to.
    let _ = owner::lock().lines(Stream::Error, text);
}

/// Prints a message, but gives up if the terminal does not take it at once. For code that must not
/// wait, such as signal handlers.
pub fn say_at_once(text: &str) {
    print_at_once(format!("{text}\n"), false);
}

/// Prints the last message of the program, an error, but gives up if the terminal does not take it at once.
pub fn error_at_once(text: &str) {
    print_at_once(line_of("ERROR: ", text), true);
}

fn print_at_once(text: String, is_last: bool) {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        if let Some(mut owner) = owner::lock_within(BRIEF) {
            if is_last {
                owner.permit_frames(false);
            }
            let _ = owner.lines(Stream::Error, &text);
        }
        let _ = done.send(());
    });
    let _ = is_done.recv_timeout(BRIEF);
}

/// Prints what clap has to say on standard error: a wrong command line. Foreign text in it has to be
/// clean.
pub(super) fn usage(text: &str) {
    print(text);
}

/// Reports a fault of the program itself. Its text may come from anywhere.
pub fn panicked(panic: &PanicHookInfo<'_>) {
    let mut text = line_of("ERROR: ", &format!("a fault in this program: {panic}"));
    let backtrace = std::backtrace::Backtrace::capture();
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        let backtrace = clean_block(&format!("backtrace:\n{backtrace}"), MESSAGE);
        text += &format!("{backtrace}\n");
    }
    // The thread may have panicked while it wrote.
    if let Some(mut owner) = owner::lock_within(BRIEF) {
        let _ = owner.lines(Stream::Error, &text);
    }
}

/// Returns whether messages go to a terminal.
#[expect(clippy::disallowed_methods, reason = "nothing is written")]
pub fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Prints a message of a driver, after the name of its level.
pub fn driver(level: &'static str, driver: &str, message: &str) {
    log(level, &format!("driver {driver}: {message}"));
}

/// Prints a message after the name of its level.
pub fn log(level: &'static str, message: &str) {
    print(&line_of(&format!("{level}: "), message));
}
