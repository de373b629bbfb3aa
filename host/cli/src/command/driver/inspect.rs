//! `iechor driver inspect`

use clap::Args;
use iechor_builder::drivers::{self, Loaded, Origin};
use iechor_sandbox::contract::{Descriptor, OptionKind};
use iechor_sandbox::grant::{is_everything, review_order};

use super::{need, risk, scope, shown};
use crate::command::Format;
use crate::session::{self, Common};
use crate::table;
use crate::text::Text;

/// Show the imports, options and requested capabilities of a driver
#[derive(Debug, Args)]
pub struct Inspect {
    /// Name of a driver, or path of a component; append @sha256:... to pin its digest
    driver: String,
    /// Format the output: table, json, or a Go template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: Format,
}

impl Inspect {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let Self { driver, format } = self;
        session::query(&Common::default(), |workspace| async move {
            let loaded = drivers::load(&workspace, &driver).await?;
            let descriptor = loaded
                .driver
                .descriptor()
                .await
                .map_err(iechor_builder::BuilderError::from)?;
            format.show(|| text(&loaded, descriptor), || json(&loaded, descriptor))
        })
    }
}

fn text(loaded: &Loaded, descriptor: &Descriptor) -> Text {
    let component = &loaded.driver;
    let field = |key: &str, value: &str| (key.to_owned(), shown(value));
    let mut fields = vec![
        field("Name", &descriptor.name),
        field("Version", &descriptor.version),
        field("Summary", &descriptor.summary),
        field("Vendor", descriptor.vendor.as_deref().unwrap_or("-")),
        field("License", descriptor.license.as_deref().unwrap_or("-")),
        field("Source", &loaded.origin.to_string()),
        field("Digest", component.digest()),
        field("Contract", component.contract()),
    ];
    if let Origin::Installed(entry) = &loaded.origin {
        fields.push(field("Installed as", &entry.name));
        fields.push(field("Installed at", &entry.installed_at));
        fields.push(field("Pinned to", &entry.pinned));
    }
    let mut text = table::fields(&fields);
    text.line("");
    text.line("Imports:");
    for import in component.imports() {
        text.line(&format!("  {import}"));
    }
    text.line("");
    text.line("Requested capabilities:");
    let mut rows = Vec::new();
    for request in review_order(&descriptor.capabilities) {
        rows.push(vec![
            format!("  {}", shown(&request.name)),
            scope(&request.name, &request.scope),
            need(request.required).to_owned(),
            risk(&request.name).to_owned(),
            shown(&request.reason),
        ]);
    }
    text.append(&table::render(&rows));
    let forbidden = forbidden(loaded, descriptor);
    if !forbidden.is_empty() {
        text.line("");
        text.line("Forbidden by policy:");
        for (file, rule) in forbidden {
            text.line(&format!("  {rule} ({file})"));
        }
    }
    text.line("");
    text.line("Options:");
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
                (None, true) => " (required)".to_owned(),
                (None, false) => String::new(),
            };
            vec![
                format!("  {}", shown(&name)),
                kind(&option.kind),
                shown(&format!("{}{default}", option.help)),
            ]
        })
        .collect();
    text.append(&table::render(&rows));
    text
}

/// Returns the file and the rule of each requested capability that the policy forbids.
fn forbidden(loaded: &Loaded, descriptor: &Descriptor) -> Vec<(String, String)> {
    descriptor
        .capabilities
        .iter()
        .flat_map(|request| loaded.policy.forbidding(&request.name))
        .map(|(file, rule)| (file.display().to_string(), rule.to_string()))
        .collect()
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

fn json(loaded: &Loaded, descriptor: &Descriptor) -> serde_json::Value {
    let component = &loaded.driver;
    let entry = match &loaded.origin {
        Origin::Installed(entry) => Some(entry),
        Origin::BuiltIn | Origin::File(_) => None,
    };
    let grants: Vec<_> = loaded.granted.iter().map(ToString::to_string).collect();
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
    let forbidden: Vec<_> = forbidden(loaded, descriptor)
        .into_iter()
        .map(|(file, rule)| serde_json::json!({ "File": file, "Rule": rule }))
        .collect();
    let capabilities: Vec<_> = descriptor
        .capabilities
        .iter()
        .map(|request| {
            serde_json::json!({
                "Name": request.name,
                "Scope": request.scope,
                "Any": is_everything(&request.name, &request.scope),
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
        "Source": loaded.origin.to_string(),
        "Digest": component.digest(),
        "Contract": component.contract(),
        "InstalledAs": entry.map(|entry| &entry.name),
        "InstalledAt": entry.map(|entry| &entry.installed_at),
        "Pinned": entry.map(|entry| &entry.pinned),
        "Grants": grants,
        "Forbidden": forbidden,
        "Imports": component.imports(),
        "Options": options,
        "Capabilities": capabilities,
    })
}
