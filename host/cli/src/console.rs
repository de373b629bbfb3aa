//! What is shown: results on standard output, words and progress on standard error.

use std::io::{self, Write};

use iechor_buildkit::status::SolveStatus;
use iechor_progress::{Clock, Mode, Options, Printer, TICK};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use iechor_builder::boot_progress::StatusSender;

/// Prints a result. A reader that went away is no error: whoever wrote `| head` has what they want.
pub fn result(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Prints a result and a line end.
pub fn line(text: &str) -> anyhow::Result<()> {
    result(&format!("{text}\n"))
}

/// Says something beside the result.
pub fn say(text: &str) {
    // Nobody to tell that nobody can be told.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says something that the user should know.
pub fn warn(text: &str) {
    say(&format!("WARNING: {text}"));
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
        let mut printer = Printer::new(mode, io::stderr(), options, Clock::system())?;
        let (sender, mut receiver) = mpsc::channel::<SolveStatus>(256);
        let shown = tokio::spawn(async move {
            loop {
                match tokio::time::timeout(TICK, receiver.recv()).await {
                    Ok(Some(status)) => printer.update(&status)?,
                    Ok(None) => break,
                    Err(_) => printer.tick()?,
                }
            }
            printer.finish()?;
            Ok(printer.warnings().len())
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
