//! End-to-end tests: the built binary, a real engine, a real BuildKit, a real registry.
//!
//! - `support` runs the binary in a sandbox, and removes everything that it created.
//! - `context` creates build contexts, and `components` creates drivers. `registry` runs registries, `web` a
//!   web server, `daemon` a BuildKit that belongs to no builder, `proxy` a slow engine. `impostor` contains a
//!   hostile engine and a hostile BuildKit, and `meddler` a BuildKit that changes the names of its results.
//!   `control` serves the BuildKit of `impostor` and the fake one in the tests of `host/buildkit`.
//! - Every other module tests one part of the program.
//!
//! `tests/machine/prepare` starts the engine and writes its address to `target/machine/env`.

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
mod build_flags;
mod build_line;
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
