//! Tests of the public interface: on a real engine, on the simulated one, and on both.

mod hostile;
mod real;
mod registry;
mod scenarios;
mod simulated;
mod support;
mod tls;
