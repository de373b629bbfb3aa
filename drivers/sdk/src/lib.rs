//! The SDK for drivers in Rust.
//!
//! A *driver* decides how a BuildKit daemon is started, reached, stopped and removed. It is a
//! WebAssembly component that can only use what the host offers and the user granted. The
//! contract between driver and host is the folder `wit/`; this crate is its Rust side.
//!
//! # A driver
//!
//! A type represents a node of a builder, as the user configured it, and implements [`Driver`].
//! This is a complete driver for a BuildKit that somebody else runs:
//!
//! ```
//! use std::time::Duration;
//!
//! use iechor_driver::transport::{self, Connection};
//! use iechor_driver::{
//!     Description, Driver, Error, Info, Node, Options, Status, capability, step,
//!     wait_for_buildkit,
//! };
//!
//! struct Shared {
//!     host: String,
//!     port: u16,
//!     patience: Duration,
//! }
//!
//! impl Driver for Shared {
//!     fn describe() -> Description {
//!         Description::new(
//!             "shared",
//!             env!("CARGO_PKG_VERSION"),
//!             "The BuildKit that our team shares",
//!         )
//!         .capability(
//!             capability::required("transport.tcp", "the daemon is reached by TCP")
//!                 .within(["*.build.example.com:*"]),
//!         )
//!     }
//!
//!     fn open(_: Node, options: &mut Options) -> Self {
//!         Self {
//!             host: options
//!                 .text("host", "Machine that BuildKit runs on")
//!                 .required(),
//!             port: options
//!                 .integer("port", "Port that it listens on")
//!                 .try_map(|port| u16::try_from(port).map_err(|_| format!("{port} is no port")))
//!                 .default("1234"),
//!             patience: options
//!                 .duration("patience", "How long it may take to answer")
//!                 .default("10s"),
//!         }
//!     }
//!
//!     fn info(&self) -> Result<Info, Error> {
//!         Ok(match self.dial() {
//!             Ok(_) => Status::Running,
//!             Err(Error::Unavailable(_)) => Status::Inactive,
//!             Err(error) => return Err(error),
//!         }
//!         .into())
//!     }
//!
//!     fn boot(&self) -> Result<(), Error> {
//!         step(&format!("waiting for {}", self.host), |_| {
//!             Ok(wait_for_buildkit(self.patience, || self.dial(), || Ok(()))?)
//!         })
//!     }
//!
//!     fn dial(&self) -> Result<Connection, Error> {
//!         // If it does not answer, the error is `unavailable`: this driver cannot start it.
//!         transport::dial_tcp(&self.host, self.port, None)
//!     }
//! }
//!
//! iechor_driver::register!(Shared);
//!
//! // In the tests of the driver, which `cargo test` runs without a host:
//! use iechor_driver::testing;
//!
//! testing::assert_sound::<Shared>();
//! let node = testing::open::<Shared>(&[("host", "a.build.example.com")]).expect("it is right");
//! assert_eq!((node.port, node.patience), (1234, Duration::from_secs(10)));
//! testing::assert_refused::<Shared>(&[("port", "70000")], &["host", "port"]);
//! ```
//!
//! # Contents
//!
//! * [`Driver`]: the operations of a driver, with a second example that runs BuildKit in a
//!   container. Operations that simple drivers do not need have a default. [`register!`] exports
//!   the driver from the component.
//! * [`Options`]: declares and reads options. One line defines the help text, the check and the
//!   value. [`values`] has the parsers.
//! * [`Description`] and [`capability`]: the name of the driver and the capabilities it requests.
//! * The capabilities, with one module each, as `wit/` documents them: [`container`],
//!   [`direct`], [`image`], [`volume`], [`network`], [`engine`], [`transport`], [`buildkit_session`],
//!   [`progress`], [`clock`], [`log`]. A component imports only those that it calls.
//! * [`step`], [`wait_for_buildkit`] and [`describe_error`]: helpers that most drivers need.
//! * [`testing`]: tests that need no host. `iechor driver test DRIVER.wasm` tests a driver with
//!   a host.
//!
//! # Build a driver
//!
//! A driver is a library of type `cdylib`, built with
//! `cargo build --release --target wasm32-wasip2`. `iechor driver new NAME` creates such a project.
//!
//! # Rules of the host
//!
//! * A driver holds its configuration and nothing else: the state of the node is in the engine.
//!   The host opens a new node for each operation.
//! * A refusal is [`Error::Denied`]. If an operation fails, the host removes the containers,
//!   volumes and networks that it created. A driver need not clean up.
//! * Containers, volumes and networks have names that begin with [`Node::container_name`].

mod description;
mod driver;
mod error;
mod export;
mod options;
mod specs;
mod wait;

pub mod capability;
pub mod testing;
pub mod values;

/// The contract, generated from `wit/`.
#[allow(
    missing_docs,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    reason = "generated from the documented contract in wit/"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "container-driver",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "iechor_driver::bindings",
        additional_derives: [Clone, PartialEq],
    });
}

pub use bindings::exports::iechor::driver::driver::{
    CapabilityRequest, Config, Descriptor, Feature, Info, Issue, OptionKind, OptionSpec,
    RemoveOptions, Severity, Status, StopOptions,
};
pub use bindings::iechor::driver::{
    buildkit_session, clock, container, direct, engine, image, log, network, progress, transport,
    types, volume,
};
pub use description::Description;
pub use driver::{BUILDKIT_FEATURES, Driver, Node};
pub use error::describe_error;
#[doc(hidden)]
pub use export::Exported;
pub use options::{Declaration, Options, Table};
pub use types::Error;
pub use wait::{Unready, step, wait_for_buildkit};

/// Makes a type that implements [`Driver`] the driver that the component is.
///
/// Once in a component. On any other target than WebAssembly it does nothing but check that the
/// type is a driver, so that the library can be tested natively.
#[macro_export]
macro_rules! register {
    ($driver:ty) => {
        const _: () = {
            type Registered = $crate::Exported<$driver>;
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::export! { Registered with_types_in $crate::bindings }
            #[cfg(not(target_arch = "wasm32"))]
            const _: ::core::marker::PhantomData<Registered> = ::core::marker::PhantomData;
        };
    };
}
