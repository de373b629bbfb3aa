//! The rawjson format: one line of JSON for each status, as Go's `encoding/json` writes it.

use std::io;

use iechor_buildkit::status::SolveStatus;

/// Returns the line of a status.
pub(crate) fn line(status: &SolveStatus) -> io::Result<String> {
    let json = serde_json::to_string(status)? + "\n";
    // Go escapes what has a meaning in HTML. In JSON, these characters are only within strings.
    let json = json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    Ok(iechor_text::json(&json).into_owned())
}
