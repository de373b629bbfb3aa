//! The choice of the builder that a command works on.
//!
//! Order of precedence: the name on the command line; `BUILDX_BUILDER`; the choice of `use
//! --global`; the choice of `use` at the current endpoint; the choice of `use --default` at that
//! endpoint; the builder of the current context. Choosing a builder for a command writes nothing;
//! only `use` and `create --use` write a choice, see `choice`.

mod choice;

use iechor_engine::endpoint::DEFAULT_CONTEXT;

use crate::store::{BrokenFile, Current, Node, NodeGroup, StoreState, StoredBuilder};

/// The driver of the builders of contexts: BuildKit in the engine.
pub const CONTEXT_DRIVER: &str = "iechor";

/// The input of a choice besides the store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// Name on the command line; an empty one counts as not given.
    pub flag: Option<&'a str>,
    /// Value of `BUILDX_BUILDER`; an empty one counts as not given.
    pub environment: Option<&'a str>,
    /// Name of the current context; for the context `default`, the address of the engine.
    pub endpoint_key: &'a str,
    /// Name of the current context.
    pub context: &'a str,
    /// Names of all contexts; `default` may be missing.
    pub contexts: &'a [String],
}

impl Surroundings<'_> {
    fn has_context(&self, name: &str) -> bool {
        name == DEFAULT_CONTEXT
            || name == self.context
            || self.contexts.iter().any(|context| context == name)
    }
}

/// A chosen builder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// A builder of the store.
    Stored(StoredBuilder),
    /// The builder of a context, by the name of the context; see [`Chosen::group`].
    Context(String),
}

impl Chosen {
    /// Returns the builder's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Stored(stored) => &stored.group.name,
            Self::Context(name) => name,
        }
    }

    /// Returns the builder. The builder of a context has one node; both have the name of the
    /// context.
    pub fn group(&self) -> NodeGroup {
        match self {
            Self::Stored(stored) => stored.group.clone(),
            Self::Context(name) => NodeGroup {
                name: name.clone(),
                driver: CONTEXT_DRIVER.to_owned(),
                nodes: vec![Node {
                    name: name.clone(),
                    endpoint: name.clone(),
                    ..Node::default()
                }],
                ..NodeGroup::default()
            },
        }
    }

    /// Checks that the builder is not that of another context: a command would build with one
    /// engine and load into another.
    pub fn check_context(&self, surroundings: &Surroundings<'_>) -> Result<(), SelectionError> {
        match self {
            Self::Context(name) if name != surroundings.context => {
                Err(SelectionError::OtherContext { name: name.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// The place where the name of a builder was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSource {
    /// The command line.
    CommandLine,
    /// The variable `BUILDX_BUILDER`.
    Environment,
}

/// Reasons why no builder can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No builder and no context has that name.
    #[error("no builder {name:?} found{}", source_note(*source_of_name))]
    NotFound {
        /// The name.
        name: String,
        /// The place where the name was given.
        source_of_name: NameSource,
    },
    /// A file that decides, or the file of the builder, cannot be used.
    #[error(transparent)]
    Broken(#[from] BrokenFile),
    /// The builder belongs to another context.
    #[error("use `docker --context={name} buildx` to switch to context {name:?}")]
    OtherContext {
        /// The context.
        name: String,
    },
    /// The builder `default` is chosen in another context.
    #[error("run `docker context use default` to switch to default context")]
    UseDefaultContext,
    /// The builder of another context is chosen.
    #[error("run `docker context use {name}` to switch to context {name}")]
    UseContext {
        /// The context.
        name: String,
    },
    /// The chosen name is neither a builder nor a context.
    #[error("failed to find instance {name:?}: no builder has that name")]
    UseNotFound {
        /// The name.
        name: String,
    },
}

fn source_note(source: NameSource) -> &'static str {
    match source {
        NameSource::Environment => " (BUILDX_BUILDER names it)",
        NameSource::CommandLine => "",
    }
}

/// Finds a builder by name: in the store first, then among contexts.
pub fn find(
    state: &StoreState,
    surroundings: &Surroundings<'_>,
    name: &str,
) -> Result<Option<Chosen>, BrokenFile> {
    if let Some(stored) = state.builder(name).map_err(Clone::clone)? {
        return Ok(Some(Chosen::Stored(stored.clone())));
    }
    Ok(surroundings
        .has_context(name)
        .then(|| Chosen::Context(name.to_owned())))
}

/// Chooses the builder, see the [module](self).
///
/// # Errors
///
/// If there is no builder of the given name, or a file that decides is broken.
pub fn select(
    state: &StoreState,
    surroundings: &Surroundings<'_>,
) -> Result<Chosen, SelectionError> {
    let named = [
        (surroundings.flag, NameSource::CommandLine),
        (surroundings.environment, NameSource::Environment),
    ];
    for (name, source_of_name) in named {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            continue;
        };
        return find(state, surroundings, name)?.ok_or_else(|| SelectionError::NotFound {
            name: name.to_owned(),
            source_of_name,
        });
    }
    current(state, surroundings)
}

/// Chooses the builder as if no name were given: the one that listings mark as current.
///
/// # Errors
///
/// If a file that decides is broken.
pub fn current(
    state: &StoreState,
    surroundings: &Surroundings<'_>,
) -> Result<Chosen, SelectionError> {
    let stored = |name: &str| -> Result<Option<Chosen>, BrokenFile> {
        let stored = state.builder(name).map_err(Clone::clone)?;
        Ok(stored.map(|stored| Chosen::Stored(stored.clone())))
    };

    let choice = state.current().map_err(Clone::clone)?;
    let choice = choice.filter(|choice| !choice.name.is_empty());
    // A choice for this endpoint precedes an older default for it, even if it names a builder that was
    // removed since.
    let mut decided = false;
    if let Some(Current { key, name, global }) = choice {
        decided = key == surroundings.endpoint_key;
        if (*global || decided)
            && let Some(chosen) = stored(name)?
        {
            return Ok(chosen);
        }
    }
    if !decided
        && let Some(name) = state.default_at(surroundings.endpoint_key)
        && let Some(chosen) = stored(name)?
    {
        return Ok(chosen);
    }
    // A stored builder of the same name precedes the builder of the context, as everywhere.
    let found = find(state, surroundings, surroundings.context)?;
    Ok(found.unwrap_or_else(|| Chosen::Context(surroundings.context.to_owned())))
}

pub use choice::{UseChange, UseRequest, choose};

#[cfg(test)]
mod tests;
