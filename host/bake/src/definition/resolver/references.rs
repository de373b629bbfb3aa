//! What expressions refer to: variables, functions, and attributes of blocks.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Resolver, fatal};
use crate::definition::attributes::{self, Kind};
use crate::definition::blocks::user_function;
use crate::definition::overridden;
use crate::definition::variables::{self, Declared};
use crate::diagnostic::Diagnostic;
use crate::eval::{Evaluated, Scope};
use crate::syntax::{Expression, Reference, Span};
use crate::value::{Type, Value};

/// The values of attributes of blocks, by name.
type Blocks = BTreeMap<Rc<str>, BTreeMap<Rc<str>, Value>>;

impl Resolver<'_> {
    /// Evaluates an expression, after everything that it refers to.
    pub fn value(&self, expression: &Expression, scope: &Scope<'_>) -> Evaluated {
        let own = scope.names();
        let blocks = self.prepare(expression, &own)?;
        self.evaluator.value(expression, &scope.with(blocks))
    }

    /// Resolves what an expression refers to, but for names that are defined around it. Returns the values of
    /// blocks that it refers to.
    fn prepare(
        &self,
        expression: &Expression,
        own: &[&str],
    ) -> Evaluated<Vec<(&'static str, Value)>> {
        let _level = self
            .evaluator
            .budget
            .enter()
            .map_err(|fault| fault.at(expression.span))?;
        let mut calls = Vec::new();
        expression.calls(&mut |call| calls.push((call.name.as_str(), call.name_span)));
        for (name, span) in calls {
            self.function(name, span)?;
        }
        let mut references = Vec::new();
        expression.variables(&mut |reference| references.push(reference));
        let mut blocks: BTreeMap<&'static str, Blocks> = BTreeMap::new();
        for reference in references {
            if own.contains(&reference.name) {
                continue;
            }
            let kind = match reference.name {
                "target" => "target",
                "group" => "group",
                name => {
                    self.variable(name, reference.span)?;
                    continue;
                }
            };
            if !self.blocks_are_known.get() || self.evaluator.global(kind).is_some() {
                continue;
            }
            let (name, attribute) = self.block_path(kind, &reference)?;
            let value = self.referred(kind, name, attribute, reference.span)?;
            let fields = blocks
                .entry(kind)
                .or_default()
                .entry(name.into())
                .or_default();
            fields.insert(attribute.into(), value);
        }
        let maps = blocks.into_iter().map(|(kind, names)| {
            let names = names
                .into_iter()
                .map(|(name, fields)| (name, Value::object(fields)));
            (kind, Value::map(Type::Any, names.collect()))
        });
        Ok(maps.collect())
    }

    fn block_path<'r>(
        &self,
        kind: &str,
        reference: &Reference<'r>,
    ) -> Evaluated<(&'r str, &'r str)> {
        match reference.path {
            [Some(name), Some(attribute)] => Ok((name, attribute)),
            [None, _] => {
                let detail = format!("cannot access {kind} as a variable");
                Err(fatal(&self.evaluator, detail, reference.span))
            }
            [Some(_), None] => {
                let detail = format!("cannot traverse {kind} without attribute");
                Err(fatal(&self.evaluator, detail, reference.span))
            }
        }
    }

    /// Returns an attribute of a block that an expression refers to. Of several blocks with the same name, the
    /// last one that sets the attribute counts.
    fn referred(&self, kind: &str, name: &str, attribute: &str, span: Span) -> Evaluated {
        let instances = self.instances.borrow().clone();
        let mut named = instances
            .iter()
            .filter(|instance| instance.block.kind == kind && instance.product.name == name)
            .peekable();
        if named.peek().is_none() {
            let known = instances
                .iter()
                .filter(|instance| instance.block.kind == kind)
                .map(|instance| instance.product.name.as_str());
            let detail = format!("This map does not have an element with the key {name:?}.");
            return Err(Box::new(
                Diagnostic::new("Missing map element", detail)
                    .meaning(name, known)
                    .at(span),
            ));
        }
        let mut set = named.filter(|instance| instance.block.body.attribute(attribute).is_some());
        match set.next_back() {
            Some(instance) => self.attribute_of(kind, instance, attribute),
            None if attribute == "name" => Ok(Value::from(name)),
            None => match attributes::find(attribute).map(|attribute| attribute.kind) {
                Some(Kind::Entries(_)) => Ok(Value::list(Type::Any, Vec::new())),
                Some(_) => Ok(Value::Null),
                None if matches!(attribute, "inherits" | "matrix" | "targets") => Ok(Value::Null),
                None => {
                    let detail =
                        format!("This object does not have an attribute named {attribute:?}.");
                    let known = attributes::TABLE.iter().map(|known| known.name);
                    Err(Box::new(
                        Diagnostic::new("Unsupported attribute", detail)
                            .meaning(attribute, known)
                            .at(span),
                    ))
                }
            },
        }
    }

    /// Resolves a variable or a global attribute, if there is one of this name.
    pub(super) fn variable(&self, name: &str, span: Span) -> Evaluated<()> {
        if self.evaluator.global(name).is_some() {
            return Ok(());
        }
        if !self.variables.contains_key(name) && !self.attributes.contains_key(name) {
            return Ok(());
        }
        if !self.progress.borrow_mut().insert(name.to_owned()) {
            let detail = format!("variable cycle not allowed for {name}");
            return Err(fatal(&self.evaluator, detail, span));
        }
        let declared = Declared {
            name,
            block: self.variables.get(name).copied(),
            attribute: self.attributes.get(name).copied(),
        };
        let is_declared = |name: &str| self.variables.contains_key(name);
        let value = variables::value(
            &declared,
            &|expression| self.value(expression, &Scope::root()),
            &|is_typed| overridden::lookup(self.input, name, is_typed, &is_declared),
        )?;
        self.evaluator.define(name, value);
        self.progress.borrow_mut().remove(name);
        Ok(())
    }

    /// Defines a function, if there is one of this name.
    pub(super) fn function(&self, name: &str, span: Span) -> Evaluated<()> {
        let Some((name, block)) = self.functions.get_key_value(name) else {
            return Ok(());
        };
        if self.evaluator.has_function(name) {
            return Ok(());
        }
        let key = format!("{name}()");
        if !self.progress.borrow_mut().insert(key.clone()) {
            let detail = format!("function cycle not allowed for {name}");
            return Err(fatal(&self.evaluator, detail, span));
        }
        let function = user_function(name, block)?;
        let mut own = function.parameters.clone();
        own.extend(function.variadic);
        self.prepare(function.result, &own)?;
        self.check_names(function.result, &own)?;
        self.evaluator.define_function(name, function);
        self.progress.borrow_mut().remove(&key);
        Ok(())
    }

    /// Checks that all names in a function exist.
    fn check_names(&self, expression: &Expression, own: &[&str]) -> Evaluated<()> {
        let mut unknown = None;
        expression.variables(&mut |reference| {
            let is_known =
                own.contains(&reference.name) || self.evaluator.global(reference.name).is_some();
            if !is_known && unknown.is_none() {
                unknown = Some((reference.name, reference.span));
            }
        });
        match unknown {
            None => Ok(()),
            Some((name, span)) => {
                let known = own
                    .iter()
                    .chain(self.variables.keys())
                    .chain(self.attributes.keys());
                let detail = format!("There is no variable named {name:?}.");
                Err(Box::new(
                    Diagnostic::new("Unknown variable", detail)
                        .meaning(name, known.copied())
                        .at(span),
                ))
            }
        }
    }
}
