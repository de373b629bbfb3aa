//! End-to-end tests: the built binary, a real engine, a real BuildKit, a real registry.
//!
//! - `support` runs the binary in a sandbox, and removes everything that it created. `pty` runs it at a
//!   terminal.
//! - `context` creates build contexts, and `components` creates drivers. `registry` runs registries, `authority`
//!   issues their tokens, `web` is a web server, `git_server` one for Git, `daemon` a BuildKit that belongs to no builder, `recorder` records what a client sends to
//!   it, `proxy` is a slow engine. `impostor` contains a hostile engine and a hostile BuildKit, and `meddler` a
//!   BuildKit that changes the names of its results.
//!   `control` serves the BuildKit of `impostor` and the fake one in the tests of `host/buildkit`, and
//!   `caller` makes its calls on a session.
//! - Every other module tests one part of the program.
//!
//! `tests/machine/prepare` starts the engine and writes its address to `target/machine/env`.

mod authority;
mod cable;
#[allow(dead_code, reason = "it serves two test programs")]
#[path = "../../host/buildkit/tests/it/caller.rs"]
mod caller;
#[path = "../certificates.rs"]
mod certificates;
mod components;
mod context;
#[path = "../../host/buildkit/tests/it/control.rs"]
mod control;
mod daemon;
#[path = "../generated.rs"]
mod generated;
mod git_server;
mod impostor;
mod meddler;
mod proxy;
mod pty;
mod recorder;
mod registry;
mod support;
mod web;

mod annotations;
mod arguments;
mod attestations;
mod bad_input;
mod bake;
mod boot_failures;
mod build_flags;
mod build_line;
mod builders;
mod builds;
mod cache_usage;
mod caches;
mod calls;
mod compiling;
mod completion;
mod container_options;
mod containerd_store;
mod context_builder;
mod contexts;
mod credentials;
mod destinations;
mod dial_stdio;
mod direct;
mod display;
mod dockerfiles;
mod driver_tests;
mod drivers;
mod edits;
mod failures;
mod far_engines;
mod grants;
mod hostile;
mod hostile_transfers;
mod incomplete;
mod inspecting;
mod installed;
mod installed_from;
mod interrupt;
mod liveness;
mod lock_file;
mod logging;
mod messages;
mod names;
mod networks;
mod newcomer;
mod oci_layouts;
mod options;
mod outputs;
mod package;
mod peer;
mod peer_store;
mod pinned;
mod plugin;
mod policy;
mod push;
mod python;
mod remote;
mod removal;
mod result_files;
mod schemas;
mod secrets;
mod several_nodes;
mod snapshots;
mod ssh;
mod store;
mod team;
mod terminal;
mod vcs;
mod waiting;
