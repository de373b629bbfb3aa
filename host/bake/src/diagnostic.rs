//! Faults of definitions: what is wrong, where, and what may be meant.

use std::fmt;

use crate::syntax::source::{Position, Sources, Span};

/// Lines of a snippet before and after the place.
const AROUND: usize = 2;

/// A fault of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of the fault, in the words of docker buildx.
    summary: String,
    /// The details.
    detail: String,
    /// The place.
    span: Option<Span>,
    /// The name that may be meant.
    meant: Option<String>,
}

impl Diagnostic {
    /// Creates a fault without a place.
    pub fn new(summary: &str, detail: impl Into<String>) -> Self {
        Self {
            summary: summary.to_owned(),
            detail: detail.into(),
            span: None,
            meant: None,
        }
    }

    /// Sets the place.
    pub fn at(self, span: Span) -> Self {
        Self {
            span: Some(span),
            ..self
        }
    }

    /// Sets the place, unless there is one.
    pub fn or_at(self, span: Span) -> Self {
        Self {
            span: Some(self.span.unwrap_or(span)),
            ..self
        }
    }

    /// Sets the name that may be meant.
    pub fn meaning<'a>(self, word: &str, known: impl Iterator<Item = &'a str>) -> Self {
        // Nearly every short word is near another one.
        let is_long = word.chars().count() > 2;
        let meant = iechor_text::nearest(word, known)
            .filter(|_| is_long)
            .map(str::to_owned);
        Self { meant, ..self }
    }

    /// Returns the fault as a sentence.
    pub fn message(&self) -> String {
        message(&self.summary, &self.detail, self.meant.as_deref())
    }

    /// Finds the place in the texts.
    pub fn located(self, sources: &Sources) -> DefinitionError {
        let place = self.span.and_then(|span| {
            let source = sources.get(span)?;
            let start = source.position(span.start);
            Some(Place {
                file: source.name.clone(),
                start,
                end: source.position(span.end.max(span.start)),
                snippet: snippet(&source.text, start.line),
            })
        });
        DefinitionError {
            summary: self.summary,
            detail: self.detail,
            place,
            meant: self.meant,
        }
    }
}

/// A fault of a definition, with its place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    /// The kind of the fault.
    pub summary: String,
    /// The details; may be empty.
    pub detail: String,
    /// The place.
    pub place: Option<Place>,
    /// The name that may be meant.
    pub meant: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the file.
    pub file: String,
    /// The beginning.
    pub start: Position,
    /// The end, after the last character.
    pub end: Position,
    /// The lines around the beginning, with their numbers.
    pub snippet: Vec<(usize, String)>,
}

impl std::error::Error for DefinitionError {}

/// `FILE:LINE,COLUMN-COLUMN: SUMMARY; DETAIL`, as docker buildx writes it.
impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(
                f,
                "{}:{},{}-",
                place.file, place.start.line, place.start.column
            )?;
            if place.end.line != place.start.line {
                write!(f, "{},", place.end.line)?;
            }
            write!(f, "{}: ", place.end.column)?;
        }
        f.write_str(&message(&self.summary, &self.detail, self.meant.as_deref()))
    }
}

/// Returns a fault as a sentence.
fn message(summary: &str, detail: &str, meant: Option<&str>) -> String {
    let mut text = summary.to_owned();
    if !detail.is_empty() {
        text.push_str(&format!("; {detail}"));
    }
    if let Some(meant) = meant {
        text.push_str(&format!(" Did you mean {meant:?}?"));
    }
    text
}

fn snippet(text: &str, line: usize) -> Vec<(usize, String)> {
    text.lines()
        .enumerate()
        .map(|(index, text)| (index + 1, text.to_owned()))
        .skip(line.saturating_sub(AROUND + 1))
        .take_while(|(number, _)| *number <= line + AROUND)
        .collect()
}
