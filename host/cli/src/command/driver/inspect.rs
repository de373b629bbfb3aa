//! `iechor driver inspect`

use clap::Args;
use iechor_catalog::view::{DriverDetails, DriverOption};

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
            let loaded = workspace.catalog.load(&driver).await?;
            let details = DriverDetails::of(&loaded).await?;
            format.show(|| text(&details), || &details)
        })
    }
}

fn text(driver: &DriverDetails) -> Text {
    let field = |key: &str, value: &str| (key.to_owned(), shown(value));
    let mut fields = vec![
        field("Name", &driver.name),
        field("Version", &driver.version),
        field("Summary", &driver.summary),
        field("Vendor", driver.vendor.as_deref().unwrap_or("-")),
        field("License", driver.license.as_deref().unwrap_or("-")),
        field("Source", &driver.source),
        field("Digest", &driver.digest),
        field("Contract", &driver.contract),
    ];
    for (key, value) in [
        ("Installed as", &driver.installed_as),
        ("Installed at", &driver.installed_at),
        ("Pinned to", &driver.pinned),
    ] {
        if let Some(value) = value {
            fields.push(field(key, value));
        }
    }
    let mut text = table::fields(&fields);
    text.line("");
    text.line("Imports:");
    for import in &driver.imports {
        text.line(&format!("  {import}"));
    }
    text.line("");
    text.line("Requested capabilities:");
    let mut rows = Vec::new();
    let mut capabilities: Vec<_> = driver.capabilities.iter().collect();
    capabilities.sort_by_key(|request| request.review_rank);
    for request in capabilities {
        rows.push(vec![
            format!("  {}", shown(&request.name)),
            scope(request.any, &request.scope),
            need(request.required).to_owned(),
            risk(request.high_risk).to_owned(),
            shown(&request.reason),
        ]);
    }
    text.append(&table::render(&rows));
    if !driver.forbidden.is_empty() {
        text.line("");
        text.line("Forbidden by policy:");
        for forbidden in &driver.forbidden {
            text.line(&format!("  {} ({})", forbidden.rule, forbidden.file));
        }
    }
    text.line("");
    text.line("Options:");
    let rows: Vec<_> = driver.options.iter().map(option).collect();
    text.append(&table::render(&rows));
    text
}

fn option(option: &DriverOption) -> Vec<String> {
    let name = match option.is_table {
        true => format!("{}.NAME", option.name),
        false => option.name.clone(),
    };
    let default = match (&option.default, option.required) {
        (Some(default), _) => format!(" (default {default})"),
        (None, true) => " (required)".to_owned(),
        (None, false) => String::new(),
    };
    vec![
        format!("  {}", shown(&name)),
        shown(&option.kind),
        shown(&format!("{}{default}", option.help)),
    ]
}
