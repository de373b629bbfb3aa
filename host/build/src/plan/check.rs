//! Checks of the outputs of a build that do not depend on the node.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use super::error::PlanError;
use crate::spec::exporter::{Destination, Exporter, LocalMode};
use crate::spec::{BuildSpec, Entitlement};

/// Checks outputs after the names of the build were added to them. `platforms` is the number of platforms.
///
/// # Errors
///
/// Returns the first fault.
pub(super) fn check(
    spec: &BuildSpec,
    exporters: &[Exporter],
    platforms: usize,
) -> Result<(), PlanError> {
    let wants_image_id = spec.iid_file.is_some();
    let has_several_manifests = platforms > 1 || spec.attestations.is_any();
    let to_stdout = exporters.iter().filter(|exporter| exporter.is_stdout());
    if to_stdout.count() > 1 {
        return Err(PlanError::SeveralToStdout);
    }
    let to_layout =
        |exporter: &&Exporter| matches!(exporter.archive(), Some(Destination::Directory(_)));
    if exporters.iter().filter(to_layout).count() > 1 {
        return Err(PlanError::SeveralLayouts);
    }
    for exporter in exporters {
        match exporter {
            Exporter::Image(image) if image.push && image.names.is_empty() => {
                return Err(PlanError::NoTag);
            }
            Exporter::Local(local) if local.directory.exists() && !local.directory.is_dir() => {
                return Err(PlanError::DirectoryIsFile {
                    path: local.directory.clone(),
                });
            }
            Exporter::Local(local)
                if local.mode == LocalMode::Delete
                    && !spec.entitlements.contains(&Entitlement::LocalDelete)
                    && !is_below_working_directory(&local.directory) =>
            {
                return Err(PlanError::DeleteOutside {
                    path: local.directory.clone(),
                });
            }
            Exporter::Docker(docker) if docker.destination.is_some() && has_several_manifests => {
                return Err(PlanError::ManifestListToFile);
            }
            _ => {}
        }
        match exporter.archive() {
            Some(Destination::File(path)) if path.is_dir() => {
                return Err(PlanError::FileIsDirectory { path: path.clone() });
            }
            Some(Destination::Directory(path)) if path.exists() && !path.is_dir() => {
                return Err(PlanError::DirectoryIsFile { path: path.clone() });
            }
            _ => {}
        }
        if wants_image_id && matches!(exporter, Exporter::Local(_) | Exporter::Tar(_)) {
            return Err(PlanError::NoImageId);
        }
    }
    Ok(())
}

/// Returns whether a directory, which need not exist, is below the working directory when all symbolic
/// links are followed.
fn is_below_working_directory(directory: &Path) -> bool {
    let Ok(working) = std::env::current_dir().and_then(|path| path.canonicalize()) else {
        return false;
    };
    let below = |path: PathBuf| path != working && path.starts_with(&working);
    let mut path = working.join(directory);
    // The directories that do not exist yet are no links, but must not lead upwards.
    let mut missing = PathBuf::new();
    loop {
        match path.canonicalize() {
            Ok(real) => return below(real.join(missing)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => return false,
        }
        // A dangling link exists, but its target does not.
        if path.is_symlink() {
            return false;
        }
        let Some(name) = path.file_name() else {
            return false;
        };
        missing = match missing.as_os_str().is_empty() {
            true => PathBuf::from(name),
            false => Path::new(name).join(missing),
        };
        if !path.pop() {
            return false;
        }
    }
}

/// Checks that no archive is written to a terminal.
///
/// # Errors
///
/// Returns the exporter that would write it.
pub(super) fn check_console(exporters: &[Exporter]) -> Result<(), PlanError> {
    if !exporters.iter().any(Exporter::is_stdout) || !stdout_is_terminal() {
        return Ok(());
    }
    let kind = exporters.iter().find_map(|exporter| match exporter {
        Exporter::Tar(_) => Some("tar"),
        Exporter::Oci(_) => Some("oci"),
        Exporter::Docker(_) => Some("docker"),
        Exporter::Local(_) | Exporter::Image(_) | Exporter::CacheOnly => None,
    });
    Err(PlanError::ToConsole {
        kind: kind.unwrap_or_default(),
    })
}

#[expect(clippy::disallowed_methods, reason = "nothing is written")]
fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal() // a stream of bytes
}
