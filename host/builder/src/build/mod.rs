//! Builds: from what the user asked for to the results.
//!
//! [`request`] is what was asked for; [`input`] finds the context and the Dockerfile; [`output`]
//! reads `--output` and its relatives, within the builder's [`abilities`]; [`run`] puts them
//! together, builds and delivers; [`archive`] watches over what is loaded into the engine.

pub mod abilities;
pub mod archive;
pub mod input;
pub mod output;
pub mod request;
pub mod result;
pub mod run;
