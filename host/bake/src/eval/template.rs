//! Templates.

use std::rc::Rc;

use super::each::elements;
use super::{Evaluated, Evaluator, Scope};
use crate::diagnostic::Diagnostic;
use crate::syntax::{Expression, Part, Span};
use crate::value::convert::convert;
use crate::value::{Type, Value};

impl Evaluator<'_> {
    pub(super) fn template(&self, parts: &[Part], scope: &Scope<'_>, span: Span) -> Evaluated {
        let mut text = String::new();
        self.parts(parts, scope, span, &mut text)?;
        Ok(Value::from(text))
    }

    fn parts(
        &self,
        parts: &[Part],
        scope: &Scope<'_>,
        span: Span,
        text: &mut String,
    ) -> Evaluated<()> {
        for part in parts {
            self.budget
                .check(text.len() as u64)
                .map_err(|fault| fault.at(span))?;
            match part {
                Part::Literal(literal) => self.append(text, literal, span)?,
                Part::Interpolation(inner) => {
                    let value = self.value(inner, scope)?;
                    let value =
                        interpolated(&value).map_err(|fault| Box::new(fault.at(inner.span)))?;
                    self.append(text, &value, span)?;
                }
                Part::If { condition, yes, no } => {
                    let parts = if self.condition(condition, scope)? {
                        yes
                    } else {
                        no
                    };
                    self.parts(parts, scope, span, text)?;
                }
                Part::For {
                    key,
                    value,
                    collection,
                    parts,
                } => {
                    let values = self.value(collection, scope)?;
                    let elements =
                        elements(&values).map_err(|fault| Box::new(fault.at(collection.span)))?;
                    for (at, element) in elements {
                        let mut names = Vec::new();
                        names.extend(key.as_deref().map(|key| (key, at)));
                        names.push((value.as_str(), element));
                        self.parts(parts, &scope.with(names), span, text)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn append(&self, text: &mut String, more: &str, span: Span) -> Evaluated<()> {
        let check = || {
            self.budget.spend(1 + more.len() as u64)?;
            self.budget.check((text.len() + more.len()) as u64)
        };
        check().map_err(|fault| Box::new(fault.at(span)))?;
        text.push_str(more);
        Ok(())
    }

    fn condition(&self, condition: &Expression, scope: &Scope<'_>) -> Evaluated<bool> {
        let fault = |summary: &str, detail: &str| {
            Box::new(Diagnostic::new(summary, detail).at(condition.span))
        };
        match convert(&self.value(condition, scope)?, &Type::Bool) {
            Ok(Value::Bool(condition)) => Ok(condition),
            Ok(_) => Err(fault(
                "Null condition",
                "The condition value is null. Conditions must either be true or false.",
            )),
            Err(_) => Err(fault(
                "Incorrect condition type",
                "The condition expression must be of type bool.",
            )),
        }
    }
}

fn interpolated(value: &Value) -> Result<Rc<str>, Diagnostic> {
    match convert(value, &Type::String) {
        Ok(Value::String(text)) => Ok(text),
        Ok(_) => Err(Diagnostic::new(
            "Invalid template interpolation value",
            "The expression result is null. Cannot include a null value in a string template.",
        )),
        Err(error) => Err(Diagnostic::new(
            "Invalid template interpolation value",
            format!("Cannot include the given value in a string template: {error}."),
        )),
    }
}
