//! Parsers of values, with the grammars of docker's own command line. The host uses the same parsers for sizes,
//! durations and image references; they are in the crate `iechor-values`.
//!
//! Every error is one clause without the name of the option, which the caller puts before it.

mod cpuset;
mod list;
mod restart_policy;
mod simple;

pub use cpuset::cpuset;
pub use iechor_values::duration::parse as duration;
pub use iechor_values::image::image_reference;
pub use iechor_values::mount::{Source, parse as mount};
pub use iechor_values::registry::{insecure as insecure_registry, mirror as registry_mirror};
pub use iechor_values::size::{parse as bytes, parse_or_unlimited as bytes_or_unlimited};
pub use iechor_values::ulimit::parse as ulimit;
pub use list::{host_address, ip_address, list, word};
pub use restart_policy::{RestartPolicy, restart_policy};
pub use simple::{boolean, integer, not_negative};
