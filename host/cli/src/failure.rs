//! Errors in words, hints, and exit codes.
//!
//! The crates below return errors that carry data: a kind, a cause, and what a hint needs. Flags and
//! commands are named here only: [`builders`], [`bake`], [`build`] and [`drivers`] have the hints of
//! one crate each, [`contexts`] those for the files of a build; [`mistakes`] lists those of a command line. The exit code follows from the [`Kind`] of an error.

mod bake;
mod build;
mod builders;
mod contexts;
mod drivers;
mod kind;
mod mistakes;
mod plugins;

use std::collections::BTreeSet;
use std::process::ExitCode;

use iechor_build::BuildError;
use iechor_builder::{BuilderError, EngineError, EngineErrorKind};
use iechor_buildkit::source_snippet;
use iechor_catalog::CatalogError;
use iechor_values::causes::chain;

use crate::line::CountError;
use crate::plugin::link::LinkError;
use crate::program;
use crate::terminal;
use crate::text::Text;
use kind::Kind;

pub use builders::{config_warning, remark_hint};
pub use kind::help as exit_codes;
pub use mistakes::WrongLine;

/// Exit code of what the user cancelled.
pub const CANCELLED: u8 = 130;

/// What clap refuses, or the help that the user asked for, which clap has as an error.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A wrong command line.
    #[error(transparent)]
    Wrong(clap::Error),
    /// The help.
    #[error("help is no error")]
    Help(String),
}

/// An exit code without a message: what a command found is its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitStatus(pub u8);

impl std::fmt::Display for ExitStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "exit status {}", self.0)
    }
}

impl std::error::Error for ExitStatus {}

/// Returns the kind of an error.
fn kind_of(error: &anyhow::Error) -> Kind {
    if let Some(error) = error.downcast_ref() {
        return build::kind(error);
    }
    if let Some(error) = error.downcast_ref() {
        return builders::kind(error);
    }
    if let Some(error) = error.downcast_ref() {
        return drivers::kind(error);
    }
    match error.downcast_ref().map(EngineError::kind) {
        Some(kind) => engine_kind(kind),
        None => Kind::General,
    }
}

/// Returns the kind of a failure of the engine.
fn engine_kind(failure: EngineErrorKind) -> Kind {
    match failure {
        EngineErrorKind::Unreachable => Kind::Unreachable,
        _ => Kind::General,
    }
}

/// Prints an error with its source lines and hints, or help, and returns the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref() {
        Some(Refused::Help(help)) => {
            terminal::help(help);
            return ExitCode::SUCCESS;
        }
        Some(Refused::Wrong(error)) => {
            terminal::usage(error);
            return ExitCode::from(Kind::General.exit_code());
        }
        None => {}
    }
    if let Some(ExitStatus(status)) = error.downcast_ref() {
        return ExitCode::from(*status);
    }
    if let Some(snippet) = error.downcast_ref().and_then(bake::snippet) {
        terminal::show(&snippet);
    }
    if let Some(error) = of_daemon(error) {
        for source in error.sources() {
            let mut snippet = Text::default();
            for line in source_snippet(source) {
                snippet.line(&line);
            }
            terminal::show(&snippet);
        }
    }
    terminal::error(&chain(error.as_ref()));
    if program::settings().debug {
        for (number, cause) in error.chain().skip(1).enumerate() {
            terminal::log("DEBUG", &format!("cause {}: {cause}", number + 1));
        }
    }
    if let Some(count) = error.downcast_ref::<CountError>() {
        terminal::show(&Text::prepared(count.usage()));
    }
    let hints = hints(error);
    if !hints.is_empty() {
        terminal::hint(&hints.join("\n"));
    }
    ExitCode::from(kind_of(error).exit_code())
}

/// Prints what to do about failures that were shown already, each hint once.
pub fn advise<'a>(failures: impl IntoIterator<Item = &'a BuilderError>) {
    say_once(failures.into_iter().flat_map(builders::hints));
}

/// Prints what to do about failures of drivers that were shown already, each hint once.
pub fn advise_on_drivers<'a>(failures: impl IntoIterator<Item = &'a CatalogError>) {
    say_once(failures.into_iter().filter_map(drivers::catalog_hint));
}

fn say_once(hints: impl Iterator<Item = String>) {
    let mut said = BTreeSet::new();
    for hint in hints {
        if said.insert(hint.clone()) {
            terminal::hint(&hint);
        }
    }
}

/// Returns what to do about a failure of the engine.
fn engine_hint(failure: EngineErrorKind) -> Option<String> {
    match failure {
        EngineErrorKind::PrivilegedRefused => Some(format!(
            "the engine refuses privileged containers, which BuildKit needs: it lacks a capability \
             itself, or maps users. Start the engine with all capabilities, or name another one \
             with DOCKER_HOST or as the endpoint of `{}`",
            program::buildx("create")
        )),
        EngineErrorKind::Unreachable => Some(
            "check that the engine runs, and that DOCKER_HOST or the Docker context names it"
                .to_owned(),
        ),
        EngineErrorKind::NoBuildKit => Some(format!(
            "run `{}` to create a builder with its own BuildKit",
            program::buildx("create --use")
        )),
        _ => None,
    }
}

/// Returns the error of BuildKit, if the error is one.
fn of_daemon(error: &anyhow::Error) -> Option<&iechor_buildkit::Error> {
    let build = error.downcast_ref().map(BuildError::of_node);
    if let Some(BuildError::Solve(error) | BuildError::MissingFile { error, .. }) = build {
        return Some(error);
    }
    match error.downcast_ref() {
        Some(BuilderError::BuildKit(error)) => Some(error),
        _ => None,
    }
}

/// Returns what to do about an error. Only data of the error decides: its text may come from a daemon,
/// which must not choose what the user is advised to do.
fn hints(error: &anyhow::Error) -> Vec<String> {
    if let Some(line) = error.downcast_ref::<WrongLine>() {
        return line.hints();
    }
    if let Some(error) = error.downcast_ref() {
        return bake::hint(error).into_iter().collect();
    }
    if let Some(error) = error.downcast_ref() {
        return bake::target_hint(error).into_iter().collect();
    }
    if let Some(error) = error.downcast_ref::<LinkError>() {
        return plugins::hint(error).into_iter().collect();
    }
    if let Some(BuildError::Builder(error)) = error.downcast_ref() {
        return builders::hints(error);
    }
    if let Some(error) = error.downcast_ref::<BuildError>() {
        return build::hint(error).into_iter().collect();
    }
    if let Some(error) = error.downcast_ref::<BuilderError>() {
        return builders::hints(error);
    }
    if let Some(error) = error.downcast_ref::<CatalogError>() {
        return drivers::catalog_hint(error).into_iter().collect();
    }
    let engine = error.downcast_ref().map(EngineError::kind);
    engine.and_then(engine_hint).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use iechor_build::plan::PlanError;
    use iechor_builder::selection::{NameSource, SelectionError};
    use iechor_buildkit::{Code, Error, SolveError};

    use super::*;

    #[test]
    fn exit_codes_follow_from_kinds() {
        let solve = |code| BuildError::Solve(Error::Solve(Box::new(SolveError::new(code, "no"))));
        let builder = || BuilderError::Cancelled("the command");
        let node = |node: &str, error| BuilderError::Node {
            action: "stop",
            node: node.into(),
            error: Box::new(error),
        };
        let timed_out = || BuilderError::TimedOut {
            what: "the engine".into(),
            seconds: 20,
        };
        for (error, expected) in [
            (solve(Code::Unknown).into(), 1),
            (solve(Code::Internal).into(), 100),
            (solve(Code::ResourceExhausted).into(), 102),
            (solve(Code::Canceled).into(), 130),
            (BuildError::Solve(Error::Cancelled).into(), 130),
            (BuildError::from(builder()).into(), 130),
            (builder().into(), 130),
            (BuilderError::BuildKit(Error::Cancelled).into(), 130),
            (
                BuilderError::Several(vec![node("a", builder()), node("b", builder())]).into(),
                130,
            ),
            (
                BuilderError::Several(vec![node("a", timed_out()), node("b", builder())]).into(),
                130,
            ),
            (
                BuilderError::Several(vec![node("a", timed_out()), node("b", timed_out())]).into(),
                4,
            ),
            (
                BuilderError::Selection(SelectionError::NotFound {
                    name: "b".into(),
                    source_of_name: NameSource::CommandLine,
                })
                .into(),
                3,
            ),
            (
                BuilderError::Incomplete {
                    builder: "b".into(),
                    endpoint: "unix:///e".into(),
                    remnants: Vec::new(),
                    error: Some(Box::new(timed_out())),
                }
                .into(),
                5,
            ),
            (
                CatalogError::NotInstalled {
                    source_text: "x".into(),
                }
                .into(),
                3,
            ),
            (CatalogError::Cancelled("the download").into(), 130),
            (BuildError::Plan(PlanError::NoTag).into(), 1),
            (anyhow::anyhow!("anything"), 1),
        ] {
            assert_eq!(kind_of(&error).exit_code(), expected, "{error}");
        }
    }
}
