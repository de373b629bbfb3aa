//! Cleans a stream of foreign text.
//!
//! Printable characters, tabs, line feeds and, if requested, colours (SGR) stay. A carriage return
//! moves the cursor, so it ends the line like a line feed; `\r\n` counts once. Bytes that are not
//! UTF-8 become U+FFFD.

use crate::is_displayable;

/// Maximum size of a colour sequence, in bytes. A longer one is dropped.
const LONGEST_COLOUR: usize = 64;

/// Maximum size of the colours that are repeated on the next line, in bytes.
const MOST_ACTIVE: usize = 256;

/// The sequence that resets all colours.
pub const RESET: &str = "\x1b[0m";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// State after ESC.
    Escape,
    /// State after ESC and an intermediate byte. One more byte ends the sequence.
    EscapeIntermediate,
    /// State after `ESC [`.
    Control,
    /// State within a string such as a window title, up to BEL or `ESC \`.
    String,
    /// State after ESC within a string.
    StringEscape,
}

/// Cleans a stream that arrives in pieces. A sequence may be split between them.
///
/// Colours end with their line: a coloured line is reset at its end, and the next one starts with the
/// same colours. So lines of the program between them are always readable.
#[derive(Debug, Clone, Default)]
pub struct Sanitizer {
    /// Whether colours are removed, too.
    without_colours: bool,
    state: State,
    /// Parameters of the current control sequence; `None` if it is not a colour.
    parameters: Option<String>,
    /// The beginning of a character that has not arrived completely.
    incomplete: Vec<u8>,
    /// Whether there was a carriage return that a line feed may follow.
    carriage_return: bool,
    /// Colour sequences since the last reset.
    active: String,
    /// Whether `active` applies at the end of the output.
    applied: bool,
}

impl Sanitizer {
    /// Returns a sanitizer that removes colours, too.
    pub fn without_colours() -> Self {
        Self {
            without_colours: true,
            ..Self::default()
        }
    }

    /// Returns the clean text of the next piece. Lines end with `\n`.
    pub fn feed(&mut self, data: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.incomplete);
        bytes.extend_from_slice(data);
        let mut out = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            let mut rest = chunk.valid();
            loop {
                rest = self.plain_text(rest, &mut out);
                let Some(character) = rest.chars().next() else {
                    break;
                };
                self.character(character, &mut out);
                rest = &rest[character.len_utf8()..];
            }
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            if chunks.peek().is_none() && may_go_on(invalid) {
                self.incomplete = invalid.to_vec();
            } else {
                self.character(char::REPLACEMENT_CHARACTER, &mut out);
            }
        }
        out
    }

    /// Returns the text to write before another line interrupts this one: a reset if a colour applies.
    /// The next piece begins with that colour again.
    pub fn interrupt(&mut self) -> &'static str {
        if std::mem::take(&mut self.applied) {
            RESET
        } else {
            ""
        }
    }

    /// Returns whether a colour applies at the end of the output.
    pub fn colour_is_open(&self) -> bool {
        self.applied
    }

    /// Writes the text before the first special character, and returns the rest. Most text has no
    /// special character.
    fn plain_text<'text>(&mut self, text: &'text str, out: &mut String) -> &'text str {
        let is_plain = self.state == State::Text
            && !self.carriage_return
            && (self.applied || self.active.is_empty());
        if !is_plain {
            return text;
        }
        let end = text.find(|c: char| c != '\t' && !is_displayable(c));
        let (plain, rest) = text.split_at(end.unwrap_or(text.len()));
        out.push_str(plain);
        rest
    }

    fn character(&mut self, character: char, out: &mut String) {
        // A line feed ends any sequence, so that an unterminated title does not swallow lines.
        if character == '\n' {
            self.state = State::Text;
            self.carriage_return = false;
            self.end_line(out);
            return;
        }
        match self.state {
            State::Text => self.text(character, out),
            State::Escape => self.escape(character),
            State::EscapeIntermediate => {
                if !matches!(character, '\x20'..='\x2f') {
                    self.state = State::Text;
                }
            }
            State::Control => self.control(character, out),
            State::String => match character {
                '\x07' | '\u{9c}' | '\x18' | '\x1a' => self.state = State::Text,
                '\x1b' => self.state = State::StringEscape,
                _ => {}
            },
            State::StringEscape => {
                self.state = State::Text;
                if character != '\\' {
                    // The string ended without its terminator.
                    self.state = State::Escape;
                    self.escape(character);
                }
            }
        }
    }

    fn text(&mut self, character: char, out: &mut String) {
        match character {
            '\r' => self.carriage_return = true,
            '\x1b' => self.state = State::Escape,
            '\u{9b}' => self.start_control(),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => self.state = State::String,
            '\t' => self.put('\t', out),
            character if is_displayable(character) => self.put(character, out),
            _ => {}
        }
    }

    fn escape(&mut self, character: char) {
        match character {
            '[' => self.start_control(),
            ']' | 'P' | 'X' | '^' | '_' => self.state = State::String,
            '\x20'..='\x2f' => self.state = State::EscapeIntermediate,
            '\x1b' => {}
            _ => self.state = State::Text,
        }
    }

    fn start_control(&mut self) {
        self.state = State::Control;
        self.parameters = Some(String::new());
    }

    fn control(&mut self, character: char, out: &mut String) {
        match character {
            '\x1b' => self.state = State::Escape,
            '\x18' | '\x1a' => self.state = State::Text,
            '0'..='9' | ';' | ':' => {
                if let Some(parameters) = &mut self.parameters {
                    parameters.push(character);
                }
                self.parameters
                    .take_if(|parameters| parameters.len() > LONGEST_COLOUR);
            }
            // Private parameters and intermediate bytes: not a colour.
            '\x20'..='\x3f' => self.parameters = None,
            '\x40'..='\x7e' => {
                self.state = State::Text;
                if character == 'm'
                    && let Some(parameters) = self.parameters.take()
                {
                    self.colour(&parameters, out);
                }
            }
            character if character.is_control() => {}
            // No control sequence contains this character.
            _ => self.state = State::Text,
        }
    }

    fn colour(&mut self, parameters: &str, out: &mut String) {
        if self.without_colours {
            return;
        }
        self.finish_carriage_return(out);
        let sequence = format!("\x1b[{parameters}m");
        let first = parameters.split([';', ':']).next().unwrap_or_default();
        if first.bytes().all(|digit| digit == b'0') {
            // A reset, possibly followed by a new colour.
            self.active.clear();
            let resets_only = parameters
                .bytes()
                .all(|byte| matches!(byte, b'0' | b';' | b':'));
            if !resets_only {
                self.active.push_str(&sequence);
            }
            self.applied = !resets_only;
        } else {
            self.apply(out);
            if self.active.len() + sequence.len() <= MOST_ACTIVE {
                self.active.push_str(&sequence);
            }
            self.applied = true;
        }
        out.push_str(&sequence);
    }

    fn put(&mut self, character: char, out: &mut String) {
        self.finish_carriage_return(out);
        self.apply(out);
        out.push(character);
    }

    /// Applies the colours of the previous line.
    fn apply(&mut self, out: &mut String) {
        if !self.applied && !self.active.is_empty() {
            out.push_str(&self.active);
            self.applied = true;
        }
    }

    fn finish_carriage_return(&mut self, out: &mut String) {
        if std::mem::take(&mut self.carriage_return) {
            self.end_line(out);
        }
    }

    fn end_line(&mut self, out: &mut String) {
        if std::mem::take(&mut self.applied) {
            out.push_str(RESET);
        }
        out.push('\n');
    }
}

/// Returns whether bytes that are not a character could be the beginning of one.
fn may_go_on(bytes: &[u8]) -> bool {
    let length = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return false,
    };
    bytes.len() < length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_and_colours_pass() {
        for (what, input, expected) in [
            ("text", "a\tb ä €\n", "a\tb ä €\n"),
            ("colour", "\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n"),
            (
                "true colour",
                "\x1b[38:2::1:2:3mx\x1b[m\n",
                "\x1b[38:2::1:2:3mx\x1b[m\n",
            ),
            ("title", "a\x1b]0;owned\x07b\n", "ab\n"),
            ("title with ST", "a\x1b]2;owned\x1b\\b\n", "ab\n"),
            ("title without end", "a\x1b]0;rest\nnext\n", "a\nnext\n"),
            ("link", "\x1b]8;;http://x\x07text\x1b]8;;\x07\n", "text\n"),
            ("device string", "a\x1bP1$tx\x1b\\b\n", "ab\n"),
            ("cursor up", "a\x1b[2Ab\n", "ab\n"),
            ("erase", "\x1b[2J\x1b[Ha\x1b[K\n", "a\n"),
            ("private mode", "\x1b[?1049ha\x1b[?25l\n", "a\n"),
            ("key mode looks like a colour", "\x1b[>4;2ma\n", "a\n"),
            ("intermediate", "\x1b[0 qa\n", "a\n"),
            ("save cursor and charset", "\x1b7a\x1b(0b\x1b8\n", "ab\n"),
            ("full reset", "\x1bca\n", "a\n"),
            (
                "bell, backspace, form feed, delete",
                "a\x07\x08\x0c\x7fb\n",
                "ab\n",
            ),
            (
                "8 bit introducers",
                "a\u{9b}2Jb\u{9d}0;t\u{9c}c\u{85}d\n",
                "abcd\n",
            ),
            ("cut sequence", "\x1b[31\x1b[2Jx\n", "x\n"),
            ("cancelled sequence", "\x1b[31\x18x\n", "x\n"),
            ("line feed in a sequence", "\x1b[3\n1mx\n", "\n1mx\n"),
            ("line ends of Windows", "a\r\nb\r\n", "a\nb\n"),
            (
                "invisible characters",
                "a\u{202e}b\u{200d}c\u{2028}d\u{feff}\n",
                "abcd\n",
            ),
            ("progress bar", "1%\r2%\r\r3%\n", "1%\n2%\n3%\n"),
        ] {
            assert_eq!(
                Sanitizer::default().feed(input.as_bytes()),
                expected,
                "{what}"
            );
            // The result does not depend on how the input is split.
            let mut sanitizer = Sanitizer::default();
            let pieces: String = input
                .as_bytes()
                .chunks(1)
                .map(|piece| sanitizer.feed(piece))
                .collect();
            assert_eq!(pieces, expected, "{what}, byte by byte");
        }
    }

    #[test]
    fn colours_end_with_their_line_and_go_on_with_the_next() {
        let mut sanitizer = Sanitizer::default();
        assert_eq!(
            sanitizer.feed(b"\x1b[1m\x1b[31ma\nb\n"),
            "\x1b[1m\x1b[31ma\x1b[0m\n\x1b[1m\x1b[31mb\x1b[0m\n"
        );
        assert!(!sanitizer.colour_is_open());
        assert_eq!(sanitizer.feed(b"c"), "\x1b[1m\x1b[31mc");
        assert!(sanitizer.colour_is_open());
        assert_eq!(sanitizer.feed(b"\x1b[0;32md\n"), "\x1b[0;32md\x1b[0m\n");
        assert_eq!(sanitizer.feed(b"\x1b[0me\n"), "\x1b[0me\n");
        assert_eq!(sanitizer.feed(b"f\n"), "f\n");
    }

    #[test]
    fn a_line_that_is_ended_from_outside_ends_its_colours() {
        let mut sanitizer = Sanitizer::default();
        assert_eq!(sanitizer.feed(b"a"), "a");
        assert_eq!(sanitizer.interrupt(), "");
        assert_eq!(sanitizer.feed(b"\x1b[8mb"), "\x1b[8mb");
        assert_eq!(sanitizer.interrupt(), RESET);
        assert!(!sanitizer.colour_is_open());
        assert_eq!(sanitizer.feed(b"c\n"), "\x1b[8mc\x1b[0m\n");
    }

    #[test]
    fn endless_colours_are_bounded() {
        let mut sanitizer = Sanitizer::default();
        sanitizer.feed("\x1b[31m".repeat(10_000).as_bytes());
        let next = sanitizer.feed(b"\nx");
        assert!(
            next.len() <= RESET.len() + 2 + MOST_ACTIVE,
            "{}",
            next.len()
        );
        let long = format!("\x1b[{}mx", "1;".repeat(100));
        assert_eq!(Sanitizer::default().feed(long.as_bytes()), "x");
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let mut sanitizer = Sanitizer::default();
        assert_eq!(
            sanitizer.feed(b"a\xff\xe2\x82b\x9b2J\n"),
            "a\u{fffd}\u{fffd}b\u{fffd}2J\n"
        );
        assert_eq!(sanitizer.feed(b"\xe2\x82"), "");
        assert_eq!(sanitizer.feed(b"\xac\xf0"), "€");
        assert_eq!(sanitizer.feed(b"\n"), "\u{fffd}\n");
    }
}
