//! `iechor driver verify`

use anyhow::bail;
use clap::Args;
use iechor_catalog::view::Verification;

use super::{short, shown};
use crate::command::Format;
use crate::session::{self, Common};
use crate::text::Text;
use crate::{console, failure, table};

/// Check installed drivers: their bytes, their contract, and what their source has
#[derive(Debug, Args)]
pub struct Verify {
    /// Their names; all where there is none
    names: Vec<String>,
    /// Ask no registry and no web server
    #[arg(long)]
    offline: bool,
    /// How to write what was found; as json, one line a driver
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Verify {
    /// Checks the drivers and prints what was found; any fault is a failure.
    pub fn run(self) -> anyhow::Result<()> {
        session::query(&Common::default(), |workspace| async move {
            let verified = workspace.catalog.verify(&self.names, self.offline).await?;
            match self.format {
                Format::Table => console::result(&as_table(&verified.drivers))?,
                Format::Json => verified
                    .drivers
                    .iter()
                    .try_for_each(|driver| console::json(&serde_json::to_value(driver)?))?,
            }
            failure::advise_on_drivers(&verified.faults);
            match verified.faulty() {
                0 => Ok(()),
                1 => bail!("1 driver failed verification"),
                several => bail!("{several} drivers failed verification"),
            }
        })
    }
}

fn as_table(verified: &[Verification]) -> Text {
    let header = ["NAME", "DIGEST", "COMPONENT", "SOURCE"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for driver in verified {
        let component = driver.component_err.as_deref().unwrap_or("ok");
        let source = driver.source_err.as_ref().or(driver.source.as_ref());
        rows.push(vec![
            shown(&driver.name),
            short(driver.digest.as_deref().unwrap_or_default()),
            shown(component),
            shown(source.map_or("", String::as_str)),
        ]);
    }
    table::render(&rows)
}
