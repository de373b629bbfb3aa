//! What listings and inspections of drivers return: for tables, and as JSON of a stable form.
//!
//! Fields that are not serialised serve tables.

mod capability;
mod details;
mod listing;
mod policy;
mod trust;

pub use capability::{Capability, ForbiddenBy, capability_names, is_built_in, is_high_risk};
pub use details::{DriverDetails, DriverOption};
pub use listing::{DriverSummary, Status, Verification};
pub use policy::{FileRules, PolicyFile, PolicyRules};
pub use trust::{Trust, TrustRequest};
