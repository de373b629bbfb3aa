//! Reads JSON: values with their places, and definitions in JSON.

use super::source::Span;
use super::{Attribute, Block, Body, Expression, Kind, native};
use crate::diagnostic::Diagnostic;
use crate::value::{Number, Value};

/// Deepest nesting that is read.
const DEEPEST: usize = 64;

/// A value of JSON, with its place.
#[derive(Debug)]
pub struct Node {
    /// The place.
    pub span: Span,
    /// The value.
    pub kind: NodeKind,
}

/// A value of JSON.
#[derive(Debug)]
pub enum NodeKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(String),
    /// `[...]`
    Array(Vec<Node>),
    /// `{...}`, in the order of the text.
    Object(Vec<Member>),
}

/// A field of an object.
#[derive(Debug)]
pub struct Member {
    /// The name.
    pub name: String,
    /// Place of the name.
    pub name_span: Span,
    /// The value.
    pub value: Node,
}

/// Reads a text of JSON.
///
/// # Errors
///
/// Returns the first fault of the syntax.
pub fn parse(source: u32, text: &str) -> Result<Node, Diagnostic> {
    let mut parser = Parser {
        source,
        text,
        at: 0,
    };
    let node = parser.value(0)?;
    parser.space();
    match parser.at == text.len() {
        true => Ok(node),
        false => Err(parser.fault("Extra characters after the value.")),
    }
}

struct Parser<'a> {
    source: u32,
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault(&self, detail: &str) -> Diagnostic {
        let end = (self.at + 1).min(self.text.len());
        Diagnostic::new("Invalid JSON", detail.to_owned()).at(self.span(self.at, end.max(self.at)))
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start..end)
    }

    fn value(&mut self, depth: usize) -> Result<Node, Diagnostic> {
        self.space();
        if depth > DEEPEST {
            return Err(self.fault("The value is nested too deeply."));
        }
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => NodeKind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node {
            span: self.span(start, self.at),
            kind,
        })
    }

    fn word(&mut self) -> Result<NodeKind, Diagnostic> {
        for (word, kind) in [
            ("null", NodeKind::Null),
            ("true", NodeKind::Bool(true)),
            ("false", NodeKind::Bool(false)),
        ] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self.fault(
            "Expected a value: an object, an array, a string, a number, true, false or null.",
        ))
    }

    fn number(&mut self) -> Result<NodeKind, Diagnostic> {
        let rest = &self.text[self.at..];
        let is_part =
            |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(|byte| is_part(*byte)).count();
        let written = &rest[..length];
        let digits = written.trim_start_matches('-');
        let has_zero =
            digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        let is_strict = !has_zero && !digits.starts_with('.') && !digits.ends_with('.');
        match Number::parse(written) {
            Some(number) if is_strict => {
                self.at += length;
                Ok(NodeKind::Number(number))
            }
            _ => Err(self.fault("This is not a number of JSON.")),
        }
    }

    fn string(&mut self) -> Result<String, Diagnostic> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(b'\n') | None => return Err(self.fault("This string is not closed.")),
                Some(_) => end += 1,
            }
        }
        let written = self.text.get(start..=end);
        match written.and_then(|written| serde_json::from_str(written).ok()) {
            Some(text) => {
                self.at = end + 1;
                Ok(text)
            }
            None => {
                Err(self
                    .fault("This string has an invalid escape sequence or a control character."))
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<NodeKind, Diagnostic> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            if items.is_empty() && self.peek() == Some(b']') {
                break;
            }
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.fault("Expected a comma or the end of the array.")),
            }
        }
        self.at += 1;
        Ok(NodeKind::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<NodeKind, Diagnostic> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(b'}') if members.is_empty() => break,
                Some(b'"') => {}
                _ => return Err(self.fault("Expected a name in double quotes.")),
            }
            let start = self.at;
            let name = self.string()?;
            let name_span = self.span(start, self.at);
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.fault("Expected a colon."));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            members.push(Member {
                name,
                name_span,
                value,
            });
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.fault("Expected a comma or the end of the object.")),
            }
        }
        self.at += 1;
        Ok(NodeKind::Object(members))
    }
}

/// Reads a definition in JSON.
///
/// # Errors
///
/// Returns the first fault of the syntax.
pub fn file(source: u32, text: &str) -> Result<Body, Diagnostic> {
    let root = parse(source, text)?;
    body(&root, &["variable", "function", "target", "group"])
}

/// Converts an object, or an array of objects, to a body in which `kinds` are blocks.
fn body(node: &Node, kinds: &[&str]) -> Result<Body, Diagnostic> {
    let mut read = Body::default();
    for object in objects(node)? {
        for member in object {
            if member.name == "//" {
                continue;
            }
            if kinds.contains(&member.name.as_str()) {
                blocks(member, &mut read)?;
            } else {
                read.attributes.push(Attribute {
                    name: member.name.clone(),
                    name_span: member.name_span,
                    value: expression(&member.value)?,
                });
            }
        }
    }
    Ok(read)
}

/// Returns the members of an object, or of each object of an array.
fn objects(node: &Node) -> Result<Vec<&[Member]>, Diagnostic> {
    let wrong = |node: &Node| {
        Err(Diagnostic::new(
            "Incorrect JSON value type",
            "A JSON object is required here, to define arguments and child blocks.".to_owned(),
        )
        .at(node.span))
    };
    match &node.kind {
        NodeKind::Object(members) => Ok(vec![members]),
        NodeKind::Array(items) => {
            let mut objects = Vec::new();
            for item in items {
                match &item.kind {
                    NodeKind::Object(members) => objects.push(members.as_slice()),
                    _ => return wrong(item),
                }
            }
            Ok(objects)
        }
        _ => wrong(node),
    }
}

fn blocks(member: &Member, read: &mut Body) -> Result<(), Diagnostic> {
    let kind = member.name.as_str();
    for object in objects(&member.value)? {
        for named in object {
            if named.name == "//" {
                continue;
            }
            let each = match &named.value.kind {
                NodeKind::Array(items) => items.iter().collect(),
                _ => vec![&named.value],
            };
            for node in each {
                read.blocks.push(Block {
                    kind: kind.to_owned(),
                    labels: vec![(named.name.clone(), named.name_span)],
                    body: contents(kind, node)?,
                    span: member.name_span,
                });
            }
        }
    }
    Ok(())
}

/// Reads the contents of a block. Some attributes are keywords and not values.
fn contents(kind: &str, node: &Node) -> Result<Body, Diagnostic> {
    let mut read = Body::default();
    for object in objects(node)? {
        for member in object {
            match (kind, member.name.as_str()) {
                (_, "//") => {}
                ("variable", "validation") => {
                    let each = match &member.value.kind {
                        NodeKind::Array(items) => items.iter().collect(),
                        _ => vec![&member.value],
                    };
                    for node in each {
                        read.blocks.push(Block {
                            kind: member.name.clone(),
                            labels: Vec::new(),
                            body: body(node, &[])?,
                            span: member.name_span,
                        });
                    }
                }
                (of, name) => read.attributes.push(Attribute {
                    name: name.to_owned(),
                    name_span: member.name_span,
                    value: match (of, name) {
                        ("variable", "type") | ("function", "params" | "variadic_params") => {
                            keywords(&member.value)?
                        }
                        _ => expression(&member.value)?,
                    },
                }),
            }
        }
    }
    Ok(read)
}

/// Converts a value to an expression. Texts are templates.
fn expression(node: &Node) -> Result<Expression, Diagnostic> {
    let span = node.span;
    let kind = match &node.kind {
        NodeKind::Null => Kind::Literal(Value::Null),
        NodeKind::Bool(value) => Kind::Literal(Value::Bool(*value)),
        NodeKind::Number(number) => Kind::Literal(Value::number(number.clone())),
        NodeKind::String(text) => return native::template(text, span),
        NodeKind::Array(items) => {
            Kind::Tuple(items.iter().map(expression).collect::<Result<_, _>>()?)
        }
        NodeKind::Object(members) => {
            let mut items = Vec::new();
            for member in members {
                if member.name != "//" {
                    let key = native::template(&member.name, member.name_span)?;
                    items.push((key, expression(&member.value)?));
                }
            }
            Kind::Object(items)
        }
    };
    Ok(Expression { span, kind })
}

/// Converts texts to the expressions that they contain, such as types and names.
fn keywords(node: &Node) -> Result<Expression, Diagnostic> {
    match &node.kind {
        NodeKind::String(text) => {
            let offset = usize::try_from(node.span.start).unwrap_or(0) + 1;
            native::expression(node.span.source, text, offset)
        }
        NodeKind::Array(items) => Ok(Expression {
            span: node.span,
            kind: Kind::Tuple(items.iter().map(keywords).collect::<Result<_, _>>()?),
        }),
        _ => expression(node),
    }
}
