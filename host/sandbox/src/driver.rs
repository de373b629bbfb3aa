//! Asks drivers what they are.

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::bindings::contract::{CapabilityRequest, Config, Descriptor, Issue, Severity};
use crate::call::{self, Call};
use crate::description::cleaned;
use crate::error::DriverError;
use crate::files::Files;
use crate::grant::{self, Grant, Grants};
use crate::loaded::{Loaded, Source};
use crate::node_files::NodeFiles;
use crate::observer::Observer;
use crate::options::Checked;
use crate::text::{clean, clean_line};
use crate::{description, limits, options, runtime};

/// Most faults of a description that a message names.
const SHOWN_FAULTS: usize = 5;

/// A component that was loaded and found to be a driver.
pub struct Driver {
    pub(crate) loaded: Loaded,
    descriptor: OnceCell<Descriptor>,
}

/// A configuration that [`Driver::validate`] found no error in.
#[derive(Debug, Clone)]
pub struct ValidConfig {
    /// What the driver gets: each option once, where the value of one that names a file is the
    /// option's own name; files without their contents.
    pub config: Config,
    pub(crate) files: Files,
}

impl Driver {
    pub(crate) fn of(loaded: Loaded) -> Arc<Self> {
        Arc::new(Self {
            loaded,
            descriptor: OnceCell::new(),
        })
    }

    /// The name that the user gave: messages use it.
    pub fn name(&self) -> &str {
        self.loaded.name()
    }

    /// Where it comes from.
    pub fn source(&self) -> &Source {
        self.loaded.source()
    }

    /// SHA-256 of the component, as `sha256:` and hexadecimal digits.
    pub fn digest(&self) -> &str {
        self.loaded.digest()
    }

    /// The interfaces that it imports: what it can reach at most.
    pub fn imports(&self) -> &[String] {
        self.loaded.imports()
    }

    /// The functions that it imports, as [`Observer::call`] names them.
    pub fn imported_functions(&self) -> Vec<String> {
        self.loaded.imported_functions()
    }

    /// The same driver, seen by `observer` in all that it does; it is asked anew what it is.
    #[must_use]
    pub fn observed(&self, observer: Arc<dyn Observer>) -> Arc<Self> {
        let mut loaded = self.loaded.clone();
        loaded.observer = Some(observer);
        Self::of(loaded)
    }

    /// The interfaces that it exports.
    pub fn exports(&self) -> &[String] {
        self.loaded.exports()
    }

    /// The version of the contract that it was made for, for example `0.2.0`.
    pub fn contract(&self) -> &str {
        self.loaded.contract()
    }

    /// What it says that it is. Asked once.
    ///
    /// # Errors
    ///
    /// [`DriverError::Description`] for a description that nobody could decide by, or what went
    /// wrong in the driver.
    pub async fn descriptor(&self) -> Result<&Descriptor, DriverError> {
        self.descriptor
            .get_or_try_init(async || {
                let said = call::pure(
                    &self.loaded,
                    "describe",
                    async |Call { driver, store, .. }| {
                        driver.iechor_driver_driver().call_describe(store).await
                    },
                );
                let said = said.await?;
                // As it was said: what cleaning takes away may be what is wrong with it.
                let mut faults = description::refusals(&said);
                if faults.is_empty() {
                    return Ok(cleaned(said));
                }
                let more = faults.len().saturating_sub(SHOWN_FAULTS);
                faults.truncate(SHOWN_FAULTS);
                Err(DriverError::Description {
                    driver: self.name().to_owned(),
                    faults: faults
                        .into_iter()
                        .map(|fault| clean_line(&fault, limits::LINE))
                        .collect(),
                    more,
                })
            })
            .await
    }

    /// How well it suits an endpoint; the lowest number wins, `None` does not take part.
    ///
    /// # Errors
    ///
    /// What went wrong in the driver.
    pub async fn priority(&self, endpoint: &str) -> Result<Option<u32>, DriverError> {
        call::pure(
            &self.loaded,
            "priority",
            async |Call { driver, store, .. }| {
                driver
                    .iechor_driver_driver()
                    .call_priority(store, endpoint)
                    .await
            },
        )
        .await
    }

    /// Whether it has to do with a container engine at all. For one that has not, the endpoint of a
    /// node is where BuildKit is.
    pub fn uses_engine(&self) -> bool {
        self.imports()
            .iter()
            .any(|import| runtime::is_of_the_engine(import))
    }

    /// Checks a configuration and returns it with each option once, and the warnings. Files that
    /// options name are read. The driver sees no contents of any file.
    ///
    /// # Errors
    ///
    /// [`DriverError::InvalidConfiguration`] with every fault, or what went wrong in the driver.
    pub async fn validate(
        &self,
        config: &Config,
    ) -> Result<(ValidConfig, Vec<Issue>), DriverError> {
        let Checked {
            right,
            files: of_options,
            mut issues,
        } = options::check(self.descriptor().await?, &config.options);
        let mut config = Config {
            options: right,
            ..config.clone()
        };
        let of_node = NodeFiles::take(&mut config.files).map_err(|message| {
            let issue = Issue {
                severity: Severity::Error,
                subject: None,
                message,
            };
            DriverError::InvalidConfiguration {
                driver: self.name().to_owned(),
                issues: vec![issue],
            }
        })?;
        let found = call::pure(
            &self.loaded,
            "validate",
            async |Call { driver, store, .. }| {
                driver
                    .iechor_driver_driver()
                    .call_validate(store, &config)
                    .await
            },
        )
        .await?;
        issues.extend(found.into_iter().map(|issue| {
            Issue {
                subject: issue
                    .subject
                    .map(|subject| clean_line(&subject, limits::LINE)),
                message: clean(&issue.message, limits::LINE),
                ..issue
            }
        }));
        if issues.iter().any(|issue| issue.severity == Severity::Error) {
            return Err(DriverError::InvalidConfiguration {
                driver: self.name().to_owned(),
                issues,
            });
        }
        let files = Files {
            of_options,
            of_node,
        };
        Ok((ValidConfig { config, files }, issues))
    }

    /// What it asks for.
    ///
    /// # Errors
    ///
    /// [`DriverError::UnknownCapabilities`] where it cannot do without one that there is not.
    pub async fn requests(&self) -> Result<&[CapabilityRequest], DriverError> {
        let requests = &self.descriptor().await?.capabilities;
        let unknown = grant::unknown(requests);
        if unknown.is_empty() {
            return Ok(requests);
        }
        Err(DriverError::UnknownCapabilities {
            driver: self.name().to_owned(),
            unknown,
        })
    }

    /// What it may do, where the user granted `granted`: everything that it asks for, for the
    /// built-in driver.
    ///
    /// # Errors
    ///
    /// [`DriverError::Untrusted`] where a request that it needs is not granted, and what
    /// [`Self::requests`] reports.
    pub async fn grants(&self, granted: &[Grant]) -> Result<Grants, DriverError> {
        let requests = self.requests().await?;
        if *self.source() == Source::Embedded {
            return Ok(Grants::trusted(requests));
        }
        let missing = Grants::missing(requests, granted);
        if !missing.is_empty() {
            return Err(DriverError::Untrusted {
                driver: self.name().to_owned(),
                requests: missing,
            });
        }
        Ok(Grants::new(requests, granted.to_vec()))
    }
}
