//! `iechor buildx build`
//!
//! `flags` has the flags (`step_flags` those of the steps, `ignored_flags` those without effect), `resolve`
//! makes a build of them. `context` describes large contexts. The hints for errors of builds are in
//! `failure`.

mod caches;
mod call;
mod context;
mod faults;
mod flags;
mod ignored_flags;
mod resolve;
mod step_flags;
mod warnings;

use anyhow::anyhow;
use iechor_build::deliver::result::BuildResult;
use iechor_build::deliver::view::BuildView;
use iechor_build::run::Outcome;
use iechor_build::spec::{Dockerfile, Exporter};
use iechor_build::{BuildError, BuildSpec, Plan, Warning};
use iechor_builder::Workspace;
use iechor_progress::Mode;

pub(super) use caches::complete as complete_caches;
pub use flags::Build;
pub(super) use resolve::surroundings;

use crate::command::Format;
use crate::failure::WrongLine;
use crate::program;
use crate::session::{self, Common};
use crate::terminal::{self, Display, Named};
use crate::text::Text;

/// How the result is printed.
struct Printing {
    format: Format,
    /// Whether the ID of the image is printed.
    id: bool,
    /// Whether warnings have their details.
    debug: bool,
}

impl Build {
    /// Builds, and delivers the results.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let environment = |name: &str| std::env::var(name).ok();
        let mut line = common.line.clone();
        let mode = line.note("--progress", resolve::progress(&self, environment));
        let mut printing = Printing {
            format: self.format.clone(),
            id: resolve::prints_id(&self),
            debug: program::settings().debug,
        };
        let warnings = self.ignored.warnings();
        let (mut spec, mistakes) = resolve::spec(self, environment);
        // A call has no image.
        printing.id &= spec.call.is_none();
        let is_result_printed = !matches!(printing.format, Format::Table);
        if is_result_printed && spec.exporters.iter().any(Exporter::is_stdout) {
            let conflict =
                anyhow!("--format and an output to standard output cannot be used together");
            line.note::<()>("--format", Err(conflict));
        }
        let mode = match mode {
            Some(mode) if line.is_empty() && mistakes.is_empty() => mode,
            // The other settings are checked all the same: all mistakes are reported at once.
            _ => {
                return session::query(common, |workspace| async move {
                    let checked = iechor_build::plan::check_settings(&workspace, &spec, mistakes);
                    match checked.await {
                        Err(BuildError::Mistakes(mistakes)) => Err(line.with_settings(mistakes)),
                        Err(error) if error.is_cancelled() => Err(lifted(error)),
                        _ => line.check(),
                    }
                });
            }
        };
        for warning in warnings {
            terminal::warn(warning);
        }
        let warning = caches::complete_credentials(&mut spec, &environment);
        warning.iter().for_each(|warning| terminal::warn(warning));
        session::change(common, |workspace| async move {
            match iechor_build::plan(&workspace, &spec, mistakes).await {
                Ok(plan) => {
                    for warning in &plan.warnings {
                        terminal::warn(&text_of(warning));
                    }
                    build(&workspace, &spec, plan, mode, &printing).await
                }
                Err(error) => {
                    let outcome = Outcome::of_failure(&spec, error);
                    printing.print(&spec, &outcome, None)?;
                    outcome.result.map(drop).map_err(lifted)
                }
            }
        })
    }
}

async fn build(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: Plan,
    mode: Mode,
    printing: &Printing,
) -> anyhow::Result<()> {
    let (builder, driver) = plan.builder();
    let (builder, driver) = (builder.to_owned(), driver.to_owned());
    let large_contexts = plan.large_contexts();
    let named = Named {
        builder: &builder,
        driver: &driver,
    };
    let display = Display::start(mode, Some(named))?;
    let outcome = iechor_build::run::run(workspace, spec, plan, display.sender()).await;
    let warnings = display.finish().await?;
    if !matches!(mode, Mode::Quiet | Mode::RawJson) {
        let list = warnings::text(&warnings, printing.debug);
        list.iter().for_each(terminal::show);
    }
    if !matches!(mode, Mode::Quiet | Mode::RawJson | Mode::None) {
        for context in large_contexts.take() {
            terminal::show(&context::described(&context));
        }
    }
    for remark in &outcome.remarks {
        terminal::warn(&remark.to_string());
    }
    if let Ok(result) = &outcome.result {
        for warning in result.warnings() {
            terminal::warn(warning);
        }
    }
    printing.print(spec, &outcome, Some((&builder, &driver)))?;
    let result = outcome.result.map_err(lifted)?;
    if let Format::Table = printing.format {
        print_answer(spec, &result)?;
    }
    Ok(())
}

/// Prints what the frontend answered to a call, or says about its result.
pub(super) fn print_answer(spec: &BuildSpec, result: &BuildResult) -> anyhow::Result<()> {
    if let (Some(call), Some(answer)) = (&spec.call, result.answer()) {
        let dockerfile = match &spec.dockerfile {
            Dockerfile::File(path) => Some(path.to_string_lossy()),
            Dockerfile::Remote(url) => Some(url.into()),
            Dockerfile::Default | Dockerfile::StandardInput => None,
        };
        call::print(call, answer, dockerfile.as_deref())?;
    }
    if let Some(message) = result.inline_message() {
        let mut text = Text::of_line("");
        for line in message.lines() {
            text.line(line);
        }
        terminal::result(&text)?;
    }
    Ok(())
}

impl Printing {
    /// Prints the end of a build. `builder` has the names of the builder and of its driver.
    fn print(
        &self,
        spec: &BuildSpec,
        outcome: &Outcome,
        builder: Option<(&str, &str)>,
    ) -> anyhow::Result<()> {
        if !matches!(self.format, Format::Table) {
            let view = || BuildView::new(outcome, builder);
            return self.format.show(Text::default, view);
        }
        // A line after the bytes of an output would be part of it.
        let is_stdout_free = !spec.exporters.iter().any(Exporter::is_stdout);
        match &outcome.result {
            Ok(result) if self.id && is_stdout_free => {
                terminal::line(result.image_id().unwrap_or_default())
            }
            _ => Ok(()),
        }
    }
}

/// Returns an error as the one that is reported: a builder that fails is reported the same way in
/// every command.
pub(super) fn lifted(error: BuildError) -> anyhow::Error {
    match error {
        BuildError::Builder(error) => (*error).into(),
        BuildError::Mistakes(mistakes) => WrongLine::default().with_settings(mistakes),
        other => other.into(),
    }
}

/// Returns the warning that results stay in the build cache, of targets if any are named.
pub(super) fn no_output(driver: &str, targets: &[&str]) -> String {
    let of_targets = match targets {
        [] => String::new(),
        targets => format!(" for {} target(s)", targets.join(", ")),
    };
    format!(
        "No output specified{of_targets} with {driver} driver. Build result will only remain in the \
         build cache. To push result image into registry use --push or to load image into docker use \
         --load"
    )
}

/// Returns the text of a warning.
pub(super) fn text_of(warning: &Warning) -> String {
    match warning {
        Warning::LoadDenied { driver, reason } => format!(
            "Driver {driver} may not load results into the engine by itself: {reason}. Use --load to \
             load this result; run `iechor driver trust {driver}` to list and change its grants"
        ),
        // docker buildx prints the same.
        Warning::LocalCache { directory, problem } => {
            format!("local cache import at {directory} {problem}")
        }
        Warning::GhaCache { has_token, has_url } => {
            let missing = match (has_token, has_url) {
                (false, false) => "a token and an address",
                (false, true) => "a token",
                _ => "an address",
            };
            format!(
                "The cache type=gha is not used: it needs {missing}. Workflows of GitHub Actions pass them \
                 in ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL or ACTIONS_CACHE_URL"
            )
        }
        // docker buildx prints the same.
        Warning::NoOutput { driver } => no_output(driver, &[]),
        // docker buildx prints the same.
        Warning::NoVcs { reason } => {
            format!("current commit information was not captured by the build: {reason}")
        }
    }
}
