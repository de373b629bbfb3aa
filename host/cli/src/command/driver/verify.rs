//! `iechor driver verify`

use anyhow::bail;
use clap::Args;
use iechor_catalog::view::Verification;

use super::{short, shown};
use crate::command::Format;
use crate::session::{self, Common};
use crate::text::Text;
use crate::{failure, table};

/// Verify installed drivers: digest, contract and source
#[derive(Debug, Args)]
pub struct Verify {
    /// Names of the drivers (default: all)
    names: Vec<String>,
    /// Do not contact registries and web servers
    #[arg(long)]
    offline: bool,
    /// Format the output: table, json, or a Go template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: Format,
}

impl Verify {
    /// Verifies the drivers and prints the results. Any fault is an error.
    pub fn run(self) -> anyhow::Result<()> {
        session::query(&Common::default(), |workspace| async move {
            let verified = workspace.catalog.verify(&self.names, self.offline).await?;
            self.format
                .list(|| as_table(&verified.drivers), &verified.drivers)?;
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
