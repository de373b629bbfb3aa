//! The end of the output: the last lines of the vertexes that failed.

use std::fmt::Write as _;

/// Prints the block of a vertex that failed.
pub(crate) fn print<'a>(out: &mut String, name: &str, lines: impl Iterator<Item = &'a str>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "------\n > {name}:");
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    out.push_str("------\n");
}
