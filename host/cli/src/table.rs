//! Tables, as the Docker CLI draws them: columns at least ten wide, three spaces apart.

const LEAST_WIDTH: usize = 10;
const GAP: usize = 3;

/// Renders rows of equal length; the last column is not filled up.
pub fn render(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count() + GAP)
                .max()
                .unwrap_or(0)
                .max(LEAST_WIDTH)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            text += cell;
            if column + 1 < row.len() {
                let filled = cell.chars().count();
                text.extend(std::iter::repeat_n(' ', widths[column] - filled));
            }
        }
        text.push('\n');
    }
    text
}

/// Renders `Key: value` lines with the values in one column.
pub fn fields(rows: &[(String, String)]) -> String {
    let width = rows
        .iter()
        .map(|(key, _)| key.chars().count() + 2)
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (key, value) in rows {
        let key = format!("{key}:");
        text += format!("{key:<width$}{value}").trim_end();
        text.push('\n');
    }
    text
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
            render(&rows),
            "DRIVER          VOLUME NAME\nlocal           state\na-long-driver   x\n"
        );
        assert_eq!(
            render(&rows[..2]),
            "DRIVER    VOLUME NAME\nlocal     state\n"
        );
    }

    #[test]
    fn values_line_up() {
        let rows = [
            ("Name".to_owned(), "b".to_owned()),
            ("Last Activity".to_owned(), "now".to_owned()),
        ];
        assert_eq!(fields(&rows), "Name:          b\nLast Activity: now\n");
    }
}
