//! A driver: its description, its checks of a configuration, and what it may do.

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

/// Maximum number of faults of a description that a message names.
const SHOWN_FAULTS: usize = 5;

/// A component that was loaded and found to be a driver.
pub struct Driver {
    pub(crate) loaded: Loaded,
    descriptor: OnceCell<Descriptor>,
}

/// A configuration that [`Driver::validate`] found no error in.
#[derive(Debug, Clone)]
pub struct ValidConfig {
    /// Configuration for the driver: each option once, files without their contents. The value of an option
    /// that names a file is the name of the option.
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

    /// Returns the name that the user gave: messages use it.
    pub fn name(&self) -> &str {
        self.loaded.name()
    }

    /// Returns the source of the driver.
    pub fn source(&self) -> &Source {
        self.loaded.source()
    }

    /// SHA-256 of the component, as `sha256:` and hexadecimal digits.
    pub fn digest(&self) -> &str {
        self.loaded.digest()
    }

    /// Returns the interfaces that the driver imports: it cannot use anything else.
    pub fn imports(&self) -> &[String] {
        self.loaded.imports()
    }

    /// Returns the functions that the driver imports, as [`Observer::call`] names them.
    pub fn imported_functions(&self) -> Vec<String> {
        self.loaded.imported_functions()
    }

    /// Returns the same driver with an observer. Its description is asked for again.
    #[must_use]
    pub fn observed(&self, observer: Arc<dyn Observer>) -> Arc<Self> {
        let mut loaded = self.loaded.clone();
        loaded.observer = Some(observer);
        Self::of(loaded)
    }

    /// Returns the interfaces that the driver exports.
    pub fn exports(&self) -> &[String] {
        self.loaded.exports()
    }

    /// Returns the version of the contract that the driver was built for, for example `0.2.0`.
    pub fn contract(&self) -> &str {
        self.loaded.contract()
    }

    /// Returns the description of the driver, which is asked for once.
    ///
    /// # Errors
    ///
    /// [`DriverError::Description`] if the description is invalid, or the failure of the driver.
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

    /// Returns how well the driver suits an endpoint; the lowest number wins, `None` means not at all.
    ///
    /// # Errors
    ///
    /// The failure of the driver.
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

    /// Returns whether the driver uses a container engine. If it does not, the endpoint of a node is the
    /// address of BuildKit.
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
    /// [`DriverError::InvalidConfiguration`] with every fault, or the failure of the driver.
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

    /// Returns the capabilities that the driver requests.
    ///
    /// # Errors
    ///
    /// [`DriverError::UnknownCapabilities`] if it requires one that does not exist.
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

    /// Returns what the driver may do if the user granted `granted`. A built-in driver may do everything
    /// that it requests.
    ///
    /// # Errors
    ///
    /// [`DriverError::Untrusted`] if a required request is not granted, and the errors of
    /// [`Self::requests`].
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
