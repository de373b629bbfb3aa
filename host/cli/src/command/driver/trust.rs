//! `iechor driver trust`

use anyhow::{Context as _, bail};
use clap::Args;
use iechor_builder::drivers::{self, Loaded};
use iechor_sandbox::Grant;
use serde_json::json;

use super::{need, risk, scope, shown};
use crate::command::Format;
use crate::session::{self, Common};
use crate::{console, table};

/// Show or change what a driver may do
///
/// Grants belong to the digest of the component, whether it is installed or a file.
#[derive(Debug, Args)]
pub struct Trust {
    /// Name of an installed driver, or path of a component
    driver: String,
    /// Capability to grant, as NAME or NAME=PATTERN
    #[arg(long = "grant", value_name = "CAPABILITY", value_parser = Grant::parse)]
    grants: Vec<Grant>,
    /// Capability to take back, as NAME or NAME=PATTERN
    #[arg(long = "revoke", value_name = "CAPABILITY", value_parser = Grant::parse)]
    revoked: Vec<Grant>,
    /// How to write what it may do
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Trust {
    /// Changes what is to be changed, and shows what there is then.
    pub fn run(self) -> anyhow::Result<()> {
        session::change(&Common::default(), |workspace| async move {
            let mut loaded = drivers::load(&workspace, &self.driver).await?;
            if !self.grants.is_empty() || !self.revoked.is_empty() {
                if loaded.own_digest().is_none() {
                    bail!(
                        "driver {} is built in: it may do what it asks for, and nothing of that \
                         can be taken back",
                        loaded.driver.name()
                    );
                }
                loaded.check_requested(&self.grants).await?;
                let mut kept = loaded.granted.clone();
                for revoked in &self.revoked {
                    revoke(&mut kept, revoked).with_context(|| loaded.driver.name().to_owned())?;
                }
                kept.extend(self.grants);
                loaded.set_grants(&workspace.store, kept)?;
            }
            show(&loaded, self.format).await
        })
    }
}

/// Takes back one pattern, or all grants of a name.
fn revoke(grants: &mut Vec<Grant>, revoked: &Grant) -> anyhow::Result<()> {
    let before = grants.len();
    grants.retain(|grant| {
        grant.name != revoked.name || (!revoked.scope.is_empty() && grant.scope != revoked.scope)
    });
    if grants.len() == before {
        let granted: Vec<_> = grants.iter().map(ToString::to_string).collect();
        bail!(
            "{revoked} was not granted; what was granted is: {}",
            if granted.is_empty() {
                "nothing".to_owned()
            } else {
                granted.join(" ")
            }
        );
    }
    Ok(())
}

async fn show(loaded: &Loaded, format: Format) -> anyhow::Result<()> {
    let requests = &loaded
        .driver
        .descriptor()
        .await
        .map_err(iechor_builder::BuilderError::from)?
        .capabilities;
    let built_in = loaded.own_digest().is_none();
    let granted = |name: &str| -> Vec<String> {
        let grants = loaded.granted.iter().filter(|grant| grant.name == name);
        grants.map(|grant| scope(&grant.scope)).collect()
    };
    if format == Format::Json {
        let requests: Vec<_> = requests
            .iter()
            .map(|request| {
                json!({
                    "Name": request.name,
                    "Scope": request.scope,
                    "Required": request.required,
                    "HighRisk": !risk(&request.name).is_empty(),
                    "Reason": request.reason,
                    "Granted": built_in || !granted(&request.name).is_empty(),
                })
            })
            .collect();
        let grants: Vec<_> = loaded.granted.iter().map(ToString::to_string).collect();
        let object = json!({
            "Name": loaded.driver.name(),
            "Digest": loaded.driver.digest(),
            "BuiltIn": built_in,
            "Grants": grants,
            "Requests": requests,
        });
        return console::line(&format!("{object:#}"));
    }
    let header = [
        "CAPABILITY",
        "ASKED FOR",
        "NEED",
        "RISK",
        "GRANTED",
        "REASON",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for request in iechor_sandbox::grant::review_order(requests) {
        let granted = match granted(&request.name) {
            _ if let [(file, rule), ..] = loaded.policy.forbidding(&request.name).as_slice() => {
                format!("{rule} is forbidden by {}", file.display())
            }
            _ if built_in => "built in".to_owned(),
            patterns if patterns.is_empty() => "no".to_owned(),
            patterns => patterns.join(", "),
        };
        rows.push(vec![
            shown(&request.name),
            scope(&request.scope),
            need(request.required).to_owned(),
            risk(&request.name).to_owned(),
            granted,
            shown(&request.reason),
        ]);
    }
    console::result(&table::render(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_or_all_of_a_name_is_taken_back() {
        let grant = |text: &str| Grant::parse(text).expect("a grant");
        let all = [
            grant("image.pull=a"),
            grant("image.pull=b"),
            grant("engine.open"),
        ];
        let mut grants = all.to_vec();
        revoke(&mut grants, &grant("image.pull=a")).expect("granted");
        assert_eq!(grants, all[1..]);
        let error = revoke(&mut grants, &grant("image.pull=a")).expect_err("gone");
        assert!(error.to_string().contains("image.pull=b engine.open"));
        let mut grants = all.to_vec();
        revoke(&mut grants, &grant("image.pull")).expect("granted");
        assert_eq!(grants, all[2..]);
    }
}
