//! What cancels a command: signals, and the Docker CLI that called the program.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure;
use crate::plugin;
use crate::program;
use crate::terminal;

/// A reason to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// A signal to this process.
    Signal,
    /// The Docker CLI has ended, or got a signal.
    Docker,
}

/// What to do about a reason to cancel.
#[derive(Debug, PartialEq, Eq)]
enum Reaction {
    Cancel,
    Exit,
    Nothing,
}

/// Returns what to do about a cause, and keeps it in `earlier`.
///
/// One Ctrl-C may be both causes, in any order: together they count once.
fn react(earlier: &mut Option<Cause>, cause: Cause) -> Reaction {
    let reaction = match (*earlier, cause) {
        (None, _) => Reaction::Cancel,
        (Some(Cause::Signal), Cause::Signal) => Reaction::Exit,
        (Some(_), _) => Reaction::Nothing,
    };
    if cause == Cause::Signal || earlier.is_none() {
        *earlier = Some(cause);
    }
    reaction
}

/// Cancels the command at the first signal, and exits at the second one. `undoes` says that a cancelled command
/// undoes its changes.
pub fn watch(cancel: CancellationToken, undoes: bool) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that is closed cancels too, except under nohup.
    let mut hangup = match ignores_hangup() {
        true => None,
        false => Some(signal(SignalKind::hangup())?),
    };
    tokio::spawn(async move {
        let mut closed = std::pin::pin!(plugin::closed());
        let mut is_closed = false;
        let mut earlier = None;
        loop {
            let cause = tokio::select! {
                _ = interrupt.recv() => Cause::Signal,
                _ = terminate.recv() => Cause::Signal,
                () = hang_up(hangup.as_mut()) => {
                    // The shell and the system both send this signal.
                    hangup = None;
                    Cause::Signal
                }
                () = &mut closed, if !is_closed => {
                    is_closed = true;
                    Cause::Docker
                }
            };
            match react(&mut earlier, cause) {
                Reaction::Cancel => {
                    // A question ends at once, before anything is changed.
                    if undoes && !terminal::is_asking() {
                        terminal::say_at_once("Cancelling; press Ctrl-C again to exit immediately");
                    }
                    cancel.cancel();
                }
                Reaction::Exit => {
                    terminal::error_at_once(&format!(
                        "interrupted again, exiting immediately; run `{}` to list what is left",
                        program::buildx("ls")
                    ));
                    std::process::exit(i32::from(failure::CANCELLED));
                }
                Reaction::Nothing => {}
            }
        }
    });
    Ok(())
}

async fn hang_up(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Returns whether this process was started to continue without a terminal (nohup).
fn ignores_hangup() -> bool {
    const HANGUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & HANGUP != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_interruption_counts_once() {
        use Cause::{Docker, Signal};
        use Reaction::{Cancel, Exit, Nothing};
        for (causes, expected) in [
            (&[Signal, Signal][..], &[Cancel, Exit][..]),
            (&[Signal, Docker, Signal], &[Cancel, Nothing, Exit]),
            (&[Docker, Signal, Signal], &[Cancel, Nothing, Exit]),
            (&[Docker], &[Cancel]),
        ] {
            let mut earlier = None;
            let reactions: Vec<_> = causes
                .iter()
                .map(|cause| react(&mut earlier, *cause))
                .collect();
            assert_eq!(reactions, expected, "{causes:?}");
        }
    }
}
