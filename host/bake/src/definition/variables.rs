//! Variables: their types, defaults, overrides and validations.

use super::overridden::{self, Given};
use crate::diagnostic::Diagnostic;
use crate::eval::{Evaluated, Evaluator, constraint};
use crate::syntax::{Attribute, Block, Expression, Kind};
use crate::value::convert::convert;
use crate::value::{Type, Value, json};

/// A variable, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableInfo {
    /// The name.
    pub name: String,
    /// The description.
    pub description: Option<String>,
    /// The name of the type, if it is declared.
    pub kind: Option<String>,
    /// The value: a text, or JSON for a collection; `None` for null.
    pub value: Option<String>,
}

/// A variable or a global attribute of a definition; a variable with the name of an attribute has its default.
pub struct Declared<'a> {
    /// The name.
    pub name: &'a str,
    /// The block of the variable.
    pub block: Option<&'a Block>,
    /// The global attribute.
    pub attribute: Option<&'a Attribute>,
}

/// Returns the declared type of a variable.
fn declared(block: &Block) -> Evaluated<Option<Type>> {
    block
        .body
        .attribute("type")
        .map(|attribute| constraint(&attribute.value))
        .transpose()
}

/// Evaluates a variable or a global attribute. `lookup` returns a value that takes precedence over the default;
/// it gets whether the variable has a type.
pub fn value(
    variable: &Declared<'_>,
    evaluate: &dyn Fn(&Expression) -> Evaluated,
    lookup: &dyn Fn(bool) -> Option<Given>,
) -> Evaluated {
    let Declared {
        name,
        block,
        attribute,
    } = *variable;
    let of = block.map(declared).transpose()?.flatten();
    let default = match (attribute, block) {
        (Some(attribute), _) => Some(&attribute.value),
        (None, Some(block)) => block
            .body
            .attribute("default")
            .map(|attribute| &attribute.value),
        (None, None) => None,
    };
    let mut value = match default {
        Some(expression) => Some(evaluate(expression)?),
        None => None,
    };
    if let (Some(of), Some(found), Some(expression)) = (&of, &value, default) {
        let converted = convert(found, of).map_err(|error| {
            let detail = format!("invalid type {of} for variable {name} default value: {error}");
            Box::new(Diagnostic::new("Invalid value", detail).at(expression.span))
        });
        value = Some(converted?);
    }
    let Some(block) = block else {
        return Ok(value.unwrap_or(Value::Null));
    };
    if let Some(given) = lookup(of.is_some()) {
        return overridden::read(name, &given, of.as_ref(), value.as_ref()).map_err(|detail| {
            let span = block.labels.first().map_or(block.span, |(_, span)| *span);
            Box::new(Diagnostic::new("Invalid value", detail).at(span))
        });
    }
    Ok(value.unwrap_or_else(|| match of {
        Some(_) => Value::Null,
        None => Value::from(""),
    }))
}

/// Checks the validations of a variable. They see variables, but no functions of the definition.
pub fn validate(evaluator: &Evaluator<'_>, block: &Block) -> Evaluated<()> {
    for validation in block
        .body
        .blocks
        .iter()
        .filter(|inner| inner.kind == "validation")
    {
        let known = ["condition", "error_message"];
        let mut all = validation.body.attributes.iter();
        if let Some(other) = all.find(|attribute| !known.contains(&attribute.name.as_str())) {
            let detail = format!("An argument named {:?} is not expected here.", other.name);
            return Err(Box::new(
                Diagnostic::new("Unsupported argument", detail)
                    .meaning(&other.name, known.into_iter())
                    .at(other.name_span),
            ));
        }
        let Some(condition) = validation.body.attribute("condition") else {
            continue;
        };
        let span = condition.value.span;
        let invalid =
            |detail: &str| Box::new(Diagnostic::new("Invalid condition result", detail).at(span));
        let result = evaluator.evaluate(&condition.value)?;
        match convert(&result, &Type::Bool) {
            Ok(Value::Bool(true)) => {}
            Ok(Value::Bool(false)) => {
                let message = validation.body.attribute("error_message");
                let message = message
                    .map(|message| evaluator.evaluate(&message.value))
                    .transpose()?;
                let message = message
                    .as_ref()
                    .and_then(Value::as_str)
                    .filter(|text| !text.is_empty());
                let message =
                    message.unwrap_or("This check failed, but has an invalid error message.");
                return Err(Box::new(
                    Diagnostic::new("Validation failed", message).at(span),
                ));
            }
            Ok(_) => {
                return Err(invalid(
                    "Condition expression must return either true or false, not null.",
                ));
            }
            Err(error) => {
                return Err(invalid(&format!("Invalid condition result value: {error}")));
            }
        }
    }
    Ok(())
}

/// Describes a variable.
pub fn info(name: &str, block: &Block, value: &Value) -> Evaluated<VariableInfo> {
    let description = match block.body.attribute("description") {
        None => None,
        Some(attribute) => match &attribute.value.kind {
            Kind::Literal(value) => value.as_str().map(str::to_owned),
            _ => {
                let detail = "Variables may not be used here.";
                return Err(Box::new(
                    Diagnostic::new("Variables not allowed", detail).at(attribute.value.span),
                ));
            }
        },
    };
    let text = match value {
        Value::Null => None,
        Value::String(text) => Some(text.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        collection => Some(json::encode(collection).unwrap_or_default()),
    };
    Ok(VariableInfo {
        name: name.to_owned(),
        description: description.filter(|text| !text.is_empty()),
        kind: declared(block)?.map(|of| of.to_string()),
        value: text,
    })
}
