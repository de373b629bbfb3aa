//! End to end: the built binary, a real engine, a real BuildKit, a real registry.
//!
//! - `support` runs the binary in a sandbox of its own, and removes what it made.
//! - `context` makes build contexts, `components` drivers; `registry` runs registries, `web` a web
//!   server, `daemon` a BuildKit that no builder made, `proxy` a slow engine; `impostor` has an engine and a
//!   BuildKit that lie, `meddler` a BuildKit that names its results otherwise; `control` serves the
//!   BuildKit of `impostor` and the fake one in the tests of `host/buildkit`.
//! - every other module shows one part of the product.
//!
//! `tests/machine/prepare` brings the engine up and says in `target/machine/env` where it is.

#[path = "../certificates.rs"]
mod certificates;
mod components;
mod context;
#[path = "../../host/buildkit/tests/it/control.rs"]
mod control;
mod daemon;
#[path = "../generated.rs"]
mod generated;
mod impostor;
mod meddler;
mod proxy;
mod registry;
mod support;
mod web;

mod bad_input;
mod builders;
mod builds;
mod compiling;
mod context_builder;
mod driver_tests;
mod drivers;
mod failures;
mod grants;
mod hostile;
mod incomplete;
mod installed;
mod installed_from;
mod interrupt;
mod lock_file;
mod names;
mod networks;
mod newcomer;
mod options;
mod outputs;
mod pinned;
mod policy;
mod push;
mod python;
mod remote;
mod removal;
mod schemas;
mod snapshots;
mod store;
mod team;
mod terminal;
