//! Transfers between both sides over channels, and each side against a scripted peer.
#![allow(clippy::unwrap_used, reason = "tests")]

mod filtering;
mod receiving;
mod round_trip;
mod sending;
mod support;
