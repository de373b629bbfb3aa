//! Blocks: their labels and names, and functions.

use crate::diagnostic::Diagnostic;
use crate::eval::{Evaluated, UserFunction};
use crate::syntax::{Block, Expression, Kind as ExpressionKind};

/// Reads a function.
pub fn user_function<'a>(name: &str, block: &'a Block) -> Evaluated<UserFunction<'a>> {
    let known = ["params", "variadic_params", "result"];
    if let Some(other) = block
        .body
        .attributes
        .iter()
        .find(|attribute| !known.contains(&attribute.name.as_str()))
    {
        let detail = format!("An argument named {:?} is not expected here.", other.name);
        return Err(Box::new(
            Diagnostic::new("Unsupported argument", detail)
                .meaning(&other.name, known.into_iter())
                .at(other.name_span),
        ));
    }
    let missing = |what: &str| {
        let detail = format!("empty {what} not allowed for {name}");
        Box::new(Diagnostic::new("Invalid function", detail).at(block.span))
    };
    let keyword = |expression: &'a Expression| {
        expression.keyword().ok_or_else(|| {
            let detail = "Each parameter name must be an identifier.";
            Box::new(Diagnostic::new("Invalid param element", detail).at(expression.span))
        })
    };
    let parameters = block
        .body
        .attribute("params")
        .ok_or_else(|| missing("params"))?;
    let ExpressionKind::Tuple(items) = &parameters.value.kind else {
        let detail = "Each parameter name must be an identifier.";
        return Err(Box::new(
            Diagnostic::new("Invalid param element", detail).at(parameters.value.span),
        ));
    };
    let parameters: Evaluated<Vec<&str>> = items.iter().map(keyword).collect();
    let variadic = block.body.attribute("variadic_params");
    Ok(UserFunction {
        parameters: parameters?,
        variadic: variadic
            .map(|attribute| keyword(&attribute.value))
            .transpose()?,
        result: &block
            .body
            .attribute("result")
            .ok_or_else(|| missing("result"))?
            .value,
    })
}

/// Returns the label of a block.
pub fn label(block: &Block) -> Evaluated<&str> {
    let kind = &block.kind;
    match block.labels.as_slice() {
        [(label, _)] => Ok(label),
        [] => {
            let detail = format!("All {kind} blocks must have 1 labels (name).");
            let summary = format!("Missing name for {kind}");
            Err(Box::new(Diagnostic::new(&summary, detail).at(block.span)))
        }
        [_, (_, span), ..] => {
            let detail = format!("Only 1 labels (name) are expected for {kind} blocks.");
            let summary = format!("Extraneous label for {kind}");
            Err(Box::new(Diagnostic::new(&summary, detail).at(*span)))
        }
    }
}

/// Checks the name of a target or a group.
pub fn check_name(name: &str, block: &Block) -> Evaluated<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(allowed) {
        return Ok(());
    }
    let span = block.labels.first().map_or(block.span, |(_, span)| *span);
    let detail = "only \"[a-zA-Z0-9_-]+\" are allowed";
    Err(Box::new(Diagnostic::new("Invalid name", detail).at(span)))
}
