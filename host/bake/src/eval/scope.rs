//! Names that expressions define.

use crate::value::Value;

/// The names of an expression, and those of the expressions around it. Global names are not part of it.
pub struct Scope<'s> {
    around: Option<&'s Scope<'s>>,
    names: Vec<(&'s str, Value)>,
}

impl<'s> Scope<'s> {
    /// Returns a scope without names.
    pub fn root() -> Self {
        Self {
            around: None,
            names: Vec::new(),
        }
    }

    /// Returns a scope with names within this one.
    pub fn with(&'s self, names: Vec<(&'s str, Value)>) -> Self {
        Self {
            around: Some(self),
            names,
        }
    }

    /// Returns the value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let own = self.names.iter().rev().find(|(own, _)| *own == name);
        match own {
            Some((_, value)) => Some(value),
            None => self.around?.get(name),
        }
    }

    /// Returns all names.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.names.iter().map(|(name, _)| *name).collect();
        if let Some(around) = self.around {
            names.extend(around.names());
        }
        names
    }
}
