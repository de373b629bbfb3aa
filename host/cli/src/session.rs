//! What commands share: the runtime, signals, and the workspace.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use iechor_builder::{BuilderError, Workspace};
use tokio_util::sync::CancellationToken;

use crate::composition::{self, DriverLog};
use crate::failure::{self, WrongLine};
use crate::interrupt;
use crate::program;
use crate::terminal;

/// Flags that every command of `buildx` takes.
#[derive(Debug, Clone, Default)]
pub struct Common {
    /// `--builder`
    pub builder: Option<String>,
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
    let settings = program::settings();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        let cancel = CancellationToken::new();
        interrupt::watch(cancel.clone(), !undo.is_zero())?;
        let _announcer = terminal::Announcer::start();
        let workspace = Workspace::from_process(
            settings.client,
            program::name().place(),
            common.builder.clone(),
            Arc::new(DriverLog {
                debug: settings.debug,
            }),
            failure::remark_hint,
            cancel.clone(),
        )?;
        for fault in workspace.config.faults() {
            terminal::warn(&failure::config_warning(fault));
        }
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
    if settings.debug
        && let Err(error) = &result
        && let Some(backtrace) = composition::backtrace(error)
    {
        terminal::say(backtrace);
    }
    // A blocked read of a file must not delay the exit.
    runtime.shutdown_background();
    result
}
