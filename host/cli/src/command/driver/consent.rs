//! Asks the user what a driver may do.

use anyhow::bail;
use iechor_builder::Workspace;
use iechor_builder::drivers::Candidate;
use iechor_sandbox::Grant;
use iechor_sandbox::contract::CapabilityRequest;
use iechor_sandbox::grant::find;

use super::{need, risk, scope, shown};
use crate::terminal;

/// Adds to `granted` what the user answers to those of `requests` that no grant is for yet. Without
/// a terminal nothing is added.
///
/// # Errors
///
/// Where the driver cannot do without what was refused; without a terminal, that names the flags
/// that would grant it.
pub async fn ask(
    workspace: &Workspace,
    candidate: &Candidate,
    requests: &[&CapabilityRequest],
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
                "not granted, and not needed: {} ({})",
                shown(&request.name),
                shown(&request.reason)
            ));
        }
        return Ok(granted);
    }
    let entry = candidate.entry();
    terminal::say(&format!(
        "{} {} asks for:",
        entry.name,
        shown(&candidate.descriptor().version)
    ));
    for request in open {
        let risk = match risk(&request.name) {
            "" => String::new(),
            risk => format!(", {}", risk.to_uppercase()),
        };
        // The reason is the driver's, and says so: it could contradict what the host says.
        terminal::say(&format!(
            "\n  {} for {} ({}{risk})\n  With it: {}.\n  Its reason: {}",
            shown(&request.name),
            scope(&request.name, &request.scope),
            need(request.required),
            means(&request.name),
            shown(&request.reason)
        ));
        if terminal::confirm("  Grant it? [y/N] ", &workspace.cancel).await? {
            granted.push(Grant::of(request));
        } else if request.required {
            bail!(
                "{} needs {}, which was not granted; nothing is changed",
                entry.name,
                shown(&request.name)
            );
        }
    }
    Ok(granted)
}

/// What someone who has the capability can do or see.
fn means(name: &str) -> &'static str {
    find(name).map_or("nobody knows what", |capability| capability.means)
}
