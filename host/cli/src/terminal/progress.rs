//! The progress of builds, boots and downloads, on standard error.

use std::io;

use iechor_builder::boot_progress::StatusSender;
use iechor_progress::vertex::StatusReceiver;
use iechor_progress::{
    Clock, Frame, Mode, Options, Output, Printer, Size, Warnings, description, label,
};
use iechor_text::clean_line;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{messages, owner, waiting};

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

/// The output of a progress printer.
struct ToTerminal;

impl Output for ToTerminal {
    fn append(&mut self, text: &str) -> io::Result<()> {
        owner::lock().progress(text)
    }

    fn size(&self) -> Option<Size> {
        owner::size()
    }

    fn show(&mut self, frame: Frame) -> io::Result<()> {
        owner::lock().frame(frame)
    }

    fn leave(&mut self) {
        owner::lock().leave_frame();
    }
}

/// Returns the mode of the display for a command that boots a builder and has no flag for the mode.
pub fn boot_mode() -> anyhow::Result<Mode> {
    let variable = std::env::var("BUILDKIT_PROGRESS").ok();
    Ok(Mode::resolve(Mode::Auto, variable.as_deref())?)
}

/// The builder that a display names.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its name.
    pub builder: &'a str,
    /// The name of its driver.
    pub driver: &'a str,
}

/// Progress that is being shown.
pub struct Display {
    sender: StatusSender,
    shown: JoinHandle<io::Result<Warnings>>,
    frames: Frames,
}

/// Permits frames until this is dropped, also if the command ends before the display does.
struct Frames;

impl Frames {
    fn permit() -> Self {
        owner::lock().permit_frames(true);
        Self
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        owner::lock().permit_frames(false);
    }
}

impl Display {
    /// Starts to show progress. It names the builder, if there is one to name.
    pub fn start(mode: Mode, named: Option<Named<'_>>) -> anyhow::Result<Self> {
        if mode == Mode::RawJson {
            waiting::silence();
        }
        let mut options = Options::from_environment(|name| std::env::var(name).ok());
        options.description = named.map(|named| description(named.builder, named.driver));
        options.label = named.map(|named| label(named.builder, named.driver));
        let errors = options.colour_errors.clone();
        let printer = Printer::new(mode, ToTerminal, options, Clock::system())?;
        if printer.is_tty() {
            for error in errors {
                messages::warn(&error.to_string());
            }
        }
        let frames = Frames::permit();
        let (sender, receiver) = mpsc::channel(STATUSES);
        // Without the signal, a change of the size shows with the next frame.
        let resized = signal(SignalKind::window_change()).ok();
        let shown = tokio::spawn(show(printer, receiver, resized));
        Ok(Self {
            sender,
            shown,
            frames,
        })
    }

    /// Returns the sender of statuses.
    pub fn sender(&self) -> &StatusSender {
        &self.sender
    }

    /// Shows what is left; returns the warnings.
    pub async fn finish(self) -> anyhow::Result<Warnings> {
        let Self {
            sender,
            shown,
            frames,
        } = self;
        drop(sender);
        let warnings = shown.await??;
        drop(frames);
        Ok(warnings)
    }
}

/// Shows statuses until all senders are dropped. Returns the warnings.
async fn show(
    mut printer: Printer<ToTerminal>,
    mut receiver: StatusReceiver,
    mut resized: Option<Signal>,
) -> io::Result<Warnings> {
    let interval = printer.tick_interval();
    loop {
        let resized = async {
            match &mut resized {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            status = receiver.recv() => match status {
                Some(status) => printer.update(&status)?,
                None => break,
            },
            _ = resized => printer.tick()?,
            () = tokio::time::sleep(interval) => printer.tick()?,
        }
    }
    printer.finish()?;
    owner::lock().end_progress();
    Ok(printer.into_warnings())
}
