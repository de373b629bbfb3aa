//! That what a node is configured with has an effect, and what it is not has none.

use iechor_engine::simulated::SimulatedEngine;
use iechor_sandbox::DriverError;
use iechor_sandbox::contract::{Config, File, OptionKind};

use super::{Outcome, Verdict};
use crate::case::Case;
use crate::report::Failure;
use crate::subject::Subject;
use crate::trace::failure_kind;

/// A flag that nobody gives by chance.
const FLAG: &str = "--debugaddr=127.0.0.1:60123";
const FILE: &str = "buildkitd.toml";
const CONTENTS: &[u8] = b"# of the test kit\ndebug = true\n";

/// Returns the given configuration, with the default of each option that is not given written out. A table
/// has none, and a file is the user's.
pub(super) fn with_defaults(subject: &Subject) -> Config {
    let mut options = subject.given.options.clone();
    for option in &subject.descriptor.options {
        let is_one = !matches!(option.kind, OptionKind::Table | OptionKind::File);
        if let Some(default) = &option.default
            && is_one
            && !options.iter().any(|(name, _)| *name == option.name)
        {
            options.push((option.name.clone(), default.clone()));
        }
    }
    Config {
        options,
        ..subject.given.clone()
    }
}

pub(super) async fn defaults(subject: &Subject) -> Verdict {
    let config = with_defaults(subject);
    if config.options == subject.given.options {
        return Ok(Outcome::Skipped("no option has a default".into()));
    }
    let plain = subject.case();
    boot_with(&plain, &subject.given).await?;
    let written = subject.case();
    boot_with(&written, &config).await?;
    let (plain, after) = (plain.trace.lines(), written.trace.lines());
    let differs = (0..plain.len().max(after.len())).find(|at| plain.get(*at) != after.get(*at));
    match differs {
        None => Ok(Outcome::Passed),
        Some(at) => {
            let line = |lines: &[String]| lines.get(at).cloned().unwrap_or("nothing".into());
            Err(written.failure(
                format!(
                    "with every default written out a boot does what it does without: {}",
                    line(&plain)
                ),
                line(&after),
            ))
        }
    }
}

/// Boots with that configuration, after it was checked.
async fn boot_with(case: &Case<'_>, config: &Config) -> Result<(), Failure> {
    let (config, _) = case.ok("validate", case.driver.validate(config).await)?;
    case.ok(
        "boot",
        case.driver.node(config, case.context()).boot().await,
    )
}

/// Returns what of a configuration is in the containers of an engine: words of their commands and
/// environments, and files.
async fn arrived(engine: &SimulatedEngine, case: &Case<'_>) -> Result<Vec<u8>, Failure> {
    let broken =
        |error: iechor_engine::EngineError| Failure::new("the engine answers", error.to_string());
    let mut all = Vec::new();
    for object in case.objects().await? {
        let Some(name) = object.strip_prefix("container ") else {
            continue;
        };
        let spec = engine.spec(name).map_err(broken)?;
        let env = spec.env.into_iter().map(|(_, value)| value);
        for word in spec.command.into_iter().chain(env) {
            all.extend(word.into_bytes());
            all.push(0);
        }
        for file in engine.files(name).map_err(broken)?.into_values() {
            all.extend_from_slice(&file.contents);
            all.push(0);
        }
    }
    Ok(all)
}

pub(super) async fn arrives(subject: &Subject) -> Verdict {
    let file = File {
        path: FILE.into(),
        mode: 0o644,
        contents: CONTENTS.to_vec(),
    };
    let with_flag = Config {
        buildkitd_flags: vec![FLAG.into()],
        ..subject.given.clone()
    };
    let with_file = Config {
        files: vec![file],
        ..subject.given.clone()
    };
    for (what, config, mark) in [
        ("a flag for buildkitd", with_flag, FLAG.as_bytes()),
        ("buildkitd.toml", with_file, CONTENTS),
    ] {
        let case = subject.case();
        let config = match case.driver.validate(&config).await {
            Ok((config, issues)) if issues.is_empty() => config,
            // It says that it makes nothing of it.
            Ok(_) | Err(DriverError::InvalidConfiguration { .. }) => continue,
            Err(error) => {
                return Err(case.failure(
                    format!("{what} is accepted or refused"),
                    format!("{}: {error}", failure_kind(&error)),
                ));
            }
        };
        let node = case.driver.node(config, case.context());
        case.ok(&format!("boot with {what}"), node.boot().await)?;
        let arrived = arrived(&case.stage()?.engine, &case).await?;
        if !arrived.windows(mark.len()).any(|window| window == mark) {
            return Err(case.failure(
                format!("{what} reaches the container of BuildKit, or is refused by validate"),
                "it was accepted, and no container has it in its command, environment or files",
            ));
        }
    }
    Ok(Outcome::Passed)
}
