//! The available drivers (built in, installed, or files) and their grants.
//!
//! A command creates one [`Catalog`]. Every driver that runs comes from [`Catalog::load`] or
//! [`Candidate::fetch`], and both use [`admission`]. The bytes that run are the bytes whose digest was
//! trusted: they are read once, and the digest is computed from them.
//!
//! - [`catalog`] holds the state of a command. [`load`](mod@load) loads the driver that a
//!   [`reference`](mod@reference) of the user names; [`loaded`] is the result.
//! - [`lock`] is the lock file with the installed drivers and the grants of each digest. [`storage`] stores
//!   it with the components. [`users`] lists the builders that use a driver.
//! - [`source`] is the origin of a driver; [`fetch`](mod@fetch) fetches its component.
//! - `trust` changes grants. [`candidate`] is a fetched driver that may be installed. [`update`] and
//!   [`remove`] change installed drivers, [`list`] and [`verify`] inspect them, [`publish`] pushes drivers.
//! - [`policy`] reads the organisation's policy.
//! - [`view`] defines the results of listings and inspections, for tables and as JSON.
//! - [`error`] defines the errors, as data.

pub mod admission;
pub mod candidate;
pub mod catalog;
mod component;
mod disk;
pub mod error;
pub mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
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
