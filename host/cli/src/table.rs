//! Tables as in the Docker CLI: columns at least ten characters wide, three spaces apart.

use iechor_text::{clean_line, unmarked};

use crate::text::Text;

const LEAST_WIDTH: usize = 10;
const GAP: usize = 3;

/// Maximum length of a cell or a value, in characters.
const LONGEST_CELL: usize = 4 << 10;

/// Maximum width of a column, in characters. A longer cell moves the cells after it; otherwise one
/// cell would multiply the size of the whole table.
const MOST_WIDTH: usize = 200;

/// Renders rows of equal length. The last column is not padded.
pub fn render(rows: &[Vec<String>]) -> Text {
    let clean = |cell: &String| clean_line(cell, LONGEST_CELL);
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(clean).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count() + GAP)
                .max()
                .unwrap_or(0)
                .clamp(LEAST_WIDTH, MOST_WIDTH)
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line += cell;
            if column + 1 < row.len() {
                let filled = cell.chars().count();
                let missing = widths[column].saturating_sub(filled).max(GAP);
                line.extend(std::iter::repeat_n(' ', missing));
            }
        }
        text += &unmarked(&line);
        text.push('\n');
    }
    Text::prepared(text)
}

/// Renders `Key: value` lines with the values in one column.
pub fn fields(rows: &[(String, String)]) -> Text {
    let rows: Vec<_> = rows
        .iter()
        .map(|(key, value)| {
            let clean = |text: &str| clean_line(text, LONGEST_CELL);
            (clean(key) + ":", clean(value))
        })
        .collect();
    let width = rows
        .iter()
        .map(|(key, _)| key.chars().count() + 1)
        .max()
        .unwrap_or(0)
        .min(MOST_WIDTH);
    let mut text = String::new();
    for (key, value) in rows {
        text += format!("{key:<width$}{value}").trim_end();
        text.push('\n');
    }
    Text::prepared(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["DRIVER", "VOLUME NAME"],
            vec!["local", "state"],
            vec!["a-long-driver", "x"],
        ];
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
            .collect();
        assert_eq!(
            render(&rows).as_str(),
            "DRIVER          VOLUME NAME\nlocal           state\na-long-driver   x\n"
        );
        assert_eq!(
            render(&rows[..2]).as_str(),
            "DRIVER    VOLUME NAME\nlocal     state\n"
        );
    }

    #[test]
    fn values_line_up() {
        let rows = [
            ("Name".to_owned(), "b".to_owned()),
            ("Last Activity".to_owned(), "now".to_owned()),
        ];
        assert_eq!(
            fields(&rows).as_str(),
            "Name:          b\nLast Activity: now\n"
        );
    }

    #[test]
    fn a_cell_stays_in_its_row() {
        let row = |first: &str, second: &str| vec![first.to_owned(), second.to_owned()];
        let rows = [
            row("ERROR: a", "1\nERROR: x\x1b[2J"),
            row("b\u{202e}", "\thint: y\u{9b}m"),
        ];
        assert_eq!(
            render(&rows).as_str(),
            " ERROR: a   1 ERROR: x\nb           hint: y\n"
        );
        let rows = [("Label\n#1".to_owned(), "1\r\nWARNING: x".to_owned())];
        assert_eq!(fields(&rows).as_str(), "Label #1: 1 WARNING: x\n");
    }

    #[test]
    fn one_long_cell_does_not_multiply_the_table() {
        let mut rows = vec![vec!["x".repeat(1 << 20); 3]];
        rows.extend(vec![vec!["x".to_owned(); 3]; 1000]);
        let text = render(&rows);
        let lengths: Vec<_> = text.as_str().lines().map(str::len).collect();
        assert!(lengths[0] < 3 * LONGEST_CELL + 20, "{}", lengths[0]);
        assert_eq!(lengths[1], 2 * MOST_WIDTH + 1);
    }
}
