//! Parsers of values, as container engines' own command lines parse them.
//!
//! Every error is one clause without the option's name: the caller puts the name before it.

mod cpuset;
mod duration;
mod image;
mod restart_policy;
mod simple;
mod size;

pub use cpuset::cpuset;
pub use duration::duration;
pub use image::image_reference;
pub use restart_policy::{RestartPolicy, restart_policy};
pub use simple::{boolean, integer, not_negative};
pub use size::{bytes, bytes_or_unlimited};
