//! The list of warnings at the end of a build.

use iechor_progress::{Warned, Warnings};

use crate::terminal;
use crate::text::Text;

/// Prints the warnings of a build, as docker buildx does. With `is_debug`, all that is known of them.
pub fn list(warnings: &Warnings, is_debug: bool) {
    let text = text(warnings, is_debug);
    if !text.as_str().is_empty() {
        terminal::show(&text);
    }
}

fn text(warnings: &Warnings, is_debug: bool) -> Text {
    let mut text = Text::default();
    let count = warnings.count();
    if count == 0 {
        return text;
    }
    let plural = if count == 1 { "" } else { "s" };
    let expand = if is_debug {
        ""
    } else {
        " (use --debug to expand)"
    };
    text.line("");
    text.line(&format!(" {count} warning{plural} found{expand}:"));
    for warning in warnings.texts() {
        text.line(&format!(" - {}", warning.short));
        if is_debug {
            details(&mut text, &warning);
        }
    }
    text
}

fn details(text: &mut Text, warning: &Warned) {
    for line in &warning.detail {
        text.line(line);
    }
    if !warning.url.is_empty() {
        text.line(&format!("More info: {}", warning.url));
    }
    for line in &warning.snippet {
        text.line(line);
    }
    text.line("");
}
