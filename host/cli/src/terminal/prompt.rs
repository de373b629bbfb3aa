//! Questions to the user.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use iechor_builder::BuilderError;
use iechor_text::clean_line;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Interest};
use tokio_util::sync::CancellationToken;

use super::{messages, owner};

/// Maximum length of a question and of its answer.
const LONGEST: usize = 4 << 10;

/// Time in which the signal of a terminal that was closed arrives.
const HANGUP: Duration = Duration::from_millis(100);

/// Returns whether the user can be asked: input and messages are at a terminal.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && messages::is_terminal()
}

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// Anything else.
    No,
    /// There is nobody to ask, and no answer on standard input.
    Missing,
}

/// Asks a question at the terminal. Without a terminal, the first line of standard input is the answer, so
/// that `yes |` works; the question is printed as a message.
///
/// # Errors
///
/// [`BuilderError::Cancelled`] if `cancel` is cancelled before there is an answer.
pub async fn ask(question: &str, cancel: &CancellationToken) -> anyhow::Result<Answer> {
    if can_ask() {
        return Ok(match confirm(question, cancel).await? {
            true => Answer::Yes,
            false => Answer::No,
        });
    }
    messages::say(question.trim_end());
    if io::stdin().is_terminal() {
        // The question is not at the terminal, so the user would wait in vain.
        return Ok(Answer::Missing);
    }
    let mut line = String::new();
    let mut input = BufReader::new(tokio::io::stdin()).take(LONGEST as u64);
    tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(BuilderError::Cancelled("the question").into()),
        read = input.read_line(&mut line) => read?,
    };
    Ok(match line.as_str() {
        "" => Answer::Missing,
        line if is_yes(line) => Answer::Yes,
        _ => Answer::No,
    })
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim(), "y" | "Y" | "yes")
}

/// Asks a question and returns whether the answer is yes. The end of the input means no.
///
/// Waits for the terminal without blocking a thread, so a signal ends the question at once and leaves
/// no reader behind.
///
/// # Errors
///
/// [`BuilderError::Cancelled`] if `cancel` is cancelled before there is an answer.
pub async fn confirm(question: &str, cancel: &CancellationToken) -> anyhow::Result<bool> {
    let asked = Asked::new(question);
    let line = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        line = read_line() => Some(line?),
    };
    let line = match line {
        // A terminal that is closed is at its end and sends a signal.
        Some(line) if line.is_empty() => {
            let cancelled = tokio::time::timeout(HANGUP, cancel.cancelled()).await;
            cancelled.is_err().then_some(line)
        }
        line => line,
    };
    let Some(line) = line else {
        return Err(BuilderError::Cancelled("the question").into());
    };
    asked.answered(line.ends_with('\n'));
    Ok(is_yes(&line))
}

/// A question that is open until this is dropped.
struct Asked {
    is_open: bool,
}

impl Asked {
    fn new(question: &str) -> Self {
        owner::lock().ask(clean_line(question, LONGEST));
        Self { is_open: true }
    }

    /// Closes the question; `by_enter` says that the user ended its line.
    fn answered(mut self, by_enter: bool) {
        self.is_open = false;
        owner::lock().answered(!by_enter);
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.is_open {
            owner::lock().answered(true);
        }
    }
}

/// Reads a line from standard input, which is a terminal. Returns it with its line feed, or without
/// one at the end of the input.
async fn read_line() -> io::Result<String> {
    // SAFETY: standard input stays open, and its number stays the same, for the life of the process.
    let stdin = unsafe { AsyncFd::register_with_interest(io::stdin(), Interest::READABLE) };
    let stdin = stdin.map_err(io::Error::from)?;
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') && line.len() < LONGEST {
        let mut ready = stdin.readable().await?;
        // A terminal that is readable has a whole line, so this does not wait. Non-blocking mode
        // would apply to the shell as well, which has the same terminal.
        let mut buffer = [0; LONGEST];
        let length = rustix::io::read(ready.get_inner(), &mut buffer)?;
        line.extend_from_slice(&buffer[..length]);
        if length == 0 {
            break;
        }
        ready.clear_ready();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}
