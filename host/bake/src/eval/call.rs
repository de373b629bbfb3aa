//! Calls of functions: those of the language, and those of the definition.

use super::types::constraint;
use super::{Evaluated, Evaluator, Scope};
use crate::diagnostic::Diagnostic;
use crate::functions::{self, Context, Function, Parameter};
use crate::syntax::{Call, Expression, Span};
use crate::value::convert::convert;
use crate::value::{Type, Value};

/// A function of a definition.
#[derive(Debug)]
pub struct UserFunction<'a> {
    /// Names of the parameters.
    pub parameters: Vec<&'a str>,
    /// Name of the parameter for all further arguments.
    pub variadic: Option<&'a str>,
    /// The result.
    pub result: &'a Expression,
}

impl Evaluator<'_> {
    pub(super) fn call(&self, call: &Call, scope: &Scope<'_>, span: Span) -> Evaluated {
        // A function of the language takes precedence over one of the definition.
        match call.name.as_str() {
            "try" => return self.attempt(call, scope, span),
            "can" => return self.can(call, scope),
            "convert" => return self.converted(call, scope, span),
            _ => {}
        }
        let known = functions::find(&call.name);
        let own = match known {
            Some(_) => None,
            None => self.functions.borrow().get(&call.name).cloned(),
        };
        if known.is_none() && own.is_none() {
            return Err(Box::new(self.unknown(call)));
        }
        let arguments = self.arguments(call, scope)?;
        let work = arguments
            .iter()
            .map(Value::weight)
            .fold(1, u64::saturating_add);
        self.budget.spend(work).map_err(|fault| fault.at(span))?;
        if let Some(function) = known {
            return self.known(function, call, &arguments, span);
        }
        match own {
            Some(function) => self.own(&function, call, arguments),
            None => Ok(Value::Null),
        }
    }

    fn unknown(&self, call: &Call) -> Diagnostic {
        let own = self.functions.borrow();
        let known = functions::names()
            .map(|name| -> &str { name })
            .chain(own.keys().map(String::as_str));
        let detail = format!("There is no function named {:?}.", call.name);
        Diagnostic::new("Call to unknown function", detail)
            .at(call.name_span)
            .meaning(&call.name, known)
    }

    /// Evaluates the arguments. `f(LIST...)` passes each item.
    fn arguments(&self, call: &Call, scope: &Scope<'_>) -> Evaluated<Vec<Value>> {
        let mut values = Vec::with_capacity(call.arguments.len());
        for (index, argument) in call.arguments.iter().enumerate() {
            let value = self.value(argument, scope)?;
            if !call.expand || index + 1 < call.arguments.len() {
                values.push(value);
                continue;
            }
            let fault = |detail: &str| {
                Box::new(
                    Diagnostic::new("Invalid expanding argument value", detail).at(argument.span),
                )
            };
            match value.items() {
                Some(items) => values.extend_from_slice(items),
                None if value.is_null() => {
                    return Err(fault(
                        "The expanding argument (indicated by ...) must not be null.",
                    ));
                }
                None => {
                    return Err(fault(
                        "The expanding argument (indicated by ...) must be of a tuple, list, or set type.",
                    ));
                }
            }
        }
        Ok(values)
    }

    fn known(
        &self,
        function: &Function,
        call: &Call,
        arguments: &[Value],
        span: Span,
    ) -> Evaluated {
        let place = |index: usize| {
            let last = call.arguments.len().saturating_sub(1);
            call.arguments
                .get(index.min(last))
                .map_or(call.name_span, |argument| argument.span)
        };
        let mut values = Vec::with_capacity(arguments.len());
        count(
            call,
            function.parameters.len(),
            function.variadic.is_some(),
            arguments.len(),
            |index| {
                function
                    .parameters
                    .get(index)
                    .map_or("", |parameter| parameter.name)
            },
        )?;
        for (index, value) in arguments.iter().enumerate() {
            let parameter = function
                .parameters
                .get(index)
                .or(function.variadic.as_ref());
            let value = match parameter {
                Some(parameter) => accepted(parameter, value)
                    .map_err(|problem| invalid(parameter.name, &problem, place(index)))?,
                None => value.clone(),
            };
            values.push(value);
        }
        let context = Context {
            budget: &self.budget,
            environment: self.environment,
        };
        (function.run)(&context, &values).map_err(|error| match (error.limit, error.argument) {
            (Some(limit), _) => Box::new((*limit).or_at(span)),
            (None, Some(index)) => {
                let parameter = function
                    .parameters
                    .get(index)
                    .or(function.variadic.as_ref());
                invalid(
                    parameter.map_or("", |parameter| parameter.name),
                    &error.message,
                    place(index),
                )
            }
            (None, None) => {
                let detail = format!(
                    "Call to function {:?} failed: {}.",
                    call.name, error.message
                );
                Box::new(Diagnostic::new("Error in function call", detail).at(span))
            }
        })
    }

    fn own(
        &self,
        function: &super::UserFunction<'_>,
        call: &Call,
        arguments: Vec<Value>,
    ) -> Evaluated {
        let names = &function.parameters;
        count(
            call,
            names.len(),
            function.variadic.is_some(),
            arguments.len(),
            |index| names.get(index).copied().unwrap_or_default(),
        )?;
        let mut values = arguments.into_iter();
        let mut scope = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let value = values.next().unwrap_or(Value::Null);
            if value.is_null() {
                let span = call
                    .arguments
                    .get(index)
                    .map_or(call.name_span, |argument| argument.span);
                return Err(invalid(name, "argument must not be null", span));
            }
            scope.push((*name, value));
        }
        if let Some(name) = function.variadic {
            let rest: Vec<Value> = values.collect();
            if rest.iter().any(Value::is_null) {
                return Err(invalid(name, "argument must not be null", call.name_span));
            }
            scope.push((name, Value::tuple(rest)));
        }
        // Only the parameters and the global names are visible.
        self.value(function.result, &Scope::root().with(scope))
    }

    /// `try(A, B)`: the first argument that can be evaluated.
    fn attempt(&self, call: &Call, scope: &Scope<'_>, span: Span) -> Evaluated {
        let mut faults = Vec::new();
        for argument in &call.arguments {
            match self.value(argument, scope) {
                Ok(value) => return Ok(value),
                Err(fault) if self.budget.is_exhausted() => return Err(fault),
                Err(fault) => faults.push(fault.message()),
            }
        }
        if faults.is_empty() {
            let detail = "Call to function \"try\" failed: at least one argument is required.";
            return Err(Box::new(
                Diagnostic::new("Error in function call", detail).at(span),
            ));
        }
        let mut detail = "Call to function \"try\" failed: no expression succeeded:".to_owned();
        for fault in faults {
            detail.push_str(&format!("\n- {fault}"));
        }
        detail.push_str("\n\nAt least one expression must produce a successful result.");
        Err(Box::new(
            Diagnostic::new("Error in function call", detail).at(span),
        ))
    }

    /// `can(A)`: whether the argument can be evaluated.
    fn can(&self, call: &Call, scope: &Scope<'_>) -> Evaluated {
        count(call, 1, false, call.arguments.len(), |_| "expression")?;
        match call
            .arguments
            .iter()
            .map(|argument| self.value(argument, scope))
            .next()
        {
            Some(Err(fault)) if self.budget.is_exhausted() => Err(fault),
            Some(result) => Ok(Value::Bool(result.is_ok())),
            None => Ok(Value::Bool(false)),
        }
    }

    /// `convert(A, TYPE)`
    fn converted(&self, call: &Call, scope: &Scope<'_>, span: Span) -> Evaluated {
        count(call, 2, false, call.arguments.len(), |index| {
            ["value", "type"][index.min(1)]
        })?;
        let [value, wanted] = call.arguments.as_slice() else {
            return Ok(Value::Null);
        };
        let of = constraint(wanted)?;
        let value = self.value(value, scope)?;
        self.budget
            .spend(value.weight())
            .map_err(|fault| fault.at(span))?;
        match of.optional_attribute() {
            Some(name) => Err(invalid(
                "value",
                &format!("attribute {name:?} is required"),
                span,
            )),
            None => convert(&value, &of)
                .map_err(|error| invalid("value", &error.to_string(), call.arguments[0].span)),
        }
    }
}

/// Converts an argument to the type of its parameter.
fn accepted(parameter: &Parameter, value: &Value) -> Result<Value, String> {
    if value.is_null() {
        return match parameter.nullable {
            true => Ok(Value::Null),
            false => Err("argument must not be null".to_owned()),
        };
    }
    let of = parameter.of.constraint();
    match of {
        Type::Any => Ok(value.clone()),
        of => convert(value, &of).map_err(|error| error.to_string()),
    }
}

/// Checks the number of arguments.
fn count<'n>(
    call: &Call,
    wanted: usize,
    variadic: bool,
    given: usize,
    name: impl Fn(usize) -> &'n str,
) -> Evaluated<()> {
    let function = &call.name;
    if given < wanted {
        let at_least = if variadic { "at least " } else { "" };
        let detail = format!(
            "Function {function:?} expects {at_least}{wanted} argument(s). Missing value for {:?}.",
            name(given)
        );
        return Err(Box::new(
            Diagnostic::new("Not enough function arguments", detail).at(call.name_span),
        ));
    }
    if given > wanted && !variadic {
        let detail = format!("Function {function:?} expects only {wanted} argument(s).");
        let span = call
            .arguments
            .get(wanted)
            .map_or(call.name_span, |argument| argument.span);
        return Err(Box::new(
            Diagnostic::new("Too many function arguments", detail).at(span),
        ));
    }
    Ok(())
}

fn invalid(parameter: &str, problem: &str, span: Span) -> Box<Diagnostic> {
    let detail = format!("Invalid value for {parameter:?} parameter: {problem}.");
    Box::new(Diagnostic::new("Invalid function argument", detail).at(span))
}
