//! Attributes that are lists of texts or of objects with options, such as `output`.

use std::collections::BTreeMap;

use iechor_values::csv;

use crate::value::Value;
use crate::value::convert;

/// The options of an attribute that is a list of texts or objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entries {
    /// `attest`
    Attest,
    /// `cache-from` and `cache-to`
    Cache,
    /// `output`
    Output,
    /// `secret`
    Secret,
    /// `ssh`
    Ssh,
    /// `policy`
    Policy,
}

/// Options by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry(BTreeMap<String, String>);

impl Entry {
    /// Creates an entry.
    pub fn of<const N: usize>(options: [(&str, &str); N]) -> Self {
        Self(
            options
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// Returns the value of an option.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets an option.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Returns all options, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the options as a line of CSV, as flags take them.
    pub fn to_csv(&self) -> String {
        let fields = self.iter().map(|(name, value)| {
            let field = format!("{name}={value}");
            match field.contains([',', '"', '\n', '\r']) {
                true => format!("\"{}\"", field.replace('"', "\"\"")),
                false => field,
            }
        });
        fields.collect::<Vec<_>>().join(",")
    }
}

/// Reads the items of an attribute.
///
/// # Errors
///
/// Returns what is wrong with the first item that is wrong.
pub fn read(kind: Entries, value: &Value) -> Result<Vec<Entry>, String> {
    let Some(items) = value.items() else {
        return Err(format!(
            "list of string required, but have {}",
            value.kind()
        ));
    };
    let mut entries = Vec::new();
    for item in items {
        match item {
            Value::String(text) => entries.extend(of_text(kind, text)?),
            Value::Map(..) | Value::Object(_) => entries.extend(of_object(kind, item)?),
            Value::Null => return Err("null value is not allowed".to_owned()),
            other => {
                return Err(format!(
                    "string or object required, but have {}",
                    other.kind()
                ));
            }
        }
    }
    Ok(entries)
}

/// Parses a text, as the flag of the same name takes it. An empty text is no entry.
///
/// # Errors
///
/// Returns what is wrong with the text, in the words of docker buildx.
pub fn of_text(kind: Entries, text: &str) -> Result<Vec<Entry>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let one = |entry| Ok(vec![entry]);
    match kind {
        Entries::Ssh => {
            let (id, paths) = text.split_once('=').unwrap_or((text, ""));
            let mut entry = Entry::of([("id", if id.is_empty() { "default" } else { id })]);
            if !paths.is_empty() {
                entry.set("paths", paths);
            }
            one(entry)
        }
        Entries::Output => one(output(text)?),
        Entries::Cache => caches(text),
        Entries::Attest => one(attestation(text)?),
        Entries::Secret => one(secret(text)?),
        Entries::Policy => one(policy(text)?),
    }
}

fn fields(text: &str) -> Result<Vec<String>, String> {
    csv::fields(text).map_err(|error| error.to_string())
}

/// Splits a field into a name in lower case and a value.
fn pair(field: &str) -> Result<(String, &str), String> {
    match field.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_lowercase(), value)),
        None => Err(format!("invalid value {field}")),
    }
}

fn output(text: &str) -> Result<Entry, String> {
    let fields = fields(text)?;
    if let [only] = fields.as_slice()
        && only == text
        && !text.starts_with("type=")
    {
        let kind = if text == "-" { "tar" } else { "local" };
        return Ok(Entry::of([("type", kind), ("dest", text)]));
    }
    let mut entry = Entry::default();
    for field in &fields {
        let (name, value) = pair(field)?;
        entry.set(&name, value);
    }
    match entry.get("type") {
        Some(_) => Ok(entry),
        None => Err("type is required for output".to_owned()),
    }
}

fn caches(text: &str) -> Result<Vec<Entry>, String> {
    let fields = fields(text)?;
    if fields.iter().all(|field| !field.contains('=')) {
        let registry = |field: &String| Entry::of([("type", "registry"), ("ref", field)]);
        return Ok(fields.iter().map(registry).collect());
    }
    let mut entry = Entry::default();
    for field in &fields {
        let (name, value) = pair(field)?;
        entry.set(&name, value);
    }
    match entry.get("type") {
        Some(_) => Ok(vec![entry]),
        None => Err(format!("type required for {text:?}")),
    }
}

fn attestation(text: &str) -> Result<Entry, String> {
    let mut entry = Entry::default();
    for field in &fields(text)? {
        let (name, value) = pair(field)?;
        match name.as_str() {
            "disabled" => match iechor_build::spec::parse::boolean(value) {
                Some(true) => entry.set("disabled", "true"),
                Some(false) => {}
                None => return Err(format!("invalid value for disabled: {value}")),
            },
            name => entry.set(name, value),
        }
    }
    match entry.get("type") {
        Some(_) => Ok(entry),
        None => Err("attestation type not specified".to_owned()),
    }
}

fn secret(text: &str) -> Result<Entry, String> {
    let mut entry = Entry::default();
    let mut is_variable = false;
    for field in &fields(text)? {
        let Some((name, value)) = field.split_once('=') else {
            return Err(format!("invalid field '{field}' must be a key=value pair"));
        };
        match name.to_lowercase().as_str() {
            "type" if value == "env" => is_variable = true,
            "type" if value == "file" => {}
            "type" => return Err(format!("unsupported secret type {value:?}")),
            "id" => entry.set("id", value),
            "src" | "source" => entry.set("src", value),
            "env" => entry.set("env", value),
            // The value may be a secret.
            name => return Err(format!("unexpected key '{name}' in '{name}=...'")),
        }
    }
    of_variable(&mut entry, is_variable);
    match entry.get("id") {
        Some(id) if !id.is_empty() => Ok(entry),
        _ => Err("secret missing ID".to_owned()),
    }
}

/// The source of a secret with the type `env` is the name of a variable.
fn of_variable(entry: &mut Entry, is_variable: bool) {
    if is_variable
        && entry.get("env").is_none()
        && let Some(source) = entry.0.remove("src")
    {
        entry.set("env", source);
    }
}

fn policy(text: &str) -> Result<Entry, String> {
    let mut entry = Entry::default();
    for field in &fields(text)? {
        let (name, value) = pair(field)?;
        match name.as_str() {
            "filename" | "reset" | "disabled" | "strict" | "log-level" => entry.set(&name, value),
            _ => return Err(format!("invalid value {field}")),
        }
    }
    Ok(entry)
}

fn of_object(kind: Entries, value: &Value) -> Result<Option<Entry>, String> {
    let mut entry = Entry::default();
    let mut is_variable = false;
    for (name, value) in value.fields().into_iter().flatten() {
        let text = |value: &Value| match convert::convert(value, &crate::value::Type::String) {
            Ok(Value::String(text)) => Ok(Some(text.to_string())),
            Ok(_) => Ok(None),
            Err(error) => Err(format!("element {name:?}: {error}")),
        };
        match (kind, &**name) {
            (Entries::Ssh, "paths") => {
                let mut paths = Vec::new();
                for path in value.items().unwrap_or_default() {
                    paths.extend(text(path)?);
                }
                if !paths.is_empty() {
                    entry.set("paths", paths.join(","));
                }
            }
            (Entries::Ssh, "id") | (Entries::Secret, "id" | "src" | "env") => {
                if let Some(text) = text(value)?.filter(|text| !text.is_empty()) {
                    entry.set(name, text);
                }
            }
            // docker buildx ignores the type of an object and reads a file.
            (Entries::Secret, "type") => is_variable = text(value)?.as_deref() == Some("env"),
            (Entries::Ssh | Entries::Secret, _) => {}
            (Entries::Attest, "disabled") => {
                let text = text(value)?.unwrap_or_default();
                if iechor_build::spec::parse::boolean(&text) == Some(true) {
                    entry.set("disabled", "true");
                }
            }
            _ => {
                if let Some(text) = text(value)? {
                    entry.set(name, text);
                }
            }
        }
    }
    of_variable(&mut entry, is_variable);
    match kind {
        _ if entry.0.is_empty() => Ok(None),
        Entries::Ssh if entry.get("id").is_none() => {
            entry.set("id", "default");
            Ok(Some(entry))
        }
        Entries::Secret if entry.get("id").is_none() => Err("secret missing ID".to_owned()),
        Entries::Output if entry.get("type").is_none() => {
            Err("type is required for output".to_owned())
        }
        Entries::Cache if entry.get("type").is_none() => {
            Err(format!("type required for {:?}", entry.to_csv()))
        }
        Entries::Attest if entry.get("type").is_none() => {
            Err("attestation type not specified".to_owned())
        }
        _ => Ok(Some(entry)),
    }
}
