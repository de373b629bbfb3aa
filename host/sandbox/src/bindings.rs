//! The contract of `wit/`, generated.

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
            "iechor:driver/types.error" => crate::capability::HostError,
        },
        with: {
            "iechor:driver/container.container": crate::capability::container::ContainerHandle,
            "iechor:driver/volume.volume": crate::capability::volume::VolumeHandle,
            "iechor:driver/network.network": crate::capability::network::NetworkHandle,
            "iechor:driver/transport.connection": crate::capability::transport::Connection,
            "iechor:driver/progress.task": crate::capability::progress::Task,
            "iechor:driver/buildkit-session.client": crate::capability::buildkit_session::Client,
            "iechor:driver/buildkit-session.session": crate::capability::buildkit_session::Session,
        },
    });
}

pub(crate) use generated::*;

/// The data of the contract, as drivers and this host exchange it.
pub mod contract {
    pub use super::generated::exports::iechor::driver::driver::{
        CapabilityRequest, Config, Descriptor, DynamicNode, Feature, Info, Issue, OptionKind,
        OptionSpec, RemoveOptions, Severity, Status, StopOptions,
    };
    pub use super::generated::iechor::driver::types::{
        Denial, EngineFailure, Error, File, ObjectKind, ObjectRef, Pair, Platform,
    };
}
