//! A driver to test, and how it is configured.

use std::path::Path;
use std::sync::Arc;

use iechor_sandbox::{Driver, Sandbox};

use crate::conformance::REQUIREMENTS;
use crate::error::KitError;
use crate::real::RealEngine;

/// Returns the requirements of the contract: the name of each, and the paragraph that says what it asks,
/// why, and where that is written. A name that ends in `-` stands for one for each capability that
/// a driver asks for.
pub fn requirements() -> impl Iterator<Item = (&'static str, &'static str)> {
    REQUIREMENTS
        .iter()
        .map(|requirement| (requirement.name, requirement.text))
}

/// A driver to test.
pub struct Kit {
    pub(crate) driver: Arc<Driver>,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) endpoint: Option<String>,
    pub(crate) real: Option<RealEngine>,
}

impl Kit {
    /// Loads the component of a file. It is compiled in this process, without bounds, unless the program
    /// called [`iechor_sandbox::compiler::serve_if_asked`]: a test has no `main` that could do so, and
    /// compiles what its author built.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be loaded.
    pub async fn load(path: impl AsRef<Path>) -> Result<Self, KitError> {
        iechor_sandbox::compiler::compile_in_this_process();
        Ok(Self::new(Sandbox::file(path.as_ref()).await?))
    }

    /// Returns a driver that is loaded already.
    pub fn new(driver: Arc<Driver>) -> Self {
        Self {
            driver,
            options: Vec::new(),
            endpoint: None,
            real: None,
        }
    }

    /// Gives the driver an option. One that must be given and is not gets a value of its kind.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// Names the endpoint of the driver's configuration. Without it, it is the first of a few that
    /// the driver finds no fault in.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Runs on this engine rather than in memory. Objects get names that nobody else has, and are
    /// removed afterwards; what a real engine cannot be asked to do is skipped.
    #[must_use]
    pub fn real(mut self, engine: RealEngine) -> Self {
        self.real = Some(engine);
        self
    }
}
