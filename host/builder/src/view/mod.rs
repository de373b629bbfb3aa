//! What listings and inspections of builders and of objects of the engine return: for tables, and as
//! JSON of a stable form.
//!
//! The types here are plain data: they have no types of the engine, of the sandbox or of BuildKit. Fields
//! that are not serialised serve tables. The JSON Schemas are derived from these types, so the doc
//! comment of a type or a serialised field is its description there.

mod builder;
mod features;
mod incomplete;
mod node;
mod objects;
mod outcome;
mod platforms;
mod usage;

pub use builder::{BuilderDetails, BuilderSummary, Inspection, Listing};
pub use incomplete::{Incomplete, LeftObject};
pub use node::{CleanupRule, DeviceDetails, LastEnd, NodeDetails, NodeFile, NodeStatus};
pub use objects::{EngineObject, NetworkSummary, VolumeSummary};
pub use outcome::{CreatedBuilder, RemovedBuilder, StoppedBuilder};
pub use usage::CacheRecord;
