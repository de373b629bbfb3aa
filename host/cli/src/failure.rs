//! Errors in words, and what the program exits with.
//!
//! Exit codes are docker buildx's: 1 for most, 100 and 102 for an internal error of BuildKit and
//! for one of its limits, 130 for what the user cancelled.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::process::ExitCode;

use clap::Parser as _;
use iechor_builder::BuilderError;
use iechor_buildkit::{Code, source_snippet};
use iechor_sandbox::{Denial, DenialReason, DriverError, Missing, Remedy};

use crate::command::Iechor;
use crate::console;
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
    console::usage(&error);
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
    let builder_error = error.downcast_ref::<BuilderError>();
    if let Some(BuilderError::Build(error) | BuilderError::BuildKit(error)) = builder_error {
        for source in error.sources() {
            let mut snippet = Text::default();
            for line in source_snippet(source) {
                snippet.line(&line);
            }
            console::show(&snippet);
        }
    }
    console::error(&format!("{error:#}"));
    if let Some(hint) = hint(error) {
        console::hint(&hint);
    }
    ExitCode::from(exit_code(builder_error))
}

fn exit_code(error: Option<&BuilderError>) -> u8 {
    match error {
        Some(error) if error.is_cancelled() => CANCELLED,
        Some(BuilderError::Build(error) | BuilderError::BuildKit(error)) => match error.code() {
            Some(Code::Canceled) => CANCELLED,
            Some(Code::Internal) => INTERNAL,
            Some(Code::ResourceExhausted) => RESOURCE_EXHAUSTED,
            _ => GENERAL,
        },
        _ => GENERAL,
    }
}

/// What to do about errors whose own words come from elsewhere.
fn hint(error: &anyhow::Error) -> Option<Cow<'static, str>> {
    // A daemon that builds can say anything: it does not choose what the user is advised to do.
    if let Some(BuilderError::Build(_) | BuilderError::BuildKit(_)) = error.downcast_ref() {
        return None;
    }
    let text = format!("{error:#}");
    if text.contains("unable to apply caps") || text.contains("Privileged mode is incompatible") {
        return Some(
            "the engine refuses privileged containers, which BuildKit needs: it lacks a capability \
             itself, or maps users. Start the engine with all capabilities, or name another one \
             with DOCKER_HOST or as the endpoint of `iechor buildx create`"
                .into(),
        );
    }
    if text.contains("cannot reach the engine") {
        return Some(
            "check that the engine runs, and that DOCKER_HOST or the Docker context names it"
                .into(),
        );
    }
    let builder_error = error.downcast_ref::<BuilderError>();
    if let Some(BuilderError::Incomplete { builder, .. }) = builder_error {
        let hint = format!(
            "`iechor buildx rm {builder}` removes what is left, and so does the next command that \
             uses {builder}; `iechor buildx ls` shows it until then"
        );
        return Some(hint.into());
    }
    match builder_error {
        Some(BuilderError::Driver(DriverError::Crashed { .. })) => {
            Some("this is a fault of the driver; --debug shows where, for its author".into())
        }
        Some(BuilderError::Driver(DriverError::Denied { driver, denial })) => {
            denied(driver, denial).map(Cow::from)
        }
        Some(BuilderError::Driver(DriverError::Untrusted { requests, .. })) => {
            let flags = requests.iter().map(|(name, _)| format!(" --grant {name}"));
            Some(format!("to grant it, add:{}", flags.collect::<String>()).into())
        }
        Some(BuilderError::Driver(DriverError::Failed {
            remedy: Some(remedy),
            ..
        })) => Some(remedied(remedy).into()),
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
