//! The paths of entries by number, stored compactly: a tree of names in one arena.

use crate::name::shown;

/// Bit in `parents`: the content may still be requested.
const REQUESTABLE: u32 = 1 << 31;
/// Value in place of a parent: the entry is directly below the root.
const ROOT: u32 = REQUESTABLE - 1;

/// The table cannot number or store another entry.
#[derive(Debug, thiserror::Error)]
#[error("cannot add `{name}`: a transfer has at most {limit} {things}")]
pub struct TableFull {
    name: String,
    limit: u32,
    things: &'static str,
}

/// The entries by number. An entry needs its name and eight bytes.
#[derive(Debug)]
pub(crate) struct PathTable {
    most_entries: u32,
    most_names: u32,
    names: Vec<u8>,
    /// End of the name of each entry in `names`. It begins at the end of the name before.
    ends: Vec<u32>,
    /// Number of the directory of each entry, and the bit [`REQUESTABLE`].
    parents: Vec<u32>,
}

impl Default for PathTable {
    fn default() -> Self {
        Self::new(ROOT, u32::MAX)
    }
}

impl PathTable {
    /// Creates a table with space for a number of entries, and for names of a number of bytes.
    pub(crate) fn new(most_entries: u32, most_names: u32) -> Self {
        Self {
            most_entries: most_entries.min(ROOT),
            most_names,
            names: Vec::new(),
            ends: Vec::new(),
            parents: Vec::new(),
        }
    }

    /// Adds the next entry and returns its number.
    pub(crate) fn push(
        &mut self,
        parent: Option<u32>,
        name: &[u8],
        requestable: bool,
    ) -> Result<u32, TableFull> {
        let full = |limit, things| TableFull {
            name: shown(name),
            limit,
            things,
        };
        let id = u32::try_from(self.ends.len())
            .ok()
            .filter(|id| *id < self.most_entries)
            .ok_or_else(|| full(self.most_entries, "entries"))?;
        let end = u32::try_from(self.names.len() + name.len())
            .ok()
            .filter(|end| *end <= self.most_names)
            .ok_or_else(|| full(self.most_names, "bytes of names"))?;
        self.names.extend_from_slice(name);
        self.ends.push(end);
        let flag = if requestable { REQUESTABLE } else { 0 };
        self.parents.push(parent.unwrap_or(ROOT) | flag);
        Ok(id)
    }

    /// Marks the content of an entry as requested. Returns false if there is no such entry, it has
    /// no content, or it was requested before.
    pub(crate) fn take_request(&mut self, id: u32) -> bool {
        match self.parents.get_mut(id as usize) {
            Some(parent) if *parent & REQUESTABLE != 0 => {
                *parent &= !REQUESTABLE;
                true
            }
            _ => false,
        }
    }

    /// Returns the directory of an entry, or `None` for the root.
    pub(crate) fn parent(&self, id: u32) -> Option<u32> {
        let parent = self.parents[id as usize] & !REQUESTABLE;
        (parent != ROOT).then_some(parent)
    }

    /// Returns the last part of an entry's path.
    pub(crate) fn name(&self, id: u32) -> &[u8] {
        let index = id as usize;
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1] as usize
        };
        &self.names[start..self.ends[index] as usize]
    }

    /// Writes the path of an entry into `path`.
    pub(crate) fn path(&self, id: u32, path: &mut Vec<u8>) {
        path.clear();
        let mut length = 0;
        let mut next = Some(id);
        while let Some(id) = next {
            length += self.name(id).len() + 1;
            next = self.parent(id);
        }
        path.resize(length - 1, b'/');
        let mut end = length - 1;
        let mut next = Some(id);
        while let Some(id) = next {
            let name = self.name(id);
            path[end - name.len()..end].copy_from_slice(name);
            end = (end - name.len()).saturating_sub(1);
            next = self.parent(id);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        let mut table = PathTable::default();
        let dir = table.push(None, b"dir", false).unwrap();
        let sub = table.push(Some(dir), b"sub", false).unwrap();
        let file = table.push(Some(sub), b"\xff", true).unwrap();
        let last = table.push(None, b"last", true).unwrap();
        let mut path = b"old".to_vec();
        for (id, expected) in [
            (dir, &b"dir"[..]),
            (sub, b"dir/sub"),
            (file, b"dir/sub/\xff"),
            (last, b"last"),
        ] {
            table.path(id, &mut path);
            assert_eq!(path, expected);
        }
    }

    #[test]
    fn content_is_requested_once() {
        let mut table = PathTable::default();
        let dir = table.push(None, b"dir", false).unwrap();
        let file = table.push(Some(dir), b"file", true).unwrap();
        assert!(!table.take_request(dir));
        assert!(!table.take_request(7));
        assert!(table.take_request(file));
        assert!(!table.take_request(file));
        assert_eq!(table.parent(file), Some(dir));
    }
}
