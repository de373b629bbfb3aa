//! The attributes of a target: one table with the type and the rule of merging of each.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::value::Type;

use super::entries::{Entries, Entry};

/// The values of the attributes that a target sets, by name.
pub type Attributes = BTreeMap<&'static str, Setting>;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A text.
    Text(String),
    /// True or false.
    Flag(bool),
    /// Texts.
    Texts(Vec<String>),
    /// Texts by name.
    Map(BTreeMap<String, String>),
    /// Options by name, several times.
    Entries(Vec<Entry>),
}

/// The type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// True or false.
    Flag,
    /// A list of texts.
    Texts,
    /// Texts by name; a name whose value is null is left out.
    Map,
    /// Texts by name, without null.
    Contexts,
    /// A list of texts or objects with options.
    Entries(Entries),
    /// An object with limits.
    Resources,
}

/// How two values of an attribute become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// The later value counts.
    Override,
    /// The later value counts if it is not empty.
    OverrideFilled,
    /// All values count, each once.
    Append,
    /// All values count.
    AppendAll,
    /// Of each name, the later value counts.
    ByName,
    /// Of each value of this option, the later entry counts.
    ByOption(&'static str),
}

/// An attribute of a target.
#[derive(Debug)]
pub struct Attribute {
    /// The name.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// How two values become one.
    pub merge: Merge,
    /// Whether `${` and `%{` are escaped where the target is printed.
    pub is_escaped: bool,
}

const fn attribute(name: &'static str, kind: Kind, merge: Merge) -> Attribute {
    Attribute {
        name,
        kind,
        merge,
        is_escaped: false,
    }
}

const fn escaped(attribute: Attribute) -> Attribute {
    Attribute {
        is_escaped: true,
        ..attribute
    }
}

/// The attributes, in the order in which they are printed.
pub const TABLE: &[Attribute] = &[
    attribute("description", Kind::Text, Merge::OverrideFilled),
    escaped(attribute("annotations", Kind::Texts, Merge::Append)),
    attribute(
        "attest",
        Kind::Entries(Entries::Attest),
        Merge::ByOption("type"),
    ),
    attribute("context", Kind::Text, Merge::Override),
    attribute("contexts", Kind::Contexts, Merge::ByName),
    attribute("dockerfile", Kind::Text, Merge::Override),
    escaped(attribute("dockerfile-inline", Kind::Text, Merge::Override)),
    escaped(attribute("args", Kind::Map, Merge::ByName)),
    escaped(attribute("labels", Kind::Map, Merge::ByName)),
    attribute("tags", Kind::Texts, Merge::Override),
    attribute("cache-from", Kind::Entries(Entries::Cache), Merge::Append),
    attribute("cache-to", Kind::Entries(Entries::Cache), Merge::Override),
    attribute("target", Kind::Text, Merge::Override),
    attribute(
        "secret",
        Kind::Entries(Entries::Secret),
        Merge::ByOption("id"),
    ),
    attribute("ssh", Kind::Entries(Entries::Ssh), Merge::ByOption("id")),
    attribute("platforms", Kind::Texts, Merge::Override),
    attribute("output", Kind::Entries(Entries::Output), Merge::Override),
    attribute("pull", Kind::Flag, Merge::Override),
    attribute("no-cache", Kind::Flag, Merge::Override),
    attribute("network", Kind::Text, Merge::Override),
    attribute("no-cache-filter", Kind::Texts, Merge::Append),
    attribute("shm-size", Kind::Text, Merge::Override),
    attribute("ulimits", Kind::Texts, Merge::Append),
    attribute("resources", Kind::Resources, Merge::ByName),
    attribute("call", Kind::Text, Merge::Override),
    attribute("entitlements", Kind::Texts, Merge::Append),
    escaped(attribute("extra-hosts", Kind::Map, Merge::ByName)),
    attribute("policy", Kind::Entries(Entries::Policy), Merge::AppendAll),
];

/// Attributes of a target that are no settings of its build.
pub const STRUCTURE: &[&str] = &["name", "matrix", "inherits"];

/// Returns the attribute of a name.
pub fn find(name: &str) -> Option<&'static Attribute> {
    TABLE.iter().find(|attribute| attribute.name == name)
}

impl Kind {
    /// Returns the type that values are converted to. Lists of texts or objects have any type.
    pub fn constraint(self) -> Type {
        match self {
            Self::Text => Type::String,
            Self::Flag => Type::Bool,
            Self::Texts => Type::List(Rc::new(Type::String)),
            Self::Map | Self::Contexts => Type::Map(Rc::new(Type::String)),
            Self::Entries(_) | Self::Resources => Type::Any,
        }
    }
}

impl Merge {
    /// Merges a later value into an earlier one.
    pub fn apply(self, earlier: Option<Setting>, later: Setting) -> Setting {
        let Some(earlier) = earlier else {
            return later.normalised(self);
        };
        match (self, earlier, later) {
            (Self::OverrideFilled, earlier, Setting::Text(text)) if text.is_empty() => earlier,
            (Self::ByName, Setting::Map(mut map), Setting::Map(later)) => {
                map.extend(later);
                Setting::Map(map)
            }
            (Self::Append | Self::AppendAll, Setting::Texts(mut texts), Setting::Texts(later)) => {
                texts.extend(later);
                Setting::Texts(texts).normalised(self)
            }
            (
                Self::Append | Self::AppendAll | Self::ByOption(_),
                Setting::Entries(mut entries),
                Setting::Entries(later),
            ) => {
                entries.extend(later);
                Setting::Entries(entries).normalised(self)
            }
            (_, _, later) => later.normalised(self),
        }
    }
}

impl Setting {
    /// Removes what counts once and is there several times.
    pub fn normalised(self, merge: Merge) -> Self {
        match self {
            Self::Texts(texts) => {
                let mut kept: Vec<String> = Vec::new();
                for text in texts {
                    if !text.is_empty() && !kept.contains(&text) {
                        kept.push(text);
                    }
                }
                Self::Texts(kept)
            }
            Self::Entries(entries) => {
                let mut kept: Vec<Entry> = Vec::new();
                for entry in entries {
                    let same = kept.iter_mut().find(|earlier| match merge {
                        Merge::ByOption(name) => {
                            entry.get(name).is_some() && earlier.get(name) == entry.get(name)
                        }
                        Merge::AppendAll => false,
                        _ => **earlier == entry,
                    });
                    match same {
                        Some(earlier) => *earlier = entry,
                        None => kept.push(entry),
                    }
                }
                Self::Entries(kept)
            }
            other => other,
        }
    }

    /// Returns whether the value is printed: empty collections are not.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(_) | Self::Flag(_) => false,
            Self::Texts(texts) => texts.is_empty(),
            Self::Map(map) => map.is_empty(),
            Self::Entries(entries) => entries.is_empty(),
        }
    }
}
