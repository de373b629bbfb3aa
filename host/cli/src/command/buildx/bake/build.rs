//! Builds the targets of a definition, all at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context as _;
use futures_util::future::try_join_all;
use iechor_bake::demands::{self, Demand};
use iechor_bake::{Definition, Selection, spec};
use iechor_build::deliver::metadata::Metadata;
use iechor_build::deliver::result::BuildResult;
use iechor_build::{BuildError, BuildSpec, Mistakes, Plan, Warning};
use iechor_builder::Workspace;
use iechor_progress::Mode;
use iechor_progress::relay::Sources;

use super::permission::{Allowed, described, flag};
use crate::command::buildx::build;
use crate::program;
use crate::terminal::{self, Display, Named};
use crate::text::Text;

/// The variable that keeps the check of files and agents from being fatal.
const UNCHECKED: &str = "BUILDX_BAKE_ENTITLEMENTS_FS";

/// A target that is ready to be built.
pub(super) struct Build {
    name: String,
    spec: BuildSpec,
}

/// Makes the builds of targets.
pub(super) fn of_selection(selection: &Selection) -> anyhow::Result<Vec<Build>> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut builds = Vec::new();
    for (name, target) in &selection.targets {
        let mut spec = spec::of_target(name, target, &variable)?;
        build::surroundings(&mut spec, &variable)?;
        let texts = |attribute: &str| -> Vec<String> {
            target
                .entries(attribute)
                .iter()
                .map(|entry| entry.to_csv())
                .collect()
        };
        let warning = build::complete_caches(
            &mut spec,
            &texts("cache-from"),
            &texts("cache-to"),
            &variable,
        );
        warning.iter().for_each(|warning| terminal::warn(warning));
        builds.push(Build {
            name: name.clone(),
            spec,
        });
    }
    Ok(builds)
}

/// Returns what targets demand and the command line does not: its overrides are the user's own, but for contexts.
pub(super) fn demanded(
    definition: &Definition,
    requested: &[String],
    selection: &Selection,
    builds: &[Build],
) -> BTreeSet<Demand> {
    let without = definition.select(requested, &[], &|name| std::env::var(name).ok());
    let variable = |name: &str| std::env::var(name).ok();
    let mut demanded = BTreeSet::new();
    for build in builds {
        let Some(target) = selection.targets.get(&build.name) else {
            continue;
        };
        let all = demands::of_target(target, &build.spec);
        demanded.extend(all.files);
        let before = without.as_ref().ok().and_then(|without| {
            let target = without.targets.get(&build.name)?;
            let spec = spec::of_target(&build.name, target, &variable).ok()?;
            Some(demands::of_target(target, &spec).settings)
        });
        match before {
            Some(before) => demanded.extend(all.settings.intersection(&before).cloned()),
            // What the definition demands by itself is not known.
            None => demanded.extend(all.settings),
        }
    }
    demanded
}

/// Asks for consent to what is not allowed. Without a terminal, the answer is no.
pub(super) async fn ask(
    demanded: &BTreeSet<Demand>,
    allow: &[String],
    workspace: &Workspace,
) -> anyhow::Result<()> {
    let working = std::env::current_dir().context("cannot find the working directory")?;
    let missing = Allowed::parse(allow, &working)?.missing(demanded, &working);
    if missing.is_empty() {
        return Ok(());
    }
    let is_asked = terminal::can_ask();
    terminal::show(&request(&missing, &working, is_asked));
    let value = std::env::var(UNCHECKED).ok();
    let is_unchecked = match &value {
        None => false,
        // docker buildx prints the same.
        Some(value) => iechor_build::spec::parse::boolean(value)
            .map(|is_checked| !is_checked)
            .with_context(|| format!("failed to parse {UNCHECKED} value {value:?}"))?,
    };
    let is_fatal = |demand: &Demand| {
        !is_unchecked || matches!(demand, Demand::Entitlement(_) | Demand::Delete)
    };
    if !missing.iter().any(is_fatal) {
        return Ok(());
    }
    let question = "Do you want to grant requested privileges and continue? [y/N] ";
    if is_asked && terminal::confirm(question, &workspace.cancel).await? {
        return Ok(());
    }
    // docker buildx prints the same.
    anyhow::bail!("additional privileges requested")
}

fn request(missing: &BTreeSet<Demand>, working: &Path, is_asked: bool) -> Text {
    let mut text = Text::of_line(
        "Your build is requesting privileges for following possibly insecure capabilities:",
    );
    text.line("");
    for demand in missing {
        text.line(&format!(" - {}", described(demand, working)));
    }
    text.line("");
    let flags: Vec<String> = missing.iter().map(|demand| flag(demand, working)).collect();
    let flags = flags.join(" ");
    text.line(&match is_asked {
        true => format!("In order to not see this message in the future pass {flags:?} to grant requested privileges."),
        false => format!("Pass {flags:?} to grant requested privileges."),
    });
    text.line("");
    text.line("Your full command with requested privileges:");
    text.line("");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rest = words.iter().skip_while(|word| *word != "bake").skip(1);
    let rest: Vec<&str> = rest.map(String::as_str).collect();
    text.line(&format!(
        "{} {flags} {}",
        program::buildx("bake"),
        rest.join(" ")
    ));
    text.line("");
    text
}

/// Builds, and writes the metadata of all targets if all succeed.
pub(super) async fn run(
    workspace: &Workspace,
    builds: Vec<Build>,
    mode: Mode,
    metadata_file: Option<PathBuf>,
) -> anyhow::Result<()> {
    let is_several = builds.len() > 1;
    let named = |name: &str, error: BuildError| {
        let error = build::lifted(error);
        if is_several {
            error.context(format!("target {name}"))
        } else {
            error
        }
    };
    let mut plans = Vec::new();
    let mut silent = Vec::new();
    for build in &builds {
        let plan = iechor_build::plan(workspace, &build.spec, Mistakes::default()).await;
        let plan = plan.map_err(|error| named(&build.name, error))?;
        for warning in &plan.warnings {
            match warning {
                Warning::NoOutput { .. } => silent.push(build.name.as_str()),
                other => {
                    let text = build::text_of(other);
                    let name = &build.name;
                    terminal::warn(&if is_several {
                        format!("{name}: {text}")
                    } else {
                        text
                    });
                }
            }
        }
        plans.push(plan);
    }
    let Some(first) = plans.first().map(Plan::builder) else {
        return Ok(());
    };
    let (builder, driver) = (first.0.to_owned(), first.1.to_owned());
    if !silent.is_empty() {
        // docker buildx does not name the only one that a user need not name.
        let names = if silent == ["default"] {
            &[]
        } else {
            silent.as_slice()
        };
        terminal::warn(&build::no_output(&driver, names));
    }
    let display = Display::start(
        mode,
        Some(Named {
            builder: &builder,
            driver: &driver,
        }),
    )?;
    let sources = Sources::new(display.sender());
    let left: Mutex<BTreeSet<&str>> =
        Mutex::new(builds.iter().map(|build| build.name.as_str()).collect());
    let done = |name: &str| {
        left.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .remove(name)
    };
    let running = builds.iter().zip(plans).map(|(build, plan)| {
        let (sender, forwarder) = sources.open(is_several.then_some(build.name.as_str()));
        async move {
            let outcome = iechor_build::run::run(workspace, &build.spec, plan, &sender).await;
            drop(sender);
            forwarder.finish().await;
            done(&build.name);
            match outcome.result {
                Ok(result) => Ok((build, result, outcome.metadata)),
                Err(error) => Err((build.name.as_str(), error)),
            }
        }
    });
    let finished: Result<Vec<(&Build, BuildResult, Metadata)>, _> = try_join_all(running).await;
    drop(sources);
    display.finish().await?;
    let finished = match finished {
        Ok(finished) => finished,
        Err((name, error)) => {
            let left = left
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if !left.is_empty() && !error.is_cancelled() {
                let names: Vec<&str> = left.iter().copied().collect();
                terminal::warn(&format!(
                    "cancelled because target {name} failed: {}",
                    names.join(", ")
                ));
            }
            return Err(named(name, error));
        }
    };
    if let Some(path) = metadata_file {
        let all: BTreeMap<&str, &Metadata> = finished
            .iter()
            .map(|(build, _, metadata)| (build.name.as_str(), metadata))
            .collect();
        let text = serde_json::to_string_pretty(&all)?;
        iechor_files::output::write(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    for (build, result, _) in &finished {
        for warning in result.warnings() {
            terminal::warn(warning);
        }
        if is_several && build.spec.call.is_some() {
            terminal::line(&build.name)?;
        }
        build::print_answer(&build.spec, result)?;
    }
    Ok(())
}
