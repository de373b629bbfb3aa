//! What is shown: results on standard output, words and progress on standard error.
//!
//! This is the only place that writes to either. Whatever goes out passes [`write`], which lets no
//! control character through; which lines are the program's own is decided here, too: markers such
//! as `ERROR:` are added here and nowhere else, and what follows them cannot begin another line.

use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;

use iechor_buildkit::status::SolveStatus;
use iechor_progress::{Clock, Mode, Options, Printer, TICK};
use iechor_text::{clean_block, clean_line, displayable, unmarked};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use iechor_builder::boot_progress::StatusSender;

use crate::text::Text;

/// Characters of a message. The longest useful ones are errors with the last words of a daemon.
const MESSAGE: usize = 64 << 10;

/// Statuses of a build that wait to be shown. One takes some MiB at most.
const STATUSES: usize = 16;

/// Writes text to one of the standard streams, without what could steer a terminal.
#[expect(
    clippy::disallowed_methods,
    reason = "everything that is shown comes here"
)]
fn write(stream: Stream, text: &str, colours: bool) -> io::Result<()> {
    let text = displayable(text, colours);
    let write = |to: &mut dyn Write| to.write_all(text.as_bytes()).and_then(|()| to.flush());
    match stream {
        Stream::Output => write(&mut io::stdout().lock()),
        Stream::Error => write(&mut io::stderr().lock()),
    }
}

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Error,
}

/// Prints a result. A reader that went away is no error: whoever wrote `| head` has what they want.
pub fn result(text: &Text) -> anyhow::Result<()> {
    print(text.as_str())
}

/// Prints a result that is one line.
pub fn line(text: &str) -> anyhow::Result<()> {
    result(&Text::of_line(text))
}

/// Prints a result as JSON on one line.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string(value)?;
    print(&(iechor_text::json(&json).into_owned() + "\n"))
}

/// Prints a result as JSON that people can read.
pub fn pretty_json(value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(value)?;
    print(&(iechor_text::json(&json).into_owned() + "\n"))
}

fn print(text: &str) -> anyhow::Result<()> {
    match write(Stream::Output, text, false) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Says something beside the result.
pub fn say(text: &str) {
    let block = clean_block(text, MESSAGE);
    said(&format!("{}\n", unmarked(&block)));
}

/// Shows lines beside the result.
pub fn show(text: &Text) {
    said(text.as_str());
}

/// Says something that the user should know.
pub fn warn(text: &str) {
    marked("WARNING: ", text);
}

/// Says what went wrong.
pub fn error(text: &str) {
    marked("ERROR: ", text);
}

/// Says what to do about it.
pub fn hint(text: &str) {
    marked("hint: ", text);
}

/// Says something with a marker, which is the program's own.
pub fn marked(marker: &'static str, text: &str) {
    said(&format!("{marker}{}\n", clean_block(text, MESSAGE)));
}

/// Asks something; the answer is read by the caller.
pub fn ask(question: &str) {
    said(&clean_line(question, MESSAGE));
}

fn said(text: &str) {
    // Nobody to tell that nobody can be told.
    let _ = write(Stream::Error, text, false);
}

/// Whether words go to a terminal.
#[expect(clippy::disallowed_methods, reason = "nothing is written")]
pub fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Shows a line that the next one, or [`erase`], takes the place of. For terminals only.
pub fn transient(text: &str) {
    erase();
    said(&clean_line(text, MESSAGE));
}

/// Erases the line that the cursor is in. For terminals only.
#[expect(
    clippy::disallowed_methods,
    reason = "the sequence is a constant, and the only one that moves the cursor"
)]
pub fn erase() {
    let _ = io::stderr().lock().write_all(b"\r\x1b[K");
}

/// Shows what clap has to say: help on standard output, errors on standard error. What is echoed
/// in an error has to be clean.
pub fn usage(error: &clap::Error) {
    let text = error.render().to_string();
    if error.use_stderr() {
        said(&text);
    } else {
        // A console that is gone has nobody to tell.
        let _ = print(&text);
    }
}

/// Reports a fault of the program itself, whose words may be anybody's.
pub fn panicked(panic: &PanicHookInfo<'_>) {
    let backtrace = std::backtrace::Backtrace::capture();
    error(&format!("a fault in this program: {panic}"));
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        say(&format!("backtrace:\n{backtrace}"));
    }
}

/// Standard error for progress, whose colours stay.
struct Progress;

impl Write for Progress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The printer writes whole texts.
        write(Stream::Error, &String::from_utf8_lossy(bytes), true)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Progress that is being shown.
pub struct Display {
    sender: StatusSender,
    shown: JoinHandle<io::Result<usize>>,
}

impl Display {
    /// Begins to show progress on standard error; `description` is its first line.
    pub fn start(mode: Mode, description: Option<String>) -> anyhow::Result<Self> {
        let mut options = Options::from_environment(|name| std::env::var(name).ok());
        options.description = description;
        let mut printer = Printer::new(mode, Progress, options, Clock::system())?;
        let (sender, mut receiver) = mpsc::channel::<SolveStatus>(STATUSES);
        let shown = tokio::spawn(async move {
            loop {
                match tokio::time::timeout(TICK, receiver.recv()).await {
                    Ok(Some(status)) => printer.update(&status)?,
                    Ok(None) => break,
                    Err(_) => printer.tick()?,
                }
            }
            printer.finish()?;
            Ok(printer.warnings())
        });
        Ok(Self { sender, shown })
    }

    /// Where the status goes.
    pub fn sender(&self) -> &StatusSender {
        &self.sender
    }

    /// Shows what is left; returns how many warnings there were.
    pub async fn finish(self) -> anyhow::Result<usize> {
        drop(self.sender);
        Ok(self.shown.await??)
    }
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
                let allowed = name == "cli/src/console.rs"
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
