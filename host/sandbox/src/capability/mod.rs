//! What a driver can call: the host's side of each interface of `wit/`.
//!
//! One file or folder is one capability. It has the capability's context (the state that it needs of an
//! operation), the grants that it knows with the words about them, its functions with what each needs,
//! and the functions themselves with their checks. [`TABLE`] lists the capabilities; everything else
//! that needs a list of them takes it from there.
//!
//! The rules are the same in all of them. The grant and the ownership are checked before anything
//! happens; a refusal is an answer, never a trap; a trap means that the driver used a handle that is
//! not its own.

mod buildkit_session;
mod clock;
mod container;
mod direct;
mod engine;
mod image;
mod log;
mod network;
mod progress;
mod transport;
mod volume;

use std::any::Any;
use std::collections::BTreeMap;

use iechor_values::image::Reference;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::HostError;
use crate::bindings::contract::{self, Error};
use crate::bindings::iechor::driver::types;
use crate::declaration::{Capability, Function};
use crate::limits;
use crate::operation::{Contexts, Host, Operation, Setup};

/// A capability, as the table lists it.
pub(crate) struct Interface {
    /// Its interface in `wit/`, for example `container`.
    pub(crate) name: &'static str,
    /// Whether it reaches the container engine.
    pub(crate) of_engine: bool,
    /// The grants that it knows.
    pub(crate) grants: &'static [Capability],
    /// Its functions.
    pub(crate) functions: &'static [Function],
    /// What a driver can keep of it: the kinds of handle, by the words of a trace.
    kept: &'static [Kept],
    /// Adds its context to those of an operation.
    context: fn(&Setup<'_>, &mut Contexts),
    /// Makes it known to components.
    link: fn(&mut Linker<Host>, fn(&mut Host) -> &mut Host) -> wasmtime::Result<()>,
}

/// The name of a kind of handle, and whether something in the store's table is behind one.
type Kept = (&'static str, fn(&dyn Any) -> bool);

/// All capabilities, in the order in which their grants are listed.
pub(crate) const TABLE: &[Interface] = &[
    container::INTERFACE,
    volume::INTERFACE,
    network::INTERFACE,
    direct::INTERFACE,
    image::INTERFACE,
    engine::INTERFACE,
    transport::INTERFACE,
    buildkit_session::INTERFACE,
    clock::INTERFACE,
    log::INTERFACE,
    progress::INTERFACE,
];

/// Links all capabilities, and the types that they share.
pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    types::add_to_linker::<Host, HasSelf<Host>>(linker, |host| host)?;
    for interface in TABLE {
        (interface.link)(linker, |host| host)?;
    }
    Ok(())
}

/// Returns the capability with that interface: `iechor:driver/container`, without a version.
pub(crate) fn find(interface: &str) -> Option<&'static Interface> {
    let name = interface.strip_prefix("iechor:driver/")?;
    TABLE.iter().find(|interface| interface.name == name)
}

/// Returns the contexts of all capabilities in one operation.
pub(crate) fn contexts(setup: &Setup<'_>) -> Contexts {
    let mut contexts = Contexts::default();
    for interface in TABLE {
        (interface.context)(setup, &mut contexts);
    }
    contexts
}

impl Host {
    /// Tells the observer which handles the driver still holds.
    pub(crate) fn count_kept(&mut self) {
        let Some(observer) = &self.operation.observer else {
            return;
        };
        let kinds: Vec<_> = TABLE.iter().flat_map(|interface| interface.kept).collect();
        let mut numbers = vec![0; kinds.len()];
        for entry in self.table.iter_mut() {
            // What WASI keeps is not the driver's.
            if let Some(kind) = kinds.iter().position(|(_, is_kind)| is_kind(entry)) {
                numbers[kind] += 1;
            }
        }
        for ((name, _), number) in kinds.into_iter().zip(numbers) {
            if number > 0 {
                observer.kept(name, number);
            }
        }
    }
}

impl types::Host for Host {
    fn convert_error(&mut self, error: HostError) -> wasmtime::Result<Error> {
        let error = match error {
            HostError::Answer(error) => error,
            HostError::Engine(failure) => {
                let kind = failure.kind();
                let error = crate::bindings::engine_answer(failure);
                self.operation.note_engine_failure(kind, &error);
                error
            }
            HostError::Denied(denial) => {
                let told = contract::Denial {
                    capability: denial.capability.clone(),
                    detail: denial.detail(),
                };
                self.operation.note_denial(denial);
                Error::Denied(told)
            }
            HostError::Trap(error) => return Err(error),
        };
        if let Some(observer) = &self.operation.observer {
            observer.error(&error);
        }
        Ok(error)
    }
}

/// Checks the image of a container before the engine is asked for it.
fn check_image(operation: &Operation, reference: &str) -> Result<(), HostError> {
    Reference::check(reference).map_err(HostError::invalid)?;
    Ok(operation.grants.policy().check_image(reference)?)
}

/// Checks the size of the texts of an object: the engine stores them, and returns them in every list.
fn check_texts(
    what: &str,
    pairs: &[&[(String, String)]],
    words: &[String],
) -> Result<(), HostError> {
    let pairs = || pairs.iter().copied().flatten();
    let count = pairs().count() + words.len();
    let bytes = pairs()
        .map(|(name, value)| name.len() + value.len())
        .sum::<usize>()
        + words.iter().map(String::len).sum::<usize>();
    if count > limits::TEXTS || bytes > limits::TEXT_BYTES {
        return Err(HostError::limit(format!(
            "{count} labels, options and words with {bytes} bytes for a {what}; there may be {} with \
             {} KiB",
            limits::TEXTS,
            limits::TEXT_BYTES >> 10
        )));
    }
    Ok(())
}

/// Checks that a path has no `..`, which would be resolved after the grant was checked.
fn check_path(path: &str) -> Result<(), HostError> {
    let clean = path == "/"
        || path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")));
    if clean {
        Ok(())
    } else {
        Err(HostError::invalid(format!(
            "{path:?} is not an absolute path without '.' and '..'"
        )))
    }
}

fn labels_to_pairs(labels: BTreeMap<String, String>) -> Vec<(String, String)> {
    labels.into_iter().collect()
}

/// Returns whether an object of a list belongs to the node. The labels alone are not enough: they could come
/// from an image, or from the engine.
fn is_of_node(operation: &Operation, name: &str, labels: &BTreeMap<String, String>) -> bool {
    operation.owner.made(labels) && operation.owner.check_name(name).is_ok()
}

/// Returns whether `labels` has all of `wanted`.
fn has_labels(labels: &BTreeMap<String, String>, wanted: &[(String, String)]) -> bool {
    wanted
        .iter()
        .all(|(name, value)| labels.get(name) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_interface_that_drivers_can_import() {
        let worlds = include_str!("../../../../wit/worlds.wit");
        let mut imported: Vec<_> = worlds
            .lines()
            .filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'))
            .collect();
        imported.sort_unstable();
        let mut known: Vec<_> = TABLE.iter().map(|interface| interface.name).collect();
        known.sort_unstable();
        assert_eq!(known, imported);
    }
}
