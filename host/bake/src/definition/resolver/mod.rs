//! Evaluates files: variables, functions, and the blocks that refer to each other.
//!
//! Names are resolved when the first expression needs them, so their order in the files does not matter. The
//! order of the phases is that of docker buildx.

mod references;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use super::attributes::{self, Kind};
use super::blocks::{check_name, label};
use super::matrix::{self, Product};
use super::target;
use super::variables;
use super::{Definition, Group, Input, Target};
use crate::diagnostic::Diagnostic;
use crate::eval::{Evaluated, Evaluator, Scope};
use crate::syntax::{Attribute, Block, Body, Sources, Span};
use crate::value::Value;

/// Parsed files.
pub struct Parsed<'a> {
    /// The contents, in the order of precedence.
    pub bodies: &'a [Body],
    /// The texts.
    pub sources: &'a Sources,
}

/// A target or a group of a block.
struct Instance<'a> {
    block: &'a Block,
    product: Product,
}

/// Evaluates a definition.
pub struct Resolver<'a> {
    pub input: &'a Input<'a>,
    pub evaluator: Evaluator<'a>,
    pub variables: BTreeMap<&'a str, &'a Block>,
    pub attributes: BTreeMap<&'a str, &'a Attribute>,
    functions: BTreeMap<&'a str, &'a Block>,
    /// The blocks of targets and groups, in the order of the files.
    order: Vec<&'a Block>,
    instances: RefCell<Vec<Rc<Instance<'a>>>>,
    /// The values of attributes of blocks, by their block and place.
    values: RefCell<HashMap<String, Value>>,
    /// What is being resolved.
    progress: RefCell<HashSet<String>>,
    /// Whether blocks can be referred to.
    blocks_are_known: std::cell::Cell<bool>,
}

/// Evaluates parsed files.
pub fn evaluate(input: &Input<'_>, parsed: &Parsed<'_>) -> Result<Definition, Diagnostic> {
    let resolver = Resolver::new(input, parsed.bodies).map_err(|fault| *fault)?;
    let warnings = super::target::unknown(parsed.bodies);
    let mut definition = resolver.definition().map_err(|fault| *fault)?;
    definition.warnings = warnings
        .into_iter()
        .map(|fault| fault.located(parsed.sources))
        .collect();
    Ok(definition)
}

impl<'a> Resolver<'a> {
    fn new(input: &'a Input<'a>, bodies: &'a [Body]) -> Evaluated<Self> {
        let mut resolver = Self {
            input,
            evaluator: Evaluator::new(input.environment),
            variables: BTreeMap::new(),
            attributes: BTreeMap::new(),
            functions: BTreeMap::new(),
            order: Vec::new(),
            instances: RefCell::default(),
            values: RefCell::default(),
            progress: RefCell::default(),
            blocks_are_known: std::cell::Cell::new(false),
        };
        for body in bodies {
            for block in &body.blocks {
                let table = match block.kind.as_str() {
                    "variable" => &mut resolver.variables,
                    "function" => &mut resolver.functions,
                    "target" | "group" => {
                        label(block)?;
                        resolver.order.push(block);
                        continue;
                    }
                    _ => continue,
                };
                table.insert(label(block)?, block);
            }
            for attribute in &body.attributes {
                resolver.attributes.insert(&attribute.name, attribute);
            }
        }
        for (name, value) in input.constants {
            resolver.evaluator.define(name, Value::from(value.as_str()));
        }
        Ok(resolver)
    }

    fn definition(&self) -> Evaluated<Definition> {
        let names: Vec<&'a str> = self.variables.keys().copied().collect();
        for name in &names {
            self.variable(name, self.variables[name].span)?;
        }
        for name in &names {
            variables::validate(&self.evaluator, self.variables[name])?;
        }
        for name in self.functions.keys() {
            self.function(name, self.functions[name].span)?;
        }
        self.blocks_are_known.set(true);
        let mut definition = Definition::default();
        self.blocks(&mut definition)?;
        for name in self.attributes.keys() {
            self.variable(name, self.attributes[name].name_span)?;
        }
        let info = |name: &&'a str| {
            let value = self.evaluator.global(name).unwrap_or(Value::Null);
            variables::info(name, self.variables[name], &value)
        };
        let infos: Evaluated<Vec<_>> = names.iter().map(info).collect();
        definition.variables = Some(infos?);
        Ok(definition)
    }

    /// Names and evaluates all targets and groups.
    fn blocks(&self, definition: &mut Definition) -> Evaluated<()> {
        let mut renamed = Vec::new();
        for block in self.order.iter().copied() {
            let label = label(block)?;
            let products = matrix::products(
                &|expression, scope| self.value(expression, scope),
                block,
                label,
            )?;
            let names: Vec<String> = products
                .iter()
                .map(|product| product.name.clone())
                .collect();
            for product in products {
                check_name(&product.name, block)?;
                self.instances
                    .borrow_mut()
                    .push(Rc::new(Instance { block, product }));
            }
            if names != [label] {
                renamed.push((label, names));
            }
        }
        let instances = self.instances.borrow().clone();
        let mut positions: HashMap<String, usize> = HashMap::new();
        for instance in &instances {
            let name = &instance.product.name;
            if instance.block.kind == "group" {
                let group = self.group(instance)?;
                definition.groups.retain(|earlier| earlier.name != *name);
                definition.groups.push(group);
                continue;
            }
            let target = self.target(instance)?;
            match positions.get(name) {
                Some(at) => target::merge(&mut definition.targets[*at], target),
                None => {
                    positions.insert(name.clone(), definition.targets.len());
                    definition.targets.push(target);
                }
            }
        }
        for (label, names) in renamed {
            let group = definition
                .groups
                .iter_mut()
                .find(|group| group.name == label);
            let targets = match group {
                Some(group) => &mut group.targets,
                None => {
                    definition.groups.push(Group {
                        name: label.to_owned(),
                        description: None,
                        targets: Vec::new(),
                    });
                    &mut definition.groups.last_mut().expect("it was added").targets
                }
            };
            for name in names {
                if !targets.contains(&name) {
                    targets.push(name);
                }
            }
        }
        Ok(())
    }

    fn group(&self, instance: &Instance<'a>) -> Evaluated<Group> {
        let block = instance.block;
        if block.body.attribute("targets").is_none() {
            let detail = "The argument \"targets\" is required, but no definition was found.";
            return Err(Box::new(
                Diagnostic::new("Missing required argument", detail).at(block.span),
            ));
        }
        let text = self.attribute_of("group", instance, "description")?;
        let targets = self.attribute_of("group", instance, "targets")?;
        let mut names: Vec<String> = Vec::new();
        for name in target::texts(&targets).unwrap_or_default() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(Group {
            name: instance.product.name.clone(),
            description: text
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
            targets: names,
        })
    }

    fn target(&self, instance: &Instance<'a>) -> Evaluated<Target> {
        let mut target = Target {
            name: instance.product.name.clone(),
            inherits: Vec::new(),
            attributes: BTreeMap::new(),
        };
        for attribute in &instance.block.body.attributes {
            let name = attribute.name.as_str();
            if name == "inherits" {
                let value = self.attribute_of("target", instance, name)?;
                target.inherits = target::texts(&value).unwrap_or_default();
            } else if let Some(known) = attributes::find(name) {
                let value = self.attribute_of("target", instance, name)?;
                if let Some(setting) = target::setting(known, &value)
                    .map_err(|detail| target::unsuitable(&detail, attribute))?
                {
                    target
                        .attributes
                        .insert(known.name, known.merge.apply(None, setting));
                }
            }
        }
        Ok(target)
    }

    /// Evaluates an attribute of a block, converted to the type of the attribute.
    fn attribute_of(&self, kind: &str, instance: &Instance<'a>, name: &str) -> Evaluated {
        let block = instance.block;
        let Some(attribute) = block.body.attribute(name) else {
            return Ok(Value::Null);
        };
        // The same name can have several blocks; each has its own value.
        let Span { source, start, .. } = attribute.name_span;
        let key = format!("{kind}.{}@{source}:{start}", instance.product.name);
        if let Some(value) = self.values.borrow().get(&key) {
            return Ok(value.clone());
        }
        if !self.progress.borrow_mut().insert(key.clone()) {
            let detail = format!(
                "reference cycle not allowed for {kind}.{}.{name}",
                instance.product.name
            );
            return Err(fatal(&self.evaluator, detail, attribute.value.span));
        }
        let root = Scope::root();
        let scope = root.with(matrix::names(&instance.product.values));
        let value = self.value(&attribute.value, &scope)?;
        let of = match (kind, name) {
            ("target", "inherits") | ("group", "targets") => Kind::Texts,
            ("group", _) => Kind::Text,
            (_, name) => attributes::find(name).map_or(Kind::Resources, |attribute| attribute.kind),
        };
        let value = target::convert(of, name, &value)
            .map_err(|detail| target::unsuitable(&detail, attribute))?;
        self.progress.borrow_mut().remove(&key);
        self.values.borrow_mut().insert(key, value.clone());
        Ok(value)
    }
}

/// Creates a fault that `try` does not catch.
fn fatal(evaluator: &Evaluator<'_>, detail: String, span: Span) -> Box<Diagnostic> {
    evaluator.budget.stop();
    Box::new(Diagnostic::new("Invalid expression", detail).at(span))
}
