//! The contract of `wit/`, generated.
//!
//! Nothing here knows a capability: the types of handles are those that are generated, and
//! [`crate::handle`] says what the host keeps behind them.

mod host_error;

pub(crate) use self::host_error::{HostError, engine_answer};

#[expect(
    missing_docs,
    reason = "generated from the documented contract in wit/"
)]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "container-driver",
        imports: { default: async | trappable },
        exports: { default: async },
        trappable_error_type: {
            "iechor:driver/types.error" => crate::bindings::HostError,
        },
    });
}

pub(crate) use generated::*;

/// The data of the contract, as drivers and this host exchange it.
pub mod contract {
    pub use super::generated::exports::iechor::driver::driver::{
        CapabilityRequest, Config, Descriptor, Feature, Info, Issue, OptionKind, OptionSpec,
        RemoveOptions, Severity, Status, StopOptions,
    };
    pub use super::generated::iechor::driver::types::{
        Denial, EngineFailure, Error, File, ObjectKind, ObjectRef, Pair, Platform,
    };
}
