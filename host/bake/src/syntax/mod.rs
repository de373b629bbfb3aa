//! The syntax of definitions: what HCL and JSON have in common.
//!
//! `native` reads HCL, `json` reads JSON, and both create the same blocks and expressions.

pub mod json;
pub mod native;
mod references;
pub mod source;
mod template;

use crate::value::Value;

pub use references::Reference;
pub use source::{Sources, Span};

/// Attributes and blocks.
#[derive(Debug, Default)]
pub struct Body {
    /// The attributes, each name once.
    pub attributes: Vec<Attribute>,
    /// The blocks, in the order of the file.
    pub blocks: Vec<Block>,
}

/// `NAME = EXPRESSION`
#[derive(Debug)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// Place of the name.
    pub name_span: Span,
    /// The value.
    pub value: Expression,
}

/// `KIND "LABEL" { ... }`
#[derive(Debug)]
pub struct Block {
    /// The kind, such as `target`.
    pub kind: String,
    /// The labels, with their places.
    pub labels: Vec<(String, Span)>,
    /// The contents.
    pub body: Body,
    /// Place of the kind.
    pub span: Span,
}

impl Body {
    /// Returns the attribute of a name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
    }
}

/// An expression, with its place.
#[derive(Debug)]
pub struct Expression {
    /// The place.
    pub span: Span,
    /// The operation.
    pub kind: Kind,
}

/// The operation of an expression.
#[derive(Debug)]
pub enum Kind {
    /// A constant.
    Literal(Value),
    /// The value of a name.
    Variable(String),
    /// Texts and values, joined.
    Template(Vec<Part>),
    /// `[A, B]`
    Tuple(Vec<Expression>),
    /// `{A = B}`, in the order of the file.
    Object(Vec<(Expression, Expression)>),
    /// `(A)`
    Parenthesis(Box<Expression>),
    /// `f(A, B...)`
    Call(Call),
    /// `A.NAME`
    Attribute(Box<Expression>, String),
    /// `A[B]`
    Index(Box<Expression>, Box<Expression>),
    /// `A[*]` or `A.*` with the steps that follow, which each element takes.
    Splat(Box<Expression>, Vec<Step>),
    /// `!A`
    Not(Box<Expression>),
    /// `-A`
    Negate(Box<Expression>),
    /// `A + B`
    Binary(Box<Expression>, BinaryOperator, Box<Expression>),
    /// `A ? B : C`
    Conditional(Box<Conditional>),
    /// `[for ...]` or `{for ...}`
    For(Box<For>),
}

/// A call of a function.
#[derive(Debug)]
pub struct Call {
    /// Name of the function.
    pub name: String,
    /// Place of the name.
    pub name_span: Span,
    /// The arguments.
    pub arguments: Vec<Expression>,
    /// Whether the last argument is a list of arguments.
    pub expand: bool,
}

/// A step from a value into it.
#[derive(Debug)]
pub enum Step {
    /// `.NAME`
    Attribute(String, Span),
    /// `[A]`
    Index(Expression),
    /// `.N`
    Position(u64, Span),
}

/// `A ? B : C`
#[derive(Debug)]
pub struct Conditional {
    /// The condition.
    pub condition: Expression,
    /// The result if it is true.
    pub yes: Expression,
    /// The result if it is false.
    pub no: Expression,
}

/// `[for K, V in C : R if B]`, or with braces `{for K, V in C : N => R}`.
#[derive(Debug)]
pub struct For {
    /// Name of the key or the index.
    pub key: Option<String>,
    /// Name of the element.
    pub value: String,
    /// The collection.
    pub collection: Expression,
    /// The key of the result; for objects.
    pub result_key: Option<Expression>,
    /// The result.
    pub result: Expression,
    /// Whether results with the same key become a tuple.
    pub group: bool,
    /// The condition on an element.
    pub condition: Option<Expression>,
}

/// A part of a template.
#[derive(Debug)]
pub enum Part {
    /// A text.
    Literal(String),
    /// `${A}`
    Interpolation(Expression),
    /// `%{ if A }B%{ else }C%{ endif }`
    If {
        /// The condition.
        condition: Expression,
        /// The parts if it is true.
        yes: Vec<Part>,
        /// The parts if it is false.
        no: Vec<Part>,
    },
    /// `%{ for K, V in A }B%{ endfor }`
    For {
        /// Name of the key or the index.
        key: Option<String>,
        /// Name of the element.
        value: String,
        /// The collection.
        collection: Expression,
        /// The parts for each element.
        parts: Vec<Part>,
    },
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl Expression {
    /// Returns the name that an expression consists of.
    pub fn keyword(&self) -> Option<&str> {
        match &self.kind {
            Kind::Variable(name) => Some(name),
            _ => None,
        }
    }

    /// Calls `visit` with each function that the expression calls.
    pub fn calls<'a>(&'a self, visit: &mut dyn FnMut(&'a Call)) {
        if let Kind::Call(call) = &self.kind {
            visit(call);
        }
        self.children(&mut |child| child.calls(visit));
    }

    /// Calls `visit` with each expression directly within this one.
    fn children<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression)) {
        match &self.kind {
            Kind::Literal(_) | Kind::Variable(_) => {}
            Kind::Template(parts) => children_of_parts(parts, visit),
            Kind::Tuple(items) => items.iter().for_each(visit),
            Kind::Object(items) => {
                for (key, value) in items {
                    visit(key);
                    visit(value);
                }
            }
            Kind::Parenthesis(inner)
            | Kind::Attribute(inner, _)
            | Kind::Not(inner)
            | Kind::Negate(inner) => visit(inner),
            Kind::Call(call) => call.arguments.iter().for_each(visit),
            Kind::Index(inner, index) => {
                visit(inner);
                visit(index);
            }
            Kind::Splat(inner, steps) => {
                visit(inner);
                for step in steps {
                    if let Step::Index(index) = step {
                        visit(index);
                    }
                }
            }
            Kind::Binary(left, _, right) => {
                visit(left);
                visit(right);
            }
            Kind::Conditional(conditional) => {
                visit(&conditional.condition);
                visit(&conditional.yes);
                visit(&conditional.no);
            }
            Kind::For(each) => {
                visit(&each.collection);
                each.result_key.iter().for_each(&mut *visit);
                visit(&each.result);
                each.condition.iter().for_each(visit);
            }
        }
    }
}

fn children_of_parts<'a>(parts: &'a [Part], visit: &mut dyn FnMut(&'a Expression)) {
    for part in parts {
        match part {
            Part::Literal(_) => {}
            Part::Interpolation(inner) => visit(inner),
            Part::If { condition, yes, no } => {
                visit(condition);
                children_of_parts(yes, visit);
                children_of_parts(no, visit);
            }
            Part::For {
                collection, parts, ..
            } => {
                visit(collection);
                children_of_parts(parts, visit);
            }
        }
    }
}
