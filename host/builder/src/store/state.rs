//! Contents of the store at one moment.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::error::BrokenFile;
use super::group::NodeGroup;
use super::hash;
use crate::name::Name;

/// The choice of a builder: the content of the file `current`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Current {
    /// The endpoint where the choice was made.
    pub key: String,
    /// The builder; empty: the builder of the endpoint's context.
    pub name: String,
    /// The choice holds at every endpoint.
    pub global: bool,
}

/// A builder, and when it was last used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBuilder {
    /// The builder.
    pub group: NodeGroup,
    /// Time of the last build or change, in whole seconds.
    pub last_activity: Option<SystemTime>,
}

/// Contents of the store.
#[derive(Debug, Clone, Default)]
pub struct StoreState {
    pub(super) builders: BTreeMap<String, Result<StoredBuilder, BrokenFile>>,
    pub(super) current: Option<Result<Current, BrokenFile>>,
    pub(super) defaults: BTreeMap<String, String>,
}

impl StoreState {
    /// Returns all builders, sorted by name, including files that cannot be used.
    pub fn builders(&self) -> impl Iterator<Item = (&str, Result<&StoredBuilder, &BrokenFile>)> {
        self.builders
            .iter()
            .map(|(name, builder)| (name.as_str(), builder.as_ref()))
    }

    /// Returns the builder of that name. An invalid name is the name of no builder.
    pub fn builder(&self, name: &str) -> Result<Option<&StoredBuilder>, &BrokenFile> {
        Name::parse(name)
            .ok()
            .and_then(|name| self.builders.get(&name.file_name()))
            .map(Result::as_ref)
            .transpose()
    }

    /// Returns the content of `current`.
    pub fn current(&self) -> Result<Option<&Current>, &BrokenFile> {
        self.current.as_ref().map(Result::as_ref).transpose()
    }

    /// Returns the default builder of an endpoint, from `use --default`.
    pub fn default_at(&self, key: &str) -> Option<&str> {
        self.defaults.get(&hash(key)).map(String::as_str)
    }
}

#[cfg(test)]
impl StoreState {
    pub(crate) fn for_tests(
        builders: impl IntoIterator<Item = (&'static str, Result<StoredBuilder, BrokenFile>)>,
        current: Option<Result<Current, BrokenFile>>,
        defaults: &[(&str, &str)],
    ) -> Self {
        Self {
            builders: builders
                .into_iter()
                .map(|(name, builder)| (name.to_owned(), builder))
                .collect(),
            current,
            defaults: defaults
                .iter()
                .map(|(key, name)| (hash(key), (*name).to_owned()))
                .collect(),
        }
    }
}
