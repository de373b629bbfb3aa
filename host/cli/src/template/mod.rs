//! The Go templates of `--format`, with the functions of the Docker CLI.
//!
//! The crate `gotmpl` has the language. This module adds what a terminal needs: a value of the data
//! cannot leave its line, a line that begins with a value cannot look like one of the program's, a
//! missing field names the fields that exist, and a template has bounds in time and memory.
//!
//! - `prepare` rewrites the parsed template so that it calls the functions below, and bounds its steps.
//! - `functions` has those of the Docker CLI and those that a prepared template calls.
//! - `values` turns JSON into the values of a template and back.
//! - `lines` puts the output together.

mod functions;
mod lines;
mod prepare;
mod values;

use std::sync::Arc;

use anyhow::{anyhow, bail};
use gotmpl::parse::Parser;
use gotmpl::{MissingKey, Template, TemplateError};
use serde_json::Value;

use crate::table;
use crate::text::Text;
use functions::Meter;
use lines::Lines;

/// Maximum length of a template, in bytes.
const LONGEST: usize = 16 << 10;

/// Name of the template itself among those that it defines.
const MAIN: &str = "format";

/// What a template is rendered over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// An object of its own.
    Object,
    /// A row of a listing.
    Row,
    /// The header of a table: fields stand for the names of their columns.
    Header,
}

/// A template that was parsed.
#[derive(Debug, Clone)]
pub struct Format {
    source: String,
    is_table: bool,
}

impl Format {
    /// Reads a template. `table TEMPLATE` has a column for each part between tabs, and a header.
    ///
    /// # Errors
    ///
    /// If the template has a syntax error, or exceeds a bound.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let table = text.strip_prefix("table").map(str::trim_start);
        let table = table.filter(|rest| rest.starts_with("{{"));
        let format = Self {
            source: table.unwrap_or(text).to_owned(),
            is_table: table.is_some(),
        };
        format.template(Over::Object)?;
        Ok(format)
    }

    /// Returns whether the template may use a field of a row. A template that uses a whole row uses all
    /// fields.
    pub fn may_use(&self, field: &str) -> bool {
        let uses_whole =
            |after: &str| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        self.source.contains(field)
            || self.source.contains('$')
            || self.source.split('.').skip(1).any(uses_whole)
    }

    /// Renders the template over each row of a listing. As in the Docker CLI, `\t` and `\n` in the
    /// text of the template mean a tab and a line feed.
    ///
    /// # Errors
    ///
    /// If the template fails on a row.
    pub fn rows(&self, rows: &[Value]) -> anyhow::Result<Text> {
        if !self.is_table {
            let mut text = Text::default();
            for row in rows {
                text.append(&Text::prepared(self.render(row, Over::Row)?));
            }
            return Ok(text);
        }
        let mut cells = Vec::new();
        // A template that cannot make a header has none.
        if let Some(header) = rows.first().map(|row| self.render(row, Over::Header))
            && let Ok(header) = header
        {
            cells.extend(split(&header));
        }
        for row in rows {
            cells.extend(split(&self.render(row, Over::Row)?));
        }
        Ok(table::render(&cells).without_trailing_spaces())
    }

    /// Renders the template over one object.
    ///
    /// # Errors
    ///
    /// If the template fails.
    pub fn object(&self, object: &Value) -> anyhow::Result<Text> {
        if self.is_table {
            return self.rows(std::slice::from_ref(object));
        }
        Ok(Text::prepared(self.render(object, Over::Object)?))
    }

    /// Returns the lines of one row, each with its end.
    fn render(&self, data: &Value, over: Over) -> anyhow::Result<String> {
        let template = self.template(over)?;
        let mut lines = Lines::default();
        let executed = template.execute_template_fmt(&mut lines, MAIN, &values::from_json(data));
        executed.map_err(|error| self.wrong(&error))?;
        Ok(lines.finish())
    }

    fn template(&self, over: Over) -> anyhow::Result<Template> {
        if self.source.len() > LONGEST {
            bail!("the template is too long: the maximum is {LONGEST} bytes");
        }
        let parsed = Parser::new(&self.source, "{{", "}}").and_then(Parser::parse);
        let (main, defines) = parsed.map_err(|error| self.wrong(&error))?;
        let mut trees: Vec<_> = defines
            .into_iter()
            .map(|define| (define.name.to_string(), define.body))
            .collect();
        trees.push((MAIN.to_owned(), main));
        for (_, tree) in &mut trees {
            prepare::rewrite(tree, over != Over::Object);
        }
        let most = prepare::most_iterations(&trees).map_err(|why| anyhow!("{}: {why}", self))?;
        let template = Template::new(MAIN)
            .missing_key(MissingKey::Error)
            .max_range_iters(most);
        let template = functions::add(template, over, &Arc::new(Meter::new()));
        let add =
            |template: Template, (name, tree): (String, _)| template.add_parse_tree(&name, tree);
        Ok(trees.into_iter().fold(template, add))
    }

    fn wrong(&self, error: &TemplateError) -> anyhow::Error {
        match error {
            TemplateError::Exec(why) => anyhow!("{self}: {why}"),
            TemplateError::Write => anyhow!("{self}: the output is too long"),
            TemplateError::RangeIterLimit => anyhow!("{self}: too many steps"),
            TemplateError::UndefinedFunction(name) => anyhow!(
                "{self}: unknown function {name:?}; the functions are those of Go templates and {}",
                functions::NAMES.join(", ")
            ),
            other => anyhow!("{self}: {other}"),
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "template {:?}", self.source)
    }
}

/// Returns the cells of each line.
fn split(lines: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
    lines.lines().map(cells).collect()
}

#[cfg(test)]
mod tests;
