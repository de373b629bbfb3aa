//! The windows with the last lines of the output of running vertexes.
//!
//! A window is a small terminal, so that programs which rewrite their lines, such as progress bars, look as
//! they should. It understands what such programs use: carriage returns, moving the cursor, erasing.
//! Everything else a terminal understands has no effect. Only the text of a window is shown.

mod grid;

use std::collections::BTreeMap;

use vte::Parser;

use crate::output::Size;
use grid::Grid;

/// Minimum number of lines of a window, and the number if no other one is set.
const LEAST_ROWS: usize = 6;

/// Maximum number of lines of a window.
const MOST_ROWS: usize = 200;

/// Columns of the terminal that a window does not use.
const MARGIN: usize = 10;

/// Maximum number of columns of a window.
const MOST_COLUMNS: usize = 1_000;

/// Maximum number of characters in all windows.
const MOST_CELLS: usize = 200_000;

/// Amount of output, in bytes, that counts as much as having been shown once.
const SHOWN: u64 = 50;

/// Maximum length of a sequence, in bytes. A longer one is dropped.
const LONGEST_SEQUENCE: usize = 4 << 10;

/// Minimum size of the output that is examined at once, in bytes.
const LEAST_AT_ONCE: usize = 4 << 10;

/// Size of the output that is examined at once, in bytes for each character of the window. Most of it may be
/// sequences.
const AT_ONCE: usize = 4;

/// The windows of a display.
#[derive(Debug)]
pub(super) struct Windows {
    windows: BTreeMap<usize, Window>,
    /// Requested number of lines.
    requested: usize,
    rows: usize,
    columns: usize,
}

impl Windows {
    pub(super) fn new(rows: Option<usize>) -> Self {
        let mut windows = Self {
            windows: BTreeMap::new(),
            requested: rows.unwrap_or(LEAST_ROWS).min(MOST_ROWS),
            rows: LEAST_ROWS,
            columns: 1,
        };
        windows.resize(Size::default());
        windows
    }

    /// Returns the number of lines of a window.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adapts the windows to the size of the terminal.
    pub(super) fn resize(&mut self, size: Size) {
        let space = size.height.saturating_sub(LEAST_ROWS + 1);
        let rows = self.requested.min(space).max(LEAST_ROWS);
        let columns = size.width.saturating_sub(MARGIN).clamp(1, MOST_COLUMNS);
        if (rows, columns) != (self.rows, self.columns) {
            (self.rows, self.columns) = (rows, columns);
            for window in self.windows.values_mut() {
                window.grid.resize(rows, columns);
            }
            self.bound();
        }
    }

    /// Adds output of a vertex.
    pub(super) fn feed(&mut self, index: usize, data: &[u8], size: Size) {
        self.resize(size);
        let (rows, columns) = (self.rows, self.columns);
        let window = self
            .windows
            .entry(index)
            .or_insert_with(|| Window::new(rows, columns));
        window.feed(data);
        self.bound();
    }

    /// Drops the window of a vertex.
    pub(super) fn close(&mut self, index: usize) {
        self.windows.remove(&index);
    }

    /// Returns whether a vertex has a window.
    pub(super) fn has(&self, index: usize) -> bool {
        self.windows.contains_key(&index)
    }

    /// Returns how much a window deserves to be shown: it has much output, or has been shown already.
    pub(super) fn weight(&self, index: usize) -> u64 {
        let window = self.windows.get(&index);
        window.map_or(0, |window| window.bytes + window.shown * SHOWN)
    }

    /// Notes that a window was shown.
    pub(super) fn was_shown(&mut self, index: usize) {
        if let Some(window) = self.windows.get_mut(&index) {
            window.shown += 1;
        }
    }

    /// Returns the lines of a window that are not empty.
    pub(super) fn lines(&self, index: usize) -> impl Iterator<Item = String> {
        let window = self.windows.get(&index);
        let lines = window.into_iter().flat_map(|window| window.grid.lines());
        lines.filter(|line| !line.is_empty())
    }

    /// Drops the oldest windows if there are too many.
    fn bound(&mut self) {
        let most = (MOST_CELLS / (self.rows * self.columns)).max(1);
        while self.windows.len() > most {
            self.windows.pop_first();
        }
    }
}

/// Returns the end of a piece of output, from the beginning of a line on. What comes long before it is no
/// longer visible in a window of so many characters.
fn visible(data: &[u8], cells: usize) -> &[u8] {
    let most = (cells * AT_ONCE).max(LEAST_AT_ONCE);
    let Some(start) = data.len().checked_sub(most) else {
        return data;
    };
    let end = &data[start..];
    let line = end.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    &end[line.unwrap_or(0)..]
}

/// The window of a vertex.
struct Window {
    parser: Parser,
    grid: Grid,
    /// Bytes since the parser was last between two sequences.
    pending: usize,
    /// Size of the output so far, in bytes.
    bytes: u64,
    /// Number of frames that the window was shown in.
    shown: u64,
}

impl std::fmt::Debug for Window {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Window")
    }
}

impl Window {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            parser: Parser::new(),
            grid: Grid::new(rows, columns),
            pending: 0,
            bytes: 0,
            shown: 0,
        }
    }

    fn feed(&mut self, data: &[u8]) {
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        let data = visible(data, self.grid.cells());
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            for piece in text.chunks(LONGEST_SEQUENCE) {
                let before = self.grid.events();
                self.parser.advance(&mut self.grid, piece);
                self.pending = match self.grid.events() == before {
                    true => self.pending + piece.len(),
                    false => piece.len(),
                };
                if self.pending > LONGEST_SEQUENCE {
                    self.restart();
                }
            }
            if text.len() < line.len() {
                // A line feed ends any sequence, so that an unterminated title does not swallow lines.
                self.restart();
                self.grid.line_feed();
            }
        }
    }

    /// Drops a sequence that has not ended.
    fn restart(&mut self) {
        if self.pending > 0 {
            self.parser = Parser::new();
            self.pending = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 30,
        height: 24,
    };

    fn shown(data: impl AsRef<[u8]>) -> Vec<String> {
        let mut windows = Windows::new(None);
        windows.feed(0, data.as_ref(), SIZE);
        windows.lines(0).collect()
    }

    #[test]
    fn a_window_is_a_terminal_as_far_as_programs_need_it() {
        for (what, data, expected) in [
            ("lines", "a\nb\n", vec!["a", "b"]),
            (
                "the last six lines",
                "1\n2\n3\n4\n5\n6\n7\n8\n",
                vec!["3", "4", "5", "6", "7", "8"],
            ),
            ("empty lines are left out", "a\n\n\nb\n", vec!["a", "b"]),
            (
                "a long line wraps",
                "0123456789012345678901234\n",
                vec!["01234567890123456789", "01234"],
            ),
            ("a progress bar", "10%\r20%\r100%\n", vec!["100%"]),
            ("a bar that gets shorter", "100%\r9%\x1b[K\n", vec!["9%"]),
            (
                "a full line is still the same line",
                "01234567890123456789\rx\n",
                vec!["x1234567890123456789"],
            ),
            (
                "several bars",
                "a 1\nb 1\n\x1b[2Aa 2\nb 2\n",
                vec!["a 2", "b 2"],
            ),
            (
                "bars at the bottom",
                "1\n2\n3\n4\n5\na 1\nb 1\n\x1b[2Aa 2\nb 2\n",
                vec!["2", "3", "4", "5", "a 2", "b 2"],
            ),
            ("backspaces", "a|\x08/\x08-\n", vec!["a-"]),
            (
                "colours and titles",
                "\x1b[31mred\x1b[0m\x1b]0;title\x07!\n",
                vec!["red!"],
            ),
            (
                "a title without end",
                "a\x1b]0;rest\nnext\n",
                vec!["a", "next"],
            ),
            ("everything is erased", "a\nb\x1b[2J\x1b[Hc\n", vec!["c"]),
            ("erased to the left", "abc\x1b[1Kd\n", vec!["   d"]),
            ("columns", "abc\x1b[2Gx\x1b[5Gy\n", vec!["axc y"]),
            ("tabs", "a\tb\n", vec!["a       b"]),
            ("saved cursor", "ab\x1b7cd\x1b8x\n", vec!["abxd"]),
            ("wide characters", "日本語\n", vec!["日本語"]),
            ("half of one is overwritten", "日本\x1b[2Gx\n", vec![" x本"]),
            (
                "a wide character does not fit",
                "0123456789012345678日\n",
                vec!["0123456789012345678", "日"],
            ),
            ("marks", "e\u{301}x\n", vec!["e\u{301}x"]),
            (
                "invisible characters",
                "a\u{202e}b\u{200b}c\u{9b}d\n",
                vec!["abcd"],
            ),
            ("lines of Windows", "a\r\nb\r\n", vec!["a", "b"]),
        ] {
            assert_eq!(shown(data), expected, "{what}");
            // The result does not depend on how the output arrives.
            let mut windows = Windows::new(None);
            for byte in data.as_bytes() {
                windows.feed(0, &[*byte], SIZE);
            }
            assert_eq!(
                windows.lines(0).collect::<Vec<_>>(),
                expected,
                "{what}, by bytes"
            );
        }
    }

    #[test]
    fn a_window_follows_the_size_of_the_terminal() {
        let mut windows = Windows::new(Some(8));
        let rows = |height| Size { width: 30, height };
        windows.feed(0, b"1\n2\n3\n4\n5\n6\n7\n8\n9\n", rows(24));
        assert_eq!(windows.lines(0).collect::<String>(), "23456789");
        // At least six.
        windows.resize(rows(9));
        assert_eq!(windows.lines(0).collect::<String>(), "456789");
        windows.resize(rows(24));
        windows.feed(0, b"10\n", rows(24));
        assert_eq!(windows.lines(0).collect::<String>(), "45678910");
        windows.feed(0, b"abcdefghij\n", rows(24));
        windows.resize(Size {
            width: 14,
            height: 24,
        });
        assert!(windows.lines(0).any(|line| line == "abcd"));
    }

    #[test]
    fn of_much_output_the_end_is_shown() {
        let data: String = (0..100_000)
            .map(|number| format!("line {number}\n"))
            .collect();
        let expected: Vec<_> = (99_994..100_000)
            .map(|number| format!("line {number}"))
            .collect();
        assert_eq!(shown(data), expected);
        // A line without an end fills the window.
        assert_eq!(shown("x".repeat(100_000))[..5], vec!["x".repeat(20); 5]);
    }

    #[test]
    fn endless_sequences_are_bounded() {
        let mut windows = Windows::new(None);
        for start in ["\x1b]0;", "\x1bP", "\x1b["] {
            windows.feed(0, start.as_bytes(), SIZE);
            for _ in 0..100 {
                windows.feed(0, &[b'1'; 1000], SIZE);
                assert!(windows.windows[&0].pending <= LONGEST_SEQUENCE);
            }
        }
        windows.feed(0, b"\nend\n", SIZE);
        assert_eq!(windows.lines(0).last().as_deref(), Some("end"));
    }

    #[test]
    fn the_oldest_of_many_windows_is_dropped() {
        let mut windows = Windows::new(None);
        for index in 0..10_000 {
            windows.feed(index, b"x", SIZE);
        }
        assert_eq!(windows.windows.len(), MOST_CELLS / (6 * 20));
        assert!(windows.has(9_999) && !windows.has(0));
    }
}
