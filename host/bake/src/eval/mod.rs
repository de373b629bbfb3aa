//! Evaluates expressions.
//!
//! `budget` bounds the work and the memory, `operators`, `traversal`, `template` and `each` have the rules of
//! the parts of the language, and `call` calls functions.

pub mod budget;
mod call;
mod each;
mod operators;
mod scope;
mod template;
mod traversal;
mod types;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use budget::Budget;
pub use call::UserFunction;
pub use scope::Scope;
pub use types::constraint;

use crate::diagnostic::Diagnostic;
use crate::environment::Environment;
use crate::syntax::{Conditional, Expression, Kind};
use crate::value::convert::convert;
use crate::value::{Type, Value, unify};

/// The result of an evaluation. Faults are large and rare.
pub type Evaluated<T = Value> = Result<T, Box<Diagnostic>>;

/// Evaluates expressions of a definition.
pub struct Evaluator<'a> {
    /// The values of global names.
    globals: RefCell<HashMap<String, Value>>,
    /// The functions of the definition.
    functions: RefCell<BTreeMap<String, Rc<UserFunction<'a>>>>,
    /// What is left of the work and the memory.
    pub budget: Budget,
    /// The surroundings.
    pub environment: &'a dyn Environment,
}

impl<'a> Evaluator<'a> {
    /// Creates an evaluator without names and functions.
    pub fn new(environment: &'a dyn Environment) -> Self {
        Self {
            globals: RefCell::new(HashMap::new()),
            functions: RefCell::new(BTreeMap::new()),
            budget: Budget::default(),
            environment,
        }
    }

    /// Sets a global name.
    pub fn define(&self, name: &str, value: Value) {
        self.globals.borrow_mut().insert(name.to_owned(), value);
    }

    /// Returns the value of a global name.
    pub fn global(&self, name: &str) -> Option<Value> {
        self.globals.borrow().get(name).cloned()
    }

    /// Adds a function.
    pub fn define_function(&self, name: &str, function: UserFunction<'a>) {
        self.functions
            .borrow_mut()
            .insert(name.to_owned(), Rc::new(function));
    }

    /// Returns whether a function is defined already.
    pub fn has_function(&self, name: &str) -> bool {
        self.functions.borrow().contains_key(name)
    }

    /// Evaluates an expression with the global names only.
    ///
    /// # Errors
    ///
    /// Returns the first fault.
    pub fn evaluate(&self, expression: &Expression) -> Evaluated {
        self.value(expression, &Scope::root())
    }

    /// Evaluates an expression.
    ///
    /// # Errors
    ///
    /// Returns the first fault.
    pub fn value(&self, expression: &Expression, scope: &Scope<'_>) -> Evaluated {
        let _level = self
            .budget
            .enter()
            .map_err(|fault| fault.at(expression.span))?;
        let value = self.operation(expression, scope)?;
        self.budget
            .hold(&value)
            .map_err(|fault| fault.at(expression.span))?;
        Ok(value)
    }

    fn operation(&self, expression: &Expression, scope: &Scope<'_>) -> Evaluated {
        let span = expression.span;
        match &expression.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Variable(name) => self
                .variable(name, scope)
                .map_err(|fault| Box::new(fault.at(span))),
            Kind::Template(parts) => self.template(parts, scope, span),
            Kind::Tuple(items) => {
                let items: Evaluated<Vec<Value>> =
                    items.iter().map(|item| self.value(item, scope)).collect();
                Ok(Value::tuple(items?))
            }
            Kind::Object(items) => self.object(items, scope),
            Kind::Parenthesis(inner) => self.value(inner, scope),
            Kind::Call(call) => self.call(call, scope, span),
            Kind::Attribute(inner, name) => {
                let value = self.value(inner, scope)?;
                traversal::attribute(&value, name).map_err(|fault| Box::new(fault.at(span)))
            }
            Kind::Index(inner, index) => {
                let value = self.value(inner, scope)?;
                let index = self.value(index, scope)?;
                traversal::index(&value, &index).map_err(|fault| Box::new(fault.at(span)))
            }
            Kind::Splat(inner, steps) => self.splat(inner, steps, scope),
            Kind::Not(inner) => operators::not(&self.value(inner, scope)?)
                .map_err(|fault| Box::new(fault.at(inner.span))),
            Kind::Negate(inner) => operators::negate(&self.value(inner, scope)?)
                .map_err(|fault| Box::new(fault.at(inner.span))),
            Kind::Binary(left, operator, right) => self.binary(left, *operator, right, scope, span),
            Kind::Conditional(conditional) => self.conditional(conditional, scope, span),
            Kind::For(each) => self.each(each, scope, span),
        }
    }

    fn variable(&self, name: &str, scope: &Scope<'_>) -> Result<Value, Diagnostic> {
        if let Some(value) = scope.get(name) {
            return Ok(value.clone());
        }
        if let Some(value) = self.global(name) {
            return Ok(value);
        }
        let globals = self.globals.borrow();
        let mut known: Vec<&str> = globals
            .keys()
            .map(String::as_str)
            .chain(scope.names())
            .collect();
        known.sort_unstable();
        Err(Diagnostic::new(
            "Unknown variable",
            format!("There is no variable named {name:?}."),
        )
        .meaning(name, known.into_iter()))
    }

    fn object(&self, items: &[(Expression, Expression)], scope: &Scope<'_>) -> Evaluated {
        let mut fields = BTreeMap::new();
        for (key, value) in items {
            let name = match key.keyword() {
                Some(name) => Rc::from(name),
                None => {
                    let fault = |summary: &str, detail: &str| {
                        Box::new(Diagnostic::new(summary, detail).at(key.span))
                    };
                    match convert(&self.value(key, scope)?, &Type::String) {
                        Ok(Value::String(name)) => name,
                        Ok(_) => {
                            return Err(fault(
                                "Null value as key",
                                "Can't use a null value as a key.",
                            ));
                        }
                        Err(error) => {
                            let detail = format!("Can't use this value as a key: {error}.");
                            return Err(fault("Incorrect key type", &detail));
                        }
                    }
                }
            };
            fields.insert(name, self.value(value, scope)?);
        }
        Ok(Value::object(fields))
    }

    /// Evaluates both branches, because the result has a type that fits both. A fault counts only in the
    /// branch that is taken.
    fn conditional(
        &self,
        conditional: &Conditional,
        scope: &Scope<'_>,
        span: crate::syntax::Span,
    ) -> Evaluated {
        let condition = self.value(&conditional.condition, scope)?;
        let fault = |summary: &str, detail: &str| {
            Box::new(Diagnostic::new(summary, detail).at(conditional.condition.span))
        };
        let condition = match convert(&condition, &Type::Bool) {
            Ok(Value::Bool(condition)) => condition,
            Ok(_) => {
                return Err(fault(
                    "Null condition",
                    "The condition value is null. Conditions must either be true or false.",
                ));
            }
            Err(_) => {
                return Err(fault(
                    "Incorrect condition type",
                    "The condition expression must be of type bool.",
                ));
            }
        };
        let yes = self.value(&conditional.yes, scope);
        let no = self.value(&conditional.no, scope);
        if self.budget.is_exhausted() {
            return yes.and(no);
        }
        let (taken, other) = if condition { (yes, no) } else { (no, yes) };
        let taken = taken?;
        let Ok(other) = other else { return Ok(taken) };
        if other.is_null() || taken.is_null() {
            return Ok(taken);
        }
        let (taken_type, other_type) = (taken.kind(), other.kind());
        let types = if condition {
            [taken_type, other_type]
        } else {
            [other_type, taken_type]
        };
        match unify(&types) {
            Some(of) => convert(&taken, &of).or(Ok(taken)),
            None if are_alike(&types) => Ok(taken),
            None => {
                let [yes, no] = types;
                let detail = format!(
                    "The true and false result expressions must have consistent types. The 'true' value is {yes}, but the 'false' value is {no}."
                );
                Err(Box::new(
                    Diagnostic::new("Inconsistent conditional result types", detail).at(span),
                ))
            }
        }
    }
}

/// Returns whether both types are tuples or both are objects. Such branches need no common type.
fn are_alike(types: &[Type; 2]) -> bool {
    matches!(
        types,
        [Type::Tuple(_), Type::Tuple(_)] | [Type::Object(_), Type::Object(_)]
    )
}
