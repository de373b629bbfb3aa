//! Results, on standard output.

use std::io;

use serde::Serialize;

use super::messages;
use super::owner::{self, Stream};
use crate::text::Text;

/// Prints a result. A reader that closed the stream, such as `head`, is not an error.
pub fn result(text: &Text) -> anyhow::Result<()> {
    print(text.as_str())
}

/// Prints a result of one line.
pub fn line(text: &str) -> anyhow::Result<()> {
    result(&Text::of_line(text))
}

/// Prints a result as JSON on one line.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string(value)?;
    print(&(iechor_text::json(&json).into_owned() + "\n"))
}

/// Prints a result as indented JSON.
pub fn pretty_json(value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(value)?;
    print(&(iechor_text::json(&json).into_owned() + "\n"))
}

/// Prints help. Its colours stay.
pub fn help(text: &str) {
    // There is nobody to report the failure to.
    let _ = owner::lock().coloured_lines(Stream::Output, text);
}

/// Prints the error of a wrong command line on standard error. Foreign text in the error has to be clean.
pub fn usage(error: &clap::Error) {
    messages::usage(&error.render().to_string());
}

fn print(text: &str) -> anyhow::Result<()> {
    match owner::lock().lines(Stream::Output, text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
