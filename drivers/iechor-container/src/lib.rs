//! The driver `iechor-container`: BuildKit in a container of the engine, its cache in a volume.
//!
//! It exists as a component only; on any other target this library is empty.
#![cfg(target_arch = "wasm32")]

mod boot;
mod builder;
mod options;

iechor_driver::register!(builder::ContainerBuilder);
