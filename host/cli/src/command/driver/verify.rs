//! `iechor driver verify`

use anyhow::bail;
use clap::Args;
use iechor_builder::drivers::{Installed, LockFile, manage};
use iechor_builder::{BuilderError, Workspace};

use super::shown;
use crate::session::{self, Common};
use crate::{console, table};

/// Check installed drivers: their bytes, their contract, and what their source has
#[derive(Debug, Args)]
pub struct Verify {
    /// Their names; all where there is none
    names: Vec<String>,
    /// Ask no registry and no web server
    #[arg(long)]
    offline: bool,
}

impl Verify {
    /// Checks the drivers and prints what was found; any fault is a failure.
    pub fn run(self) -> anyhow::Result<()> {
        session::query(&Common::default(), |workspace| async move {
            let lock = LockFile::read(&workspace.store)?;
            let entries = manage::chosen(&lock, &self.names).map_err(BuilderError::from)?;
            let header = ["NAME", "DIGEST", "COMPONENT", "SOURCE"];
            let mut rows = vec![header.map(str::to_owned).to_vec()];
            let mut faults = 0;
            for entry in &entries {
                let component = manage::verify(&workspace, entry).await;
                let source = if self.offline {
                    Ok("not asked".to_owned())
                } else {
                    source(&workspace, entry).await
                };
                faults += usize::from(component.is_err() || source.is_err());
                rows.push(vec![
                    entry.name.clone(),
                    entry.digest.short().to_owned(),
                    component.map_or_else(|error| shown(&error.to_string()), |()| "ok".into()),
                    source.unwrap_or_else(|error| shown(&error.to_string())),
                ]);
            }
            for (name, error) in manage::unusable(&lock, &self.names) {
                faults += 1;
                rows.push(vec![
                    shown(&name),
                    String::new(),
                    shown(&error.to_string()),
                    "not asked".into(),
                ]);
            }
            console::result(&table::render(&rows))?;
            match faults {
                0 => Ok(()),
                1 => bail!("one driver is not as it should be"),
                several => bail!("{several} drivers are not as they should be"),
            }
        })
    }
}

async fn source(workspace: &Workspace, entry: &Installed) -> Result<String, BuilderError> {
    match manage::verify_source(workspace, entry).await {
        Ok(true) => Ok("ok".into()),
        Ok(false) => Ok("not asked".into()),
        Err(BuilderError::Registry(error)) if error.is_unreachable() => {
            Ok(format!("not checked: {}", shown(&error.to_string())))
        }
        Err(error) => Err(error),
    }
}
