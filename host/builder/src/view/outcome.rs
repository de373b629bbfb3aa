//! What commands did to builders.

use schemars::JsonSchema;
use serde::Serialize;

use crate::create::Created;

/// A builder that was created or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedBuilder {
    /// Name of the builder.
    pub name: String,
    /// Whether the builder was as requested already, so that nothing was changed.
    pub unchanged: bool,
    /// What the user should know about the settings.
    pub warnings: Vec<String>,
}

impl CreatedBuilder {
    /// Returns the result of a creation.
    pub fn of(created: Created) -> Self {
        Self {
            name: created.name,
            unchanged: created.is_unchanged,
            warnings: created.warnings,
        }
    }
}

/// The removal of a builder. The command prints one such object for each builder, each on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct RemovedBuilder {
    /// Name of the builder.
    pub name: String,
    /// Whether the builder is no longer listed.
    pub removed: bool,
    /// What may be left in engines although the builder is no longer listed.
    pub left: Vec<String>,
    /// Why the builder is not removed. Null if it is removed.
    pub err: Option<String>,
}

/// The stop of a builder. The command prints one such object for each builder, each on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct StoppedBuilder {
    /// Name of the builder.
    pub name: String,
    /// Whether no node of the builder runs any more. False for a builder that is the engine itself.
    pub stopped: bool,
    /// Why a node is not stopped. Null if there is no such node.
    pub err: Option<String>,
}
