//! What interrupted boots may have left in an engine.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::store::{Remnant, Unfinished};

/// A boot that did not end well, and what it may have left in the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Incomplete {
    /// Name of the node that was booted.
    pub node: String,
    /// Engine of the node, as a URL or the name of a Docker context.
    pub endpoint: String,
    /// ID of the operation. The created objects carry it as a label.
    pub operation: String,
    /// Time when the boot began, in RFC 3339.
    pub since: String,
    /// Objects that may be left in the engine.
    pub left: Vec<LeftObject>,
}

/// An object that may be left in the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct LeftObject {
    /// Kind of the object: container, volume or network.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Why the object was not removed. Absent if nobody tried to remove it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Incomplete {
    pub(super) fn all(records: &[Unfinished]) -> Vec<Self> {
        records.iter().map(Self::of).collect()
    }

    pub(super) fn of(record: &Unfinished) -> Self {
        Self {
            node: record.purpose.node.clone(),
            endpoint: record.purpose.endpoint.clone(),
            operation: record.operation.clone(),
            since: record.since.clone(),
            left: record.remnants.iter().map(LeftObject::of).collect(),
        }
    }
}

impl LeftObject {
    fn of(remnant: &Remnant) -> Self {
        Self {
            kind: remnant.kind.clone(),
            name: remnant.name.clone(),
            reason: (!remnant.reason.is_empty()).then(|| remnant.reason.clone()),
        }
    }
}

/// Writes the object for a person, with the reason why it is left.
impl fmt::Display for LeftObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.name)?;
        match &self.reason {
            Some(reason) => write!(formatter, " ({reason})"),
            None => Ok(()),
        }
    }
}
