//! Definitions: files, variables, targets and groups.
//!
//! `resolver` evaluates files; `attributes` has the attributes of targets; `selection` finds the targets that
//! are requested and applies `inherits` and overrides.

mod attributes;
mod blocks;
mod entries;
mod files;
mod links;
mod matrix;
mod overridden;
mod overrides;
mod resolver;
mod selection;
mod target;
mod variables;

use std::collections::BTreeMap;

pub use attributes::{Attributes, Kind, Setting, TABLE};
pub use entries::{Entries, Entry};
pub use files::{DEFAULT_NAMES, File};
pub use overrides::Override;
pub use selection::{SelectedTarget, Selection};
pub use variables::VariableInfo;

use crate::diagnostic::DefinitionError;
use crate::environment::Environment;

/// What a definition is read from.
pub struct Input<'a> {
    /// The files, in the order of precedence: later ones win.
    pub files: &'a [File],
    /// Values of variables that take precedence over the environment.
    pub variables: &'a BTreeMap<String, String>,
    /// Values that a definition cannot change, such as `BAKE_LOCAL_PLATFORM`.
    pub constants: &'a BTreeMap<String, String>,
    /// Whether variables are looked up in the environment.
    pub uses_environment: bool,
    /// The surroundings.
    pub environment: &'a dyn Environment,
}

/// An evaluated definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Definition {
    /// The groups, in the order of the files.
    pub groups: Vec<Group>,
    /// The targets, in the order of the files.
    pub targets: Vec<Target>,
    /// The variables, in the order of the files; `None` if no file can have some.
    pub variables: Option<Vec<VariableInfo>>,
    /// What is likely to be a mistake.
    pub warnings: Vec<DefinitionError>,
}

/// A group of targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The description.
    pub description: Option<String>,
    /// The names of targets and groups.
    pub targets: Vec<String>,
}

/// A target, without what it inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name.
    pub name: String,
    /// The targets that it is based on.
    pub inherits: Vec<String>,
    /// The attributes that are set.
    pub attributes: Attributes,
}

/// A fault of a definition, or of what is requested of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BakeError {
    /// There is no definition.
    #[error("couldn't find a bake definition")]
    NoDefinition,
    /// A file is wrong.
    #[error(transparent)]
    Definition(Box<DefinitionError>),
    /// A file has a format that cannot be read.
    #[error("failed to parse {file}: compose files are not supported")]
    Compose {
        /// The file.
        file: String,
    },
    /// A target does not exist.
    #[error("failed to find target {name}")]
    NoTarget {
        /// The name.
        name: String,
        /// The name that may be meant.
        meant: Option<String>,
    },
    /// No target matches a pattern.
    #[error("could not find any target matching {}", quoted(pattern, *is_override))]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// Whether it is the pattern of an override.
        is_override: bool,
    },
    /// Something else is wrong, in the words of docker buildx.
    #[error("{0}")]
    Invalid(String),
}

fn quoted(pattern: &str, is_override: bool) -> String {
    match is_override {
        true => format!("'{pattern}'"),
        false => format!("{pattern:?}"),
    }
}

impl From<DefinitionError> for BakeError {
    fn from(error: DefinitionError) -> Self {
        Self::Definition(Box::new(error))
    }
}

/// Stack of an evaluation, in bytes. Definitions nest deeper than the stack of a thread may be.
const STACK: usize = 256 << 20;

impl Definition {
    /// Reads and evaluates a definition.
    ///
    /// # Errors
    ///
    /// Returns the first fault.
    pub fn read(input: &Input<'_>) -> Result<Self, BakeError> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK);
            let evaluation = thread.spawn_scoped(scope, || files::read(input));
            match evaluation.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(error) => Err(BakeError::Invalid(format!(
                    "cannot start a thread: {error}"
                ))),
            }
        })
    }

    /// Returns the target of a name.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// Returns the group of a name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Returns the fault that a target does not exist.
    fn no_target(&self, name: &str) -> BakeError {
        let groups = self.groups.iter().map(|group| group.name.as_str());
        let targets = self.targets.iter().map(|target| target.name.as_str());
        BakeError::NoTarget {
            name: name.to_owned(),
            meant: iechor_text::nearest(name, targets.chain(groups)).map(str::to_owned),
        }
    }
}
