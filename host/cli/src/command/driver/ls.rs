//! `iechor driver ls`

use clap::Args;
use iechor_catalog::view::{DriverSummary, Status};

use super::{short, shown};
use crate::command::Format;
use crate::session::{self, Common};
use crate::text::Text;
use crate::{failure, table};

/// List the built-in and installed drivers
#[derive(Debug, Args)]
pub struct Ls {
    /// Format the output: table, json, or a Go template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: Format,
}

impl Ls {
    /// Prints the drivers. A broken driver is listed with the reason. A fault of the lock file is an
    /// error, after the list of the other drivers.
    pub fn run(self) -> anyhow::Result<()> {
        session::query(&Common::default(), |workspace| async move {
            let listing = workspace.catalog.list().await;
            let drivers = &listing.drivers;
            self.format.list(|| as_table(drivers), drivers)?;
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
