//! A run of tests.

use std::time::{Duration, Instant};

use std::path::Path;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::bounds::{Leash, Pulled};
use crate::conformance;
use crate::error::KitError;
use crate::kit::Kit;
use crate::report::{self, Coverage, Failure, Report, TestResult};
use crate::rerun;
use crate::scenario::Scenario;
use crate::subject::Subject;
use crate::test::{Test, result};

/// The version of the report's schema.
const SCHEMA: u32 = 1;
/// Real time that a check may take in memory, where time is virtual and none takes a second.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same on a real engine, which pulls images and waits for containers.
const PATIENCE_WITH_REAL: Duration = Duration::from_secs(3600);

/// News of a run.
#[derive(Debug, Clone)]
pub enum Event {
    /// The driver was met, and the tests begin.
    Started(report::Subject),
    /// A test ended.
    Tested(TestResult),
}

type Listener = Box<dyn FnMut(&Event) + Send>;

/// A run of tests, to be narrowed and then run.
pub struct Run {
    kit: Kit,
    conformance: bool,
    scenarios: Vec<Scenario>,
    bless: bool,
    only: Vec<String>,
    cancel: CancellationToken,
    patience: Duration,
    listener: Option<Listener>,
}

impl Kit {
    /// Returns a run of nothing yet.
    pub fn run(self) -> Run {
        Run::new(self)
    }

    /// Returns a run of every requirement of the contract.
    pub fn conformance(self) -> Run {
        Run::new(self).conformance()
    }

    /// Returns a run of the scenarios of a directory, or of one file; see [`crate::scenario`].
    ///
    /// # Errors
    ///
    /// What cannot be read, or what is wrong with it.
    pub fn scenarios(self, path: impl AsRef<Path>) -> Result<Run, KitError> {
        Run::new(self).scenarios(path)
    }
}

impl Run {
    pub(crate) fn new(kit: Kit) -> Self {
        let patience = match kit.real {
            None => PATIENCE,
            Some(_) => PATIENCE_WITH_REAL,
        };
        Self {
            kit,
            patience,
            conformance: false,
            scenarios: Vec::new(),
            bless: false,
            only: Vec::new(),
            cancel: CancellationToken::new(),
            listener: None,
        }
    }

    /// Adds every requirement of the contract.
    #[must_use]
    pub fn conformance(mut self) -> Self {
        self.conformance = true;
        self
    }

    /// Adds the scenarios of a directory, or of one file; see [`crate::scenario`].
    ///
    /// # Errors
    ///
    /// What cannot be read, or what is wrong with it.
    pub fn scenarios(mut self, path: impl AsRef<Path>) -> Result<Self, KitError> {
        self.scenarios.extend(Scenario::load(path.as_ref())?);
        Ok(self)
    }

    /// Writes the traces of the scenarios rather than comparing them. A real engine's are compared
    /// all the same.
    #[must_use]
    pub fn bless(mut self, bless: bool) -> Self {
        self.bless = bless;
        self
    }

    /// Runs only the test of that name, or those whose names begin so where it ends in `*`; and those
    /// of other calls of this.
    #[must_use]
    pub fn only(mut self, name: impl Into<String>) -> Self {
        self.only.push(name.into());
        self
    }

    /// Ends the run early: what is in progress is undone, and what was made is removed.
    #[must_use]
    pub fn cancel(mut self, token: CancellationToken) -> Self {
        self.cancel = token;
        self
    }

    /// Sets the real time that each test may take at most, a minute in memory and an hour on a real
    /// engine: whatever a driver does, the run comes to an end.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Is told of everything as it happens.
    #[must_use]
    pub fn listener(mut self, listener: impl FnMut(&Event) + Send + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Returns the names of the tests of this run.
    ///
    /// # Errors
    ///
    /// That the driver does not say what it is, or that there is no test of a name that was asked
    /// for.
    pub async fn names(&self) -> Result<Vec<String>, KitError> {
        let descriptor = self.kit.driver.descriptor().await?;
        let capabilities = capabilities(descriptor);
        let mut names: Vec<String> = Vec::new();
        if self.conformance {
            names.extend(
                conformance::plan(&capabilities)
                    .into_iter()
                    .map(|check| check.name),
            );
        }
        names.extend(self.scenarios.iter().map(|scenario| scenario.name.clone()));
        let unknown = |only: &&String| !names.iter().any(|name| covers(only, name));
        if let Some(unknown) = self.only.iter().find(unknown) {
            return Err(KitError::UnknownTest {
                name: unknown.clone(),
                known: names,
            });
        }
        names.retain(|name| self.wants(name));
        Ok(names)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| covers(only, name))
    }

    /// Runs the tests, one after the other, on a thread of its own with its own clock.
    pub async fn run(mut self) -> Report {
        let (events, mut news) = mpsc::unbounded_channel();
        let listener = self.listener.take();
        let real = self.kit.real.is_some();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(!real)
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(self.work(&events)),
                Err(error) => unmet(&self, "a runtime starts", error.to_string()),
            }
        });
        let mut listener = listener.unwrap_or_else(|| Box::new(|_| {}));
        while let Some(event) = news.recv().await {
            listener(&event);
        }
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    async fn work(&self, events: &mpsc::UnboundedSender<Event>) -> Report {
        let leash = Leash::default();
        let meeting = Subject::meet(
            self.kit.driver.clone(),
            self.kit.options.clone(),
            self.kit.endpoint.clone(),
            self.kit.real.clone(),
            self.cancel.clone(),
            leash.clone(),
        );
        let met = match leash.hold(self.patience, meeting).await {
            Ok(met) => met.map_err(|error| error.to_string()),
            Err(pulled) => Err(pulled.reason),
        };
        let subject = match met {
            Ok(subject) => subject,
            Err(reason) => {
                let expected = "the driver describes itself and accepts a configuration (give the test \
                                the options and the endpoint that it needs)";
                let report = unmet(self, expected, reason);
                let _ = events.send(Event::Started(report.subject.clone()));
                for test in &report.tests {
                    let _ = events.send(Event::Tested(test.clone()));
                }
                return report;
            }
        };
        let mut report = Report {
            schema: SCHEMA,
            subject: self.about(Some(&subject)),
            tests: Vec::new(),
            coverage: Coverage::default(),
            cancelled: false,
        };
        // Where nobody listens any more, the report is all there is.
        let _ = events.send(Event::Started(report.subject.clone()));
        let mut planned = Vec::new();
        if self.conformance {
            planned = conformance::plan(&capabilities(&subject.descriptor));
        }
        let checks = planned.iter().map(Test::Check);
        for test in checks.chain(self.scenarios.iter().map(Test::Scenario)) {
            if !self.wants(test.name()) {
                continue;
            }
            if self.cancel.is_cancelled() {
                break;
            }
            let begun = Instant::now();
            let checked = leash
                .hold(self.patience, test.run(&subject, self.bless))
                .await;
            let verdict = checked.unwrap_or_else(|pulled| Err(endless(pulled)));
            let left = subject.clean().await;
            if self.cancel.is_cancelled() {
                break;
            }
            let verdict = verdict.and_then(|outcome| match left.first() {
                None => Ok(outcome),
                Some(_) => Err(Failure::new(
                    "what was made can be removed",
                    left.join("; "),
                )),
            });
            let (name, text) = (test.name().to_owned(), test.text().to_owned());
            let rerun = rerun::only(&self.kit, test.name(), test.scenario());
            let result = result(name, text, rerun, verdict, begun.elapsed());
            let _ = events.send(Event::Tested(result.clone()));
            report.tests.push(result);
        }
        subject.clean().await;
        report.cancelled = self.cancel.is_cancelled();
        report.coverage = subject.coverage();
        report
    }

    fn about(&self, subject: Option<&Subject>) -> report::Subject {
        let driver = &self.kit.driver;
        let descriptor = subject.map(|subject| &subject.descriptor);
        report::Subject {
            driver: driver.name().to_owned(),
            version: descriptor
                .map(|descriptor| descriptor.version.clone())
                .unwrap_or_default(),
            digest: driver.digest().to_owned(),
            engine: if self.kit.real.is_some() {
                "real"
            } else {
                "simulated"
            }
            .into(),
            endpoint: subject
                .map(|subject| subject.given.endpoint.clone())
                .unwrap_or_default(),
            granted: subject.map(Subject::granted).unwrap_or_default(),
        }
    }
}

/// Returns whether `only` means the test of that name.
fn covers(only: &str, name: &str) -> bool {
    match only.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => only == name,
    }
}

/// Returns the names of the capabilities that a driver asks for, each once.
fn capabilities(descriptor: &iechor_sandbox::contract::Descriptor) -> Vec<String> {
    let mut names: Vec<_> = descriptor
        .capabilities
        .iter()
        .map(|request| request.name.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Returns the failure of a check that was ended.
fn endless(pulled: Pulled) -> Failure {
    Failure {
        trace: pulled.trace,
        ..Failure::new("the check comes to an end by itself", pulled.reason)
    }
}

/// Returns the report of a run that could not begin.
fn unmet(run: &Run, expected: &str, happened: String) -> Report {
    Report {
        schema: SCHEMA,
        subject: run.about(None),
        tests: vec![result(
            "driver-can-be-tested".into(),
            expected.to_owned(),
            rerun::all(&run.kit),
            Err(Failure::new(expected, happened)),
            Duration::ZERO,
        )],
        coverage: Coverage::default(),
        cancelled: false,
    }
}
