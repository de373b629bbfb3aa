//! The part of Go's templates that `inspect --format` needs: paths, `json` and `index`.
//!
//! `{{.NetworkSettings.Networks}}`, `{{json .Mounts}}`, `{{index .Config.Labels "a.b"}}`. Values are
//! written as Go writes them: `map[key:value]`, `[a b]`, `<nil>`.

use anyhow::{Context, bail};
use serde_json::Value;

/// Renders a template over a value.
pub fn render(template: &str, value: &Value) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        text += &rest[..start];
        let inside = &rest[start + 2..];
        let end = inside
            .find("}}")
            .with_context(|| format!("template {template:?}: a {{{{ has no }}}}"))?;
        let action = inside[..end].trim();
        text += &evaluate(action, value).with_context(|| format!("template {template:?}"))?;
        rest = &inside[end + 2..];
    }
    Ok(text + rest)
}

fn evaluate(action: &str, value: &Value) -> anyhow::Result<String> {
    if let Some(path) = action.strip_prefix("json ") {
        return Ok(lookup(path.trim(), value)?.to_string());
    }
    if let Some(rest) = action.strip_prefix("index ") {
        let (path, key) = rest
            .trim()
            .split_once(' ')
            .context("index takes a path and a key, as in {{index .Config.Labels \"a\"}}")?;
        let of = lookup(path, value)?;
        let key = key.trim();
        let found = match key.parse::<usize>() {
            Ok(position) => of.get(position),
            Err(_) => of.get(key.trim_matches('"')),
        };
        return Ok(found.map(as_go_writes).unwrap_or_default());
    }
    if !action.starts_with('.') {
        bail!("{action:?} is not supported; there are paths (.Config.Image), json and index");
    }
    Ok(as_go_writes(lookup(action, value)?))
}

fn lookup<'a>(path: &str, value: &'a Value) -> anyhow::Result<&'a Value> {
    let mut found = value;
    let Some(names) = path.strip_prefix('.') else {
        bail!("{path:?} is not a path; paths begin with a dot, as in .Config.Image");
    };
    for name in names.split('.').filter(|name| !name.is_empty()) {
        found = found
            .get(name)
            .with_context(|| format!("there is no {name:?} in {path:?}{}", known(found)))?;
    }
    Ok(found)
}

fn known(value: &Value) -> String {
    match value.as_object() {
        Some(object) => {
            let names: Vec<_> = object.keys().map(String::as_str).collect();
            format!("; there are: {}", names.join(", "))
        }
        None => String::new(),
    }
}

fn as_go_writes(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(as_go_writes).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            let fields: Vec<_> = fields
                .iter()
                .map(|(key, value)| format!("{key}:{}", as_go_writes(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_go_writes_them() {
        let value = serde_json::json!({
            "Name": "/x",
            "Net": {"foonet": {"Aliases": null, "IP": "10.0.0.2"}},
            "List": [1, true, "a"],
            "Labels": {"a.b": "c"},
        });
        for (template, expected) in [
            ("{{.Name}}", "/x"),
            ("{{ .Net }}", "map[foonet:map[Aliases:<nil> IP:10.0.0.2]]"),
            ("a {{.Net.foonet.IP}} b{{.List}}", "a 10.0.0.2 b[1 true a]"),
            (
                "{{json .Net.foonet}}",
                r#"{"Aliases":null,"IP":"10.0.0.2"}"#,
            ),
            ("{{index .Labels \"a.b\"}}{{index .List 2}}", "ca"),
            ("none", "none"),
        ] {
            assert_eq!(render(template, &value).expect(template), expected);
        }
    }

    #[test]
    fn mistakes_say_what_there_is() {
        let value = serde_json::json!({"Name": "x"});
        for (template, words) in [
            ("{{.Nam}}", "there are: Name"),
            ("{{.Name", "has no }}"),
            ("{{range .Name}}", "not supported"),
            ("{{json Name}}", "begin with a dot"),
        ] {
            let error = format!("{:#}", render(template, &value).expect_err(template));
            assert!(error.contains(words), "{error}");
        }
    }
}
