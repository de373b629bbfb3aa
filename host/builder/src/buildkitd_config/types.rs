//! The types of the values of a configuration.
//!
//! BuildKit ends with a stack of its own at a value of the wrong type, when the builder boots for the first time. So
//! these are checked when the builder is created. The keys are those of BuildKit's `cmd/buildkitd/config/config.go`. A
//! key that is not listed here is not checked: BuildKit ignores unknown keys, and later versions have more.

use iechor_values::{duration, size};
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::reading::{Reading, Value};

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Boolean,
    Integer,
    String,
    /// An array of strings.
    Strings,
    /// A table of strings.
    Labels,
    /// A duration of Go, or seconds.
    Duration,
    /// A size, or a percentage of the disk.
    DiskSpace,
}

use Type::{Boolean, DiskSpace, Duration, Integer, Labels, String as Text, Strings};

/// The keys at the root, and in the tables there. `*` stands for any key.
const KEYS: &[(&str, Type)] = &[
    ("debug", Boolean),
    ("trace", Boolean),
    ("root", Text),
    ("provenanceEnvDir", Text),
    ("insecure-entitlements", Strings),
    ("log.format", Text),
    ("grpc.address", Strings),
    ("grpc.debugAddress", Text),
    ("grpc.uid", Integer),
    ("grpc.gid", Integer),
    ("grpc.securityDescriptor", Text),
    ("grpc.tls.cert", Text),
    ("grpc.tls.key", Text),
    ("grpc.tls.ca", Text),
    ("otel.socketPath", Text),
    ("cdi.disabled", Boolean),
    ("cdi.specDirs", Strings),
    ("cdi.autoAllowed", Strings),
    ("dns.nameservers", Strings),
    ("dns.options", Strings),
    ("dns.searchDomains", Strings),
    ("history.maxAge", Duration),
    ("history.maxEntries", Integer),
    ("system.platformsCacheMaxAge", Duration),
    ("frontend.*.enabled", Boolean),
    ("frontend.*.allowedRepositories", Strings),
    ("registry.*.http", Boolean),
    ("registry.*.insecure", Boolean),
    ("registry.*.mirrors", Strings),
    ("registry.*.ca", Strings),
    ("registry.*.tlsconfigdir", Strings),
    ("worker.*.enabled", Boolean),
    ("worker.*.address", Text),
    ("worker.*.namespace", Text),
    ("worker.*.labels", Labels),
    ("worker.*.platforms", Strings),
    ("worker.*.snapshotter", Text),
    ("worker.*.rootless", Boolean),
    ("worker.*.noProcessSandbox", Boolean),
    ("worker.*.networkMode", Text),
    ("worker.*.cniConfigPath", Text),
    ("worker.*.cniBinaryPath", Text),
    ("worker.*.cniPoolSize", Integer),
    ("worker.*.binary", Text),
    ("worker.*.proxySnapshotterPath", Text),
    ("worker.*.defaultCgroupParent", Text),
    ("worker.*.apparmor-profile", Text),
    ("worker.*.selinux", Boolean),
    ("worker.*.max-parallelism", Integer),
    ("worker.*.gc", Boolean),
    ("worker.*.gckeepstorage", DiskSpace),
    ("worker.*.reservedSpace", DiskSpace),
    ("worker.*.maxUsedSpace", DiskSpace),
    ("worker.*.minFreeSpace", DiskSpace),
    ("worker.*.gcpolicy.all", Boolean),
    ("worker.*.gcpolicy.filters", Strings),
    ("worker.*.gcpolicy.keepDuration", Duration),
    ("worker.*.gcpolicy.keepBytes", DiskSpace),
    ("worker.*.gcpolicy.reservedSpace", DiskSpace),
    ("worker.*.gcpolicy.maxUsedSpace", DiskSpace),
    ("worker.*.gcpolicy.minFreeSpace", DiskSpace),
];

/// Checks the types of all values whose keys are known, and that what has to be a table is one.
///
/// # Errors
///
/// The first wrong value, in the order of the keys.
pub(super) fn check(reading: &Reading<'_>, root: &DeTable<'_>) -> Result<(), ConfigError> {
    check_table(reading, root, "", "")
}

/// Checks a table. `pattern` is its key with `*` for parts that users choose, `key` the key as it is written.
fn check_table(
    reading: &Reading<'_>,
    table: &DeTable<'_>,
    pattern: &str,
    key: &str,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let name = name.get_ref().as_ref();
        let key = join(key, &shown(name));
        let Some(pattern) = matching(pattern, name) else {
            continue;
        };
        match KEYS.iter().find(|(known, _)| *known == pattern) {
            Some((_, kind)) => check_value(reading, value, *kind, &key)?,
            None => check_inner(reading, value, &pattern, &key)?,
        }
    }
    Ok(())
}

/// Checks a value that has to be a table, or an array of tables.
fn check_inner(
    reading: &Reading<'_>,
    value: &Value<'_>,
    pattern: &str,
    key: &str,
) -> Result<(), ConfigError> {
    match (value.get_ref(), pattern.ends_with(".gcpolicy")) {
        (DeValue::Table(table), false) => check_table(reading, table, pattern, key),
        (DeValue::Array(items), true) => items.iter().try_for_each(|item| match item.get_ref() {
            DeValue::Table(table) => check_table(reading, table, pattern, key),
            _ => Err(reading.wrong_type(item, key, "a table")),
        }),
        (_, false) => Err(reading.wrong_type(value, key, "a table")),
        (_, true) => Err(reading.wrong_type(value, key, "an array of tables")),
    }
}

fn check_value(
    reading: &Reading<'_>,
    value: &Value<'_>,
    kind: Type,
    key: &str,
) -> Result<(), ConfigError> {
    if kind == Strings {
        return reading.strings(value, key).map(drop);
    }
    let is_string = |value: &Value<'_>| value.get_ref().as_str().is_some();
    let (is_valid, expected) = match (kind, value.get_ref()) {
        (Boolean, value) => (value.as_bool().is_some(), "true or false"),
        (Integer, value) => (matches!(value, DeValue::Integer(_)), "an integer"),
        (Text, value) => (value.as_str().is_some(), "a string"),
        (Labels, DeValue::Table(labels)) => (labels.values().all(is_string), "a table of strings"),
        (Labels | Strings, _) => (false, "a table of strings"),
        (Duration, value) => (
            is_integer(value) || value.as_str().is_some_and(is_duration),
            "a duration such as \"48h\", or a number of seconds",
        ),
        (DiskSpace, value) => (
            is_integer(value) || value.as_str().is_some_and(is_disk_space),
            "a size such as \"10GB\", or a percentage such as \"10%\"",
        ),
    };
    match (is_valid, kind, value.get_ref().as_str()) {
        (true, ..) => Ok(()),
        (false, Duration | DiskSpace, Some(text)) => {
            Err(reading.wrong_text(value, text, key, expected))
        }
        (false, ..) => Err(reading.wrong_type(value, key, expected)),
    }
}

fn is_integer(value: &DeValue<'_>) -> bool {
    matches!(value, DeValue::Integer(_))
}

fn is_duration(text: &str) -> bool {
    text.is_empty() || text.parse::<i64>().is_ok() || duration::parse(text).is_ok()
}

fn is_disk_space(text: &str) -> bool {
    match text.strip_suffix('%') {
        Some(percentage) => percentage.parse::<i64>().is_ok(),
        None => text.is_empty() || size::parse(text).is_ok(),
    }
}

/// Returns the pattern of a key in the table of `pattern`, if a known key begins with it.
fn matching(pattern: &str, name: &str) -> Option<String> {
    [name, "*"]
        .into_iter()
        .map(|part| join(pattern, part))
        .find(|candidate| {
            KEYS.iter().any(|(known, _)| {
                known
                    .strip_prefix(candidate.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        })
}

fn join(prefix: &str, name: &str) -> String {
    match prefix {
        "" => name.to_owned(),
        prefix => format!("{prefix}.{name}"),
    }
}

/// Returns a key as it is written: in quotes if it is not a bare one.
fn shown(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => format!("{name:?}"),
    }
}
