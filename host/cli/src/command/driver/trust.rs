//! `iechor driver trust`

use anyhow::Context as _;
use clap::Args;
use iechor_catalog::Grant;
use iechor_catalog::view::{self, TrustRequest};

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
            let catalog = &workspace.catalog;
            let mut loaded = catalog.load(&self.driver).await?;
            if !self.grants.is_empty() || !self.revoked.is_empty() {
                let name = loaded.driver.name().to_owned();
                catalog
                    .change_grants(&mut loaded, &self.revoked, &self.grants)
                    .await
                    .context(name)?;
            }
            show(&view::Trust::of(&loaded).await?, &self.format)
        })
    }
}

fn show(trust: &view::Trust, format: &Format) -> anyhow::Result<()> {
    for (grant, why) in trust.useless.iter().zip(&trust.useless_reasons) {
        terminal::say(&format!(
            "WARNING: the grant {} has no effect: {}",
            shown(grant),
            shown(why)
        ));
    }
    format.show(|| as_table(trust), || trust)
}

fn as_table(trust: &view::Trust) -> Text {
    let header = [
        "CAPABILITY",
        "REQUESTED",
        "NEED",
        "RISK",
        "GRANTED",
        "REASON",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let mut requests: Vec<_> = trust.requests.iter().collect();
    requests.sort_by_key(|request| request.review_rank);
    for request in requests {
        rows.push(vec![
            shown(&request.name),
            scope(request.any, &request.scope),
            need(request.required).to_owned(),
            risk(request.high_risk).to_owned(),
            granted(request, trust.built_in),
            shown(&request.reason),
        ]);
    }
    table::render(&rows)
}

/// Returns for which subjects a capability may be used.
fn granted(request: &TrustRequest, built_in: bool) -> String {
    match &request.forbidden {
        Some(forbidden) => format!("{} is forbidden by {}", forbidden.rule, forbidden.file),
        None if built_in => "built in".to_owned(),
        None if request.granted_scopes.is_empty() => "no".to_owned(),
        None => shown(&request.granted_scopes.join(", ")),
    }
}
