//! Errors in words, and what the program exits with.
//!
//! Exit codes are docker buildx's: 1 for most, 100 and 102 for an internal error of BuildKit and
//! for one of its limits, 130 for what the user cancelled.

mod build;
mod builders;
mod drivers;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::process::ExitCode;

use clap::Parser as _;
use iechor_build::BuildError;
use iechor_builder::{BuilderError, EngineError, EngineErrorKind};
use iechor_buildkit::{Code, source_snippet};
use iechor_catalog::CatalogError;
use iechor_sandbox::{Denial, DenialReason, DriverError, Missing, Remedy};

use crate::command::Iechor;
use crate::terminal;
use crate::text::Text;

const GENERAL: u8 = 1;
const INTERNAL: u8 = 100;
const RESOURCE_EXHAUSTED: u8 = 102;
/// The user cancelled.
pub const CANCELLED: u8 = 130;

/// Prints a wrong command line's error, or the help that was asked for.
pub fn usage(error: clap::Error) -> ExitCode {
    // An error repeats arguments, which a script may have from anywhere: it is that of the same
    // command line with nothing in it that ends a line.
    let arguments = std::env::args_os().map(|argument| one_line(&argument));
    let error = Iechor::try_parse_from(arguments).err().unwrap_or(error);
    terminal::usage(&error);
    if error.use_stderr() {
        ExitCode::from(GENERAL)
    } else {
        ExitCode::SUCCESS
    }
}

/// Returns an argument with spaces for control characters.
fn one_line(argument: &OsStr) -> OsString {
    let bytes = argument.as_bytes().iter();
    let bytes = bytes.map(|byte| if byte.is_ascii_control() { b' ' } else { *byte });
    OsString::from_vec(bytes.collect())
}

/// Prints an error with what belongs to it, and returns the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(error) = of_daemon(error) {
        for source in error.sources() {
            let mut snippet = Text::default();
            for line in source_snippet(source) {
                snippet.line(&line);
            }
            terminal::show(&snippet);
        }
    }
    terminal::error(&format!("{error:#}"));
    if let Some(hint) = hint(error) {
        terminal::hint(&hint);
    }
    let catalog_error = error.downcast_ref::<CatalogError>();
    if catalog_error.is_some_and(CatalogError::is_cancelled) {
        return ExitCode::from(CANCELLED);
    }
    ExitCode::from(exit_code(error))
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let is_cancelled = match (error.downcast_ref(), error.downcast_ref()) {
        (Some(error), _) => BuilderError::is_cancelled(error),
        (None, Some(error)) => BuildError::is_cancelled(error),
        (None, None) => false,
    };
    match of_daemon(error).and_then(iechor_buildkit::Error::code) {
        _ if is_cancelled => CANCELLED,
        Some(Code::Canceled) => CANCELLED,
        Some(Code::Internal) => INTERNAL,
        Some(Code::ResourceExhausted) => RESOURCE_EXHAUSTED,
        _ => GENERAL,
    }
}

/// Prints what to do about failures that were shown already, each hint once.
pub fn advise<'a>(failures: impl IntoIterator<Item = &'a BuilderError>) {
    say_once(failures.into_iter().filter_map(builders::builder_hint));
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
fn engine_hint(failure: EngineErrorKind) -> Option<&'static str> {
    match failure {
        EngineErrorKind::PrivilegedRefused => Some(
            "the engine refuses privileged containers, which BuildKit needs: it lacks a capability \
             itself, or maps users. Start the engine with all capabilities, or name another one \
             with DOCKER_HOST or as the endpoint of `iechor buildx create`",
        ),
        EngineErrorKind::Unreachable => {
            Some("check that the engine runs, and that DOCKER_HOST or the Docker context names it")
        }
        EngineErrorKind::NoBuildKit => {
            Some("run `iechor buildx create --use` to create a builder with its own BuildKit")
        }
        _ => None,
    }
}

/// Returns the error of the daemon that an error is, where it is one.
fn of_daemon(error: &anyhow::Error) -> Option<&iechor_buildkit::Error> {
    if let Some(BuildError::Solve(error)) = error.downcast_ref() {
        return Some(error);
    }
    match error.downcast_ref() {
        Some(BuilderError::BuildKit(error)) => Some(error),
        _ => None,
    }
}

/// What to do about errors whose own words come from elsewhere.
fn hint(error: &anyhow::Error) -> Option<Cow<'static, str>> {
    // A daemon that builds can say anything: its text does not choose what the user is advised to do.
    if let Some(error) = error.downcast_ref::<BuildError>() {
        return build::hint(error).map(Cow::Owned);
    }
    if let Some(BuilderError::BuildKit(_)) = error.downcast_ref() {
        return None;
    }
    let builder_hint = || error.downcast_ref().and_then(builders::builder_hint);
    let catalog_hint = || error.downcast_ref().and_then(drivers::catalog_hint);
    if let Some(hint) = builder_hint().or_else(catalog_hint) {
        return Some(hint.into());
    }
    let builder_error = error.downcast_ref::<BuilderError>();
    let engine_failure = match builder_error {
        Some(error) => error.engine_failure(),
        None => error.downcast_ref().map(EngineError::kind),
    };
    if let Some(hint) = engine_failure.and_then(engine_hint) {
        return Some(hint.into());
    }
    if let Some(BuilderError::Incomplete { builder, .. }) = builder_error {
        let hint = format!(
            "`iechor buildx rm {builder}` removes what is left, and so does the next command that \
             uses {builder}; `iechor buildx ls` shows it until then"
        );
        return Some(hint.into());
    }
    let driver_error = match (builder_error, error.downcast_ref()) {
        (Some(BuilderError::Driver(error)), _) | (_, Some(CatalogError::Driver(error))) => {
            Some(error)
        }
        _ => None,
    };
    match driver_error {
        Some(DriverError::Crashed { .. }) => {
            Some("this is a fault of the driver; --debug shows where, for its author".into())
        }
        Some(DriverError::Denied { driver, denial }) => denied(driver, denial).map(Cow::from),
        Some(DriverError::Untrusted { requests, .. }) => {
            let flags = requests.iter().map(|(name, _)| format!(" --grant {name}"));
            Some(format!("to grant it, add:{}", flags.collect::<String>()).into())
        }
        Some(DriverError::Failed {
            remedy: Some(remedy),
            ..
        }) => Some(remedied(remedy).into()),
        _ => None,
    }
}

/// What to do about a denial; `None` where nothing that the user says changes it.
fn denied(driver: &str, denial: &Denial) -> Option<String> {
    let capability = &denial.capability;
    let grant = match &denial.reason {
        DenialReason::NotGranted { grant, .. } => grant,
        _ => return denial.remedy.as_ref().map(remedied),
    };
    let mut hint =
        format!("`iechor driver trust {driver}` shows what the driver may do, and changes that");
    match grant {
        Missing::Pattern(pattern) => hint += &format!("; --grant {capability}={pattern} would"),
        Missing::Everything => {
            hint += &format!("; only --grant {capability}, of any image, would");
        }
        Missing::Unknown => {}
    }
    if matches!(grant, Missing::Pattern(_) | Missing::Everything) {
        hint += " allow this";
    }
    if let Some(remedy) = &denial.remedy {
        hint += &format!(". Or: {}", remedied(remedy));
    }
    Some(hint)
}

fn remedied(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Recreate { builder } => format!(
            "`iechor buildx rm --keep-state {builder}` removes the container; create the builder \
             again to have a new one"
        ),
    }
}

#[cfg(test)]
mod tests {
    use iechor_build::plan::PlanError;
    use iechor_buildkit::{Error, SolveError};

    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_peer() {
        let solve = |code| {
            BuildError::Solve(Error::Solve(Box::new(SolveError {
                code,
                message: "no".into(),
                vertex: None,
                sources: vec![],
            })))
        };
        let builder = || BuilderError::Cancelled("the command");
        for (error, expected) in [
            (solve(Code::Unknown).into(), 1),
            (solve(Code::Internal).into(), 100),
            (solve(Code::ResourceExhausted).into(), 102),
            (solve(Code::Canceled).into(), 130),
            (BuildError::Solve(Error::Cancelled).into(), 130),
            (BuildError::from(builder()).into(), 130),
            (builder().into(), 130),
            (BuilderError::BuildKit(Error::Cancelled).into(), 130),
            (BuildError::Plan(PlanError::NoTag).into(), 1),
            (anyhow::anyhow!("anything"), 1),
        ] {
            assert_eq!(exit_code(&error), expected, "{error}");
        }
    }
}
