//! Reads the sources of the crates.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the directory of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Adds the source files below a directory, without those of tests.
pub fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "tests") {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_stem().is_none_or(|name| name != "tests")
        {
            files.push(path);
        }
    }
}

/// Returns a file without its tests, which are at its end.
pub fn without_tests(text: &str) -> &str {
    match text.find("#[cfg(test)]\nmod ") {
        Some(at)
            if text[at..]
                .lines()
                .nth(1)
                .is_some_and(|line| line.contains('{')) =>
        {
            &text[..at]
        }
        _ => text,
    }
}

/// Returns the code of a file without comments, texts and tests.
pub fn code(text: &str) -> String {
    let text = without_tests(text);
    let mut code = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        // Every second part is within quotes.
        code.extend(line.split('"').step_by(2));
        code.push('\n');
    }
    code
}
