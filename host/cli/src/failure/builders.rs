//! What to do about failures of builders, where the error itself does not say.

use std::collections::BTreeSet;

use iechor_builder::BuilderError;
use iechor_builder::name::NameError;
use iechor_builder::store::{EditError, StoreError};

use super::drivers::catalog_hint;

/// Returns what to do about a failure, where there is advice.
pub fn builder_hint(error: &BuilderError) -> Option<String> {
    let hint = match error {
        BuilderError::Catalog(error) => return catalog_hint(error),
        BuilderError::Several { failures, .. } => {
            let hints = failures.iter().filter_map(|(_, error)| builder_hint(error));
            let hints: BTreeSet<_> = hints.collect();
            let hints: Vec<_> = hints.into_iter().collect();
            return (!hints.is_empty()).then(|| hints.join("\n"));
        }
        BuilderError::NothingToAppendTo { .. } => "leave --append out to create it".to_owned(),
        BuilderError::NameOfContext { .. } => "choose another name".to_owned(),
        BuilderError::Raced => "try again".to_owned(),
        BuilderError::AppendWithoutName => "name the builder with --name".to_owned(),
        BuilderError::DriverOfContexts { .. } => {
            "run `iechor buildx ls` to list these builders; leave --driver out to create a builder \
             with a BuildKit of its own"
                .to_owned()
        }
        BuilderError::Kept { error } => {
            let force = "--force forgets it, whatever is left in the engine";
            match builder_hint(error) {
                Some(hint) => format!("{hint}\n{force}"),
                None => force.to_owned(),
            }
        }
        BuilderError::Edit(EditError::DuplicateEndpoint { node, .. }) => {
            format!("give another endpoint, or change that node with --node {node}")
        }
        BuilderError::Name(error) | BuilderError::Store(StoreError::Name(error)) => {
            return name_hint(error);
        }
        BuilderError::Edit(EditError::Name(error)) => return name_hint(error),
        _ => return None,
    };
    Some(hint)
}

fn name_hint(error: &NameError) -> Option<String> {
    match error {
        NameError::Separator { .. } => Some("give another name with --node".to_owned()),
        NameError::Exhausted => Some("give a name with --name".to_owned()),
        _ => None,
    }
}
