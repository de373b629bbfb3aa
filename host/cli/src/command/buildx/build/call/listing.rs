//! Outlines, targets and requests as tables.

use iechor_text::clean_line;
use serde::Deserialize;

use crate::text::Text;

/// Maximum length of a cell, in characters.
const LONGEST: usize = 4 << 10;

/// The parameters of a target.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Outline {
    name: String,
    description: String,
    args: Vec<Argument>,
    secrets: Vec<Resource>,
    ssh: Vec<Resource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Argument {
    name: String,
    description: String,
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    name: String,
    required: bool,
}

/// The targets of a Dockerfile.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Targets {
    #[serde(alias = "Targets")]
    targets: Option<Vec<Target>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    name: String,
    default: bool,
    description: String,
}

/// A request that a frontend answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    name: String,
    version: String,
    description: String,
}

impl Argument {
    fn cells(&self) -> [&str; 3] {
        [&self.name, &self.value, &self.description]
    }
}

impl Resource {
    fn cells(&self) -> [&str; 2] {
        [&self.name, if self.required { "true" } else { "" }]
    }
}

impl Request {
    fn cells(&self) -> [&str; 3] {
        let name = self.name.strip_prefix("frontend.").unwrap_or(&self.name);
        [name, &self.version, &self.description]
    }
}

/// Returns the tables of an outline, each followed by an empty line.
pub(super) fn outline(outline: &Outline) -> Text {
    let mut text = String::new();
    if !outline.name.is_empty() || !outline.description.is_empty() {
        let name = match outline.name.as_str() {
            "" => "(default)",
            name => name,
        };
        let mut rows = vec![["TARGET:", name]];
        if !outline.description.is_empty() {
            rows.push(["DESCRIPTION:", &outline.description]);
        }
        text += &columns(&rows, 1);
        text.push('\n');
    }
    if !outline.args.is_empty() {
        let mut rows = vec![["BUILD ARG", "VALUE", "DESCRIPTION"]];
        rows.extend(outline.args.iter().map(Argument::cells));
        text += &columns(&rows, 3);
        text.push('\n');
    }
    for (title, resources) in [("SECRET", &outline.secrets), ("SSH", &outline.ssh)] {
        if resources.is_empty() {
            continue;
        }
        let mut rows = vec![[title, "REQUIRED"]];
        rows.extend(resources.iter().map(Resource::cells));
        text += &columns(&rows, 3);
        text.push('\n');
    }
    Text::prepared(text)
}

/// Returns the table of targets.
pub(super) fn targets(list: &Targets) -> Text {
    let name = |target: &Target| match (target.name.as_str(), target.default) {
        ("", true) => "(default)".to_owned(),
        (name, true) => format!("{name} (default)"),
        (name, false) => name.to_owned(),
    };
    let targets = list.targets.as_deref().unwrap_or_default();
    let names: Vec<_> = targets.iter().map(name).collect();
    let mut rows = vec![["TARGET", "DESCRIPTION"]];
    let descriptions = targets.iter().map(|target| target.description.as_str());
    rows.extend(
        names
            .iter()
            .map(String::as_str)
            .zip(descriptions)
            .map(<[&str; 2]>::from),
    );
    Text::prepared(columns(&rows, 3))
}

/// Returns the table of requests.
pub(super) fn requests(list: &[Request]) -> Text {
    let mut rows = vec![["NAME", "VERSION", "DESCRIPTION"]];
    rows.extend(list.iter().map(Request::cells));
    Text::prepared(columns(&rows, 1))
}

/// Aligns rows in columns that are `gap` spaces apart, as Go's tabwriter does: the last column is not
/// filled.
fn columns<const N: usize>(rows: &[[&str; N]], gap: usize) -> String {
    let clean = |row: &[&str; N]| row.map(|cell| clean_line(cell, LONGEST));
    let rows: Vec<_> = rows.iter().map(clean).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0) + gap
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            text += cell;
            if column + 1 < N {
                let missing = widths[column] - cell.chars().count();
                text.extend(std::iter::repeat_n(' ', missing));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_has_a_table_for_each_kind() {
        let json = r#"{"name": "test", "description": "runs tests",
            "args": [{"name": "A", "value": "1", "description": "the first"}, {"name": "LONGER"}],
            "secrets": [{"name": "key", "required": true}, {"name": "other"}],
            "ssh": [{"name": "default"}], "sources": ["YQ=="]}"#;
        let outline = outline(&serde_json::from_str(json).expect("read"));
        assert_eq!(
            outline.as_str(),
            "TARGET:      test\nDESCRIPTION: runs tests\n\n\
             BUILD ARG   VALUE   DESCRIPTION\nA           1       the first\nLONGER              \n\n\
             SECRET   REQUIRED\nkey      true\nother    \n\n\
             SSH       REQUIRED\ndefault   \n\n"
        );
    }

    #[test]
    fn the_default_target_is_marked() {
        let json = r#"{"targets": [{"name": "a", "description": "first"},
            {"name": "b", "default": true}, {"default": true}], "sources": []}"#;
        let targets = targets(&serde_json::from_str(json).expect("read"));
        assert_eq!(
            targets.as_str(),
            "TARGET        DESCRIPTION\na             first\nb (default)   \n(default)     \n"
        );
    }

    #[test]
    fn requests_lose_their_prefix() {
        let json = r#"[{"name": "frontend.outline", "version": "1.0.0", "description": "d"}]"#;
        let list: Vec<Request> = serde_json::from_str(json).expect("read");
        assert_eq!(
            requests(&list).as_str(),
            "NAME    VERSION DESCRIPTION\noutline 1.0.0   d\n"
        );
    }
}
