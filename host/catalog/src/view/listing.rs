//! Drivers in listings.

use schemars::JsonSchema;
use serde::Serialize;

/// A driver in a listing. The command prints one such object for each driver, each on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DriverSummary {
    /// Name of the driver, for `--driver`. Empty if the entry in the lock file is broken and has no
    /// name.
    pub name: String,
    /// Other names of a built-in driver.
    pub aliases: Vec<String>,
    /// Source of the driver, as the user gave it. Null if it is unknown.
    pub source: Option<String>,
    /// Version of the driver. Null if the driver cannot be loaded.
    pub version: Option<String>,
    /// Digest of the component of the driver. Null if it is unknown.
    pub digest: Option<String>,
    /// What the source led to at the time of the installation. Null for a built-in driver.
    pub pinned: Option<String>,
    /// Time of the installation, in RFC 3339. Null for a built-in driver.
    pub installed_at: Option<String>,
    /// Names of the capabilities that the driver needs and that are not granted.
    pub missing: Vec<String>,
    /// Whether builders can use the driver.
    pub status: Status,
    /// What is wrong with a broken driver. Null if it is not broken.
    pub err: Option<String>,
}

/// Whether builders can use a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Builders can use the driver.
    Ok,
    /// The driver needs a capability that is not granted.
    Untrusted,
    /// The driver cannot be loaded, or the policy forbids it.
    Broken,
}

/// The result for one installed driver. The command prints one such object for each driver, each on
/// one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Verification {
    /// Name of the driver. Empty if the entry in the lock file is broken and has no name.
    pub name: String,
    /// Digest of the component in the lock file. Null if it is unknown.
    pub digest: Option<String>,
    /// What is wrong with the component. Null if nothing is.
    pub component_err: Option<String>,
    /// Result of the check of the source: `ok`, `not checked`, or why it was not checked.
    pub source: Option<String>,
    /// What is wrong with the source. Null if nothing is.
    pub source_err: Option<String>,
}
