//! The progress of builds, boots and downloads, on standard error.

use std::io::{self, Write};

use iechor_builder::boot_progress::StatusSender;
use iechor_progress::{Clock, Mode, Options, Printer, TICK};
use iechor_text::clean_line;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::owner;

/// Maximum number of statuses of a build that wait to be shown. One takes some MiB at most.
const STATUSES: usize = 16;

/// Maximum length of a line that is redrawn, in characters. It must not wrap.
const TRANSIENT: usize = 79;

/// Shows a line that the next one, or [`end_transient`], replaces. For terminals only.
pub fn transient(text: &str) {
    owner::lock().transient(clean_line(text, TRANSIENT));
}

/// Erases the line that [`transient`] shows.
pub fn end_transient() {
    owner::lock().end_transient();
}

/// The writer of a progress printer.
struct ToTerminal;

impl Write for ToTerminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The printer writes whole texts.
        owner::lock().progress(&String::from_utf8_lossy(bytes))?;
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
    /// Starts to show progress; `description` is its first line.
    pub fn start(mode: Mode, description: Option<String>) -> anyhow::Result<Self> {
        let mut options = Options::from_environment(|name| std::env::var(name).ok());
        options.description = description;
        let mut printer = Printer::new(mode, ToTerminal, options, Clock::system())?;
        let (sender, mut receiver) = mpsc::channel(STATUSES);
        let shown = tokio::spawn(async move {
            loop {
                match tokio::time::timeout(TICK, receiver.recv()).await {
                    Ok(Some(status)) => printer.update(&status)?,
                    Ok(None) => break,
                    Err(_) => printer.tick()?,
                }
            }
            printer.finish()?;
            owner::lock().end_progress();
            Ok(printer.warnings())
        });
        Ok(Self { sender, shown })
    }

    /// Returns the sender of statuses.
    pub fn sender(&self) -> &StatusSender {
        &self.sender
    }

    /// Shows what is left; returns the number of warnings.
    pub async fn finish(self) -> anyhow::Result<usize> {
        drop(self.sender);
        Ok(self.shown.await??)
    }
}
