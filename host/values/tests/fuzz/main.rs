//! Runs the fuzz targets of this crate over their seeds.

#![allow(clippy::unwrap_used, reason = "tests")]

mod bodies;
#[path = "../../../../tests/seeds.rs"]
mod seeds;

#[test]
fn csv() {
    seeds::run("csv", 300, bodies::csv);
}

#[test]
fn values() {
    seeds::run("values", 300, bodies::values);
}

#[test]
fn images() {
    seeds::run("images", 300, bodies::images);
}
