//! Reads HCL.

use hcl_edit::expr::{
    BinaryOperator as Operator, Expression as Parsed, ObjectKey, TraversalOperator, UnaryOperator,
};
use hcl_edit::parser;
use hcl_edit::structure::{self, BlockLabel, Structure};

use super::source::Span;
use super::template;
use super::{
    Attribute, BinaryOperator, Block, Body, Call, Conditional, Expression, For, Kind, Step,
};
use crate::diagnostic::Diagnostic;
use crate::value::{Number, Value};

/// Reads a file.
///
/// # Errors
///
/// Returns the first fault of the syntax.
pub fn file(source: u32, text: &str) -> Result<Body, Diagnostic> {
    let body = parser::parse_body(text).map_err(|error| fault(source, text, 0, &error))?;
    Ok(Reader { source, offset: 0 }.body(&body))
}

/// Reads an expression that begins at an offset of a source.
///
/// # Errors
///
/// Returns the first fault of the syntax.
pub fn expression(source: u32, text: &str, offset: usize) -> Result<Expression, Diagnostic> {
    let parsed = parser::parse_expr(text).map_err(|error| fault(source, text, offset, &error))?;
    Ok(Reader { source, offset }.expression(&parsed))
}

/// Reads a text as a template, such as a string of JSON. `span` is the place of the string.
///
/// # Errors
///
/// Returns the first fault of the syntax.
pub fn template(text: &str, span: Span) -> Result<Expression, Diagnostic> {
    if !text.contains("${") && !text.contains("%{") {
        let kind = Kind::Literal(Value::from(text));
        return Ok(Expression { span, kind });
    }
    let parsed = parser::parse_template(text)
        .map_err(|error| fault(span.source, text, 0, &error).at(span))?;
    // Offsets in the text are not offsets in the source, because the string has escapes.
    let offset = usize::try_from(span.start).unwrap_or(0) + 1;
    let reader = Reader {
        source: span.source,
        offset,
    };
    let parts = template::parts(&|parsed| reader.expression(parsed), parsed.iter(), true);
    let kind = template::kind(parts);
    Ok(Expression { span, kind })
}

/// Returns the fault of a text, in the words of docker buildx where scripts may match them.
fn fault(source: u32, text: &str, offset: usize, error: &parser::Error) -> Diagnostic {
    let message = error.message();
    let at = error.location().offset();
    let rest = &text.as_bytes()[at.min(text.len())..];
    let place = |length: usize| {
        let end = (at + length).min(text.len());
        Span::new(source, offset + at..offset + end.max(at))
    };
    if message.starts_with("invalid escape sequence") {
        // The parser is after the symbol.
        let symbol = text
            .get(..at)
            .and_then(|before| before.chars().next_back())
            .unwrap_or(' ');
        let begin = at.saturating_sub(1 + symbol.len_utf8());
        return Diagnostic::new(
            "Invalid escape sequence",
            format!("The symbol \"{symbol}\" is not a valid escape sequence selector."),
        )
        .at(Span::new(source, offset + begin..offset + at));
    }
    let length = |is: fn(&u8) -> bool| rest.iter().take_while(|byte| is(byte)).count().max(1);
    let word = length(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if message.contains("found redefined attribute") {
        let name = String::from_utf8_lossy(&rest[..word.min(rest.len())]).into_owned();
        return Diagnostic::new(
            "Attribute redefined",
            format!("The argument {name:?} was already set in this block. Each argument may be set only once."),
        )
        .at(place(word));
    }
    if message.contains("found redefined object key") {
        return Diagnostic::new(
            "Duplicate key",
            "This object has the same key twice.".to_owned(),
        )
        .at(place(word));
    }
    if rest.is_empty() {
        return Diagnostic::new(
            "Unexpected end of the file",
            format!("Something is not closed: {message}."),
        )
        .at(place(0));
    }
    Diagnostic::new(
        "Invalid syntax",
        format!("{}{}.", message[..1].to_uppercase(), &message[1..]),
    )
    .at(place(1))
}

struct Reader {
    source: u32,
    /// Offset of the parsed text in the source.
    offset: usize,
}

impl Reader {
    fn span(&self, of: &impl hcl_edit::Span) -> Span {
        let range = of.span().unwrap_or_default();
        Span::new(
            self.source,
            self.offset + range.start..self.offset + range.end,
        )
    }

    fn body(&self, body: &structure::Body) -> Body {
        let mut read = Body::default();
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => read.attributes.push(Attribute {
                    name: attribute.key.as_str().to_owned(),
                    name_span: self.span(&attribute.key),
                    value: self.expression(&attribute.value),
                }),
                Structure::Block(block) => read.blocks.push(Block {
                    kind: block.ident.as_str().to_owned(),
                    labels: block.labels.iter().map(|label| self.label(label)).collect(),
                    body: self.body(&block.body),
                    span: self.span(&block.ident),
                }),
            }
        }
        read
    }

    fn label(&self, label: &BlockLabel) -> (String, Span) {
        (label.as_str().to_owned(), self.span(label))
    }

    fn expression(&self, parsed: &Parsed) -> Expression {
        let kind = match parsed {
            Parsed::Null(_) => Kind::Literal(Value::Null),
            Parsed::Bool(value) => Kind::Literal(Value::Bool(*value.value())),
            Parsed::Number(number) => {
                let written = number
                    .as_repr()
                    .map(|text| text.to_string())
                    .unwrap_or_default();
                let compact: String = written.split_whitespace().collect();
                let number = Number::parse(&compact).unwrap_or_else(|| Number::from(0_i64));
                Kind::Literal(Value::number(number))
            }
            Parsed::String(text) => Kind::Literal(Value::from(text.as_str())),
            Parsed::StringTemplate(parts) => template::kind(template::parts(
                &|parsed| self.expression(parsed),
                parts.iter(),
                false,
            )),
            Parsed::HeredocTemplate(heredoc) => template::kind(template::parts(
                &|parsed| self.expression(parsed),
                heredoc.template.iter(),
                true,
            )),
            Parsed::Array(items) => {
                Kind::Tuple(items.iter().map(|item| self.expression(item)).collect())
            }
            Parsed::Object(items) => Kind::Object(
                items
                    .iter()
                    .map(|(key, value)| (self.key(key), self.expression(value.expr())))
                    .collect(),
            ),
            Parsed::Parenthesis(inner) => {
                Kind::Parenthesis(Box::new(self.expression(inner.inner())))
            }
            Parsed::Variable(name) => Kind::Variable(name.as_str().to_owned()),
            Parsed::Conditional(conditional) => Kind::Conditional(Box::new(Conditional {
                condition: self.expression(&conditional.cond_expr),
                yes: self.expression(&conditional.true_expr),
                no: self.expression(&conditional.false_expr),
            })),
            Parsed::FuncCall(call) => {
                let namespace = call
                    .name
                    .namespace
                    .iter()
                    .map(|part| format!("{}::", part.as_str()));
                Kind::Call(Call {
                    name: namespace.collect::<String>() + call.name.name.as_str(),
                    name_span: self.span(&call.name.name),
                    arguments: call.args.iter().map(|item| self.expression(item)).collect(),
                    expand: call.args.expand_final(),
                })
            }
            Parsed::Traversal(traversal) => {
                let from = self.expression(&traversal.expr);
                return self.traversal(from, &traversal.operators);
            }
            Parsed::UnaryOp(operation) => {
                let inner = Box::new(self.expression(&operation.expr));
                match operation.operator.value() {
                    UnaryOperator::Neg => Kind::Negate(inner),
                    UnaryOperator::Not => Kind::Not(inner),
                }
            }
            Parsed::BinaryOp(operation) => Kind::Binary(
                Box::new(self.expression(&operation.lhs_expr)),
                binary(*operation.operator.value()),
                Box::new(self.expression(&operation.rhs_expr)),
            ),
            Parsed::ForExpr(each) => Kind::For(Box::new(For {
                key: each
                    .intro
                    .key_var
                    .as_ref()
                    .map(|name| name.as_str().to_owned()),
                value: each.intro.value_var.as_str().to_owned(),
                collection: self.expression(&each.intro.collection_expr),
                result_key: each.key_expr.as_ref().map(|key| self.expression(key)),
                result: self.expression(&each.value_expr),
                group: each.grouping,
                condition: each
                    .cond
                    .as_ref()
                    .map(|condition| self.expression(&condition.expr)),
            })),
        };
        Expression {
            span: self.span(parsed),
            kind,
        }
    }

    fn key(&self, key: &ObjectKey) -> Expression {
        match key {
            ObjectKey::Ident(name) => Expression {
                span: self.span(name),
                kind: Kind::Variable(name.as_str().to_owned()),
            },
            ObjectKey::Expression(expression) => self.expression(expression),
        }
    }

    fn traversal(
        &self,
        from: Expression,
        operators: &[hcl_edit::Decorated<TraversalOperator>],
    ) -> Expression {
        let mut at = from;
        let mut rest = operators.iter().peekable();
        while let Some(operator) = rest.next() {
            let span = at.span.to(self.span(operator));
            let inner = Box::new(at);
            let kind = match operator.value() {
                TraversalOperator::GetAttr(name) => {
                    Kind::Attribute(inner, name.as_str().to_owned())
                }
                TraversalOperator::Index(index) => {
                    Kind::Index(inner, Box::new(self.expression(index)))
                }
                TraversalOperator::LegacyIndex(position) => Kind::Index(
                    inner,
                    Box::new(position_expression(*position.value(), span)),
                ),
                TraversalOperator::AttrSplat(_) => {
                    let mut steps = Vec::new();
                    // Only attributes belong to it; an index applies to the list of results.
                    while let Some(step) = rest.next_if(|next| {
                        !matches!(
                            next.value(),
                            TraversalOperator::Index(_)
                                | TraversalOperator::AttrSplat(_)
                                | TraversalOperator::FullSplat(_)
                        )
                    }) {
                        steps.extend(self.step(step));
                    }
                    Kind::Splat(inner, steps)
                }
                TraversalOperator::FullSplat(_) => {
                    let mut steps = Vec::new();
                    while let Some(step) = rest.next_if(|next| {
                        !matches!(
                            next.value(),
                            TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_)
                        )
                    }) {
                        steps.extend(self.step(step));
                    }
                    Kind::Splat(inner, steps)
                }
            };
            at = Expression { span, kind };
        }
        at
    }

    fn step(&self, operator: &hcl_edit::Decorated<TraversalOperator>) -> Option<Step> {
        let span = self.span(operator);
        match operator.value() {
            TraversalOperator::GetAttr(name) => {
                Some(Step::Attribute(name.as_str().to_owned(), span))
            }
            TraversalOperator::Index(index) => Some(Step::Index(self.expression(index))),
            TraversalOperator::LegacyIndex(position) => {
                Some(Step::Position(*position.value(), span))
            }
            TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => None,
        }
    }
}

fn position_expression(position: u64, span: Span) -> Expression {
    let position = i64::try_from(position).unwrap_or(i64::MAX);
    Expression {
        span,
        kind: Kind::Literal(Value::number(position)),
    }
}

fn binary(operator: Operator) -> BinaryOperator {
    match operator {
        Operator::Plus => BinaryOperator::Plus,
        Operator::Minus => BinaryOperator::Minus,
        Operator::Mul => BinaryOperator::Times,
        Operator::Div => BinaryOperator::Divide,
        Operator::Mod => BinaryOperator::Modulo,
        Operator::Eq => BinaryOperator::Equal,
        Operator::NotEq => BinaryOperator::NotEqual,
        Operator::Less => BinaryOperator::Less,
        Operator::LessEq => BinaryOperator::LessOrEqual,
        Operator::Greater => BinaryOperator::Greater,
        Operator::GreaterEq => BinaryOperator::GreaterOrEqual,
        Operator::And => BinaryOperator::And,
        Operator::Or => BinaryOperator::Or,
    }
}
