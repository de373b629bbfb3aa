//! Records of a cache.

use std::time::SystemTime;

use iechor_buildkit::UsageRecord;
use iechor_values::{duration, size};
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A record of the cache of a builder. The command prints one such object for each record, each on one
/// line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct CacheRecord {
    /// ID of the record, unique on its node.
    #[serde(rename = "ID")]
    pub id: String,
    /// Name of the node that has the record.
    pub node: String,
    /// IDs of the records that this one is based on.
    pub parents: Vec<String>,
    /// Time of the creation, for people. `Created` has it for programs.
    pub created_at: String,
    /// Time of the creation, in RFC 3339.
    pub created: String,
    /// Whether the record may still change, as a cache mount or a copy of a context does.
    pub mutable: bool,
    /// Whether the record can be removed: no build uses it now.
    pub reclaimable: bool,
    /// Whether the record shares its contents with something outside of the cache, such as an image.
    pub shared: bool,
    /// Size without the parents, for people, for example `4.096kB`. `Bytes` has it for programs.
    pub size: String,
    /// Size without the parents, in bytes.
    pub bytes: i64,
    /// Origin of the record, for example `[2/2] COPY . .`.
    pub description: String,
    /// Number of builds that used the record.
    pub usage_count: i64,
    /// Time since the last use, for people, for example `2 hours ago`; empty if no build used it.
    /// `LastUsed` has the time for programs.
    pub last_used_at: String,
    /// Time of the last use by a build, in RFC 3339. Null if no build used it.
    pub last_used: Option<String>,
    /// Kind of the record, for example `regular` or `source.local`.
    pub r#type: String,
}

impl CacheRecord {
    /// Returns a record of a node.
    pub(crate) fn of(node: &str, record: UsageRecord) -> Self {
        let since = |time: SystemTime| SystemTime::now().duration_since(time).unwrap_or_default();
        let last_used = record.last_used_at;
        Self {
            id: record.id,
            node: node.to_owned(),
            parents: record.parents,
            created_at: as_by_go(record.created_at),
            created: rfc3339(record.created_at),
            mutable: record.mutable,
            reclaimable: !record.in_use,
            shared: record.shared,
            size: size::human(record.size),
            bytes: record.size,
            description: record.description,
            usage_count: record.usage_count,
            last_used_at: last_used.map_or_else(String::new, |time| {
                format!("{} ago", duration::human(since(time)))
            }),
            last_used: last_used.map(rfc3339),
            r#type: record.record_type,
        }
    }
}

fn rfc3339(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    time.format(&Rfc3339).unwrap_or_default()
}

/// Formats a time as Go prints one: `2026-11-30 03:52:54.68670668 +0000 UTC`.
fn as_by_go(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (hour, minute, second) = time.to_hms();
    let fraction = match time.nanosecond() {
        0 => String::new(),
        nanoseconds => {
            let digits = format!("{nanoseconds:09}");
            format!(".{}", digits.trim_end_matches('0'))
        }
    };
    format!(
        "{} {hour:02}:{minute:02}:{second:02}{fraction} +0000 UTC",
        time.date()
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_record_has_its_values_for_people_and_for_programs() {
        let created = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 68_670_000);
        let record = UsageRecord {
            id: "x".into(),
            mutable: true,
            in_use: true,
            size: 4096,
            parents: vec!["y".into()],
            created_at: created,
            last_used_at: Some(SystemTime::now() - Duration::from_secs(7200)),
            usage_count: 2,
            description: "[1/1] COPY . .".into(),
            record_type: "regular".into(),
            shared: false,
        };
        let json = serde_json::to_value(CacheRecord::of("n", record.clone())).expect("JSON");
        assert_eq!(json["CreatedAt"], "2001-09-09 01:46:40.06867 +0000 UTC");
        assert_eq!(json["Created"], "2001-09-09T01:46:40.06867Z");
        assert_eq!(json["Size"], "4.096kB");
        assert_eq!(json["Bytes"], 4096);
        assert_eq!(json["LastUsedAt"], "2 hours ago");
        assert_eq!(json["Reclaimable"], false);
        let unused = UsageRecord {
            last_used_at: None,
            ..record
        };
        let json = serde_json::to_value(CacheRecord::of("n", unused)).expect("JSON");
        assert_eq!(
            (&json["LastUsedAt"], &json["LastUsed"]),
            (&"".into(), &serde_json::Value::Null)
        );
    }
}
