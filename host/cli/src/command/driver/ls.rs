//! `iechor driver ls`

use clap::Args;
use iechor_catalog::view::{DriverSummary, Status};

use super::{short, shown};
use crate::command::ListFormat;
use crate::session::{self, Common};
use crate::text::Text;
use crate::{console, failure, table, template};

/// List the drivers that are built in and installed
#[derive(Debug, Args)]
pub struct Ls {
    /// How to write them: table, json, or a template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: ListFormat,
}

impl Ls {
    /// Lists them, the broken ones with their reason among them. What is wrong with the lock file
    /// itself is a failure, after the drivers that there are all the same.
    pub fn run(self) -> anyhow::Result<()> {
        session::query(&Common::default(), |workspace| async move {
            let listing = workspace.catalog.list().await;
            let drivers = &listing.drivers;
            match &self.format {
                ListFormat::Table => console::result(&as_table(drivers)),
                ListFormat::Json => drivers
                    .iter()
                    .try_for_each(|driver| console::json(&serde_json::to_value(driver)?)),
                ListFormat::Template(text) => drivers.iter().try_for_each(|driver| {
                    console::result(&template::render(text, &serde_json::to_value(driver)?)?)
                }),
            }?;
            failure::advise_on_drivers(&listing.faults);
            match listing.lock_fault {
                Some(fault) => Err(fault.into()),
                None => Ok(()),
            }
        })
    }
}

fn as_table(drivers: &[DriverSummary]) -> Text {
    let header = ["NAME", "VERSION", "SOURCE", "DIGEST", "STATUS"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for driver in drivers {
        let text = |text: &Option<String>| shown(text.as_deref().unwrap_or_default());
        rows.push(vec![
            shown(&driver.name),
            text(&driver.version),
            text(&driver.source),
            short(driver.digest.as_deref().unwrap_or_default()),
            match driver.status {
                Status::Ok => "ok".to_owned(),
                Status::Untrusted => shown(&format!("not granted: {}", driver.missing.join(", "))),
                Status::Broken => text(&driver.err),
            },
        ]);
    }
    table::render(&rows)
}
