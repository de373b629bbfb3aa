//! Templates: texts with `${...}` and `%{...}`.

use hcl_edit::expr::Expression as Parsed;
use hcl_edit::template::{Directive, Element};

use super::{Expression, Kind, Part};
use crate::value::Value;

/// Converts an expression of the parser.
pub type Convert<'c> = &'c dyn Fn(&Parsed) -> Expression;

/// Returns the expression of a template. A single interpolation is its value; it need not be a text.
pub fn kind(mut parts: Vec<Part>) -> Kind {
    match parts.as_slice() {
        [] => Kind::Literal(Value::from("")),
        [Part::Literal(text)] => Kind::Literal(Value::from(text.as_str())),
        [Part::Interpolation(_)] => match parts.pop() {
            Some(Part::Interpolation(inner)) => Kind::Parenthesis(Box::new(inner)),
            _ => Kind::Template(parts),
        },
        _ => Kind::Template(parts),
    }
}

/// Converts the elements of a template, and removes the space that `~` asks for. In a text of `lines`, it
/// reaches to the end of the line only.
pub fn parts<'a>(
    convert: Convert<'_>,
    elements: impl Iterator<Item = &'a Element>,
    lines: bool,
) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut trim_next = false;
    for element in elements {
        let (part, before, after) = match element {
            Element::Literal(text) => {
                let text = text.value().as_str();
                let text = if trim_next {
                    trim_start(text, lines)
                } else {
                    text
                };
                (Part::Literal(text.to_owned()), false, false)
            }
            Element::Interpolation(inner) => (
                Part::Interpolation(convert(&inner.expr)),
                inner.strip.strip_start(),
                inner.strip.strip_end(),
            ),
            Element::Directive(directive) => self::directive(convert, directive, lines),
        };
        if before {
            trim_last(&mut parts, lines);
        }
        trim_next = after;
        parts.push(part);
    }
    parts.retain(|part| !matches!(part, Part::Literal(text) if text.is_empty()));
    parts
}

fn directive(convert: Convert<'_>, directive: &Directive, lines: bool) -> (Part, bool, bool) {
    match directive {
        Directive::If(directive) => {
            let first = &directive.if_expr;
            let mut yes = parts(convert, first.template.iter(), lines);
            if first.strip.strip_end() {
                trim_first(&mut yes, lines);
            }
            let end = directive.endif_expr.strip;
            let mut no = Vec::new();
            match &directive.else_expr {
                Some(other) => {
                    if other.strip.strip_start() {
                        trim_last(&mut yes, lines);
                    }
                    no = parts(convert, other.template.iter(), lines);
                    if other.strip.strip_end() {
                        trim_first(&mut no, lines);
                    }
                    if end.strip_start() {
                        trim_last(&mut no, lines);
                    }
                }
                None if end.strip_start() => trim_last(&mut yes, lines),
                None => {}
            }
            let condition = convert(&first.cond_expr);
            let part = Part::If { condition, yes, no };
            (part, first.strip.strip_start(), end.strip_end())
        }
        Directive::For(directive) => {
            let first = &directive.for_expr;
            let end = directive.endfor_expr.strip;
            let mut inner = parts(convert, first.template.iter(), lines);
            if first.strip.strip_end() {
                trim_first(&mut inner, lines);
            }
            if end.strip_start() {
                trim_last(&mut inner, lines);
            }
            let part = Part::For {
                key: first.key_var.as_ref().map(|name| name.as_str().to_owned()),
                value: first.value_var.as_str().to_owned(),
                collection: convert(&first.collection_expr),
                parts: inner,
            };
            (part, first.strip.strip_start(), end.strip_end())
        }
    }
}

fn trim_start(text: &str, lines: bool) -> &str {
    let end = if lines {
        text.find('\n').map_or(text.len(), |at| at + 1)
    } else {
        text.len()
    };
    let kept = text[..end].trim_start().len();
    &text[end - kept..]
}

fn trim_end(text: &str, lines: bool) -> &str {
    let begin = if lines {
        text.rfind('\n').map_or(0, |at| at + 1)
    } else {
        0
    };
    &text[..begin + text[begin..].trim_end().len()]
}

fn trim_first(parts: &mut [Part], lines: bool) {
    if let Some(Part::Literal(text)) = parts.first_mut() {
        *text = trim_start(text, lines).to_owned();
    }
}

fn trim_last(parts: &mut [Part], lines: bool) {
    if let Some(Part::Literal(text)) = parts.last_mut() {
        *text = trim_end(text, lines).to_owned();
    }
}
