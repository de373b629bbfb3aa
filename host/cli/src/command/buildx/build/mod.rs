//! `iechor buildx build`
//!
//! `flags` has the flags (`step_flags` those of the steps, `ignored_flags` those without effect), `resolve` makes a build of them. The hints for errors of builds are in
//! `failure`.

mod flags;
mod ignored_flags;
mod resolve;
mod step_flags;

use std::path::Path;

use anyhow::bail;
use iechor_build::{BuildError, BuildSpec, Plan, Warning};
use iechor_builder::Workspace;
use iechor_progress::{Mode, description};

pub use flags::Build;

use crate::failure::WrongLine;
use crate::session::{self, Common};
use crate::terminal::{self, Display};

impl Build {
    /// Builds, and delivers the results.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let environment = |name: &str| std::env::var(name).ok();
        let mut line = common.line.clone();
        let mode = line.note("--progress", resolve::progress(&self, environment));
        let warnings = self.ignored.warnings();
        let (spec, mistakes) = resolve::spec(self, environment);
        let mode = match mode {
            Some(mode) if line.is_empty() && mistakes.is_empty() => mode,
            // The other settings are checked all the same: all mistakes are reported at once.
            _ => {
                return session::query(common, |workspace| async move {
                    let checked = iechor_build::plan::check_settings(&workspace, &spec, mistakes);
                    match checked {
                        Err(BuildError::Mistakes(mistakes)) => Err(line.with_settings(mistakes)),
                        _ => line.check(),
                    }
                });
            }
        };
        for warning in warnings {
            terminal::warn(warning);
        }
        if let Some(path) = &spec.iid_file {
            forget_id(path)?;
        }
        session::change(common, |workspace| async move {
            let plan = iechor_build::plan(&workspace, &spec, mistakes).await;
            let plan = plan.map_err(lifted)?;
            for warning in &plan.warnings {
                terminal::warn(&text_of(warning));
            }
            build(&workspace, &spec, plan, mode).await
        })
    }
}

async fn build(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: Plan,
    mode: Mode,
) -> anyhow::Result<()> {
    let (builder, driver) = plan.builder();
    let display = Display::start(mode, Some(description(builder, driver)))?;
    let result = iechor_build::run::run(workspace, spec, plan, display.sender()).await;
    let warnings = display.finish().await?;
    let result = result.map_err(lifted)?;
    for warning in result.warnings() {
        terminal::warn(warning);
    }
    if warnings > 0 && !matches!(mode, Mode::Quiet | Mode::RawJson | Mode::None) {
        let plural = if warnings == 1 { "" } else { "s" };
        terminal::say(&format!("\n {warnings} warning{plural} found"));
    }
    if mode == Mode::Quiet {
        terminal::line(result.image_id().unwrap_or_default())?;
    }
    Ok(())
}

/// Removes the file with the ID of an earlier image: it must not pass for that of a build that
/// fails.
fn forget_id(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            bail!("image ID file {}: {error}", path.display());
        }
        _ => Ok(()),
    }
}

/// Returns an error as the one that is reported: a builder that fails is reported the same way in
/// every command.
fn lifted(error: BuildError) -> anyhow::Error {
    match error {
        BuildError::Builder(error) => (*error).into(),
        BuildError::Mistakes(mistakes) => WrongLine::default().with_settings(mistakes),
        other => other.into(),
    }
}

/// Returns the text of a warning.
fn text_of(warning: &Warning) -> String {
    match warning {
        Warning::LoadDenied { driver, reason } => format!(
            "Driver {driver} may not load results into the engine by itself: {reason}. Use --load to \
             load this result; run `iechor driver trust {driver}` to list and change its grants"
        ),
        // docker buildx prints the same.
        Warning::NoOutput { driver } => format!(
            "No output specified with {driver} driver. Build result will only remain in the build \
             cache. To push result image into registry use --push or to load image into docker use \
             --load"
        ),
    }
}
