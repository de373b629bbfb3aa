//! The question whether to grant capabilities to a driver.

use anyhow::bail;
use iechor_builder::Workspace;
use iechor_catalog::view::Capability;
use iechor_catalog::{Candidate, Grant};

use super::{need, risk, scope, shown};
use crate::terminal;

/// Asks about each of `requests` that `granted` does not cover, and returns `granted` with the
/// capabilities that the user grants. Without a terminal it adds nothing.
///
/// # Errors
///
/// If the driver requires a capability that was not granted. Without a terminal, the error names the
/// flags that would grant it.
pub async fn ask(
    workspace: &Workspace,
    candidate: &Candidate,
    requests: &[Capability],
    mut granted: Vec<Grant>,
) -> anyhow::Result<Vec<Grant>> {
    let open: Vec<_> = requests
        .iter()
        .filter(|request| !granted.iter().any(|grant| grant.name == request.name))
        .collect();
    if open.is_empty() || !terminal::can_ask() {
        candidate.check(&granted).await?;
        for request in open {
            terminal::say(&format!(
                "not granted (optional): {} ({})",
                shown(&request.name),
                shown(&request.reason)
            ));
        }
        return Ok(granted);
    }
    let entry = candidate.entry();
    terminal::say(&format!(
        "{} {} requests:",
        entry.name,
        shown(&candidate.descriptor().version)
    ));
    for request in open {
        let risk = match risk(request.high_risk) {
            "" => String::new(),
            risk => format!(", {}", risk.to_uppercase()),
        };
        // The label says that the reason is the driver's: it may contradict what the host says.
        terminal::say(&format!(
            "\n  {} for {} ({}{risk})\n  This allows: {}.\n  Reason given by the driver: {}",
            shown(&request.name),
            scope(request.any, &request.scope),
            need(request.required),
            request.means.unwrap_or("unknown"),
            shown(&request.reason)
        ));
        if terminal::confirm("  Grant it? [y/N] ", &workspace.cancel).await? {
            granted.push(Grant {
                name: request.name.clone(),
                scope: request.scope.clone(),
            });
        } else if request.required {
            bail!(
                "{} requires {}, which was not granted; nothing was changed",
                entry.name,
                shown(&request.name)
            );
        }
    }
    Ok(granted)
}
