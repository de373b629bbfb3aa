//! `iechor driver trust`

use anyhow::{Context as _, bail};
use clap::Args;
use iechor_builder::drivers::{self, Loaded};
use iechor_sandbox::Grant;
use iechor_sandbox::contract::CapabilityRequest;
use iechor_sandbox::grant::is_everything;
use serde_json::json;

use super::{need, risk, scope, shown};
use crate::command::Format;
use crate::session::{self, Common};
use crate::text::Text;
use crate::{table, terminal};

/// Show or change the grants of a driver
///
/// Grants belong to the digest of the component, which may be installed or a file.
#[derive(Debug, Args)]
pub struct Trust {
    /// Name of an installed driver, or path of a component
    driver: String,
    /// Capability to grant, as NAME or NAME=PATTERN
    #[arg(long = "grant", value_name = "CAPABILITY", value_parser = Grant::parse)]
    grants: Vec<Grant>,
    /// Capability to revoke, as NAME or NAME=PATTERN
    #[arg(long = "revoke", value_name = "CAPABILITY", value_parser = Grant::parse_any)]
    revoked: Vec<Grant>,
    /// Format the output: table, json, or a Go template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: Format,
}

impl Trust {
    /// Changes the grants, and prints them.
    pub fn run(self) -> anyhow::Result<()> {
        session::change(&Common::default(), |workspace| async move {
            let mut loaded = drivers::load(&workspace, &self.driver).await?;
            if !self.grants.is_empty() || !self.revoked.is_empty() {
                if loaded.own_digest().is_none() {
                    bail!(
                        "driver {} is built in: it has the capabilities that it requests, and they \
                         cannot be revoked",
                        loaded.driver.name()
                    );
                }
                loaded.check_requested(&self.grants).await?;
                loaded
                    .change_grants(&workspace.store, &self.revoked, &self.grants)
                    .with_context(|| loaded.driver.name().to_owned())?;
            }
            show(&loaded, &self.format).await
        })
    }
}

async fn show(loaded: &Loaded, format: &Format) -> anyhow::Result<()> {
    let requests = &loaded
        .driver
        .descriptor()
        .await
        .map_err(iechor_builder::BuilderError::from)?
        .capabilities;
    let built_in = loaded.own_digest().is_none();
    for (grant, why) in &loaded.useless {
        terminal::say(&format!(
            "WARNING: the grant {} has no effect: {}",
            shown(grant),
            shown(why)
        ));
    }
    let object = || {
        let requests: Vec<_> = requests
            .iter()
            .map(|request| {
                let forbidden = loaded.policy.forbidding(&request.name);
                let forbidden = forbidden.first().map(|(file, rule)| {
                    json!({ "File": file.display().to_string(), "Rule": rule.to_string() })
                });
                json!({
                    "Name": request.name,
                    "Scope": request.scope,
                    "Any": is_everything(&request.name, &request.scope),
                    "Required": request.required,
                    "HighRisk": !risk(&request.name).is_empty(),
                    "Reason": request.reason,
                    "Granted": built_in || !granted(loaded, &request.name).is_empty(),
                    "Forbidden": forbidden,
                })
            })
            .collect();
        let grants: Vec<_> = loaded.granted.iter().map(ToString::to_string).collect();
        json!({
            "Name": loaded.driver.name(),
            "Digest": loaded.driver.digest(),
            "BuiltIn": built_in,
            "Grants": grants,
            "Useless": loaded.useless.iter().map(|(grant, _)| grant).collect::<Vec<_>>(),
            "Requests": requests,
        })
    };
    format.show(|| as_table(loaded, requests, built_in), object)
}

fn as_table(loaded: &Loaded, requests: &[CapabilityRequest], built_in: bool) -> Text {
    let header = [
        "CAPABILITY",
        "REQUESTED",
        "NEED",
        "RISK",
        "GRANTED",
        "REASON",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for request in iechor_sandbox::grant::review_order(requests) {
        let granted = match granted(loaded, &request.name) {
            _ if let [(file, rule), ..] = loaded.policy.forbidding(&request.name).as_slice() => {
                format!("{rule} is forbidden by {}", file.display())
            }
            _ if built_in => "built in".to_owned(),
            patterns if patterns.is_empty() => "no".to_owned(),
            patterns => patterns.join(", "),
        };
        rows.push(vec![
            shown(&request.name),
            scope(&request.name, &request.scope),
            need(request.required).to_owned(),
            risk(&request.name).to_owned(),
            granted,
            shown(&request.reason),
        ]);
    }
    table::render(&rows)
}

/// Returns the scopes of the grants of a capability.
fn granted(loaded: &Loaded, capability: &str) -> Vec<String> {
    let grants = loaded.granted.iter();
    grants
        .filter(|grant| grant.name == capability)
        .map(|grant| scope(&grant.name, &grant.scope))
        .collect()
}
