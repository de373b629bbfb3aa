//! The choices that `use` and `create` write.

use iechor_engine::endpoint::DEFAULT_CONTEXT;

use super::{SelectionError, Surroundings};
use crate::store::{Current, StoreState};

/// What `use` is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct UseRequest<'a> {
    /// The builder, or the name of the current context to go back to its own.
    pub name: &'a str,
    /// The choice holds at every endpoint.
    pub global: bool,
    /// The choice is come back to after a change of context.
    pub default: bool,
}

/// What `use` writes, for [`Transaction::set_current`](crate::store::Transaction::set_current).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseChange {
    /// The new choice.
    pub current: Current,
    /// It becomes the default of its endpoint; otherwise the endpoint has none from then on.
    pub default: bool,
}

/// Works out what `use` writes. Pass the state of the transaction that will write it.
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
        // Back to the builder of the context: no choice at all.
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
