//! The one owner of the terminal: results on standard output; messages, progress and questions on
//! standard error.
//!
//! - `owner` writes: one lock for both streams, whole lines, and nothing that could control a terminal.
//!   Nothing else in the program writes to a standard stream.
//! - `results` has the results of commands.
//! - `messages` has warnings, errors, hints and the log of drivers, with their markers.
//! - `screen` has the sequences that redraw several lines.
//! - `progress` has the display of builds and boots, and lines that are redrawn.
//! - `prompt` has questions, which a signal ends.
//! - `waiting` announces what the program waits for.
//!
//! Foreign text is made safe twice: `text`, `table`, `template` and `messages` keep it within its line
//! and free of markers, and the owner removes control characters from all that it writes.

mod messages;
mod owner;
mod progress;
mod prompt;
mod results;
mod screen;
mod waiting;

pub use messages::{
    driver, error, error_at_once, hint, is_terminal, log, panicked, say, say_at_once, show, warn,
};
pub use progress::{Display, Named, boot_mode, end_transient, transient};
pub use prompt::{Answer, ask, can_ask, confirm};
pub use results::{help, json, line, pretty_json, result, usage};
pub use waiting::Announcer;

/// Width of help on a wide terminal, in columns: longer lines are hard to read.
const HELP: usize = 110;

/// Returns the width of help, in columns; 0 if standard output is no terminal, where lines are not wrapped.
pub fn help_width() -> usize {
    owner::output_width().map_or(0, |width| width.min(HELP))
}

/// Returns whether standard output is a terminal on which colours are wanted.
pub fn is_coloured() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    owner::output_width().is_some()
        && set("NO_COLOR").is_none()
        && set("TERM").is_some_and(|terminal| terminal != "dumb")
}

/// Returns whether a question to the user is open.
pub fn is_asking() -> bool {
    owner::lock().is_asking()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What writes to a standard stream, or could.
    const WRITERS: [&str; 10] = [
        "::stdout()",
        "::stderr()",
        " stdout()",
        " stderr()",
        "print!",
        "println!",
        "dbg!",
        "/dev/std",
        "/dev/tty",
        "error.print()",
    ];

    /// The files of the owner.
    const OWNERS: [&str; 2] = [
        "cli/src/terminal/owner.rs",
        // Asks whether standard error is a terminal.
        "cli/src/terminal/messages.rs",
    ];

    fn sources(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn nothing_else_writes_to_the_terminal() {
        let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for crate_folder in std::fs::read_dir(&host).expect("a directory") {
            let source = crate_folder.expect("an entry").path().join("src");
            if source.is_dir() {
                sources(&source, &mut files);
            }
        }
        assert!(files.len() > 100, "the sources are elsewhere");
        let mut wrong = Vec::new();
        for file in files {
            let name = file
                .strip_prefix(&host)
                .expect("below")
                .display()
                .to_string();
            let text = std::fs::read_to_string(&file).expect("readable");
            // Tests may print, and examples in documentation.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate() {
                let writer = WRITERS.iter().find(|writer| line.contains(**writer));
                let is_comment = line.trim_start().starts_with("//");
                // The result of a build as a stream of bytes goes to standard output as it is.
                // The compiler's streams are pipes, which its parent reads.
                let allowed = OWNERS.contains(&name.as_str())
                    || name == "sandbox/src/compiler/child.rs"
                    || line.contains("// a stream of bytes");
                if let Some(writer) = writer.filter(|_| !is_comment && !allowed) {
                    wrong.push(format!("{name}:{}: {writer}", number + 1));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
