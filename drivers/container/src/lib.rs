//! BuildKit in a container of the engine, its cache in a volume: what drivers that keep it there
//! have in common.
//!
//! A driver is a [`Policy`]: it says what there is to choose, and fills the [`Settings`] of the
//! container. [`ContainerDriver`] does the rest. Names are the same whatever the policy, so that a
//! builder changes from one such driver to another and keeps its cache.
//!
//! ```
//! use iechor_driver::{Description, Options, capability};
//! use iechor_driver_container::{ContainerDriver, Policy, Settings};
//!
//! /// BuildKit with little memory, and nothing to choose but how little.
//! struct Small;
//!
//! impl Policy for Small {
//!     fn describe() -> Description {
//!         Description::new("small", env!("CARGO_PKG_VERSION"), "BuildKit with little memory")
//!             .capability(capability::required("container.privileged", "BuildKit needs it"))
//!             .capability(capability::required("image.pull", "BuildKit's own image"))
//!     }
//!
//!     fn open(options: &mut Options) -> (Self, Settings) {
//!         let memory = options.size("memory", "Memory to use").default("512m");
//!         let settings = Settings {
//!             memory: Some(memory),
//!             ..Settings::default()
//!         };
//!         (Self, settings)
//!     }
//! }
//!
//! iechor_driver::register!(ContainerDriver<Small>);
//! ```

mod boot;
mod driver;
mod settings;

pub use driver::{ContainerDriver, Policy};
pub use settings::{DEFAULT_IMAGE, Settings};
