//! `iechor driver verify`

use anyhow::bail;
use clap::Args;
use iechor_builder::drivers::{Installed, LockFile, manage};
use iechor_builder::{BuilderError, Workspace};
use iechor_registry::Digest;
use serde_json::{Value, json};

use super::shown;
use crate::command::Format;
use crate::session::{self, Common};
use crate::table;
use crate::text::Text;

/// State of a source that was not checked.
const NOT_ASKED: &str = "not checked";

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
            let lock = LockFile::read(&workspace.store)?;
            let entries = manage::chosen(&lock, &self.names).map_err(BuilderError::from)?;
            let mut checked = Vec::new();
            for entry in &entries {
                checked.push(Checked {
                    name: entry.name.clone(),
                    digest: Some(entry.digest.clone()),
                    component: manage::verify(&workspace, entry).await,
                    source: match self.offline {
                        true => Ok(NOT_ASKED.to_owned()),
                        false => source(&workspace, entry).await,
                    },
                });
            }
            for (name, error) in manage::unusable(&lock, &self.names) {
                checked.push(Checked {
                    name,
                    digest: None,
                    component: Err(error.into()),
                    source: Ok(NOT_ASKED.to_owned()),
                });
            }
            self.format
                .list(|| as_table(&checked), checked.iter().map(as_json))?;
            let faults = checked.iter().filter(|checked| checked.is_faulty());
            let faults = faults.count();
            match faults {
                0 => Ok(()),
                1 => bail!("1 driver failed verification"),
                several => bail!("{several} drivers failed verification"),
            }
        })
    }
}

/// The result for one driver.
struct Checked {
    name: String,
    digest: Option<Digest>,
    component: Result<(), BuilderError>,
    source: Result<String, BuilderError>,
}

impl Checked {
    fn is_faulty(&self) -> bool {
        self.component.is_err() || self.source.is_err()
    }
}

fn as_table(checked: &[Checked]) -> Text {
    let header = ["NAME", "DIGEST", "COMPONENT", "SOURCE"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for checked in checked {
        let digest = checked.digest.as_ref();
        rows.push(vec![
            shown(&checked.name),
            digest.map_or_else(String::new, |digest| digest.short().to_owned()),
            match &checked.component {
                Ok(()) => "ok".to_owned(),
                Err(error) => shown(&error.to_string()),
            },
            match &checked.source {
                Ok(found) => found.clone(),
                Err(error) => shown(&error.to_string()),
            },
        ]);
    }
    table::render(&rows)
}

/// Returns a result as JSON. `Source` is the cell of the table, unless the source has a fault.
fn as_json(checked: &Checked) -> Value {
    json!({
        "Name": checked.name,
        "Digest": checked.digest,
        "ComponentErr": checked.component.as_ref().err().map(ToString::to_string),
        "Source": checked.source.as_ref().ok(),
        "SourceErr": checked.source.as_ref().err().map(ToString::to_string),
    })
}

async fn source(workspace: &Workspace, entry: &Installed) -> Result<String, BuilderError> {
    match manage::verify_source(workspace, entry).await {
        Ok(true) => Ok("ok".into()),
        Ok(false) => Ok(NOT_ASKED.into()),
        Err(BuilderError::Registry(error)) if error.is_unreachable() => {
            Ok(format!("not checked: {}", shown(&error.to_string())))
        }
        Err(error) => Err(error),
    }
}
