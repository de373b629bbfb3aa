//! The texts of definitions, and places in them.

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Index of the text in [`Sources`].
    pub source: u32,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// Creates a place.
    pub fn new(source: u32, range: std::ops::Range<usize>) -> Self {
        let offset = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Self {
            source,
            start: offset(range.start),
            end: offset(range.end),
        }
    }

    /// Returns the place from the beginning of this one to the end of another.
    pub fn to(self, other: Self) -> Self {
        Self {
            end: other.end.max(self.end),
            ..self
        }
    }
}

/// The texts of definitions.
#[derive(Debug, Default)]
pub struct Sources {
    sources: Vec<Source>,
}

/// The text of a definition.
#[derive(Debug)]
pub struct Source {
    /// The name of the file, as the user gave it.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A line and a column, both from 1. Columns count characters as people see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Sources {
    /// Adds a text, and returns its index.
    pub fn add(&mut self, name: &str, text: &str) -> u32 {
        self.sources.push(Source {
            name: name.to_owned(),
            text: text.to_owned(),
        });
        u32::try_from(self.sources.len() - 1).unwrap_or(u32::MAX)
    }

    /// Returns the text of a place.
    pub fn get(&self, span: Span) -> Option<&Source> {
        self.sources.get(usize::try_from(span.source).ok()?)
    }
}

impl Source {
    /// Returns the line and the column of an offset.
    pub fn position(&self, offset: u32) -> Position {
        use unicode_segmentation::UnicodeSegmentation as _;

        let mut offset = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[begin..].graphemes(true).count() + 1,
        }
    }
}
