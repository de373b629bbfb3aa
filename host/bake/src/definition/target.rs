//! Attributes of targets as values, and how targets of the same name are merged.

use std::collections::BTreeMap;

use iechor_build::spec::steps::Resources;

use super::Target;
use super::attributes::{self, Attribute as Known, Kind, Setting};
use super::entries;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Attribute, Body};
use crate::value::{self, Type, Value};

/// Converts a value to the type of an attribute.
///
/// # Errors
///
/// Returns why there is no conversion.
pub fn convert(kind: Kind, name: &str, value: &Value) -> Result<Value, String> {
    let converted =
        value::convert::convert(value, &kind.constraint()).map_err(|error| error.to_string())?;
    let has_null = |values: &[Value]| values.iter().any(Value::is_null);
    let is_null_refused = matches!(kind, Kind::Entries(_)) || name == "description";
    let is_wrong = match (kind, &converted) {
        (_, Value::Null) => is_null_refused,
        (Kind::Texts, value) => has_null(value.items().unwrap_or_default()),
        (Kind::Contexts, value) => value
            .fields()
            .is_some_and(|fields| fields.values().any(Value::is_null)),
        _ => false,
    };
    match is_wrong {
        true => Err("null value is not allowed".to_owned()),
        false => Ok(converted),
    }
}

/// Returns the setting of an attribute, or `None` if the value is null.
///
/// # Errors
///
/// Returns what is wrong with the value.
pub fn setting(known: &Known, value: &Value) -> Result<Option<Setting>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let setting = match known.kind {
        Kind::Text => value.as_str().map(|text| Setting::Text(text.to_owned())),
        Kind::Flag => match value {
            Value::Bool(flag) => Some(Setting::Flag(*flag)),
            _ => None,
        },
        Kind::Texts => texts(value).map(Setting::Texts),
        Kind::Map | Kind::Contexts => value.fields().map(|fields| {
            let filled = fields
                .iter()
                .filter_map(|(name, value)| Some((name.to_string(), value.as_str()?.to_owned())));
            Setting::Map(filled.collect())
        }),
        Kind::Entries(kind) => Some(Setting::Entries(entries::read(kind, value)?)),
        Kind::Resources => Some(Setting::Map(resources(value)?)),
    };
    Ok(setting)
}

fn resources(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let Some(fields) = value.fields() else {
        return Err(format!("object required, but have {}", value.kind()));
    };
    let mut limits = BTreeMap::new();
    for (name, value) in fields {
        if value.is_null() || !Resources::NAMES.contains(&&**name) {
            continue;
        }
        let of = if is_integer(name) {
            Type::Number
        } else {
            Type::String
        };
        let text = value::convert::convert(value, &of)
            .and_then(|value| value::convert::convert(&value, &Type::String))
            .map_err(|error| format!("attribute {name:?}: {error}"))?;
        let text = text.as_str().unwrap_or_default();
        if is_integer(name) && text.parse::<i64>().is_err() {
            return Err(format!("attribute {name:?}: a whole number is required"));
        }
        limits.insert(name.to_string(), text.to_owned());
    }
    Ok(limits)
}

/// Returns whether a limit is a whole number.
pub fn is_integer(name: &str) -> bool {
    matches!(name, "cpu-shares" | "cpu-period" | "cpu-quota")
}

/// Returns whether `resources` has a limit of this name.
pub fn is_resource(name: &str) -> bool {
    Resources::NAMES.contains(&name)
}

/// Returns the texts of a list of texts.
pub fn texts(value: &Value) -> Option<Vec<String>> {
    let items = value.items()?;
    Some(
        items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    )
}

/// Creates the fault of an attribute.
pub fn unsuitable(detail: &str, attribute: &Attribute) -> Box<Diagnostic> {
    let detail = format!("Unsuitable value: {detail}");
    Box::new(Diagnostic::new("Unsuitable value type", detail).at(attribute.value.span))
}

/// Merges a later target into an earlier one.
pub fn merge(earlier: &mut Target, later: Target) {
    earlier.inherits.extend(later.inherits);
    for (name, setting) in later.attributes {
        apply(&mut earlier.attributes, name, setting);
    }
}

/// Merges a setting into those of a target.
pub fn apply(settings: &mut attributes::Attributes, name: &'static str, setting: Setting) {
    if let Some(known) = attributes::find(name) {
        let earlier = settings.remove(name);
        settings.insert(name, known.merge.apply(earlier, setting));
    }
}

/// Returns warnings about blocks and attributes that have no meaning. docker buildx ignores them silently.
pub fn unknown(bodies: &[Body]) -> Vec<Diagnostic> {
    const BLOCKS: &[&str] = &["variable", "function", "target", "group"];
    let target: Vec<&str> = attributes::TABLE
        .iter()
        .map(|known| known.name)
        .chain(attributes::STRUCTURE.iter().copied())
        .collect();
    let mut warnings = Vec::new();
    for block in bodies.iter().flat_map(|body| &body.blocks) {
        let known: &[&str] = match block.kind.as_str() {
            "target" => &target,
            "group" => &["name", "matrix", "description", "targets"],
            "variable" => &["type", "default", "description", "sensitive"],
            "function" => continue,
            other => {
                let detail = format!("Blocks of type {other:?} have no meaning.");
                warnings.push(
                    Diagnostic::new("Unsupported block type", detail)
                        .meaning(other, BLOCKS.iter().copied())
                        .at(block.span),
                );
                continue;
            }
        };
        let unknown = block
            .body
            .attributes
            .iter()
            .filter(|attribute| !known.contains(&attribute.name.as_str()));
        for attribute in unknown {
            let detail = format!(
                "An argument named {:?} has no meaning in a {}.",
                attribute.name, block.kind
            );
            warnings.push(
                Diagnostic::new("Unsupported argument", detail)
                    .meaning(&attribute.name, known.iter().copied())
                    .at(attribute.name_span),
            );
        }
        let inner = block.body.blocks.iter();
        for inner in inner.filter(|inner| {
            (block.kind.as_str(), inner.kind.as_str()) != ("variable", "validation")
        }) {
            let detail = format!(
                "A block {:?} has no meaning in a {}. Write an argument with {:?}.",
                inner.kind, block.kind, "="
            );
            warnings.push(Diagnostic::new("Unsupported block type", detail).at(inner.span));
        }
    }
    warnings
}
