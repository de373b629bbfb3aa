//! Regular expressions, in the dialect of RE2.

use std::collections::BTreeMap;
use std::rc::Rc;

use regex::{Captures, Regex};

use super::{Computed, Context, Row, failed, string, text, wrong};
use crate::value::{Type, Value};

pub const FUNCTIONS: &[Row] = &[
    (
        "regex",
        &[string("pattern"), string("string")],
        None,
        |_, values| {
            let pattern = compile(text(values, 0))?;
            match pattern.captures(text(values, 1)) {
                Some(found) => Ok(result(&pattern, &found)),
                None => Err(failed("pattern did not match any part of the given string")),
            }
        },
    ),
    (
        "regexall",
        &[string("pattern"), string("string")],
        None,
        |_, values| {
            let pattern = compile(text(values, 0))?;
            let found = pattern.captures_iter(text(values, 1));
            let found: Vec<Value> = found.map(|found| result(&pattern, &found)).collect();
            Ok(Value::list(kind(&pattern), found))
        },
    ),
    (
        "regex_replace",
        &[string("str"), string("pattern"), string("replace")],
        None,
        replace,
    ),
];

fn compile(pattern: &str) -> Computed<Regex> {
    let compiled = Regex::new(&translated(pattern)).map_err(|error| {
        wrong(
            0,
            format!("invalid regexp pattern: {} in {pattern}", reason(&error)),
        )
    })?;
    let named = compiled.capture_names().flatten().count();
    if named > 0 && named + 1 < compiled.captures_len() {
        return Err(wrong(
            0,
            "invalid regexp pattern: cannot mix both named and unnamed capture groups",
        ));
    }
    Ok(compiled)
}

/// Returns why a pattern is wrong, in the words of RE2 where they are known.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    match last.strip_prefix("error: ").unwrap_or(last) {
        "unclosed group" => "missing closing )".to_owned(),
        "unopened group" => "unexpected )".to_owned(),
        "unclosed character class" => "missing closing ]".to_owned(),
        other => other.to_owned(),
    }
}

/// Translates a pattern from RE2: the classes of Perl contain ASCII only, `[` in a class is a character, and
/// `\Q...\E` quotes.
fn translated(pattern: &str) -> String {
    let mut result = String::new();
    let mut characters = pattern.chars().peekable();
    let mut in_class = false;
    let mut at_begin = false;
    while let Some(character) = characters.next() {
        let first = std::mem::take(&mut at_begin);
        match character {
            '\\' => match characters.next() {
                Some('d') => result.push_str("[0-9]"),
                Some('D') => result.push_str("[^0-9]"),
                Some('w') => result.push_str("[0-9A-Za-z_]"),
                Some('W') => result.push_str("[^0-9A-Za-z_]"),
                Some('s') => result.push_str("[\\t\\n\\x0c\\r ]"),
                Some('S') => result.push_str("[^\\t\\n\\x0c\\r ]"),
                Some('b') if !in_class => result.push_str("(?-u:\\b)"),
                Some('Q') => {
                    let rest: String = characters.by_ref().collect();
                    let (quoted, after) = rest.split_once("\\E").unwrap_or((&rest, ""));
                    result.push_str(&regex::escape(quoted));
                    result.push_str(&translated(after));
                }
                Some(other) => result.extend(['\\', other]),
                None => result.push('\\'),
            },
            '[' if !in_class => {
                in_class = true;
                at_begin = true;
                result.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    result.push('^');
                }
            }
            '[' if characters.peek() == Some(&':') => {
                result.push('[');
                for inner in characters.by_ref() {
                    result.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            ']' if in_class && !first => {
                in_class = false;
                result.push(']');
            }
            '[' | ']' | '&' | '~' if in_class => result.extend(['\\', character]),
            other => result.push(other),
        }
    }
    result
}

/// Returns the type of a match.
fn kind(pattern: &Regex) -> Type {
    let groups = pattern.captures_len() - 1;
    let mut names = pattern.capture_names().flatten().peekable();
    match (groups, names.peek()) {
        (0, _) => Type::String,
        (_, Some(_)) => Type::object(names.map(|name| (Rc::from(name), Type::String))),
        (groups, None) => Type::Tuple(vec![Type::String; groups].into()),
    }
}

/// Returns the value of a match: the text, or a tuple or an object of the groups.
fn result(pattern: &Regex, found: &Captures<'_>) -> Value {
    let group = |index: usize| match found.get(index) {
        Some(found) => Value::from(found.as_str()),
        None => Value::Null,
    };
    if found.len() == 1 {
        return group(0);
    }
    let names: Vec<Option<&str>> = pattern.capture_names().collect();
    if names.iter().any(Option::is_some) {
        let named = names
            .iter()
            .enumerate()
            .filter_map(|(index, name)| name.map(|name| (Rc::from(name), group(index))));
        return Value::object(named.collect::<BTreeMap<_, _>>());
    }
    Value::tuple((1..found.len()).map(group).collect())
}

fn replace(context: &Context<'_>, values: &[Value]) -> Computed {
    let pattern = Regex::new(&translated(text(values, 1))).map_err(|error| {
        let pattern = text(values, 1);
        failed(format!(
            "error parsing regexp: {}: `{pattern}`",
            reason(&error)
        ))
    })?;
    let whole = text(values, 0);
    let mut result = String::new();
    let mut end = 0;
    for found in pattern.captures_iter(whole) {
        let Some(all) = found.get(0) else { continue };
        result.push_str(&whole[end..all.start()]);
        found.expand(text(values, 2), &mut result);
        end = all.end();
        context.budget.check((result.len() + whole.len()) as u64)?;
    }
    result.push_str(&whole[end..]);
    Ok(Value::from(result))
}
