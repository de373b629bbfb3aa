//! The variables that expressions refer to.

use super::{Expression, Kind, Part, Span};

impl Expression {
    /// Calls `visit` with each variable that the expression refers to, but for names that it defines itself.
    /// The first attribute after the name is passed too, as in `target.NAME`.
    pub fn variables<'a>(&'a self, visit: &mut dyn FnMut(Reference<'a>)) {
        Walk {
            visit,
            own: Vec::new(),
        }
        .expression(self);
    }
}

/// A use of a variable.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// The name.
    pub name: &'a str,
    /// The attributes and constant indexes that follow.
    pub path: [Option<&'a str>; 2],
    /// Place of the name.
    pub span: Span,
}

struct Walk<'a, 'v> {
    visit: &'v mut dyn FnMut(Reference<'a>),
    /// Names that the expressions around define.
    own: Vec<&'a str>,
}

impl<'a> Walk<'a, '_> {
    fn expression(&mut self, expression: &'a Expression) {
        if let Some(reference) = reference(expression) {
            if !self.own.contains(&reference.name) {
                (self.visit)(reference);
            }
            // An index of the path can refer to variables too.
            if let Kind::Index(_, index) = &expression.kind {
                self.expression(index);
            }
            return;
        }
        match &expression.kind {
            Kind::For(each) => {
                self.expression(&each.collection);
                let names = self.own.len();
                self.own.extend(each.key.as_deref());
                self.own.push(&each.value);
                each.result_key.iter().for_each(|key| self.expression(key));
                self.expression(&each.result);
                each.condition
                    .iter()
                    .for_each(|condition| self.expression(condition));
                self.own.truncate(names);
            }
            Kind::Template(parts) => self.parts(parts),
            Kind::Object(items) => {
                for (key, value) in items {
                    // A bare name is the key itself.
                    if key.keyword().is_none() {
                        self.expression(key);
                    }
                    self.expression(value);
                }
            }
            _ => {
                let mut children = Vec::new();
                expression.children(&mut |child| children.push(child));
                children
                    .into_iter()
                    .for_each(|child| self.expression(child));
            }
        }
    }

    fn parts(&mut self, parts: &'a [Part]) {
        for part in parts {
            match part {
                Part::Literal(_) => {}
                Part::Interpolation(inner) => self.expression(inner),
                Part::If { condition, yes, no } => {
                    self.expression(condition);
                    self.parts(yes);
                    self.parts(no);
                }
                Part::For {
                    key,
                    value,
                    collection,
                    parts,
                } => {
                    self.expression(collection);
                    let names = self.own.len();
                    self.own.extend(key.as_deref());
                    self.own.push(value);
                    self.parts(parts);
                    self.own.truncate(names);
                }
            }
        }
    }
}

/// Returns the variable at the beginning of a path such as `target.NAME.ATTRIBUTE`.
fn reference(expression: &Expression) -> Option<Reference<'_>> {
    let mut steps = Vec::new();
    let mut at = expression;
    loop {
        match &at.kind {
            Kind::Attribute(inner, name) => {
                steps.push(Some(name.as_str()));
                at = inner;
            }
            Kind::Index(inner, index) => {
                steps.push(match &index.kind {
                    Kind::Literal(value) => value.as_str(),
                    _ => None,
                });
                at = inner;
            }
            Kind::Variable(name) => {
                let mut steps = steps.into_iter().rev();
                return Some(Reference {
                    name,
                    path: [steps.next().flatten(), steps.next().flatten()],
                    span: at.span,
                });
            }
            _ => return None,
        }
    }
}
