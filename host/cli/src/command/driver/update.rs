//! `iechor driver update`

use anyhow::bail;
use clap::Args;
use iechor_builder::Workspace;
use iechor_catalog::update::Update as Found;
use iechor_catalog::view::is_high_risk;
use iechor_catalog::{Grant, Installed};
use iechor_values::causes::chain;

use super::download::Download;
use super::{consent, shown};
use crate::session::{self, Common};
use crate::{failure, terminal};

/// Update installed drivers from their sources
///
/// Grants are kept. The command asks only about capabilities that a new version requests in addition.
#[derive(Debug, Args)]
pub struct Update {
    /// Names of the drivers (default: all)
    names: Vec<String>,
    /// Capability to grant without asking, as NAME or NAME=PATTERN
    #[arg(long = "grant", value_name = "CAPABILITY", value_parser = Grant::parse)]
    grants: Vec<Grant>,
}

impl Update {
    /// Updates the drivers, and prints those that changed. A failure does not stop the update of the others.
    pub fn run(self) -> anyhow::Result<()> {
        session::change(&Common::default(), |workspace| async move {
            let lock = workspace.catalog.storage().lock_file()?;
            let entries = lock.chosen(&self.names)?;
            let broken = lock.unusable(&self.names);
            let several = entries.len() + broken.len() > 1;
            let mut failed = !broken.is_empty();
            for (_, error) in broken {
                terminal::say(&format!("failed to update: {}", shown(&error.to_string())));
                failure::advise_on_drivers([&error]);
            }
            for entry in &entries {
                match update(&workspace, entry, &self.grants).await {
                    Ok(()) => {}
                    Err(error) if several && !workspace.cancel.is_cancelled() => {
                        let reason = chain(error.as_ref());
                        terminal::say(&format!("failed to update {}: {reason}", entry.name));
                        failed = true;
                    }
                    Err(error) => return Err(error),
                }
            }
            if failed {
                bail!("failed to update one or more drivers");
            }
            Ok(())
        })
    }
}

async fn update(workspace: &Workspace, entry: &Installed, grants: &[Grant]) -> anyhow::Result<()> {
    let download = Download::new();
    let progress = |received, total| download.show(received, total);
    let found = workspace.catalog.look(entry, &progress).await?;
    drop(download);
    let newer = match found {
        Found::Same => {
            terminal::say(&format!("{} is up to date ({})", entry.name, entry.digest));
            return grant(workspace, entry, grants).await;
        }
        Found::New(newer) => newer,
    };
    let new = newer.candidate.entry();
    if new.digest == entry.digest {
        terminal::say(&format!("{} has the same component as before", entry.name));
    } else {
        terminal::say(&format!(
            "{} {} -> {}, {} -> {}",
            entry.name, entry.version, new.version, entry.digest, new.digest
        ));
    }
    if new.digest != entry.digest && !newer.kept.is_empty() {
        let kept = dangerous_first(&newer.kept);
        terminal::say(&format!("{} keeps: {}", entry.name, kept.join(", ")));
    }
    let decided = [newer.kept, grants.to_vec()].concat();
    let grants = consent::ask(workspace, &newer.candidate, &newer.asked, decided).await?;
    let installed = newer
        .candidate
        .install(&workspace.catalog, &grants, Some(entry))
        .await?;
    if installed.digest != entry.digest {
        say_who_uses(workspace, &installed)?;
    }
    terminal::line(&installed.name)
}

/// Prints which builders use the new driver, and which keep an old one.
fn say_who_uses(workspace: &Workspace, installed: &Installed) -> anyhow::Result<()> {
    let users = workspace.catalog.storage().users_of(&installed.name)?;
    let (pinned, others): (Vec<_>, Vec<_>) = users.into_iter().partition(|user| {
        let pinned = user.pinned.as_ref();
        pinned.is_some_and(|pinned| *pinned != installed.digest)
    });
    if !others.is_empty() {
        let others: Vec<_> = others.into_iter().map(|user| user.builder).collect();
        terminal::say(&format!(
            "builders that use it from now on: {}",
            others.join(", ")
        ));
    }
    for user in pinned {
        let (builder, pinned) = (user.builder, user.pinned.map(|pinned| pinned.to_string()));
        terminal::say(&format!(
            "builder {builder} is pinned to {} and keeps it",
            pinned.unwrap_or_default()
        ));
    }
    Ok(())
}

/// Adds grants to a driver that does not change.
async fn grant(workspace: &Workspace, entry: &Installed, grants: &[Grant]) -> anyhow::Result<()> {
    if grants.is_empty() {
        return Ok(());
    }
    let catalog = &workspace.catalog;
    let mut loaded = catalog.load(&entry.name).await?;
    catalog.change_grants(&mut loaded, &[], grants).await?;
    let granted = dangerous_first(grants);
    terminal::say(&format!(
        "granted to {}: {}",
        entry.name,
        granted.join(", ")
    ));
    Ok(())
}

/// Returns the grants as text, those with a high risk first.
fn dangerous_first(grants: &[Grant]) -> Vec<String> {
    let mut grants: Vec<_> = grants.iter().collect();
    grants.sort_by_key(|grant| !is_high_risk(grant));
    grants
        .iter()
        .map(|grant| shown(&grant.to_string()))
        .collect()
}
