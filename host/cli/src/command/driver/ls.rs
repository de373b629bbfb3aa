//! `iechor driver ls`

use clap::Args;
use iechor_builder::drivers::Origin;
use iechor_builder::drivers::manage::{self, Listed};
use iechor_sandbox::Embedded;
use serde_json::{Value, json};

use super::shown;
use crate::command::Format;
use crate::session::{self, Common};
use crate::table;
use crate::text::Text;

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
            let listing = manage::list(&workspace).await;
            let listed = &listing.drivers;
            self.format
                .list(|| as_table(listed), listed.iter().map(as_json))?;
            match listing.fault {
                Some(fault) => Err(fault.into()),
                None => Ok(()),
            }
        })
    }
}

fn as_table(listed: &[Listed]) -> Text {
    let header = ["NAME", "VERSION", "SOURCE", "DIGEST", "STATUS"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for driver in listed {
        let (version, digest) = match (&driver.state, &driver.origin) {
            (Ok(state), _) => (state.version.clone(), state.digest.clone()),
            (Err(_), Some(Origin::Installed(entry))) => {
                (entry.version.clone(), entry.digest.to_string())
            }
            (Err(_), _) => (String::new(), String::new()),
        };
        let short = digest.chars().take("sha256:0123456789ab".len()).collect();
        rows.push(vec![
            shown(&driver.name),
            shown(&version),
            driver
                .origin
                .as_ref()
                .map_or_else(String::new, |origin| shown(&origin.to_string())),
            short,
            match &driver.state {
                Ok(state) if state.missing.is_empty() => "ok".to_owned(),
                Ok(state) => shown(&format!("not granted: {}", state.missing.join(", "))),
                Err(error) => shown(&error.to_string()),
            },
        ]);
    }
    table::render(&rows)
}

fn as_json(driver: &Listed) -> Value {
    let mut object = json!({
        "Name": driver.name,
        "Aliases": Embedded::find(&driver.name).map_or(&[][..], |embedded| embedded.aliases),
        "Source": driver.origin.as_ref().map(ToString::to_string),
        "Version": Value::Null,
        "Digest": Value::Null,
        "Pinned": Value::Null,
        "InstalledAt": Value::Null,
        "Missing": [],
        "Err": Value::Null,
    });
    if let Some(Origin::Installed(entry)) = &driver.origin {
        object["Version"] = json!(entry.version);
        object["Digest"] = json!(entry.digest);
        object["Pinned"] = json!(entry.pinned);
        object["InstalledAt"] = json!(entry.installed_at);
    }
    object["Status"] = json!(match &driver.state {
        Ok(state) => {
            object["Version"] = json!(state.version);
            object["Digest"] = json!(state.digest);
            object["Missing"] = json!(state.missing);
            if state.missing.is_empty() {
                "ok"
            } else {
                "untrusted"
            }
        }
        Err(error) => {
            object["Err"] = json!(error.to_string());
            "broken"
        }
    });
    object
}
