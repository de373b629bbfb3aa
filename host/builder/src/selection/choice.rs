//! The choices that `use` and `create` store.

use iechor_engine::endpoint::DEFAULT_CONTEXT;

use super::{SelectionError, Surroundings};
use crate::store::{Current, StoreState};

/// A request to make a builder the current one.
#[derive(Debug, Clone, Copy, Default)]
pub struct UseRequest<'a> {
    /// Name of the builder; the name of the current context stands for its own builder.
    pub name: &'a str,
    /// The choice holds at every endpoint.
    pub global: bool,
    /// The choice becomes the default of its endpoint: it applies again after a change of context.
    pub default: bool,
}

/// The choice to write, for [`Transaction::set_current`](crate::store::Transaction::set_current).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseChange {
    /// The new choice.
    pub current: Current,
    /// The builder becomes the default of its endpoint; otherwise the endpoint loses its default.
    pub default: bool,
}

/// Returns the choice to write. `state` must be the state of the transaction that writes it.
pub fn choose(
    state: &StoreState,
    surroundings: &Surroundings<'_>,
    request: &UseRequest<'_>,
) -> Result<UseChange, SelectionError> {
    let key = surroundings.endpoint_key.to_owned();
    if let Some(stored) = state.builder(request.name).map_err(Clone::clone)? {
        return Ok(UseChange {
            current: Current {
                key,
                name: stored.group.name.clone(),
                global: request.global,
            },
            default: request.default,
        });
    }
    if request.name == surroundings.context {
        // No choice at all selects the builder of the context.
        return Ok(UseChange {
            current: Current {
                key,
                ..Current::default()
            },
            default: false,
        });
    }
    if request.name == DEFAULT_CONTEXT {
        return Err(SelectionError::UseDefaultContext);
    }
    if surroundings.has_context(request.name) {
        return Err(SelectionError::UseContext {
            name: request.name.to_owned(),
        });
    }
    Err(SelectionError::UseNotFound {
        name: request.name.to_owned(),
    })
}
