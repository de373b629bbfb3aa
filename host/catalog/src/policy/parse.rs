//! Parses a policy file, and finds all faults at once.

use std::fmt::Display;
use std::path::Path;

use iechor_sandbox::policy::{DriverPattern, Forbidden, ForcedLimits, ImagePattern, Rules};
use iechor_values::size;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Fault;

type Value<'a> = Spanned<DeValue<'a>>;

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Rules, Vec<Fault>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            return Err(vec![fault(&before, before.len(), "it is not UTF-8")]);
        }
    };
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reading = Reading {
        text,
        faults: errors
            .iter()
            .map(|error| {
                let at = error.span().map_or(0, |span| span.start);
                fault(text, at, error.message())
            })
            .collect(),
    };
    let mut rules = reading.root(root.get_ref());
    rules.file = path.to_owned();
    if reading.faults.is_empty() {
        Ok(rules)
    } else {
        reading
            .faults
            .sort_by_key(|fault| (fault.line, fault.column));
        Err(reading.faults)
    }
}

fn fault(text: &str, offset: usize, message: impl Display) -> Fault {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Fault {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: message.to_string(),
    }
}

struct Reading<'a> {
    text: &'a str,
    faults: Vec<Fault>,
}

impl Reading<'_> {
    fn fault(&mut self, offset: usize, message: impl Display) {
        self.faults.push(fault(self.text, offset, message));
    }

    fn root(&mut self, root: &DeTable<'_>) -> Rules {
        let mut rules = Rules::default();
        self.known(root, "", &["drivers", "images", "grants", "limits"]);
        if let Some(table) = self.table(root, "drivers", &["allow"]) {
            rules.drivers = self.patterns(table, "drivers.allow", DriverPattern::parse);
        }
        if let Some(table) = self.table(root, "images", &["allow"]) {
            rules.images = self.patterns(table, "images.allow", ImagePattern::parse);
        }
        if let Some(table) = self.table(root, "grants", &["forbid"]) {
            let forbidden = self.patterns(table, "grants.forbid", Forbidden::parse);
            rules.forbidden = forbidden.unwrap_or_default();
        }
        if let Some(table) = self.table(root, "limits", &["memory", "memory-swap", "cpus", "pids"])
        {
            rules.limits = self.limits(table);
        }
        rules
    }

    fn known(&mut self, table: &DeTable<'_>, inside: &str, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let what = match inside {
                    "" => "a policy".to_owned(),
                    inside => format!("[{inside}]"),
                };
                let message = format!("{name:?} is unknown; {what} has {}", known.join(", "));
                self.fault(key.span().start, message);
            }
        }
    }

    fn table<'t, 'a>(
        &mut self,
        root: &'t DeTable<'a>,
        name: &str,
        known: &[&str],
    ) -> Option<&'t DeTable<'a>> {
        let value = root.get(name)?;
        match value.get_ref().as_table() {
            Some(table) => {
                self.known(table, name, known);
                // A heading without rules is probably a mistake.
                if table.is_empty() {
                    let message = format!("[{name}] is empty; it has {}", known.join(", "));
                    self.fault(value.span().start, message);
                }
                Some(table)
            }
            None => {
                self.wrong_type(value, name, &format!("a table: [{name}]"));
                None
            }
        }
    }

    fn wrong_type(&mut self, value: &Value<'_>, key: &str, expected: &str) {
        let found = value.get_ref().type_str();
        let message = format!("{key}: it is of type {found}, but must be {expected}");
        self.fault(value.span().start, message);
    }

    /// Returns the patterns of a list, or `None` if there is no list.
    fn patterns<T>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let name = key.rsplit('.').next().unwrap_or(key);
        let value = table.get(name)?;
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(value, key, "a list of strings");
            return None;
        };
        let mut patterns = Vec::new();
        for entry in list.iter() {
            match entry.get_ref().as_str().map(|text| (text, parse(text))) {
                None => self.wrong_type(entry, key, "a string"),
                Some((_, Ok(pattern))) => patterns.push(pattern),
                Some((text, Err(reason))) => {
                    self.fault(entry.span().start, format!("{key}: {text:?}: {reason}"));
                }
            }
        }
        Some(patterns)
    }

    fn limits(&mut self, table: &DeTable<'_>) -> ForcedLimits {
        let memory = self.one(table, "memory", SIZE, bytes);
        let memory_swap = self.one(table, "memory-swap", SIZE, bytes);
        if let Some(swap) = memory_swap
            && memory.is_none_or(|memory| swap < memory)
        {
            let at = table
                .get("memory-swap")
                .map_or(0, |value| value.span().start);
            self.fault(
                at,
                "limits.memory-swap: it is memory and swap together, so it needs limits.memory and \
                 must not be less",
            );
        }
        ForcedLimits {
            memory,
            memory_swap,
            millicpus: self.one(
                table,
                "cpus",
                "a number above 0, such as 2 or 1.5",
                millicpus,
            ),
            pids: self.one(table, "pids", "a whole number above 0", |value| {
                u32::try_from(integer(value)?).ok().filter(|most| *most > 0)
            }),
        }
    }

    fn one<T>(
        &mut self,
        table: &DeTable<'_>,
        name: &str,
        expected: &str,
        parse: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Option<T> {
        let value = table.get(name)?;
        let parsed = parse(value.get_ref());
        if parsed.is_none() {
            let written = &self.text[value.span()];
            let message = format!("limits.{name}: {written} is not {expected}");
            self.fault(value.span().start, message);
        }
        parsed
    }
}

const SIZE: &str = "a size of at least 6 MiB: a number of bytes, or a number with a unit such as \"512m\" or \"1.5g\"";

/// Minimum memory of a container, in bytes. Engines refuse less.
const LEAST_MEMORY: u64 = 6 << 20;

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let written = value.as_integer()?;
    i64::from_str_radix(written.as_str(), written.radix()).ok()
}

/// Parses a size as options of drivers accept it, or a number of bytes, and returns the bytes.
fn bytes(value: &DeValue<'_>) -> Option<u64> {
    let bytes = match value.as_str() {
        None => u64::try_from(integer(value)?).ok()?,
        Some(text) => size::parse(text).ok()?,
    };
    // The engine uses signed numbers.
    (LEAST_MEMORY..=i64::MAX as u64)
        .contains(&bytes)
        .then_some(bytes)
}

fn millicpus(value: &DeValue<'_>) -> Option<u64> {
    let cpus = match value.as_float() {
        Some(written) => written.as_str().parse::<f64>().ok()?,
        None => integer(value)? as f64,
    };
    let millis = (cpus * 1000.0).round();
    (10.0..1e9).contains(&millis).then_some(millis as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        match parse(Path::new("/p"), text.as_bytes()) {
            Ok(rules) => panic!("{text:?} is in order: {rules:?}"),
            Err(faults) => faults
                .into_iter()
                .map(|fault| format!("{}:{}: {}", fault.line, fault.column, fault.message))
                .collect(),
        }
    }

    #[test]
    fn a_whole_policy() {
        let text = r#"
# Ours.
[drivers]
allow = ["built-in", "oci://registry.example.com/team/*"]
[images]
allow = ["moby/buildkit:*"]
[grants]
forbid = ["container.bind", "container.network=host"]
[limits]
memory = "4g"
memory-swap = 5_368_709_120
cpus = 1.5
pids = 0x200
"#;
        let rules = parse(Path::new("/p"), text.as_bytes()).expect("in order");
        assert_eq!(rules.file, Path::new("/p"));
        assert_eq!(rules.drivers.expect("a rule").len(), 2);
        assert_eq!(rules.images.expect("a rule").len(), 1);
        assert_eq!(rules.forbidden.len(), 2);
        assert_eq!(
            rules.limits,
            ForcedLimits {
                memory: Some(4 << 30),
                memory_swap: Some(5 << 30),
                millicpus: Some(1500),
                pids: Some(512),
            }
        );
    }

    #[test]
    fn what_a_file_does_not_say_is_no_rule_and_an_empty_list_is_one() {
        let rules = parse(Path::new("/p"), b"# nothing\n").expect("in order");
        assert!(rules.drivers.is_none() && rules.images.is_none() && rules.forbidden.is_empty());
        assert_eq!(rules.limits, ForcedLimits::default());
        let rules = parse(Path::new("/p"), b"images.allow = []").expect("in order");
        assert!(rules.images.is_some_and(|images| images.is_empty()));
    }

    #[test]
    fn sizes_are_those_that_drivers_accept() {
        for (written, expected) in [
            ("\"1.5g\"", 1536 << 20),
            ("\"1.5 GiB\"", 1536 << 20),
            ("\"512m\"", 512 << 20),
            ("\"512MB\"", 512 << 20),
            ("\"1p\"", 1 << 50),
            ("\"1073741824\"", 1 << 30),
            ("1073741824", 1 << 30),
            ("0x4000_0000", 1 << 30),
            ("\"6m\"", 6 << 20),
        ] {
            let text = format!("[limits]\nmemory = {written}");
            let rules = parse(Path::new("/p"), text.as_bytes()).expect(written);
            assert_eq!(rules.limits.memory, Some(expected), "{written}");
        }
        for written in ["\"5m\"", "\"-1\"", "\"\"", "\"4 gigs\"", "1.5", "\"9000p\""] {
            let found = faults(&format!("[limits]\nmemory = {written}"));
            let expected = format!("2:10: limits.memory: {written} is not a size");
            assert!(found[0].starts_with(&expected), "{found:?}");
        }
    }

    #[test]
    fn all_faults_are_found_with_their_places() {
        let text = r#"[driver]
allow = ["built-in"]
[images]
allow = ["a*b.c/x", 5,
  "moby/buildkit:*"]
deny = []
[grants]
forbid = ["root"]
[limits]
memory = "4 gigs"
memory-swap = "1m"
cpus = 0
pids = -1
"#;
        let found = faults(text);
        let expected = [
            "1:2: \"driver\" is unknown; a policy has drivers, images, grants, limits",
            "4:10: images.allow: \"a*b.c/x\": the host \"a*b.c\" has a * in it",
            "4:21: images.allow: it is of type integer, but must be a string",
            "6:1: \"deny\" is unknown; [images] has allow",
            "8:11: grants.forbid: \"root\": there is no capability \"root\"; there are: container.create, ",
            "10:10: limits.memory: \"4 gigs\" is not a size",
            "11:15: limits.memory-swap: \"1m\" is not a size",
            "12:8: limits.cpus: 0 is not a number above 0",
            "13:8: limits.pids: -1 is not a whole number above 0",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}\n{expected}");
        }
    }

    #[test]
    fn broken_files() {
        for (text, place) in [
            ("[images\nallow = []", "1:8: "),
            (
                "images = 3",
                "1:10: images: it is of type integer, but must be a table",
            ),
            ("[images]\n", "1:1: [images] is empty"),
            (
                "[images]\nallow = \"*\"",
                "2:9: images.allow: it is of type string",
            ),
            ("[images]\nallow = []\nallow = []", "3:1: "),
            ("allow = []", "1:1: \"allow\" is unknown"),
            (
                "[limits]\nmemory-swap = \"4g\"",
                "2:15: limits.memory-swap: it is memory and swap",
            ),
            (
                "[limits]\nmemory = \"4g\"\nmemory-swap = \"2g\"",
                "3:15: limits.memory-swap: ",
            ),
            ("[limits]\nmemory = \"9999999t\"", "2:10: limits.memory: "),
            (
                "[limits]\nmemory = true",
                "2:10: limits.memory: true is not a size",
            ),
            ("[limits]\ncpus = nan", "2:8: limits.cpus: nan is not"),
            ("[limits]\ncpus = inf", "2:8: limits.cpus: inf is not"),
            ("# äö\nä = 1", "2:1: "),
        ] {
            let found = faults(text);
            assert!(found[0].starts_with(place), "{text:?}: {found:?}");
        }
    }
}
