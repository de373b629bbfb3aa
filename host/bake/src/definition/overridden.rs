//! Values of variables that come from the command line or the environment.

use std::collections::BTreeMap;
use std::rc::Rc;

use iechor_build::spec::parse::boolean;
use iechor_values::csv;

use super::Input;
use crate::syntax::json as syntax;
use crate::value::convert::convert;
use crate::value::{Number, Type, Value, json};

/// A value that is given from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A text.
    Text(String),
    /// JSON, from the name with `_JSON`.
    Json(String),
}

/// Looks a variable up: `--var` before the environment. The name with `_JSON` counts too if the plain name is
/// missing or the variable has a type, and takes precedence.
pub fn lookup(
    input: &Input<'_>,
    name: &str,
    is_typed: bool,
    is_declared: &dyn Fn(&str) -> bool,
) -> Option<Given> {
    let find = |name: &str| {
        let environment = || match input.uses_environment {
            true => input.environment.variable(name),
            false => None,
        };
        input.variables.get(name).cloned().or_else(environment)
    };
    let plain = find(name);
    let with_suffix = format!("{name}_JSON");
    let is_own = is_declared(&with_suffix) || input.constants.contains_key(&with_suffix);
    if (plain.is_none() || is_typed)
        && !is_own
        && let Some(text) = find(&with_suffix)
    {
        return Some(Given::Json(text));
    }
    plain.map(Given::Text)
}

/// Reads a value for a variable with a type or a default.
///
/// # Errors
///
/// Returns why the value does not fit, in the words of docker buildx.
pub fn read(
    name: &str,
    given: &Given,
    of: Option<&Type>,
    default: Option<&Value>,
) -> Result<Value, String> {
    let (text, of) = match (given, of) {
        (Given::Json(text), Some(of)) => return from_json(name, text, of),
        // Without a type, the text of the JSON counts.
        (Given::Json(text) | Given::Text(text), of) => (text, of),
    };
    match of {
        Some(of @ (Type::Bool | Type::Number | Type::String)) => primitive(name, text, of),
        Some(Type::Any) => Err(format!("unsupported type dynamic for variable {name}")),
        Some(of @ Type::Object(_)) => Err(format!("unsupported type {of} for variable {name}")),
        Some(of) => from_csv(name, text, of),
        None => match default {
            None | Some(Value::Null) => Ok(Value::from(text.as_str())),
            Some(default) => match default.kind() {
                of @ (Type::Bool | Type::Number | Type::String) => primitive(name, text, &of),
                of => Err(format!("unsupported type {of} for variable {name}")),
            },
        },
    }
}

fn primitive(name: &str, text: &str, of: &Type) -> Result<Value, String> {
    match of {
        Type::Bool => match boolean(text) {
            Some(flag) => Ok(Value::Bool(flag)),
            None => Err(format!(
                "failed to parse {name} as bool: strconv.ParseBool: parsing {text:?}: invalid syntax"
            )),
        },
        Type::Number => match float(text) {
            Some(number) => Ok(Value::number(number)),
            None => Err(format!(
                "failed to parse {name} as number: strconv.ParseFloat: parsing {text:?}: invalid syntax"
            )),
        },
        _ => Ok(Value::from(text)),
    }
}

/// Reads a decimal number with the precision of `f64`, as docker buildx does.
fn float(text: &str) -> Option<Number> {
    let is_decimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(is_decimal) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    if value.is_finite() {
        Number::from_f64(value)
    } else {
        None
    }
}

fn from_json(name: &str, text: &str, of: &Type) -> Result<Value, String> {
    let failed =
        |problem: String| format!("failed to convert variable {name} from JSON: {problem}");
    let node = syntax::parse(0, text).map_err(|fault| failed(fault.message()))?;
    let value = json::to_value(&node);
    if *of != Type::Any {
        return convert(&value, of).map_err(|error| failed(error.to_string()));
    }
    // A value of any type names its type.
    match value.fields().and_then(|fields| fields.get("value")) {
        Some(value) => Ok(value.clone()),
        None => Err(failed(
            "an object with \"value\" and \"type\" is required".to_owned(),
        )),
    }
}

/// Reads one record of CSV as a collection; the items of a map are `KEY:VALUE`.
fn from_csv(name: &str, text: &str, of: &Type) -> Result<Value, String> {
    let failed = |problem: String| format!("failed to convert variable {name} from CSV: {problem}");
    let elements = match of {
        Type::List(of) | Type::Set(of) | Type::Map(of) => std::slice::from_ref(&**of),
        Type::Tuple(items) => items,
        _ => &[],
    };
    if !elements.iter().all(Type::is_primitive) {
        return Err(failed(format!(
            "unsupported type {of} for CSV specification"
        )));
    }
    if text.is_empty() {
        return Err(failed("failed to parse  as CSV: EOF".to_owned()));
    }
    let fields = csv::fields(text)
        .map_err(|error| failed(format!("failed to parse {text} as CSV: {error}")))?;
    let value = match of {
        Type::Map(_) => {
            let mut map: BTreeMap<Rc<str>, Value> = BTreeMap::new();
            for field in &fields {
                let Some((key, value)) = field.split_once(':') else {
                    return Err(failed(format!("expected k/v pair but got {field:?}")));
                };
                map.insert(key.into(), Value::from(value));
            }
            Value::object(map)
        }
        _ => Value::tuple(fields.into_iter().map(Value::from).collect()),
    };
    convert(&value, of).map_err(|error| failed(error.to_string()))
}
