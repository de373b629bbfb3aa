//! Drivers: which there are, where they came from, and what they are trusted with.
//!
//! Whatever runs went through [`load`] or [`Candidate::fetch`], and both through [`admission`].
//! The bytes that run are those whose digest was trusted: they are read once, and that digest is
//! taken of them.
//!
//! - [`reference`](mod@reference) is what `--driver` takes; [`load`](mod@load) makes a driver of it.
//! - [`lock`] is the file that says what is installed, and what was granted to which digest.
//! - [`candidate`] brings a driver from its source, to be decided about, then installed.
//! - [`manage`] lists, checks, updates and removes what is installed; [`publish`] pushes.

pub mod admission;
pub mod candidate;
mod error;
pub mod load;
pub mod lock;
pub mod manage;
pub mod publish;
pub mod reference;

pub use candidate::Candidate;
pub use error::DriversError;
pub use load::{Loaded, Origin, load};
pub use lock::{Installed, LockFile};
