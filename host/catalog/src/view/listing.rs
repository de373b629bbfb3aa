//! Drivers in listings.

use schemars::JsonSchema;
use serde::Serialize;

/// A driver in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DriverSummary {
    /// The name that a builder is created with; empty where the entry is broken and does not say.
    pub name: String,
    /// Other names of a built-in driver.
    pub aliases: Vec<String>,
    /// The source as the user gave it, where it is known.
    pub source: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// Digest of its component.
    pub digest: Option<String>,
    /// What the source led to.
    pub pinned: Option<String>,
    /// When it was installed, in RFC 3339.
    pub installed_at: Option<String>,
    /// The capabilities that it needs and that are not granted.
    pub missing: Vec<String>,
    /// Whether builders can work with it.
    pub status: Status,
    /// What is wrong with a broken one.
    pub err: Option<String>,
}

/// Whether builders can work with a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// They can.
    Ok,
    /// It lacks a grant.
    Untrusted,
    /// It cannot be loaded, or the policy makes it useless.
    Broken,
}

/// What was found of an installed driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Verification {
    /// The driver; empty where its entry is broken and does not say.
    pub name: String,
    /// The digest in the lock file.
    pub digest: Option<String>,
    /// What is wrong with the component.
    pub component_err: Option<String>,
    /// What was found at the source: `ok`, `not asked`, or why it was not checked.
    pub source: Option<String>,
    /// What is wrong with the source.
    pub source_err: Option<String>,
}
