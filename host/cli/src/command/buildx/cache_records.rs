//! Records of a cache as text, in the formats of docker buildx.

use iechor_builder::view::CacheRecord;
use iechor_text::{clean_line, unmarked};
use iechor_values::size;

use crate::table;
use crate::text::Text;

/// The header of a list.
const HEADER: [&str; 4] = ["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED"];

/// Maximum length of a cell of a row, in characters.
const LONGEST_CELL: usize = 200;

/// Returns the cells of a record in a list. Stars mark what may change, and what is shared.
fn cells(record: &CacheRecord) -> [String; 4] {
    let star = |is_marked| if is_marked { "*" } else { "" };
    [
        format!("{}{}", record.id, star(record.mutable)),
        record.reclaimable.to_string(),
        format!("{}{}", record.size, star(record.shared)),
        record.last_used_at.clone(),
    ]
}

/// Returns the records as a table.
pub fn table(records: &[CacheRecord]) -> Text {
    let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
    rows.extend(records.iter().map(|record| cells(record).to_vec()));
    table::render(&rows).without_trailing_spaces()
}

/// Returns the header of a list that grows while records are removed.
pub fn growing_header() -> Text {
    let [id, reclaimable, size, last_accessed] = HEADER;
    let line = format!("{id}\t\t\t\t\t\t{reclaimable}\t{size}\t\t{last_accessed}\n");
    Text::prepared(line)
}

/// Returns the row of a record below [`growing_header`]. As in docker buildx, tabs separate the cells.
pub fn growing_row(record: &CacheRecord) -> Text {
    let [id, reclaimable, size, last_accessed] =
        cells(record).map(|cell| clean_line(&cell, LONGEST_CELL));
    let line = format!("{id:<40}\t{reclaimable:<5}\t\t{size:<10}\t{last_accessed}");
    Text::prepared(format!("{}\n", unmarked(line.trim_end())))
}

/// Returns all fields of a record, and an empty line after them.
pub fn pretty(record: &CacheRecord) -> Text {
    let mut text = Text::default();
    let mut line = |key: &str, value: &str| text.line(&format!("{:<14}{value}", format!("{key}:")));
    line("ID", &record.id);
    if !record.parents.is_empty() {
        line("Parents", "");
        for parent in &record.parents {
            text.line(&format!(" - {parent}"));
        }
    }
    let mut line = |key: &str, value: &str| text.line(&format!("{:<14}{value}", format!("{key}:")));
    line("Created at", &record.created_at);
    line("Mutable", &record.mutable.to_string());
    line("Reclaimable", &record.reclaimable.to_string());
    line("Shared", &record.shared.to_string());
    line("Size", &record.size);
    if !record.description.is_empty() {
        line("Description", &record.description);
    }
    line("Usage count", &record.usage_count.to_string());
    if !record.last_used_at.is_empty() {
        line("Last used", &record.last_used_at);
    }
    if !record.r#type.is_empty() {
        line("Type", &record.r#type);
    }
    text.line("");
    text.without_trailing_spaces()
}

/// Returns the sizes of all records together.
pub fn summary(records: &[CacheRecord]) -> Text {
    let sum = |counts: fn(&CacheRecord) -> bool| -> i64 {
        let counted = records.iter().filter(|record| counts(record));
        counted.fold(0, |sum: i64, record| {
            sum.saturating_add(record.bytes.max(0))
        })
    };
    let total = sum(|_| true);
    let shared = sum(|record| record.shared);
    let mut lines = String::new();
    if shared > 0 {
        lines += &format!("Shared:\t\t{}\n", size::human(shared));
        lines += &format!("Private:\t{}\n", size::human(total - shared));
    }
    let reclaimable = sum(|record| record.reclaimable);
    lines += &format!("Reclaimable:\t{}\n", size::human(reclaimable));
    lines += &format!("Total:\t\t{}\n", size::human(total));
    Text::prepared(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, bytes: i64) -> CacheRecord {
        CacheRecord {
            id: id.into(),
            node: "b0".into(),
            parents: Vec::new(),
            created_at: "2026-11-30 03:52:54.6 +0000 UTC".into(),
            created: "2026-11-30T03:52:54.6Z".into(),
            mutable: false,
            reclaimable: true,
            shared: false,
            size: size::human(bytes),
            bytes,
            description: "[1/1] COPY . .".into(),
            usage_count: 1,
            last_used_at: "2 hours ago".into(),
            last_used: None,
            r#type: "regular".into(),
        }
    }

    #[test]
    fn lists_are_those_of_the_peer() {
        let mut shared = record("b3ngbkabu57wb4w387uii1rn2", 8192);
        (shared.mutable, shared.shared) = (true, true);
        assert_eq!(
            table(std::slice::from_ref(&shared)).as_str(),
            "ID                           RECLAIMABLE   SIZE       LAST ACCESSED\n\
             b3ngbkabu57wb4w387uii1rn2*   true          8.192kB*   2 hours ago\n"
        );
        assert_eq!(
            table(&[]).as_str(),
            "ID        RECLAIMABLE   SIZE      LAST ACCESSED\n"
        );
        assert_eq!(
            growing_row(&shared).as_str(),
            format!(
                "{:<40}\ttrue \t\t8.192kB*  \t2 hours ago\n",
                "b3ngbkabu57wb4w387uii1rn2*"
            )
        );
    }

    #[test]
    fn a_record_in_full() {
        let mut record = record("x", 4096);
        record.parents = vec!["p".into(), "q".into()];
        record.last_used_at = String::new();
        assert_eq!(
            pretty(&record).as_str(),
            "ID:           x\nParents:\n - p\n - q\nCreated at:   2026-11-30 03:52:54.6 +0000 UTC\n\
             Mutable:      false\nReclaimable:  true\nShared:       false\nSize:         4.096kB\n\
             Description:  [1/1] COPY . .\nUsage count:  1\nType:         regular\n\n"
        );
    }

    #[test]
    fn sizes_are_added_up() {
        let mut busy = record("a", 1000);
        busy.reclaimable = false;
        assert_eq!(
            summary(&[busy.clone(), record("b", 500), record("c", -1)]).as_str(),
            "Reclaimable:\t500B\nTotal:\t\t1.5kB\n"
        );
        busy.shared = true;
        assert_eq!(
            summary(&[busy, record("b", 500)]).as_str(),
            "Shared:\t\t1kB\nPrivate:\t500B\nReclaimable:\t500B\nTotal:\t\t1.5kB\n"
        );
    }

    #[test]
    fn foreign_text_stays_in_its_cell() {
        let mut hostile = record("x\nERROR: y\tz\x1b[2J", 1);
        hostile.description = "a\nhint: b".into();
        for text in [growing_row(&hostile), pretty(&hostile)] {
            for line in text.as_str().lines() {
                assert!(
                    !line.starts_with("ERROR") && !line.starts_with("hint"),
                    "{line}"
                );
            }
        }
        assert_eq!(growing_row(&hostile).as_str().lines().count(), 1);
    }
}
