//! The files that describe the result of a build.

use iechor_files::output;

use super::file::{unwritable, write_whole};
use super::metadata::Metadata;
use crate::error::{BuildError, FileKind};
use crate::spec::BuildSpec;

/// Checks the files before a build. Removes the ID of an earlier image, which must not be taken for that of
/// a build that fails.
///
/// # Errors
///
/// Returns the first file that is not a regular file.
pub fn prepare(spec: &BuildSpec) -> Result<(), BuildError> {
    if let Some(file) = &spec.metadata_file {
        output::check_regular(&file.path)
            .map_err(|error| unwritable(FileKind::Metadata, &file.path, &error))?;
    }
    if let Some(path) = &spec.iid_file {
        output::forget(path).map_err(|error| unwritable(FileKind::ImageId, path, &error))?;
    }
    Ok(())
}

/// Writes the metadata of a build, if a file for it is requested.
///
/// # Errors
///
/// Returns an error if the file cannot be written.
pub fn write_metadata(spec: &BuildSpec, metadata: &Metadata) -> Result<(), BuildError> {
    let Some(file) = &spec.metadata_file else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(metadata).map_err(|error| BuildError::File {
        kind: FileKind::Metadata,
        path: file.path.clone(),
        reason: error.to_string(),
    })?;
    write_whole(
        FileKind::Metadata,
        &file.path,
        format!("{text}\n").as_bytes(),
    )
}

/// Writes the ID of the image, if a file for it is requested.
///
/// # Errors
///
/// Returns an error if the file cannot be written.
pub(crate) fn write_image_id(spec: &BuildSpec, id: Option<&str>) -> Result<(), BuildError> {
    match &spec.iid_file {
        Some(path) => write_whole(FileKind::ImageId, path, id.unwrap_or_default().as_bytes()),
        None => Ok(()),
    }
}
