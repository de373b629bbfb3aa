//! The drivers that there are: built in, installed, or files; and what they are trusted with.
//!
//! A [`Catalog`] is made once for a command. Whatever runs went through [`Catalog::load`] or
//! [`Candidate::fetch`], and both through [`admission`]. The bytes that run are those whose digest
//! was trusted: they are read once, and that digest is computed from them.
//!
//! - [`catalog`] is what surrounds a command; [`load`](mod@load) makes a driver of a
//!   [`reference`](mod@reference), which is what `--driver` takes; [`loaded`] is the result.
//! - [`lock`] is the file that says what is installed, and what was granted to which digest;
//!   [`storage`] keeps it, with the components. [`users`] says which builders use a driver.
//! - [`source`] is where a driver is installed from; [`fetch`](mod@fetch) brings its component.
//! - `trust` changes what is granted. [`candidate`] is a driver that was fetched and may be installed; [`update`] and [`remove`]
//!   change what is installed, [`list`] and [`verify`] look at it, [`publish`] pushes.
//! - [`policy`] reads what the organisation allows.
//! - [`view`] is what listings and inspections return, for tables and as JSON.
//! - [`error`] has everything that can go wrong, as data.

pub mod admission;
pub mod candidate;
pub mod catalog;
mod component;
mod disk;
pub mod error;
pub mod fetch;
pub mod list;
pub mod load;
pub mod loaded;
pub mod lock;
mod name;
pub mod policy;
pub mod publish;
pub mod reference;
pub mod remove;
pub mod source;
pub mod storage;
mod trust;
pub mod update;
pub mod users;
pub mod verify;
pub mod view;

pub use candidate::Candidate;
pub use catalog::Catalog;
pub use error::{CatalogError, GrantsFrom, MissingGrant};
pub use iechor_registry::{AccessFault, Digest, RegistryError};
pub use iechor_sandbox::Grant;
pub use loaded::{Loaded, Origin};
pub use lock::{Installed, LockFile};
pub use reference::DriverReference;
pub use source::Source;
pub use users::{Use, Users};
