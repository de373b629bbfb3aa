//! Finds builders for a command: applies the rules of [`selection`] to the store, contexts and
//! environment of the command.

use iechor_engine::endpoint;

use crate::error::BuilderError;
use crate::selection::{self, Chosen, Surroundings, UseRequest};
use crate::store::{NodeGroup, StoreState};
use crate::workspace::Workspace;

impl Workspace {
    /// Calls `ask` with what the choice of a builder depends on.
    ///
    /// # Errors
    ///
    /// If the current endpoint or the contexts cannot be read, or `ask` fails.
    pub fn with_surroundings<T, E: Into<BuilderError>>(
        &self,
        ask: impl FnOnce(&Surroundings<'_>) -> Result<T, E>,
    ) -> Result<T, BuilderError> {
        let current = self.current_endpoint()?;
        let contexts: Vec<String> = endpoint::list_contexts(&self.config)?
            .into_iter()
            .map(|context| context.name)
            .collect();
        ask(&Surroundings {
            flag: self.builder_flag.as_deref(),
            environment: self.builder_variable.as_deref(),
            endpoint_key: &current.key(),
            context: current.name.as_deref().unwrap_or(endpoint::DEFAULT_CONTEXT),
            contexts: &contexts,
        })
        .map_err(Into::into)
    }

    /// Returns the builder that a command works on: the one of that name, or the current one.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn select(&self, name: Option<&str>) -> Result<Chosen, BuilderError> {
        self.find(name, |_, _| Ok(()))
    }

    /// Returns the builder that a command builds with, like [`Workspace::select`]. The builder of a
    /// context must belong to the current context.
    ///
    /// # Errors
    ///
    /// If there is none, or it belongs to another context.
    pub fn builder(&self, name: Option<&str>) -> Result<NodeGroup, BuilderError> {
        let chosen = self.find(name, |chosen, surroundings| {
            Ok(chosen.check_context(surroundings)?)
        })?;
        Ok(chosen.group())
    }

    /// Returns a builder of the store, chosen like [`Workspace::select`].
    ///
    /// # Errors
    ///
    /// If there is none, or it is the builder of a context.
    pub fn stored(&self, name: Option<&str>) -> Result<NodeGroup, BuilderError> {
        match self.select(name)? {
            Chosen::Stored(stored) => Ok(stored.group),
            Chosen::Context(name) => Err(BuilderError::OfContext { name }),
        }
    }

    /// Makes a builder the current one. Locks the store before reading it, so that the builder
    /// exists when the choice is written.
    ///
    /// # Errors
    ///
    /// If there is no such builder, or the store cannot be used.
    pub fn choose(&self, request: &UseRequest<'_>) -> Result<(), BuilderError> {
        let mut transaction = self.store.lock()?;
        let state = transaction.state()?;
        let change = self
            .with_surroundings(|surroundings| selection::choose(&state, surroundings, request))?;
        Ok(transaction.set_current(&change.current, change.default)?)
    }

    /// Returns the builders of contexts, except those with the name of a stored builder. The
    /// builder of the context `default` is the first one, the others follow by name.
    ///
    /// # Errors
    ///
    /// If the contexts cannot be read.
    pub fn context_builders(&self, state: &StoreState) -> Result<Vec<NodeGroup>, BuilderError> {
        let contexts = endpoint::list_contexts(&self.config)?;
        let names = contexts.into_iter().map(|context| context.name);
        Ok(std::iter::once(endpoint::DEFAULT_CONTEXT.to_owned())
            .chain(names)
            .filter(|name| {
                !state
                    .builders()
                    .any(|(stored, _)| stored.eq_ignore_ascii_case(name))
            })
            .map(|name| Chosen::Context(name).group())
            .collect())
    }

    fn find(
        &self,
        name: Option<&str>,
        check: impl FnOnce(&Chosen, &Surroundings<'_>) -> Result<(), BuilderError>,
    ) -> Result<Chosen, BuilderError> {
        let state = self.store.read()?;
        self.with_surroundings(|surroundings| {
            let named = Surroundings {
                flag: name.or(surroundings.flag),
                ..*surroundings
            };
            let found = selection::select(&state, &named)?;
            check(&found, surroundings)?;
            Ok::<_, BuilderError>(found)
        })
    }
}
