//! Checks of the outputs of a build that do not depend on the node.

use std::io::IsTerminal as _;

use super::error::PlanError;
use crate::spec::exporter::{Destination, Exporter};

/// Checks outputs after the names of the build were added to them.
///
/// # Errors
///
/// Returns the first fault.
pub(super) fn check(exporters: &[Exporter], wants_image_id: bool) -> Result<(), PlanError> {
    let to_stdout = |exporter: &&Exporter| exporter.archive() == Some(&Destination::Stdout);
    if exporters.iter().filter(to_stdout).count() > 1 {
        return Err(PlanError::SeveralToStdout);
    }
    for exporter in exporters {
        match exporter {
            Exporter::Image(image) if image.push && image.names.is_empty() => {
                return Err(PlanError::NoTag);
            }
            Exporter::Local(local) if local.directory.is_file() => {
                return Err(PlanError::DirectoryIsFile {
                    path: local.directory.clone(),
                });
            }
            _ => {}
        }
        if let Some(Destination::File(path)) = exporter.archive()
            && path.is_dir()
        {
            return Err(PlanError::FileIsDirectory { path: path.clone() });
        }
        if wants_image_id && matches!(exporter, Exporter::Local(_) | Exporter::Tar(_)) {
            return Err(PlanError::NoImageId);
        }
    }
    Ok(())
}

/// Checks that no archive is written to a terminal.
///
/// # Errors
///
/// Returns the exporter that would write it.
pub(super) fn check_console(exporters: &[Exporter]) -> Result<(), PlanError> {
    let is_to_stdout = |exporter: &Exporter| exporter.archive() == Some(&Destination::Stdout);
    if !exporters.iter().any(is_to_stdout) || !stdout_is_terminal() {
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
