//! Type constraints: `list(string)`, `object({a = optional(number)})`.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Evaluated;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Call, Expression, Kind};
use crate::value::Type;
use crate::value::types::Attribute;

/// Reads an expression as a type.
///
/// # Errors
///
/// Returns an error if it is not a type.
pub fn constraint(expression: &Expression) -> Evaluated<Type> {
    let fault = |detail: String| {
        Err(Box::new(
            Diagnostic::new("Invalid type specification", detail).at(expression.span),
        ))
    };
    match &expression.kind {
        Kind::Variable(name) => match name.as_str() {
            "bool" => Ok(Type::Bool),
            "number" => Ok(Type::Number),
            "string" => Ok(Type::String),
            "any" => Ok(Type::Any),
            "list" | "set" | "map" | "object" | "tuple" => fault(missing_argument(name)),
            _ => fault(format!("The keyword {name:?} is not a valid type specification.")),
        },
        Kind::Call(call) => constructed(call, expression),
        Kind::Parenthesis(inner) => constraint(inner),
        _ => fault(
            "A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string)."
                .to_owned(),
        ),
    }
}

/// Returns the fault of a type constructor that does not have its one argument.
fn missing_argument(constructor: &str) -> String {
    let argument = match constructor {
        "object" => "the attribute types and values as a map",
        "tuple" => "the element types as a list",
        _ => "the element type",
    };
    format!("The {constructor} type constructor requires one argument specifying {argument}.")
}

fn constructed(call: &Call, expression: &Expression) -> Evaluated<Type> {
    let fault = |detail: String| {
        Err(Box::new(
            Diagnostic::new("Invalid type specification", detail).at(expression.span),
        ))
    };
    let name = call.name.as_str();
    let ([argument], "list" | "set" | "map" | "object" | "tuple") =
        (call.arguments.as_slice(), name)
    else {
        return match name {
            "bool" | "number" | "string" | "any" => fault(format!(
                "Primitive type keyword {name:?} does not expect arguments."
            )),
            "list" | "set" | "map" | "object" | "tuple" => fault(missing_argument(name)),
            "optional" => fault(
                "Keyword \"optional\" is valid only as a modifier for object type attributes."
                    .to_owned(),
            ),
            _ => fault(format!("Keyword {name:?} is not a valid type constructor.")),
        };
    };
    match (name, &argument.kind) {
        ("list", _) => Ok(Type::List(Rc::new(constraint(argument)?))),
        ("set", _) => Ok(Type::Set(Rc::new(constraint(argument)?))),
        ("map", _) => Ok(Type::Map(Rc::new(constraint(argument)?))),
        ("tuple", Kind::Tuple(items)) => {
            let items: Evaluated<Vec<Type>> = items.iter().map(constraint).collect();
            Ok(Type::Tuple(items?.into()))
        }
        ("object", Kind::Object(items)) => {
            let mut attributes = BTreeMap::new();
            for (key, value) in items {
                let name: Rc<str> = match (key.keyword(), &key.kind) {
                    (Some(name), _) => name.into(),
                    (None, Kind::Literal(value)) => value.as_str().unwrap_or_default().into(),
                    _ => {
                        return fault(
                            "Object constructor map keys must be attribute names.".to_owned(),
                        );
                    }
                };
                attributes.insert(name, attribute(value)?);
            }
            Ok(Type::Object(Rc::new(attributes)))
        }
        ("tuple", _) => fault("Tuple type constructor requires a list of element types.".to_owned()),
        _ => fault("Object type constructor requires a map whose keys are attribute names and whose values are the corresponding attribute types.".to_owned()),
    }
}

fn attribute(expression: &Expression) -> Evaluated<Attribute> {
    if let Kind::Call(call) = &expression.kind
        && call.name == "optional"
    {
        let [of] = call.arguments.as_slice() else {
            return Err(Box::new(
                Diagnostic::new(
                    "Invalid type specification",
                    "Optional attribute modifier expects only one argument: the attribute type.",
                )
                .at(expression.span),
            ));
        };
        return Ok(Attribute {
            of: constraint(of)?,
            optional: true,
        });
    }
    Ok(Attribute {
        of: constraint(expression)?,
        optional: false,
    })
}
