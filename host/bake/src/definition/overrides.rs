//! `--set`: settings from the command line that take precedence over those of a definition.

use std::collections::BTreeMap;

use iechor_build::spec::parse::boolean;

use super::attributes::{Attributes, Setting};
use super::entries::{self, Entries, Entry};
use super::target::{apply, is_integer, is_resource};
use super::{BakeError, Definition};
use crate::glob;

/// The value of an override of a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Override {
    /// The values, in the order of the command line.
    values: Vec<String>,
    /// Whether the values are added to those of the definition.
    append: bool,
}

/// The overrides of targets, by target and key.
pub type Overrides = BTreeMap<String, BTreeMap<(u8, String), Override>>;

/// Attributes whose overrides accumulate, by the name that an override has.
const LISTS: &[&str] = &[
    "tags",
    "platform",
    "output",
    "cache-from",
    "cache-to",
    "secrets",
    "ssh",
    "policy",
    "annotations",
    "attest",
    "entitlements",
    "ulimits",
    "no-cache-filter",
];

fn invalid(message: String) -> BakeError {
    BakeError::Invalid(message)
}

/// Parses overrides: `PATTERN.KEY[.NAME][+]=VALUE`. `variable` returns a variable of the environment, for build
/// arguments without a value.
///
/// # Errors
///
/// Returns the first fault.
pub fn parse(
    definition: &Definition,
    texts: &[String],
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Overrides, BakeError> {
    let mut overrides = Overrides::new();
    for text in texts {
        let (left, value) = match text.split_once('=') {
            Some((left, value)) => (left, Some(value)),
            None => (text.as_str(), None),
        };
        let (path, append) = match left.strip_suffix('+') {
            Some(path) => (path, true),
            None => (left, false),
        };
        let mut parts = path.splitn(3, '.');
        let (Some(pattern), Some(key)) = (parts.next(), parts.next()) else {
            return Err(invalid(format!(
                "invalid override key {path}, expected target.name"
            )));
        };
        let name = parts.next();
        if value.is_none() && key != "args" {
            return Err(invalid(format!(
                "invalid override {text}, expected target.name=value"
            )));
        }
        let value = match (value, key, name) {
            (Some(value), ..) => value.to_owned(),
            (None, _, Some(name)) => match variable(name) {
                Some(value) => value,
                None => continue,
            },
            (None, ..) => String::new(),
        };
        check_key(key, name, left, append)?;
        for target in expand(definition, pattern)? {
            let key = (rank(key), path[pattern.len() + 1..].to_owned());
            let entry = overrides.entry(target).or_default().entry(key).or_default();
            entry.append = append;
            entry.values.push(value.clone());
        }
    }
    Ok(overrides)
}

/// Returns the position of a key among others: what changes outputs comes after the outputs.
fn rank(key: &str) -> u8 {
    match key {
        "output" => 1,
        "push" => 2,
        "load" => 3,
        _ => 0,
    }
}

fn check_key(key: &str, name: Option<&str>, left: &str, append: bool) -> Result<(), BakeError> {
    match (key, name) {
        ("args" | "contexts" | "resources" | "secret", None) => {
            Err(invalid(format!("invalid key {left}, {key} requires name")))
        }
        ("resources" | "secret", _) if append => Err(invalid(format!(
            "invalid key {left}, {key} does not support append"
        ))),
        ("resources", Some(name)) if !is_resource(name) => {
            Err(invalid(format!("unknown resources key {name}")))
        }
        ("labels", None) => Err(invalid(
            "invalid format for labels, expecting labels.<name>=<value>".to_owned(),
        )),
        ("extra-hosts", None) => Err(invalid(
            "invalid format for extra-hosts, expecting extra-hosts.<hostname>=<ip>".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Returns the targets that a pattern matches.
fn expand(definition: &Definition, pattern: &str) -> Result<Vec<String>, BakeError> {
    if definition.target(pattern).is_some() {
        return Ok(vec![pattern.to_owned()]);
    }
    let mut names = Vec::new();
    for target in &definition.targets {
        match glob::matches(pattern, &target.name) {
            Some(true) => names.push(target.name.clone()),
            Some(false) => {}
            None => {
                return Err(invalid(format!(
                    "could not match targets with '{pattern}': syntax error in pattern"
                )));
            }
        }
    }
    match names.is_empty() {
        true => Err(BakeError::NoMatch {
            pattern: pattern.to_owned(),
            is_override: true,
        }),
        false => Ok(names),
    }
}

/// Applies the overrides of a target.
///
/// # Errors
///
/// Returns the first fault.
pub fn override_target(
    settings: &mut Attributes,
    overrides: &BTreeMap<(u8, String), Override>,
) -> Result<(), BakeError> {
    for ((_, path), given) in overrides {
        let (key, name) = path
            .split_once('.')
            .map_or((path.as_str(), ""), |(key, name)| (key, name));
        override_key(settings, key, name, given)?;
    }
    Ok(())
}

fn override_key(
    settings: &mut Attributes,
    key: &str,
    name: &str,
    given: &Override,
) -> Result<(), BakeError> {
    let value = given.values.last().cloned().unwrap_or_default();
    if LISTS.contains(&key) {
        return override_list(settings, key, given);
    }
    match key {
        "args" | "labels" | "contexts" | "extra-hosts" => {
            let attribute = super::attributes::find(key).map_or("", |known| known.name);
            apply(
                settings,
                attribute,
                Setting::Map([(name.to_owned(), value)].into()),
            );
        }
        "resources" => {
            if is_integer(name) && value.parse::<i64>().is_err() {
                return Err(invalid(format!(
                    "invalid value {value} for int64 key resources.{name}"
                )));
            }
            apply(
                settings,
                "resources",
                Setting::Map([(name.to_owned(), value)].into()),
            );
        }
        "context" | "dockerfile" | "target" | "call" | "shm-size" | "network" => {
            let attribute = super::attributes::find(key).map_or("", |known| known.name);
            settings.insert(attribute, Setting::Text(value));
        }
        "no-cache" | "pull" => {
            let attribute = super::attributes::find(key).map_or("", |known| known.name);
            settings.insert(attribute, Setting::Flag(flag(key, &value)?));
        }
        "push" | "load" => {
            let is_on = flag(key, &value)?;
            let outputs = match settings.remove("output") {
                Some(Setting::Entries(outputs)) => outputs,
                _ => Vec::new(),
            };
            let outputs = match (key, is_on) {
                ("push", true) => pushed(outputs),
                ("push", false) => not_pushed(outputs),
                (_, true) => loaded(outputs),
                (_, false) => outputs,
            };
            settings.insert("output", Setting::Entries(outputs));
        }
        "secret" => override_secret(settings, name, &value)?,
        _ => return Err(invalid(format!("unknown key: {key}"))),
    }
    Ok(())
}

fn flag(key: &str, value: &str) -> Result<bool, BakeError> {
    boolean(value).ok_or_else(|| invalid(format!("invalid value {value} for boolean key {key}")))
}

fn override_list(settings: &mut Attributes, key: &str, given: &Override) -> Result<(), BakeError> {
    let attribute = match key {
        "platform" => "platforms",
        "secrets" => "secret",
        key => key,
    };
    let Some(known) = super::attributes::find(attribute) else {
        return Ok(());
    };
    let setting = match known.kind {
        super::Kind::Entries(kind) => {
            let mut all = Vec::new();
            for value in &given.values {
                let entries = entries::of_text(kind, value).map_err(|problem| {
                    invalid(match kind {
                        Entries::Output | Entries::Secret | Entries::Ssh => {
                            format!("invalid value for outputs: {problem}")
                        }
                        Entries::Attest => format!("invalid value for attest: {problem}"),
                        Entries::Cache | Entries::Policy => problem,
                    })
                })?;
                all.extend(entries);
            }
            Setting::Entries(all)
        }
        _ => Setting::Texts(given.values.clone()),
    };
    // Overrides of these always add.
    let append = given.append || matches!(key, "annotations" | "attest" | "entitlements");
    let earlier = settings.remove(known.name).filter(|_| append);
    let merged = match (earlier, setting) {
        (Some(Setting::Texts(mut texts)), Setting::Texts(more)) => {
            texts.extend(more);
            Setting::Texts(texts).normalised(known.merge)
        }
        (Some(Setting::Entries(mut entries)), Setting::Entries(more)) => {
            entries.extend(more);
            Setting::Entries(entries).normalised(known.merge)
        }
        (_, setting) => setting.normalised(known.merge),
    };
    settings.insert(known.name, merged);
    Ok(())
}

/// Replaces the source of a secret that is declared.
fn override_secret(settings: &mut Attributes, id: &str, value: &str) -> Result<(), BakeError> {
    let Some(Setting::Entries(secrets)) = settings.get_mut("secret") else {
        return Err(undeclared(id));
    };
    let Some(secret) = secrets
        .iter_mut()
        .find(|secret| secret.get("id") == Some(id))
    else {
        return Err(undeclared(id));
    };
    let text = if value.contains("id=") {
        value.to_owned()
    } else {
        format!("id={id},{value}")
    };
    let given = entries::of_text(Entries::Secret, &text).map_err(invalid)?;
    for entry in given {
        let other = entry.get("id").unwrap_or_default();
        if other != id {
            return Err(invalid(format!(
                "secret override id {other:?} does not match declared secret {id:?}"
            )));
        }
        *secret = entry;
    }
    Ok(())
}

fn undeclared(id: &str) -> BakeError {
    invalid(format!(
        "secret {id:?} must be declared before it can be overridden"
    ))
}

fn is(entry: &Entry, kind: &str) -> bool {
    entry.get("type") == Some(kind)
}

/// Sets outputs to push.
fn pushed(mut outputs: Vec<Entry>) -> Vec<Entry> {
    let only_docker = outputs.iter().all(|output| is(output, "docker"));
    for output in outputs.iter_mut().filter(|output| is(output, "image")) {
        output.set("push", "true");
    }
    if only_docker {
        outputs.push(Entry::of([("type", "image"), ("push", "true")]));
    }
    outputs
}

/// Sets outputs not to push.
fn not_pushed(mut outputs: Vec<Entry>) -> Vec<Entry> {
    outputs.retain(|output| !is(output, "registry"));
    for output in outputs.iter_mut().filter(|output| is(output, "image")) {
        output.set("push", "false");
    }
    outputs
}

/// Adds an output that loads the image, unless there is one or the result is no image.
fn loaded(mut outputs: Vec<Entry>) -> Vec<Entry> {
    let has_destination = |output: &Entry| output.get("dest").is_some_and(|dest| !dest.is_empty());
    let fits = outputs.iter().all(|output| match output.get("type") {
        Some("docker") => has_destination(output),
        Some("image" | "registry" | "oci") => true,
        _ => false,
    });
    if fits {
        outputs.push(Entry::of([("type", "docker")]));
    }
    outputs
}
