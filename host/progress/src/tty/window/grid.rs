//! The characters of a window, and the sequences that change them.

use std::collections::VecDeque;

use iechor_text::is_displayable;
use unicode_width::UnicodeWidthChar as _;
use vte::{Params, Perform};

/// Distance of tab stops.
const TAB: usize = 8;

/// Maximum size of the marks that are combined with a character, in bytes.
const MOST_MARKS: usize = 16;

/// A character with its marks. The right half of a wide character has the character `\0`.
#[derive(Debug, Clone)]
struct Cell {
    character: char,
    marks: String,
}

const RIGHT_HALF: char = '\0';

impl Cell {
    fn of(character: char) -> Self {
        Self {
            character,
            marks: String::new(),
        }
    }
}

/// A position, from 0.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    /// Row; the number of rows if the next character scrolls.
    row: usize,
    /// Column; the number of columns if the next character wraps.
    column: usize,
}

/// The screen of a window.
///
/// Unlike a terminal, it does not scroll before a character is written below its last row: so the last row
/// is not empty when a line has ended.
#[derive(Debug)]
pub(super) struct Grid {
    rows: VecDeque<Vec<Cell>>,
    columns: usize,
    cursor: Position,
    saved: Position,
    events: u64,
}

impl Grid {
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        Self {
            rows: (0..rows).map(|_| blank(columns)).collect(),
            columns,
            cursor: Position::default(),
            saved: Position::default(),
            events: 0,
        }
    }

    /// Returns the number of characters and sequences so far.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Returns the number of characters that there is space for.
    pub(super) fn cells(&self) -> usize {
        self.rows.len() * self.columns
    }

    /// Returns the text of each row, without spaces at its end.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.rows.iter().map(|row| {
            let mut line = String::new();
            for cell in row.iter().filter(|cell| cell.character != RIGHT_HALF) {
                line.push(cell.character);
                line.push_str(&cell.marks);
            }
            line.truncate(line.trim_end_matches(' ').len());
            line
        })
    }

    /// Changes the size. The last rows stay.
    pub(super) fn resize(&mut self, rows: usize, columns: usize) {
        while self.rows.len() > rows {
            // Empty rows below the cursor go first.
            if self.cursor.row + 1 < self.rows.len() {
                self.rows.pop_back();
            } else {
                self.scroll();
                self.rows.pop_back();
                self.cursor.row = self.cursor.row.saturating_sub(1);
            }
        }
        self.columns = columns;
        for row in &mut self.rows {
            row.resize(columns, Cell::of(' '));
            halves(row);
        }
        while self.rows.len() < rows {
            self.rows.push_back(blank(columns));
        }
        self.cursor.column = self.cursor.column.min(columns);
        self.cursor.row = self.cursor.row.min(rows);
        self.saved = Position::default();
    }

    /// Goes to the beginning of the next line.
    pub(super) fn line_feed(&mut self) {
        self.cursor.column = 0;
        self.cursor.row = (self.cursor.row + 1).min(self.rows.len());
    }

    fn scroll(&mut self) {
        self.rows.pop_front();
        self.rows.push_back(blank(self.columns));
    }

    fn put(&mut self, character: char, width: usize) {
        if self.cursor.column + width > self.columns {
            self.line_feed();
        }
        if self.cursor.row >= self.rows.len() {
            self.scroll();
            self.cursor.row = self.rows.len() - 1;
        }
        let Position { row, column } = self.cursor;
        let row = &mut self.rows[row];
        // The window may be narrower than a wide character.
        if column + width <= row.len() {
            // The other half of a wide character that is overwritten in part is left empty.
            if row[column].character == RIGHT_HALF && column > 0 {
                row[column - 1] = Cell::of(' ');
            }
            if let Some(next) = row.get_mut(column + width)
                && next.character == RIGHT_HALF
            {
                *next = Cell::of(' ');
            }
            row[column] = Cell::of(character);
            if width == 2 {
                row[column + 1] = Cell::of(RIGHT_HALF);
            }
            self.cursor.column += width;
        }
    }

    /// Adds a mark to the character before the cursor.
    fn mark(&mut self, mark: char) {
        let Position { row, column } = self.cursor;
        let Some(row) = self.rows.get_mut(row) else {
            return;
        };
        let before = row[..column].iter_mut().rev();
        let cell = before.into_iter().find(|cell| cell.character != RIGHT_HALF);
        if let Some(cell) = cell
            && cell.marks.len() + mark.len_utf8() <= MOST_MARKS
        {
            cell.marks.push(mark);
        }
    }

    fn erase(&mut self, row: usize, columns: std::ops::Range<usize>) {
        let Some(row) = self.rows.get_mut(row) else {
            return;
        };
        for cell in row.iter_mut().take(columns.end).skip(columns.start) {
            *cell = Cell::of(' ');
        }
        halves(row);
    }

    /// Erases a part of the row of the cursor: from the cursor on (0), up to it (1), or all of it (2).
    fn erase_in_row(&mut self, part: usize) {
        let Position { row, column } = self.cursor;
        match part {
            0 => self.erase(row, column..self.columns),
            1 => self.erase(row, 0..column + 1),
            2 => self.erase(row, 0..self.columns),
            _ => {}
        }
    }

    /// Erases a part of the window: from the cursor on (0), up to it (1), or all of it.
    fn erase_in_window(&mut self, part: usize) {
        let rows = match part {
            0 => self.cursor.row + 1..self.rows.len(),
            1 => 0..self.cursor.row.min(self.rows.len()),
            2 | 3 => 0..self.rows.len(),
            _ => return,
        };
        for row in rows {
            self.erase(row, 0..self.columns);
        }
        if part < 2 {
            self.erase_in_row(part);
        }
    }

    /// Moves the cursor to a position within the window.
    fn go(&mut self, row: usize, column: usize) {
        self.cursor = Position {
            row: row.min(self.rows.len() - 1),
            column: column.min(self.columns - 1),
        };
    }
}

impl Perform for Grid {
    fn print(&mut self, character: char) {
        self.events += 1;
        if !is_displayable(character) {
            return;
        }
        match character.width() {
            Some(0) => self.mark(character),
            width => self.put(character, width.unwrap_or(1)),
        }
    }

    fn execute(&mut self, byte: u8) {
        self.events += 1;
        match byte {
            b'\r' => self.cursor.column = 0,
            b'\x08' => self.cursor.column = self.cursor.column.saturating_sub(1),
            b'\t' => {
                let next = (self.cursor.column / TAB + 1) * TAB;
                self.cursor.column = next.min(self.columns - 1).max(self.cursor.column);
            }
            // Vertical tab and form feed move down like a line feed.
            b'\n' | b'\x0b' | b'\x0c' => self.line_feed(),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, parameters: &Params, marks: &[u8], _: bool, action: char) {
        self.events += 1;
        if !marks.is_empty() {
            return;
        }
        let parameter = |number: usize| {
            let value = parameters.iter().nth(number);
            value
                .and_then(|value| value.first())
                .map_or(0, |value| usize::from(*value))
        };
        let count = parameter(0).max(1);
        let Position { row, column } = self.cursor;
        match action {
            'A' => self.cursor.row = row.saturating_sub(count),
            'B' => self.cursor.row = (row + count).min((self.rows.len() - 1).max(row)),
            'C' => self.cursor.column = (column + count).min((self.columns - 1).max(column)),
            'D' => self.cursor.column = column.saturating_sub(count),
            'E' => self.go(row + count, 0),
            'F' => self.go(row.saturating_sub(count), 0),
            'G' | '`' => self.cursor.column = (count - 1).min(self.columns - 1),
            'd' => self.go(count - 1, column),
            'H' | 'f' => self.go(count - 1, parameter(1).max(1) - 1),
            'J' => self.erase_in_window(parameter(0)),
            'K' => self.erase_in_row(parameter(0)),
            'X' => self.erase(row, column..column + count),
            's' => self.saved = self.cursor,
            'u' => self.cursor = self.saved,
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, marks: &[u8], _: bool, byte: u8) {
        self.events += 1;
        match byte {
            b'7' if marks.is_empty() => self.saved = self.cursor,
            b'8' if marks.is_empty() => self.cursor = self.saved,
            _ => {}
        }
    }

    fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
        self.events += 1;
    }
}

/// Returns a row without text.
fn blank(columns: usize) -> Vec<Cell> {
    vec![Cell::of(' '); columns]
}

/// Replaces halves of wide characters by spaces.
fn halves(row: &mut [Cell]) {
    for column in 0..row.len() {
        let is_wide = |cell: &Cell| cell.character.width() == Some(2);
        let lacks_right = is_wide(&row[column])
            && row
                .get(column + 1)
                .is_none_or(|cell| cell.character != RIGHT_HALF);
        let lacks_left =
            row[column].character == RIGHT_HALF && (column == 0 || !is_wide(&row[column - 1]));
        if lacks_right || lacks_left {
            row[column] = Cell::of(' ');
        }
    }
}
