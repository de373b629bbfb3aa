//! Asks the user what a driver may do.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::bail;
use iechor_builder::Workspace;
use iechor_catalog::view::Capability;
use iechor_catalog::{Candidate, CatalogError, Grant};

use super::{need, risk, scope, shown};
use crate::console;

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
    requests: &[Capability],
    mut granted: Vec<Grant>,
) -> anyhow::Result<Vec<Grant>> {
    let open: Vec<_> = requests
        .iter()
        .filter(|request| !granted.iter().any(|grant| grant.name == request.name))
        .collect();
    let terminal = std::io::stdin().is_terminal() && console::is_terminal();
    if open.is_empty() || !terminal {
        candidate.check(&granted).await?;
        for request in open {
            console::say(&format!(
                "not granted, and not needed: {} ({})",
                shown(&request.name),
                shown(&request.reason)
            ));
        }
        return Ok(granted);
    }
    let entry = candidate.entry();
    console::say(&format!(
        "{} {} asks for:",
        entry.name,
        shown(&candidate.descriptor().version)
    ));
    for request in open {
        let risk = match risk(request.high_risk) {
            "" => String::new(),
            risk => format!(", {}", risk.to_uppercase()),
        };
        // The reason is the driver's, and says so: it could contradict what the host says.
        console::say(&format!(
            "\n  {} for {} ({}{risk})\n  With it: {}.\n  Its reason: {}",
            shown(&request.name),
            scope(request.any, &request.scope),
            need(request.required),
            request.means.unwrap_or("nobody knows what"),
            shown(&request.reason)
        ));
        if answer(workspace, "  grant it? [y/N] ").await? {
            granted.push(Grant {
                name: request.name.clone(),
                scope: request.scope.clone(),
            });
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

/// Asks for yes or no; the end of the input is a no.
async fn answer(workspace: &Workspace, question: &str) -> anyhow::Result<bool> {
    console::ask(question);
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        () = workspace.cancel.cancelled() => {
            console::say("");
            return Err(CatalogError::Cancelled("the question").into());
        }
        line = read => line??,
    };
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
