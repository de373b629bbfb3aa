//! Definitions as text: `--print` and the lists.

use crate::definition::{Definition, Entry, SelectedTarget, Selection, Setting, TABLE};
use crate::value::json::write_string;

/// Writes a selection as JSON, as docker buildx does: indented, sorted by name, and so that it can be read as a
/// definition again.
pub fn selection(selection: &Selection) -> String {
    let mut json = Json::default();
    json.object(|json| {
        if !selection.groups.is_empty() {
            json.name("group");
            json.object(|json| {
                for (name, group) in &selection.groups {
                    json.name(name);
                    json.object(|json| {
                        if let Some(description) = &group.description {
                            json.name("description");
                            json.string(description);
                        }
                        json.name("targets");
                        json.strings(&group.targets, false);
                    });
                }
            });
        }
        json.name("target");
        json.object(|json| {
            for (name, target) in &selection.targets {
                json.name(name);
                json.target(target);
            }
        });
    });
    json.text + "\n"
}

/// A target or a group, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub name: String,
    /// The description; for a group, with its targets.
    pub description: Option<String>,
    /// Whether it is a group.
    pub is_group: bool,
}

/// Returns the targets and groups, sorted by name. Names that begin with `_` are hidden.
pub fn targets(definition: &Definition) -> Vec<Listed> {
    let groups = definition.groups.iter().map(|group| {
        let members = group.targets.join(", ");
        Listed {
            name: group.name.clone(),
            description: Some(match &group.description {
                Some(description) if members.is_empty() => description.clone(),
                Some(description) => format!("{description} ({members})"),
                None => members,
            }),
            is_group: true,
        }
    });
    let targets = definition.targets.iter().map(|target| Listed {
        name: target.name.clone(),
        description: match target.attributes.get("description") {
            Some(Setting::Text(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        },
        is_group: false,
    });
    let mut listed: Vec<Listed> = groups
        .chain(targets)
        .filter(|listed| !listed.name.starts_with('_'))
        .collect();
    // A group takes precedence over a target of the same name.
    listed.sort_by(|a, b| a.name.cmp(&b.name).then(b.is_group.cmp(&a.is_group)));
    listed.dedup_by(|a, b| a.name == b.name);
    listed
}

/// JSON in the form of Go's `json.MarshalIndent`.
#[derive(Default)]
struct Json {
    text: String,
    depth: usize,
    /// Whether something precedes in the current object or array.
    is_first: bool,
}

impl Json {
    fn line(&mut self) {
        self.text.push('\n');
        self.text.push_str(&"  ".repeat(self.depth));
    }

    fn nested(&mut self, brackets: (char, char), contents: impl FnOnce(&mut Self)) {
        self.text.push(brackets.0);
        self.depth += 1;
        self.is_first = true;
        contents(self);
        self.depth -= 1;
        if !self.is_first {
            self.line();
        }
        self.text.push(brackets.1);
        self.is_first = false;
    }

    fn object(&mut self, contents: impl FnOnce(&mut Self)) {
        self.nested(('{', '}'), contents);
    }

    /// Begins an item: a comma after the one before, and a new line.
    fn item(&mut self) {
        if !self.is_first {
            self.text.push(',');
        }
        self.is_first = false;
        self.line();
    }

    fn name(&mut self, name: &str) {
        self.item();
        self.string(name);
        self.text.push_str(": ");
    }

    fn string(&mut self, value: &str) {
        write_string(value, &mut self.text);
    }

    fn strings(&mut self, values: &[String], is_escaped: bool) {
        self.nested(('[', ']'), |json| {
            for value in values {
                json.item();
                json.string(&escaped(value, is_escaped));
            }
        });
    }

    fn target(&mut self, target: &SelectedTarget) {
        self.object(|json| {
            for attribute in TABLE {
                let Some(setting) = target.settings.get(attribute.name) else {
                    continue;
                };
                if setting.is_empty()
                    || attribute.name == "description" && *setting == Setting::Text(String::new())
                {
                    continue;
                }
                json.name(attribute.name);
                let is_escaped = attribute.is_escaped;
                match setting {
                    Setting::Text(text) => json.string(&escaped(text, is_escaped)),
                    Setting::Flag(flag) => json.text.push_str(if *flag { "true" } else { "false" }),
                    Setting::Texts(texts) => json.strings(texts, is_escaped),
                    Setting::Map(map) => json.object(|json| {
                        for (name, value) in map {
                            json.name(name);
                            match value.parse::<i64>() {
                                Ok(_)
                                    if name.starts_with("cpu-")
                                        && attribute.name == "resources" =>
                                {
                                    json.text.push_str(value);
                                }
                                _ => json.string(&escaped(value, is_escaped)),
                            }
                        }
                    }),
                    Setting::Entries(entries) => json.nested(('[', ']'), |json| {
                        for entry in entries {
                            json.item();
                            json.entry(attribute.name, entry);
                        }
                    }),
                }
            }
        });
    }

    fn entry(&mut self, attribute: &str, entry: &Entry) {
        self.object(|json| {
            // The names of a secret and of an agent have an order of their own.
            let order: &[&str] = match attribute {
                "secret" => &["id", "src", "env"],
                "ssh" => &["id", "paths"],
                _ => &[],
            };
            let mut options: Vec<(&str, &str)> = entry.iter().collect();
            options.sort_by_key(|(name, _)| order.iter().position(|known| known == name));
            for (name, value) in options {
                json.name(name);
                match (attribute, name) {
                    ("ssh", "paths") => {
                        let paths: Vec<String> = value.split(',').map(str::to_owned).collect();
                        json.strings(&paths, false);
                    }
                    ("attest", "disabled") => json.text.push_str(value),
                    _ => json.string(value),
                }
            }
        });
    }
}

fn escaped(text: &str, is_escaped: bool) -> String {
    match is_escaped {
        true => text.replace("${", "$${").replace("%{", "%%{"),
        false => text.to_owned(),
    }
}
