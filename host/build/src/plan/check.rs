//! Checks of the outputs of a build that do not depend on the node.

use std::io::IsTerminal as _;
use std::path::Path;

use iechor_files::place;

use super::error::PlanError;
use crate::spec::exporter::{Destination, Exporter, LocalMode};
use crate::spec::{BuildSpec, Entitlement};

/// Returns the faults of outputs, after the names of the build were added to them. `platforms` is the number of
/// platforms.
pub(super) fn faults(spec: &BuildSpec, exporters: &[Exporter], platforms: usize) -> Vec<PlanError> {
    let mut found = Vec::new();
    for exporter in exporters {
        found.extend(faults_of(spec, exporter, platforms));
    }
    let to_stdout = exporters.iter().filter(|exporter| exporter.is_stdout());
    if to_stdout.count() > 1 {
        found.push(PlanError::SeveralToStdout);
    }
    let to_layout =
        |exporter: &&Exporter| matches!(exporter.archive(), Some(Destination::Directory(_)));
    if exporters.iter().filter(to_layout).count() > 1 {
        found.push(PlanError::SeveralLayouts);
    }
    let mut once: Vec<PlanError> = Vec::new();
    for fault in found {
        if !once.contains(&fault) {
            once.push(fault);
        }
    }
    once
}

/// Returns the faults of one output.
fn faults_of(spec: &BuildSpec, exporter: &Exporter, platforms: usize) -> Vec<PlanError> {
    let mut found = Vec::new();
    match exporter {
        Exporter::Image(image) if image.push && image.names.is_empty() => {
            found.push(PlanError::NoTag);
        }
        Exporter::Local(local)
            if local.mode == LocalMode::Delete
                && !spec.entitlements.contains(&Entitlement::LocalDelete)
                && !is_below_working_directory(&local.directory) =>
        {
            let path = local.directory.clone();
            found.push(PlanError::DeleteOutside { path });
        }
        Exporter::Docker(docker)
            if docker.destination.is_some() && (platforms > 1 || spec.attestations.is_any()) =>
        {
            found.push(PlanError::ManifestListToFile);
        }
        _ => {}
    }
    if let Some(path) = exporter.path() {
        let path = path.to_owned();
        match exporter.archive() {
            Some(Destination::File(_)) if path.is_dir() => {
                found.push(PlanError::FileIsDirectory { path });
            }
            None | Some(Destination::Directory(_)) if path.exists() && !path.is_dir() => {
                found.push(PlanError::DirectoryIsFile { path });
            }
            _ => {}
        }
    }
    if spec.iid_file.is_some() && matches!(exporter, Exporter::Local(_) | Exporter::Tar(_)) {
        found.push(PlanError::NoImageId);
    }
    found
}

/// Returns whether a directory, which need not exist, is below the working directory when all symbolic
/// links are followed.
fn is_below_working_directory(directory: &Path) -> bool {
    let working = std::env::current_dir().and_then(|path| path.canonicalize());
    match (working, place::real(directory)) {
        (Ok(working), Ok(real)) => real != working && real.starts_with(&working),
        _ => false,
    }
}

/// Checks that no archive is written to a terminal.
///
/// # Errors
///
/// Returns the exporter that would write it.
pub(super) fn check_console(exporters: &[Exporter]) -> Result<(), PlanError> {
    let mut to_stdout = exporters.iter().filter(|exporter| exporter.is_stdout());
    match to_stdout.next() {
        Some(exporter) if stdout_is_terminal() => Err(PlanError::ToConsole {
            kind: exporter.kind(),
        }),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing is written")]
fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal() // a stream of bytes
}
