//! What the author of a build driver in Rust depends on.
//!
//! [`bindings`] is the contract of `wit/`, generated: the capabilities to call, and the
//! [`Driver`](bindings::exports::iechor::driver::driver::Guest) traits to implement.
//! [`values`] parses the values of options as container engines' own command lines parse them,
//! with messages for a person; [`options`] declares options and collects every fault in one go.
//!
//! A driver is a library of type `cdylib`, built for `wasm32-wasip2`, that ends in
//! [`export!`](crate::export):
//!
//! ```ignore
//! struct MyDriver;
//! impl iechor_driver::Guest for MyDriver { /* describe, priority, validate */ }
//! struct MyBuilder { /* the configuration */ }
//! impl iechor_driver::GuestBuilder for MyBuilder { /* info, boot, dial, ... */ }
//! iechor_driver::export!(MyDriver with_types_in iechor_driver::bindings);
//! ```

pub mod options;
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
        additional_derives: [Clone],
    });
}

pub use bindings::export;
pub use bindings::exports::iechor::driver::driver::{
    Builder, CapabilityRequest, Config, Descriptor, Feature, Guest, GuestBuilder, Info, Issue,
    OptionKind, OptionSpec, RemoveOptions, Severity, Status, StopOptions,
};
pub use bindings::iechor::driver::{
    buildkit_session, clock, container, engine, image, log, network, progress, transport, types,
    volume,
};
pub use types::Error;

/// An error in one line, for a person.
pub fn describe_error(error: &Error) -> String {
    match error {
        Error::NotFound(object) => format!("no such {}: {}", kind_name(object.kind), object.name),
        Error::AlreadyExists(object) => {
            format!("{} {} exists already", kind_name(object.kind), object.name)
        }
        Error::Conflict(text)
        | Error::InvalidArgument(text)
        | Error::Unavailable(text)
        | Error::LimitExceeded(text)
        | Error::Unsupported(text)
        | Error::Other(text) => text.clone(),
        Error::Denied(denial) => format!("{} is not granted: {}", denial.capability, denial.detail),
        Error::NotRunning => "the builder is not running".into(),
        Error::Timeout => "out of time".into(),
        Error::Cancelled => "cancelled".into(),
        Error::Engine(failure) => failure.message.clone(),
    }
}

fn kind_name(kind: types::ObjectKind) -> &'static str {
    match kind {
        types::ObjectKind::Container => "container",
        types::ObjectKind::Volume => "volume",
        types::ObjectKind::Network => "network",
        types::ObjectKind::Image => "image",
        types::ObjectKind::Connection => "connection",
        types::ObjectKind::Other => "object",
    }
}
