//! What commands share: the runtime, signals, and the workspace.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use iechor_builder::{BuilderError, Workspace};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::composition::{self, DriverLog};
use crate::failure::{self, WrongLine};
use crate::terminal;

/// Flags that every command of `buildx` takes.
#[derive(Debug, Clone, Default)]
pub struct Common {
    /// `--builder`
    pub builder: Option<String>,
    /// `--debug`
    pub debug: bool,
    /// Words of the command line that cannot be read. Only a build starts with any: it looks for other
    /// mistakes.
    pub line: WrongLine,
}

/// Time that a cancelled command has to undo its changes.
const UNDO: Duration = Duration::from_secs(45);

/// Runs a command that changes something. The first Ctrl-C cancels the operation, which then leaves
/// nothing behind; the second one exits.
pub fn change<F>(common: &Common, command: impl FnOnce(Workspace) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    run(common, UNDO, command)
}

/// Runs a command that changes nothing: Ctrl-C ends it.
pub fn query<F>(common: &Common, command: impl FnOnce(Workspace) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    run(common, Duration::ZERO, command)
}

fn run<F>(
    common: &Common,
    undo: Duration,
    command: impl FnOnce(Workspace) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    composition::announce_compilations();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        let cancel = CancellationToken::new();
        watch_signals(cancel.clone(), !undo.is_zero())?;
        let workspace = Workspace::from_process(
            common.builder.clone(),
            Arc::new(DriverLog {
                debug: common.debug,
            }),
            failure::remark_hint,
            cancel.clone(),
        )?;
        let overdue = async {
            cancel.cancelled().await;
            tokio::time::sleep(undo).await;
        };
        tokio::select! {
            biased;
            result = command(workspace) => result,
            () = overdue => Err(BuilderError::Cancelled("the command").into()),
        }
    });
    if common.debug
        && let Err(error) = &result
        && let Some(backtrace) = composition::backtrace(error)
    {
        terminal::say(backtrace);
    }
    // A blocked read of a file must not delay the exit.
    runtime.shutdown_background();
    result
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

fn watch_signals(cancel: CancellationToken, undoes: bool) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that is closed cancels too, except under nohup.
    let mut hangup = match ignores_hangup() {
        true => None,
        false => Some(signal(SignalKind::hangup())?),
    };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = hang_up(hangup.as_mut()) => {
                    // The shell and the system both send this signal.
                    hangup = None;
                }
            }
            if cancel.is_cancelled() {
                terminal::error_at_once(
                    "interrupted again, exiting immediately; run `iechor buildx ls` to list what is left",
                );
                std::process::exit(i32::from(failure::CANCELLED));
            }
            // A question ends at once, before anything is changed.
            if undoes && !terminal::is_asking() {
                terminal::say_at_once("Cancelling; press Ctrl-C again to exit immediately");
            }
            cancel.cancel();
        }
    });
    Ok(())
}
