//! Transfers between both ends over channels, and each end against a scripted peer.
#![allow(clippy::unwrap_used, reason = "tests")]

mod filtering;
mod receiving;
mod round_trip;
mod sending;
mod support;
