//! `iechor driver test`

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, ValueEnum};
use iechor_builder::{BuildKitLink, BuilderError, Workspace};
use iechor_catalog::{Grant, Loaded, Origin};
use iechor_testkit::output::{junit, summary, tap};
use iechor_testkit::{Event, Kit, KitError, RealEngine, Report, Run};

use crate::session::{self, Common};
use crate::terminal;
use crate::text::Text;

/// Test a driver: the requirements of the contract, and your own scenarios
#[derive(Debug, Args)]
pub struct Test {
    /// Name of a driver, or path of a component
    #[arg(required_unless_present = "list")]
    driver: Option<String>,
    /// Engine to test on
    #[arg(long, value_enum, default_value = "simulated")]
    engine: EngineKind,
    /// Format of the results
    #[arg(long, value_enum, default_value = "tap")]
    format: ReportFormat,
    /// Scenario, or directory of scenarios, to run after the requirements of the contract; may be
    /// repeated
    #[arg(long = "scenario", value_name = "PATH")]
    scenarios: Vec<PathBuf>,
    /// Write the traces of the scenarios instead of comparing with them
    #[arg(long, requires = "scenarios")]
    bless: bool,
    /// Run only this test, or with a * at the end the tests with this prefix; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// List the tests with their requirements; without a driver, list all requirements of the contract
    #[arg(long)]
    list: bool,
    /// Option of the driver
    #[arg(long = "driver-opt", value_name = "NAME=VALUE", value_parser = option)]
    options: Vec<(String, String)>,
    /// Endpoint in the configuration of the driver
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Option<String>,
    /// Capability to grant on a real engine, as NAME or NAME=PATTERN
    #[arg(long = "grant", value_name = "CAPABILITY", value_parser = Grant::parse)]
    grants: Vec<Grant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineKind {
    /// An engine in memory; all requested capabilities are granted
    Simulated,
    /// The engine that the Docker CLI uses; test objects have names of their own and are removed
    Real,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// Test Anything Protocol 14, one result at a time
    Tap,
    /// JUnit XML
    Junit,
    /// A JSON document with a stable schema
    Json,
}

fn option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

impl Test {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let Some(driver) = self.driver.clone() else {
            let names: Vec<_> = iechor_testkit::requirements()
                .map(|(name, _)| name.to_owned())
                .collect();
            return terminal::result(&list(&names));
        };
        session::change(&Common::default(), |workspace| async move {
            let loaded = workspace.catalog.load(&driver).await?;
            let run = self.prepare(&workspace, loaded).await?;
            match run.names().await {
                Ok(names) if self.list => return terminal::result(&list(&names)),
                // A driver that fails to describe itself has a report, which says so.
                Err(KitError::Driver(_)) if !self.list => {}
                names => drop(names?),
            }
            let report = show(run, self.format).await?;
            if report.cancelled {
                return Err(BuilderError::Cancelled("the test").into());
            }
            if !report.passed() {
                bail!("driver {driver}: {}", summary(&report));
            }
            Ok(())
        })
    }

    async fn prepare(&self, workspace: &Workspace, loaded: Loaded) -> anyhow::Result<Run> {
        let mut kit = Kit::new(Arc::clone(&loaded.driver));
        for (name, value) in &self.options {
            kit = kit.option(name, value);
        }
        if let Some(endpoint) = &self.endpoint {
            kit = kit.endpoint(endpoint);
        }
        if self.engine == EngineKind::Real {
            kit = kit.real(self.real(workspace, &loaded).await?);
        }
        let mut run = kit
            .conformance()
            .cancel(workspace.cancel.clone())
            .bless(self.bless);
        for path in &self.scenarios {
            run = run.scenarios(path)?;
        }
        for name in &self.only {
            run = run.only(name);
        }
        Ok(run)
    }

    /// Returns the engine that the Docker CLI uses, and the grants of the driver there. Prints what the
    /// test does to the engine.
    async fn real(&self, workspace: &Workspace, loaded: &Loaded) -> anyhow::Result<RealEngine> {
        // Refuses before anything happens.
        let granted = match loaded.origin {
            Origin::BuiltIn => {
                loaded.check_requested(&self.grants).await?;
                loaded.requested().await?
            }
            Origin::File(_) | Origin::Installed(_) => loaded.granted_with(&self.grants).await?,
        };
        let engine = workspace.current_engine()?;
        workspace.engine_info(engine.as_ref()).await?;
        if !self.list {
            terminal::say(&format!(
                "testing on the engine at {}: the test creates and removes containers, volumes and \
                 networks named buildx_buildkit_{}*; images that the driver pulls are kept",
                engine.endpoint(),
                iechor_testkit::real_node_prefix(),
            ));
        }
        Ok(RealEngine {
            engine,
            engines: workspace.known_engines(None).await,
            buildkit: Arc::new(BuildKitLink),
            granted,
            policy: Arc::clone(&loaded.policy),
        })
    }
}

fn list(names: &[String]) -> Text {
    let mut text = Text::default();
    for name in names {
        // There is one for each capability that a driver requests.
        let more = if name.ends_with('-') {
            "CAPABILITY"
        } else {
            ""
        };
        text.line(&format!("{name}{more}"));
        let requirement = iechor_testkit::requirements()
            .find(|(known, _)| *known == name || known.ends_with('-') && name.starts_with(known));
        if let Some((_, requirement)) = requirement {
            text.line(&format!("    {requirement}"));
        }
    }
    text
}

/// Runs the tests and prints the results; TAP prints each result when it comes.
async fn show(run: Run, format: ReportFormat) -> anyhow::Result<Report> {
    let run = match format {
        ReportFormat::Tap => {
            let mut number = 0;
            run.listener(move |event| {
                let text = match event {
                    Event::Started(subject) => tap::begin(subject),
                    Event::Tested(test) => {
                        number += 1;
                        tap::test(number, test)
                    }
                };
                // A reader that closed the stream does not end the run, which has an exit code.
                let _ = terminal::result(&Text::prepared(text));
            })
        }
        ReportFormat::Junit | ReportFormat::Json => run,
    };
    let report = run.run().await;
    match format {
        ReportFormat::Tap => terminal::result(&Text::prepared(tap::end(&report)))?,
        ReportFormat::Junit => terminal::result(&Text::prepared(junit::render(&report)))?,
        ReportFormat::Json => terminal::pretty_json(&serde_json::to_value(&report)?)?,
    }
    Ok(report)
}
