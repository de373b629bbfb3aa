//! Operators.

use std::rc::Rc;

use super::{Evaluated, Evaluator, Scope};
use crate::diagnostic::Diagnostic;
use crate::syntax::{BinaryOperator, Expression, Span};
use crate::value::convert::convert;
use crate::value::{Number, Type, Value};

impl Evaluator<'_> {
    pub(super) fn binary(
        &self,
        left: &Expression,
        operator: BinaryOperator,
        right: &Expression,
        scope: &Scope<'_>,
        span: Span,
    ) -> Evaluated {
        let a = self.value(left, scope)?;
        let b = self.value(right, scope)?;
        match operator {
            BinaryOperator::Equal => {
                self.compare(&a, &b, span)?;
                Ok(Value::Bool(a.equals(&b)))
            }
            BinaryOperator::NotEqual => {
                self.compare(&a, &b, span)?;
                Ok(Value::Bool(!a.equals(&b)))
            }
            BinaryOperator::And | BinaryOperator::Or => {
                let a = operand(&a, &Type::Bool, "left", left.span)?;
                let b = operand(&b, &Type::Bool, "right", right.span)?;
                match (a, b) {
                    (Value::Bool(a), Value::Bool(b)) if operator == BinaryOperator::And => {
                        Ok(Value::Bool(a && b))
                    }
                    (Value::Bool(a), Value::Bool(b)) => Ok(Value::Bool(a || b)),
                    _ => Err(failed(span, "argument must not be null")),
                }
            }
            _ => {
                let a = operand(&a, &Type::Number, "left", left.span)?;
                let b = operand(&b, &Type::Number, "right", right.span)?;
                match (a, b) {
                    (Value::Number(a), Value::Number(b)) => numbers(operator, &a, &b, span),
                    _ => Err(failed(span, "argument must not be null")),
                }
            }
        }
    }

    fn compare(&self, a: &Value, b: &Value, span: Span) -> Evaluated<()> {
        let weight = a.weight().min(b.weight());
        Ok(self.budget.spend(weight).map_err(|fault| fault.at(span))?)
    }
}

fn operand(value: &Value, of: &Type, side: &str, span: Span) -> Evaluated {
    convert(value, of).map_err(|error| {
        let detail = format!("Unsuitable value for {side} operand: {error}.");
        Box::new(Diagnostic::new("Invalid operand", detail).at(span))
    })
}

fn failed(span: Span, problem: &str) -> Box<Diagnostic> {
    let detail = format!("Error during operation: {problem}.");
    Box::new(Diagnostic::new("Operation failed", detail).at(span))
}

fn numbers(operator: BinaryOperator, a: &Rc<Number>, b: &Rc<Number>, span: Span) -> Evaluated {
    let number = |number: Option<Number>, problem: &str| match number {
        Some(number) => Ok(Value::number(number)),
        None => Err(failed(span, problem)),
    };
    match operator {
        BinaryOperator::Plus => number(a.plus(b), "can't compute sum of opposing infinities"),
        BinaryOperator::Minus => number(a.minus(b), "can't subtract infinity from itself"),
        BinaryOperator::Times => number(a.times(b), "can't multiply zero by infinity"),
        BinaryOperator::Divide => number(
            a.divided_by(b),
            "can't divide zero by zero or infinity by infinity",
        ),
        BinaryOperator::Modulo => number(a.modulo(b), "can't use modulo with zero and infinity"),
        BinaryOperator::Less => Ok(Value::Bool(a < b)),
        BinaryOperator::LessOrEqual => Ok(Value::Bool(a <= b)),
        BinaryOperator::Greater => Ok(Value::Bool(a > b)),
        BinaryOperator::GreaterOrEqual => Ok(Value::Bool(a >= b)),
        BinaryOperator::Equal
        | BinaryOperator::NotEqual
        | BinaryOperator::And
        | BinaryOperator::Or => Ok(Value::Null),
    }
}

/// Returns the negation of a truth value.
pub(super) fn not(value: &Value) -> Result<Value, Diagnostic> {
    match convert(value, &Type::Bool) {
        Ok(Value::Bool(value)) => Ok(Value::Bool(!value)),
        Ok(_) => Err(unary_null()),
        Err(error) => Err(unary(&error.to_string())),
    }
}

/// Returns the number with the other sign.
pub(super) fn negate(value: &Value) -> Result<Value, Diagnostic> {
    match convert(value, &Type::Number) {
        Ok(Value::Number(number)) => Ok(Value::number(number.negated())),
        Ok(_) => Err(unary_null()),
        Err(error) => Err(unary(&error.to_string())),
    }
}

fn unary(problem: &str) -> Diagnostic {
    let detail = format!("Unsuitable value for unary operand: {problem}.");
    Diagnostic::new("Invalid operand", detail)
}

fn unary_null() -> Diagnostic {
    Diagnostic::new(
        "Operation failed",
        "Error during operation: argument must not be null.",
    )
}
