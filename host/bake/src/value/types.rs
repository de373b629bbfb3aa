//! Types of values.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// The type of a value, or a constraint on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Any type.
    Any,
    /// `bool`
    Bool,
    /// `number`
    Number,
    /// `string`
    String,
    /// `list(T)`
    List(Rc<Type>),
    /// `set(T)`
    Set(Rc<Type>),
    /// `map(T)`
    Map(Rc<Type>),
    /// `tuple([T...])`
    Tuple(Rc<[Type]>),
    /// `object({NAME = T})`
    Object(Rc<BTreeMap<Rc<str>, Attribute>>),
}

/// The type of an attribute of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The type of the value.
    pub of: Type,
    /// Whether an object may lack it. It is null then.
    pub optional: bool,
}

impl Type {
    /// Creates the type of an object that has all attributes.
    pub fn object(attributes: impl IntoIterator<Item = (Rc<str>, Self)>) -> Self {
        let required = |(name, of)| {
            let optional = false;
            (name, Attribute { of, optional })
        };
        Self::Object(Rc::new(attributes.into_iter().map(required).collect()))
    }

    /// Returns whether the type is `bool`, `number` or `string`.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Self::Bool | Self::Number | Self::String)
    }

    /// Returns whether the type has no part that can be any type.
    pub fn is_exact(&self) -> bool {
        match self {
            Self::Any => false,
            Self::Bool | Self::Number | Self::String => true,
            Self::List(of) | Self::Set(of) | Self::Map(of) => of.is_exact(),
            Self::Tuple(items) => items.iter().all(Self::is_exact),
            Self::Object(attributes) => {
                attributes.values().all(|attribute| attribute.of.is_exact())
            }
        }
    }

    /// Returns whether an object type has an attribute that may be missing, at any depth.
    pub fn optional_attribute(&self) -> Option<&str> {
        match self {
            Self::Any | Self::Bool | Self::Number | Self::String => None,
            Self::List(of) | Self::Set(of) | Self::Map(of) => of.optional_attribute(),
            Self::Tuple(items) => items.iter().find_map(Self::optional_attribute),
            Self::Object(attributes) => attributes.iter().find_map(|(name, attribute)| {
                if attribute.optional {
                    Some(&**name)
                } else {
                    attribute.of.optional_attribute()
                }
            }),
        }
    }
}

/// The name of the type in messages, such as `list of string`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any type"),
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(of) => write!(f, "list of {of}"),
            Self::Set(of) => write!(f, "set of {of}"),
            Self::Map(of) => write!(f, "map of {of}"),
            Self::Tuple(_) => f.write_str("tuple"),
            Self::Object(_) => f.write_str("object"),
        }
    }
}
