//! Values of expressions: null, booleans, numbers, texts, and collections of them.
//!
//! The types and the conversions are those of Go's `cty`, which the peer uses. Unknown values do not exist:
//! a definition is evaluated when everything is known.

pub mod convert;
pub mod decimal;
pub mod json;
pub mod number;
mod order;
pub mod types;
mod unify;

use std::collections::BTreeMap;
use std::rc::Rc;

pub use number::Number;
pub use types::Type;
pub use unify::unify;

/// A value. Copies share their contents.
#[derive(Debug, Clone)]
pub enum Value {
    /// No value, of any type.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Rc<Number>),
    /// A text.
    String(Rc<str>),
    /// Values of one type, in an order.
    List(Type, Rc<Items>),
    /// Values of one type, each once. The items are sorted.
    Set(Type, Rc<Items>),
    /// Values of one type, by name.
    Map(Type, Rc<Fields>),
    /// Values of any types, in an order.
    Tuple(Rc<Items>),
    /// Values of any types, by name.
    Object(Rc<Fields>),
}

/// The items of a list, a set or a tuple.
#[derive(Debug)]
pub struct Items {
    items: Vec<Value>,
    weight: u64,
}

/// The fields of a map or an object, by name.
#[derive(Debug)]
pub struct Fields {
    fields: BTreeMap<Rc<str>, Value>,
    weight: u64,
}

impl Items {
    fn new(items: Vec<Value>) -> Rc<Self> {
        let weights = items.iter().map(Value::weight);
        let weight = weights.fold(1, u64::saturating_add);
        Rc::new(Self { items, weight })
    }
}

impl Fields {
    fn new(fields: BTreeMap<Rc<str>, Value>) -> Rc<Self> {
        let weights = fields
            .iter()
            .map(|(name, value)| value.weight().saturating_add(name.len() as u64));
        let weight = weights.fold(1, u64::saturating_add);
        Rc::new(Self { fields, weight })
    }
}

impl std::ops::Deref for Items {
    type Target = Vec<Value>;

    fn deref(&self) -> &Vec<Value> {
        &self.items
    }
}

impl std::ops::Deref for Fields {
    type Target = BTreeMap<Rc<str>, Value>;

    fn deref(&self) -> &BTreeMap<Rc<str>, Value> {
        &self.fields
    }
}

impl Value {
    /// Creates a tuple.
    pub fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(Items::new(items))
    }

    /// Creates a list of items that have the type already.
    pub fn list(of: Type, items: Vec<Self>) -> Self {
        Self::List(of, Items::new(items))
    }

    /// Creates a list of texts.
    pub fn strings<S: Into<Rc<str>>>(items: impl IntoIterator<Item = S>) -> Self {
        let items = items.into_iter().map(|item| Self::String(item.into()));
        Self::list(Type::String, items.collect())
    }

    /// Creates a set of items that have the type already.
    pub fn set(of: Type, mut items: Vec<Self>) -> Self {
        items.sort_by(order::of_elements);
        items.dedup_by(|a, b| order::of_elements(a, b).is_eq());
        Self::Set(of, Items::new(items))
    }

    /// Creates a map of values that have the type already.
    pub fn map(of: Type, fields: BTreeMap<Rc<str>, Self>) -> Self {
        Self::Map(of, Fields::new(fields))
    }

    /// Creates an object.
    pub fn object(fields: BTreeMap<Rc<str>, Self>) -> Self {
        Self::Object(Fields::new(fields))
    }

    /// Creates a number.
    pub fn number(number: impl Into<Number>) -> Self {
        Self::Number(Rc::new(number.into()))
    }

    /// Returns the amount of memory and of work that the value stands for, roughly: what is shared counts
    /// each time.
    pub fn weight(&self) -> u64 {
        match self {
            Self::Null | Self::Bool(_) => 1,
            Self::Number(_) => 8,
            Self::String(text) => 1 + text.len() as u64,
            Self::List(_, items) | Self::Set(_, items) | Self::Tuple(items) => items.weight,
            Self::Map(_, fields) | Self::Object(fields) => fields.weight,
        }
    }

    /// Returns the position of a value among the items of a set.
    pub fn position_in_set(items: &[Self], value: &Self) -> Option<usize> {
        items
            .binary_search_by(|item| order::of_elements(item, value))
            .ok()
    }

    /// Returns whether the value is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the items of a list, a set or a tuple.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(_, items) | Self::Set(_, items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the fields of a map or an object.
    pub fn fields(&self) -> Option<&BTreeMap<Rc<str>, Self>> {
        match self {
            Self::Map(_, fields) | Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the type of the value. Null has any type.
    pub fn kind(&self) -> Type {
        match self {
            Self::Null => Type::Any,
            Self::Bool(_) => Type::Bool,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::List(of, _) => Type::List(Rc::new(of.clone())),
            Self::Set(of, _) => Type::Set(Rc::new(of.clone())),
            Self::Map(of, _) => Type::Map(Rc::new(of.clone())),
            Self::Tuple(items) => Type::Tuple(items.iter().map(Self::kind).collect()),
            Self::Object(fields) => Type::object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), value.kind())),
            ),
        }
    }

    /// Returns whether two values are equal. Values of different types are not.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::List(of_a, a), Self::List(of_b, b))
            | (Self::Set(of_a, a), Self::Set(of_b, b)) => of_a == of_b && equal_items(a, b),
            (Self::Tuple(a), Self::Tuple(b)) => equal_items(a, b),
            (Self::Map(of_a, a), Self::Map(of_b, b)) => of_a == of_b && equal_fields(a, b),
            (Self::Object(a), Self::Object(b)) => equal_fields(a, b),
            _ => false,
        }
    }
}

fn equal_items(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
}

fn equal_fields(a: &BTreeMap<Rc<str>, Value>, b: &BTreeMap<Rc<str>, Value>) -> bool {
    let mut pairs = a.iter().zip(b);
    a.len() == b.len() && pairs.all(|((a, of_a), (b, of_b))| a == b && of_a.equals(of_b))
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
