//! The output of vertexes that may still fail. It is printed at the end for those that do.

use std::collections::{BTreeMap, VecDeque};

/// Maximum size of the output that is kept, in bytes.
const MOST: usize = 8 << 20;

/// Size of a line without its text, in bytes.
const LINE: usize = 32;

/// The output of vertexes, by line.
#[derive(Debug, Default)]
pub(super) struct Logs {
    lines: BTreeMap<usize, VecDeque<String>>,
    bytes: usize,
}

impl Logs {
    /// Adds lines of a vertex.
    pub(super) fn add(&mut self, index: usize, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        self.bytes += lines.iter().map(|line| LINE + line.len()).sum::<usize>();
        self.lines.entry(index).or_default().extend(lines);
        while self.bytes > MOST {
            self.halve();
        }
    }

    /// Drops the output of a vertex.
    pub(super) fn forget(&mut self, index: usize) {
        let lines = self.lines.remove(&index).unwrap_or_default();
        self.bytes -= lines.iter().map(|line| LINE + line.len()).sum::<usize>();
    }

    /// Returns the lines of a vertex.
    pub(super) fn lines(&self, index: usize) -> impl Iterator<Item = &str> {
        let lines = self.lines.get(&index).into_iter().flatten();
        lines.map(String::as_str)
    }

    /// Drops the older half of the lines of each vertex.
    fn halve(&mut self) {
        let mut bytes = self.bytes;
        self.lines.retain(|_, lines| {
            let half = lines.len().div_ceil(2);
            bytes -= lines
                .drain(..half)
                .map(|line| LINE + line.len())
                .sum::<usize>();
            lines.shrink_to_fit();
            !lines.is_empty()
        });
        self.bytes = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_of_each_vertex_stay() {
        let mut logs = Logs::default();
        for number in 0..20_000 {
            for index in [1, 2] {
                logs.add(index, vec![format!("{number} {}", "x".repeat(1_000))]);
                assert!(logs.bytes <= MOST);
            }
        }
        for index in [1, 2] {
            let lines: Vec<&str> = logs.lines(index).collect();
            assert!(lines.len() > 1_000, "{}", lines.len());
            assert!(lines[lines.len() - 1].starts_with("19999 "));
            logs.forget(index);
        }
        assert_eq!(logs.bytes, 0);
        assert_eq!(logs.lines(1).count(), 0);
    }
}
