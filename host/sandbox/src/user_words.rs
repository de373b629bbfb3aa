//! The user's own settings of a node. A driver that passes them on chooses nothing.

use std::collections::{BTreeMap, BTreeSet};

use iechor_values::list;

use crate::bindings::contract::Config;

/// The parts of a configuration that reach a container as the user wrote them.
#[derive(Default)]
pub(crate) struct UserWords {
    flags: Vec<String>,
    /// Paths below the configuration directory.
    files: BTreeSet<String>,
    /// `env.NAME=VALUE`, without the part before the first point.
    variables: BTreeSet<(String, String)>,
    /// The values of each option: those between `;`.
    settings: BTreeMap<String, Vec<String>>,
}

impl UserWords {
    /// Takes them from a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            flags: config.buildkitd_flags.clone(),
            files: config.files.iter().map(|file| file.path.clone()).collect(),
            variables: config
                .options
                .iter()
                .filter_map(|(name, value)| {
                    let (_, name) = name.split_once('.')?;
                    Some((name.to_owned(), value.clone()))
                })
                .collect(),
            settings: config
                .options
                .iter()
                .map(|(name, value)| {
                    let values = list::split(value).unwrap_or_default();
                    (
                        name.clone(),
                        values.into_iter().map(str::to_owned).collect(),
                    )
                })
                .collect(),
        }
    }

    /// Returns `--buildkitd-flags`.
    pub(crate) fn flags(&self) -> &[String] {
        &self.flags
    }

    /// Returns whether the user gave this variable this value, in an option such as `env.NAME=VALUE`.
    pub(crate) fn has_variable(&self, name: &str, value: &str) -> bool {
        self.variables
            .contains(&(name.to_owned(), value.to_owned()))
    }

    /// Returns whether the user gave this value in an option of that name, alone or among others.
    pub(crate) fn has_setting(&self, name: &str, value: &str) -> bool {
        self.settings_of(name).any(|given| given == value)
    }

    /// Returns the values that the user gave in an option of that name.
    pub(crate) fn settings_of(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.settings.get(name).into_iter().flatten();
        values.map(String::as_str)
    }

    /// Returns whether a driver hands on the user's file of that path: it was not shown what is in the
    /// file, so it hands on nothing, and the host puts that in.
    pub(crate) fn has_file(&self, path: &str, contents: &[u8]) -> bool {
        contents.is_empty() && self.files.contains(path)
    }

    /// Returns whether the user has a file of that path.
    pub(crate) fn names_file(&self, path: &str) -> bool {
        self.files.contains(path)
    }
}
