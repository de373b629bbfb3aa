//! Parsers of values, with the grammars of docker's own command line. The host uses the same parsers for sizes,
//! durations and image references; they are in the crate `iechor-values`.
//!
//! Every error is one clause without the name of the option, which the caller puts before it.

mod cpuset;
mod restart_policy;
mod simple;

pub use cpuset::cpuset;
pub use iechor_values::duration::parse as duration;
pub use iechor_values::image::image_reference;
pub use iechor_values::size::{parse as bytes, parse_or_unlimited as bytes_or_unlimited};
pub use restart_policy::{RestartPolicy, restart_policy};
pub use simple::{boolean, integer, not_negative};
