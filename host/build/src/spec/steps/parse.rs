//! Pure functions that parse settings of the steps from text.

use iechor_values::{csv, size};

use super::{Host, Network, Resources, Ulimit};
use crate::spec::error::SpecError;

/// Parses a list of additional hosts, as a line of CSV: `NAME=ADDRESS` or `NAME:ADDRESS` each. Returns
/// the hosts, and the faults of the others.
pub fn hosts(text: &str) -> Vec<Result<Host, SpecError>> {
    if text.is_empty() {
        return Vec::new();
    }
    match csv::fields(text) {
        Ok(fields) => {
            let hosts = fields.iter().map(|field| Ok(field.parse()?));
            hosts.collect()
        }
        Err(fault) => vec![Err(SpecError::List {
            text: text.to_owned(),
            fault,
        })],
    }
}

/// Parses the name of a network. An empty name is the default.
///
/// # Errors
///
/// Returns an error if BuildKit has no such network.
pub fn network(name: &str) -> Result<Network, SpecError> {
    Ok(name.parse()?)
}

/// Parses a size, in bytes.
///
/// # Errors
///
/// Returns an error if the text is not a size.
pub fn shm_size(text: &str) -> Result<u64, SpecError> {
    size::parse(text).map_err(|_| SpecError::Size {
        text: text.to_owned(),
    })
}

/// Parses a limit of processes, as `NAME=SOFT[:HARD]`. Returns the name and the limit.
///
/// # Errors
///
/// Returns the fault of the text.
pub fn ulimit(text: &str) -> Result<(String, Ulimit), SpecError> {
    Ulimit::parse(text).map_err(|fault| SpecError::Ulimit {
        text: text.to_owned(),
        fault,
    })
}

/// Sets a limit of containers from `NAME=VALUE`.
///
/// # Errors
///
/// Returns the fault of the text.
pub fn resource(text: &str, resources: &mut Resources) -> Result<(), SpecError> {
    Ok(resources.set(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_of_a_list_of_hosts_are_found() {
        let found = hosts("a:1.1.1.1,b,\"c=::1\",d=x");
        let wrong: Vec<_> = found
            .iter()
            .filter_map(|host| host.as_ref().err())
            .collect();
        let texts: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["invalid host b", "invalid host d=x"]);
        assert_eq!(found.len(), 4);
        assert!(hosts("").is_empty());
        assert!(matches!(
            hosts("a\"b").as_slice(),
            [Err(SpecError::List { .. })]
        ));
    }
}
