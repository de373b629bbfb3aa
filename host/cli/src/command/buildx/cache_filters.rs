//! The filters of cache records on the command line.

use anyhow::anyhow;
use iechor_builder::BuilderError;
use iechor_builder::cache::{CacheFilter, FilterError};

use crate::terminal;

/// Reads the values of `--filter`; `configured` has those of the Docker CLI's configuration.
///
/// # Errors
///
/// The first fault, with the text of docker buildx.
pub fn read(given: &[String], configured: &[String]) -> anyhow::Result<CacheFilter> {
    CacheFilter::parse(given, configured).map_err(|error| match &error {
        FilterError::Form { text } => {
            anyhow!("invalid argument {text:?} for \"--filter\" flag: {error}")
        }
        _ => BuilderError::from(error).into(),
    })
}

/// Says which nodes have no cache, so that the user does not look for it.
pub fn say_absent(nodes: &[String]) {
    for node in nodes {
        terminal::say(&format!(
            "node {node} is inactive and has no cache: there is no container and no volume of it"
        ));
    }
}
