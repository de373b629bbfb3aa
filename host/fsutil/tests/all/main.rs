//! Transfers between both sides over channels, and each side against a scripted peer.
#![allow(clippy::unwrap_used, reason = "tests")]

mod changing;
mod conformance;
mod filtering;
mod hostile;
mod owners;
mod random;
mod receiving;
mod round_trip;
mod sending;
mod support;
