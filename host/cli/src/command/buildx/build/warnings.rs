//! The warnings of a build, listed after it.

use iechor_progress::Warnings;

use crate::text::Text;

/// Returns the list of warnings as docker buildx prints it; with `all`, with their details. Returns
/// `None` if there are none.
pub fn text(warnings: &Warnings, all: bool) -> Option<Text> {
    let count = warnings.count();
    if count == 0 {
        return None;
    }
    let plural = if count == 1 { "" } else { "s" };
    let hint = if all {
        ""
    } else {
        " (use docker --debug to expand)"
    };
    let mut text = Text::default();
    text.line("");
    text.line(&format!(" {count} warning{plural} found{hint}:"));
    for warning in warnings.texts() {
        text.line(&format!(" - {}", warning.short));
        if !all {
            continue;
        }
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
    Some(text)
}
