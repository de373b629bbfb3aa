//! What a driver says that it is.

use crate::{CapabilityRequest, Descriptor};

/// What a driver says that it is, but for its options: those are known from
/// [`Driver::open`](crate::Driver::open).
#[derive(Debug, Clone)]
pub struct Description {
    descriptor: Descriptor,
}

impl Description {
    /// `name` is what `--driver` takes; `summary` is one line.
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            descriptor: Descriptor {
                name: name.into(),
                version: version.into(),
                summary: summary.into(),
                vendor: None,
                homepage: None,
                license: None,
                multi_node: true,
                options: Vec::new(),
                capabilities: Vec::new(),
            },
        }
    }

    /// Who makes the driver.
    pub fn vendor(mut self, vendor: &str) -> Self {
        self.descriptor.vendor = Some(vendor.into());
        self
    }

    /// Sets the URL of a page about the driver.
    pub fn homepage(mut self, homepage: &str) -> Self {
        self.descriptor.homepage = Some(homepage.into());
        self
    }

    /// Sets the license, as an SPDX expression.
    pub fn license(mut self, license: &str) -> Self {
        self.descriptor.license = Some(license.into());
        self
    }

    /// Limits a builder of this driver to one node.
    pub fn single_node(mut self) -> Self {
        self.descriptor.multi_node = false;
        self
    }

    /// Adds a request for a capability; see [`capability`](crate::capability).
    pub fn capability(mut self, request: CapabilityRequest) -> Self {
        self.descriptor.capabilities.push(request);
        self
    }

    pub(crate) fn with_options(self, options: Vec<crate::OptionSpec>) -> Descriptor {
        Descriptor {
            options,
            ..self.descriptor
        }
    }
}
