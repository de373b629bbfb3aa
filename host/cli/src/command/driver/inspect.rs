//! `iechor driver inspect`

use clap::Args;
use iechor_builder::drivers;
use iechor_sandbox::contract::{Descriptor, OptionKind};
use iechor_sandbox::grant::CATALOGUE;
use iechor_sandbox::{Driver as Component, Source};

use crate::command::Format;
use crate::session::{self, Common};
use crate::{console, table};

/// Show what a driver imports, its options and the capabilities that it asks for
#[derive(Debug, Args)]
pub struct Inspect {
    /// Name of a driver, or path of a component
    driver: String,
    /// How to write it
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Inspect {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let Self { driver, format } = self;
        session::query(&Common::default(), |workspace| async move {
            let component = drivers::load(&workspace.store, &driver).await?.driver;
            let descriptor = component
                .descriptor()
                .await
                .map_err(iechor_builder::BuilderError::from)?;
            match format {
                Format::Table => console::result(&text(&component, descriptor)),
                Format::Json => console::line(&format!("{:#}", json(&component, descriptor))),
            }
        })
    }
}

fn source(component: &Component) -> String {
    match component.source() {
        Source::Embedded => "built in".into(),
        Source::File(path) => path.display().to_string(),
    }
}

fn text(component: &Component, descriptor: &Descriptor) -> String {
    let field = |key: &str, value: &str| (key.to_owned(), shown(value));
    let mut text = table::fields(&[
        field("Name", &descriptor.name),
        field("Version", &descriptor.version),
        field("Summary", &descriptor.summary),
        field("Vendor", descriptor.vendor.as_deref().unwrap_or("-")),
        field("License", descriptor.license.as_deref().unwrap_or("-")),
        field("Source", &source(component)),
        field("Digest", component.digest()),
    ]);
    text += "\nImports:\n";
    for import in component.imports() {
        text += &format!("  {}\n", shown(import));
    }
    text += "\nRequested capabilities:\n";
    let mut rows = Vec::new();
    for request in &descriptor.capabilities {
        let high_risk = CATALOGUE
            .iter()
            .any(|capability| capability.name == request.name && capability.high_risk);
        let scope = match request.scope.as_slice() {
            [] => "any".to_owned(),
            scope => scope.join(", "),
        };
        rows.push(vec![
            format!("  {}", shown(&request.name)),
            shown(&scope),
            if request.required {
                "required"
            } else {
                "optional"
            }
            .to_owned(),
            if high_risk { "high risk" } else { "" }.to_owned(),
            shown(&request.reason),
        ]);
    }
    text += &table::render(&rows);
    text += "\nOptions:\n";
    let rows: Vec<_> = descriptor
        .options
        .iter()
        .map(|option| {
            let name = match option.kind {
                OptionKind::Table => format!("{}.NAME", option.name),
                _ => option.name.clone(),
            };
            let default = match (&option.default, option.required) {
                (Some(default), _) => format!(" (default {default})"),
                (None, true) => " (must be given)".to_owned(),
                (None, false) => String::new(),
            };
            vec![
                format!("  {}", shown(&name)),
                kind(&option.kind),
                shown(&format!("{}{default}", option.help)),
            ]
        })
        .collect();
    text + &table::render(&rows)
}

/// A driver's words on one line, without what would move the cursor.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn kind(kind: &OptionKind) -> String {
    match kind {
        OptionKind::Text => "text".into(),
        OptionKind::Boolean => "boolean".into(),
        OptionKind::Integer => "integer".into(),
        OptionKind::Size => "size".into(),
        OptionKind::Duration => "duration".into(),
        OptionKind::Choice(choices) => shown(&choices.join("|")),
        OptionKind::Table => "table".into(),
        OptionKind::File => "file".into(),
    }
}

fn json(component: &Component, descriptor: &Descriptor) -> serde_json::Value {
    let options: Vec<_> = descriptor
        .options
        .iter()
        .map(|option| {
            serde_json::json!({
                "Name": option.name,
                "Kind": kind(&option.kind),
                "Help": option.help,
                "Default": option.default,
                "Required": option.required,
                "Secret": option.secret,
                "Deprecated": option.deprecated,
            })
        })
        .collect();
    let capabilities: Vec<_> = descriptor
        .capabilities
        .iter()
        .map(|request| {
            serde_json::json!({
                "Name": request.name,
                "Scope": request.scope,
                "Required": request.required,
                "Reason": request.reason,
            })
        })
        .collect();
    serde_json::json!({
        "Name": descriptor.name,
        "Version": descriptor.version,
        "Summary": descriptor.summary,
        "Vendor": descriptor.vendor,
        "Homepage": descriptor.homepage,
        "License": descriptor.license,
        "Source": source(component),
        "Digest": component.digest(),
        "Imports": component.imports(),
        "Options": options,
        "Capabilities": capabilities,
    })
}
