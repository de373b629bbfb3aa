//! The functions of the language. One file for each family; [`TABLE`] lists them all.
//!
//! `try`, `can` and `convert` are not here, because their arguments are not values: see `eval/call.rs`.

mod clock;
mod crypto;
mod csv;
mod encoding;
mod format;
mod lists;
mod logic;
mod maps;
mod net;
mod numbers;
mod paths;
mod pattern;
mod rsa;
mod sets;
mod strings;
mod timestamp;
mod versions;

use std::rc::Rc;
use std::sync::LazyLock;

use crate::diagnostic::Diagnostic;
use crate::environment::Environment;
use crate::eval::budget::Budget;
use crate::value::convert::ConvertError;
use crate::value::{Number, Type, Value};

/// A function of the language.
pub struct Function {
    /// The name.
    pub name: &'static str,
    /// The parameters.
    pub parameters: &'static [Parameter],
    /// The parameter for all further arguments.
    pub variadic: Option<Parameter>,
    /// Computes the result. The arguments have the types of the parameters.
    pub run: fn(&Context<'_>, &[Value]) -> Result<Value, FunctionError>,
}

/// A parameter of a function.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The name, for messages.
    pub name: &'static str,
    /// The type that arguments are converted to.
    pub of: Accepts,
    /// Whether null is accepted.
    pub nullable: bool,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// Any value, unchanged.
    Any,
    /// A truth value.
    Bool,
    /// A number.
    Number,
    /// A text.
    String,
    /// A list; its items get a common type.
    List,
    /// A list of texts.
    Strings,
    /// A set; its items get a common type.
    Set,
}

impl Accepts {
    /// Returns the type.
    pub fn constraint(self) -> Type {
        match self {
            Self::Any => Type::Any,
            Self::Bool => Type::Bool,
            Self::Number => Type::Number,
            Self::String => Type::String,
            Self::List => Type::List(Rc::new(Type::Any)),
            Self::Strings => Type::List(Rc::new(Type::String)),
            Self::Set => Type::Set(Rc::new(Type::Any)),
        }
    }
}

/// What a function can use besides its arguments.
pub struct Context<'a> {
    /// What is left of the work.
    pub budget: &'a Budget,
    /// The surroundings.
    pub environment: &'a dyn Environment,
}

/// A fault of a call.
#[derive(Debug)]
pub struct FunctionError {
    /// What is wrong.
    pub message: String,
    /// The argument that is wrong; `None` if the call as a whole failed.
    pub argument: Option<usize>,
    /// The bound that was reached; it takes precedence.
    pub limit: Option<Box<Diagnostic>>,
}

/// The result of a function.
pub type Computed<T = Value> = Result<T, FunctionError>;

/// Creates the fault of a call.
fn failed(message: impl Into<String>) -> FunctionError {
    FunctionError {
        message: message.into(),
        argument: None,
        limit: None,
    }
}

/// Creates the fault of an argument.
fn wrong(argument: usize, message: impl Into<String>) -> FunctionError {
    FunctionError {
        argument: Some(argument),
        ..failed(message)
    }
}

impl From<Diagnostic> for FunctionError {
    fn from(limit: Diagnostic) -> Self {
        Self {
            limit: Some(Box::new(limit)),
            ..failed("")
        }
    }
}

impl From<ConvertError> for FunctionError {
    fn from(error: ConvertError) -> Self {
        failed(error.to_string())
    }
}

/// All functions, sorted by name.
static TABLE: LazyLock<Vec<Function>> = LazyLock::new(|| {
    let families = [
        clock::FUNCTIONS,
        crypto::FUNCTIONS,
        encoding::FUNCTIONS,
        format::FUNCTIONS,
        lists::FUNCTIONS,
        logic::FUNCTIONS,
        maps::FUNCTIONS,
        net::FUNCTIONS,
        numbers::FUNCTIONS,
        paths::FUNCTIONS,
        pattern::FUNCTIONS,
        sets::FUNCTIONS,
        strings::FUNCTIONS,
        versions::FUNCTIONS,
    ];
    let mut table: Vec<Function> = families
        .into_iter()
        .flatten()
        .map(|(name, parameters, variadic, run)| Function {
            name,
            parameters,
            variadic: *variadic,
            run: *run,
        })
        .collect();
    table.sort_by_key(|function| function.name);
    table
});

/// A line of the table of a family: the name, the parameters, the parameter for all further arguments, and
/// what computes the result.
type Row = (
    &'static str,
    &'static [Parameter],
    Option<Parameter>,
    fn(&Context<'_>, &[Value]) -> Computed,
);

/// Returns the function of a name.
pub fn find(name: &str) -> Option<&'static Function> {
    let at = TABLE.binary_search_by_key(&name, |function| function.name);
    at.ok().and_then(|at| TABLE.get(at))
}

/// Returns the names of all functions.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    let special = ["try", "can", "convert"];
    TABLE.iter().map(|function| function.name).chain(special)
}

const fn any(name: &'static str) -> Parameter {
    accepting(name, Accepts::Any)
}

const fn boolean(name: &'static str) -> Parameter {
    accepting(name, Accepts::Bool)
}

const fn number(name: &'static str) -> Parameter {
    accepting(name, Accepts::Number)
}

const fn string(name: &'static str) -> Parameter {
    accepting(name, Accepts::String)
}

const fn list(name: &'static str) -> Parameter {
    accepting(name, Accepts::List)
}

const fn strings(name: &'static str) -> Parameter {
    accepting(name, Accepts::Strings)
}

const fn set(name: &'static str) -> Parameter {
    accepting(name, Accepts::Set)
}

const fn accepting(name: &'static str, of: Accepts) -> Parameter {
    Parameter {
        name,
        of,
        nullable: false,
    }
}

const fn nullable(parameter: Parameter) -> Parameter {
    Parameter {
        nullable: true,
        ..parameter
    }
}

/// Returns the text of an argument that is a text.
fn text(arguments: &[Value], index: usize) -> &str {
    arguments
        .get(index)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Returns the number of an argument that is a number.
fn numeric(arguments: &[Value], index: usize) -> Computed<&Number> {
    match arguments.get(index) {
        Some(Value::Number(number)) => Ok(number),
        _ => Err(wrong(index, "a number is required")),
    }
}

/// Returns a whole number that an argument is.
fn whole(arguments: &[Value], index: usize, what: &str) -> Computed<i64> {
    let number = numeric(arguments, index)?;
    number.to_i64().ok_or_else(|| {
        failed(match what {
            "" => not_whole(number),
            what => format!("{what}: {}", not_whole(number)),
        })
    })
}

/// Returns why a number is no whole number of the machine.
fn not_whole(number: &Number) -> String {
    match number.to_integer() {
        None => {
            "value must be a whole number, between -9223372036854775808 and 9223372036854775807"
                .to_owned()
        }
        Some(_) if number.is_negative() => {
            "value must be a whole number, greater than or equal to -9223372036854775808".to_owned()
        }
        Some(_) => {
            "value must be a whole number, less than or equal to 9223372036854775807".to_owned()
        }
    }
}

/// Returns the items of an argument that is a sequence.
fn items(arguments: &[Value], index: usize) -> &[Value] {
    arguments
        .get(index)
        .and_then(Value::items)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_there_once() {
        let mut names: Vec<&str> = names().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(count, 106);
        for name in names {
            let special = matches!(name, "try" | "can" | "convert");
            assert_eq!(find(name).is_none(), special, "{name}");
        }
    }
}
