//! Container engines behind one trait.
//!
//! [`Engine`] is the interface for all other crates. [`docker`] implements it with the Docker Engine
//! API (1.41 and later: any engine from 20.10 on); [`simulated`] keeps the same state in memory, for
//! tests of drivers in isolation. [`endpoint`] finds the engine by the rules of the Docker CLI,
//! [`known`] all engines of a machine's configuration, and [`config`] reads the Docker CLI's
//! configuration with its credentials.
//!
//! This crate has no policy: `iechor-sandbox` decides who may do what.

pub mod config;
pub mod docker;
pub mod endpoint;
mod engine;
mod environment;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod known;
mod log;
pub mod model;
pub mod simulated;
mod stderr;
mod stream;

pub use engine::{Engine, Hijack};
pub use error::{
    AnswerLimit, EngineError, EngineErrorKind, ObjectKind, TlsFault, TlsFile, UnreachableReason,
};
pub use stream::{BoxByteStream, ByteStream, ExecConnection};
