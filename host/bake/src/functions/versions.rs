//! `semvercmp`: versions against constraints, in the dialect of Masterminds/semver.

use std::cmp::Ordering;

use super::{Computed, Row, failed, string, text, wrong};
use crate::value::Value;

pub const FUNCTIONS: &[Row] = &[(
    "semvercmp",
    &[string("version"), string("constraint")],
    None,
    |_, values| compare(values),
)];

/// A version: three numbers, and the parts of a pre-release.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    pre: Vec<String>,
}

/// A version with missing parts, which match anything.
#[derive(Debug, Clone)]
struct Partial {
    version: Version,
    /// How many numbers are given.
    given: usize,
}

/// An operator and a version.
#[derive(Debug, Clone)]
struct Comparator {
    operator: &'static str,
    with: Partial,
}

fn compare(values: &[Value]) -> Computed {
    let Some(version) = partial(text(values, 0)).filter(|partial| partial.given > 0) else {
        return Err(wrong(0, "invalid semantic version"));
    };
    let constraint = text(values, 1);
    let mut matches = false;
    for alternative in constraint.split("||") {
        let all = alternative_of(alternative)
            .ok_or_else(|| failed(format!("improper constraint: {constraint}")))?;
        let accepts_pre = all
            .iter()
            .any(|comparator| !comparator.with.version.pre.is_empty());
        let fits = |comparator: &Comparator| comparator.accepts(&version.version);
        let is_pre = !version.version.pre.is_empty();
        matches |= (!is_pre || accepts_pre) && all.iter().all(fits);
    }
    Ok(Value::Bool(matches))
}

/// Parses a version: `v1.2.3-pre+build`, where minor and patch may be missing or `x`.
fn partial(text: &str) -> Option<Partial> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (text, build) = text
        .split_once('+')
        .map_or((text, None), |(text, build)| (text, Some(build)));
    let (numbers, pre) = text
        .split_once('-')
        .map_or((text, None), |(text, pre)| (text, Some(pre)));
    let is_word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let words = |text: &str| -> Option<Vec<String>> {
        text.split('.')
            .map(|part| is_word(part).then(|| part.to_owned()))
            .collect()
    };
    build.map_or(Some(Vec::new()), words)?;
    let mut version = Version {
        numbers: [0; 3],
        pre: pre.map_or(Some(Vec::new()), words)?,
    };
    let parts: Vec<&str> = numbers.split('.').collect();
    if parts.len() > 3 {
        return None;
    }
    let mut given = 0;
    let mut wild = false;
    for (index, part) in parts.iter().enumerate() {
        if matches!(*part, "x" | "X" | "*") {
            wild = true;
            continue;
        }
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if !wild {
            version.numbers[index] = part.parse().ok()?;
            given = index + 1;
        }
    }
    Some(Partial { version, given })
}

/// Parses comparators that must all match.
fn alternative_of(text: &str) -> Option<Vec<Comparator>> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    // `A - B` is a range with both ends.
    if let Some((from, to)) = text.split_once(" - ") {
        let bound = |operator, text: &str| {
            let with = partial(text.trim())?;
            Some(Comparator { operator, with })
        };
        return Some(vec![bound(">=", from)?, bound("<=", to)?]);
    }
    let mut comparators = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let operator = ["=>", "=<", "!=", ">=", "<=", "~>", "=", ">", "<", "~", "^"]
            .into_iter()
            .find(|operator| rest.starts_with(operator))
            .unwrap_or("");
        rest = rest[operator.len()..].trim_start();
        let end = rest.find([' ', ',']).unwrap_or(rest.len());
        let with = partial(&rest[..end])?;
        comparators.push(Comparator { operator, with });
        rest = rest[end..].trim_start_matches([' ', ',']);
    }
    Some(comparators)
}

impl Comparator {
    fn accepts(&self, version: &Version) -> bool {
        let with = &self.with.version;
        let order = version.order(with);
        // The first version that the given parts do not cover.
        let after = |kept: usize| {
            let mut numbers = with.numbers;
            numbers[kept..].fill(0);
            if let Some(last) = kept.checked_sub(1) {
                numbers[last] = numbers[last].saturating_add(1);
            }
            Version {
                numbers,
                pre: Vec::new(),
            }
        };
        let below = |kept: usize| kept == 0 || version.numbers < after(kept).numbers;
        let given = self.with.given;
        match self.operator {
            "" | "=" if given == 3 => order.is_eq(),
            "" | "=" => given == 0 || order.is_ge() && below(given),
            "!=" if given == 3 => order.is_ne(),
            "!=" => given > 0 && !(order.is_ge() && below(given)),
            ">" if given < 3 => given > 0 && version.numbers >= after(given).numbers,
            ">" => order.is_gt(),
            "<" => order.is_lt(),
            ">=" | "=>" => order.is_ge(),
            "<=" | "=<" if given < 3 => below(given),
            "<=" | "=<" => order.is_le(),
            "~" | "~>" => order.is_ge() && below(given.min(2)),
            // Up to the first number that is not zero.
            _ => {
                let kept = with.numbers[..given].iter().position(|number| *number > 0);
                order.is_ge() && below(kept.map_or(given, |at| at + 1))
            }
        }
    }
}

impl Version {
    fn order(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => order_of_pre(&self.pre, &other.pre),
            }
        })
    }
}

fn order_of_pre(a: &[String], b: &[String]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        let order = match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}
