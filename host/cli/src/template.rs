//! The part of Go's templates that `inspect --format` needs: paths, `json` and `index`.
//!
//! `{{.NetworkSettings.Networks}}`, `{{json .Mounts}}`, `{{index .Config.Labels "a.b"}}`. Values are
//! written as Go writes them: `map[key:value]`, `[a b]`, `<nil>`.

use anyhow::{Context, bail};
use iechor_text::{clean_line, unmarked};
use serde_json::Value;

use crate::text::Text;

/// Renders a template over a value, with a line end behind it. Lines are the template's; a value
/// stays on its line, and one that a line begins with does not begin as the program's own do.
pub fn render(template: &str, value: &Value) -> anyhow::Result<Text> {
    let mut text = Lines::default();
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        text.literal(&rest[..start]);
        let inside = &rest[start + 2..];
        let end = inside
            .find("}}")
            .with_context(|| format!("template {template:?}: a {{{{ has no }}}}"))?;
        let action = inside[..end].trim();
        let value = evaluate(action, value).with_context(|| format!("template {template:?}"))?;
        text.value(&value);
        rest = &inside[end + 2..];
    }
    text.literal(rest);
    text.end_line();
    Ok(Text::prepared(text.ended))
}

/// Lines that are being put together.
#[derive(Default)]
struct Lines {
    ended: String,
    current: String,
    /// The current line begins with a value.
    is_foreign: bool,
}

impl Lines {
    fn literal(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            self.current += piece.trim_end_matches('\n');
            if piece.ends_with('\n') {
                self.end_line();
            }
        }
    }

    fn value(&mut self, text: &str) {
        self.is_foreign |= self.current.is_empty();
        self.current += text;
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.current);
        if std::mem::take(&mut self.is_foreign) {
            self.ended += &unmarked(&line);
        } else {
            self.ended += &line;
        }
        self.ended.push('\n');
    }
}

fn evaluate(action: &str, value: &Value) -> anyhow::Result<String> {
    if let Some(path) = action.strip_prefix("json ") {
        let json = lookup(path.trim(), value)?.to_string();
        return Ok(iechor_text::json(&json).into_owned());
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
        // Whole, since it is asked for by name.
        Value::String(text) => clean_line(text, usize::MAX),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(as_go_writes).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            let fields: Vec<_> = fields
                .iter()
                .map(|(key, value)| {
                    format!("{}:{}", clean_line(key, usize::MAX), as_go_writes(value))
                })
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
            let rendered = render(template, &value).expect(template);
            assert_eq!(rendered.as_str(), format!("{expected}\n"));
        }
    }

    #[test]
    fn values_stay_on_their_line() {
        let value = serde_json::json!({
            "A": "1\nERROR: x\x1b[2J\u{202e}",
            "Err": "ERR",
            "Rest": "OR: y",
            "L": {"hint: k\n": ["a\nb"]},
        });
        for (template, expected) in [
            ("{{.A}}", "1 ERROR: x"),
            ("{{.Err}}{{.Rest}}", " ERROR: y"),
            ("ERROR: mine\n{{.Err}}\ta\n\n", "ERROR: mine\nERR\ta\n\n"),
            ("{{.L}}", "map[hint: k :[a b]]"),
            ("{{json .A}}", r#""1\nERROR: x\u001b[2J\u202e""#),
        ] {
            let rendered = render(template, &value).expect(template);
            assert_eq!(rendered.as_str(), format!("{expected}\n"), "{template}");
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
