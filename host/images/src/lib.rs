//! Indexes and manifests of images.
//!
//! - [`index`] defines their format.
//! - [`Content`] reads a manifest or an index as a [`Part`] of an image.
//! - [`merge`] combines parts into one index. It is pure.
//! - [`remote`] fetches parts from a registry, and pushes indexes to it.
//!
//! All content is identified by its digest. The registry client compares what it receives with the digest that
//! was requested.

mod content;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod index;
mod merge;
mod name;
pub mod remote;

pub use content::{Content, Manifest, Part};
pub use error::{ContentError, ImageError};
pub use index::{Descriptor, Index};
pub use merge::merge;
pub use name::artifact;
