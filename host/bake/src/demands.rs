//! What builds demand of this computer and of BuildKit beyond the isolation of their steps.
//!
//! A definition can come from elsewhere, so what it demands needs the consent of the user: files that it reads or
//! writes, the agent of the user, and entitlements. Which files are harmless is for the caller to decide.

use std::collections::BTreeSet;
use std::path::PathBuf;

use iechor_build::BuildSpec;
use iechor_build::spec::exporter::LocalMode;
use iechor_build::spec::steps::Network;
use iechor_build::spec::{
    CacheKind, Context, Dockerfile, Entitlement, Exporter, NamedSource, SecretSource,
};

use crate::definition::SelectedTarget;

/// Something that a build demands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// An entitlement of BuildKit.
    Entitlement(Entitlement),
    /// The removal of other files in the directory of an output.
    Delete,
    /// The SSH agent of the user.
    SshAgent,
    /// A file or a directory to read.
    Read(PathBuf),
    /// A file or a directory to write.
    Write(PathBuf),
}

/// The demands of a build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demands {
    /// Those of the contexts and the Dockerfile.
    pub files: BTreeSet<Demand>,
    /// Those of all other settings.
    pub settings: BTreeSet<Demand>,
}

/// Returns the demands of a target.
pub fn of_target(target: &SelectedTarget, spec: &BuildSpec) -> Demands {
    let mut demands = Demands::default();
    files(spec, &mut demands.files);
    let settings = &mut demands.settings;
    settings.extend(spec.entitlements.iter().cloned().map(Demand::Entitlement));
    if spec.steps.network == Network::Host {
        settings.insert(Demand::Entitlement(Entitlement::NetworkHost));
    }
    for secret in &spec.secrets {
        if let SecretSource::File(path) = &secret.source {
            settings.insert(Demand::Read(path.clone()));
        }
    }
    agents(target, spec, settings);
    for cache in &spec.cache_from {
        if let (CacheKind::Local, Some(path)) = (&cache.kind, cache.option("src")) {
            settings.insert(Demand::Read(path.into()));
        }
    }
    for cache in &spec.cache_to {
        if let (CacheKind::Local, Some(path)) = (&cache.kind, cache.option("dest")) {
            settings.insert(Demand::Write(path.into()));
        }
    }
    for exporter in &spec.exporters {
        settings.extend(exporter.path().map(|path| Demand::Write(path.to_owned())));
        if let Exporter::Local(local) = exporter
            && local.mode == LocalMode::Delete
        {
            settings.insert(Demand::Delete);
        }
    }
    demands
}

fn files(spec: &BuildSpec, demands: &mut BTreeSet<Demand>) {
    if let Context::Directory(path) = &spec.context {
        demands.insert(Demand::Read(path.clone()));
    }
    // With a context elsewhere, a path is one in the context, unless it is absolute.
    if let Dockerfile::File(path) = &spec.dockerfile
        && (matches!(spec.context, Context::Directory(_)) || path.is_absolute())
    {
        demands.insert(Demand::Read(path.clone()));
    }
    for context in &spec.named_contexts {
        match &context.source {
            NamedSource::Directory(path) => demands.insert(Demand::Read(path.clone())),
            NamedSource::OciLayout(layout) => demands.insert(Demand::Read(layout.path.clone())),
            NamedSource::Remote(_) | NamedSource::Resolved(_) => false,
        };
    }
}

/// Adds the agents: those of a definition that names no files use the agent of the user.
fn agents(target: &SelectedTarget, spec: &BuildSpec, demands: &mut BTreeSet<Demand>) {
    let named = target
        .entries("ssh")
        .iter()
        .filter(|agent| agent.get("paths").is_some());
    let named: BTreeSet<&str> = named.filter_map(|agent| agent.get("id")).collect();
    for agent in &spec.ssh_agents {
        match named.contains(agent.id.as_str()) {
            true => demands.extend(agent.paths.iter().cloned().map(Demand::Read)),
            false => drop(demands.insert(Demand::SshAgent)),
        }
    }
}
