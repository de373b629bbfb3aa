//! The files that describe the result of a build.

use iechor_files::output;

use super::file::{unwritable, write_whole};
use super::metadata::Metadata;
use crate::error::{BuildError, FileKind, Mistakes};
use crate::setting::Setting;
use crate::spec::BuildSpec;

/// Notes the files that are not regular files.
pub(crate) fn check(spec: &BuildSpec, mistakes: &mut Mistakes) {
    let metadata = spec.metadata_file.as_ref().map(|file| file.path.as_path());
    let files = [
        (Setting::MetadataFile, FileKind::Metadata, metadata),
        (
            Setting::IidFile,
            FileKind::ImageId,
            spec.iid_file.as_deref(),
        ),
    ];
    for (setting, kind, path) in files {
        if let Some(path) = path {
            let checked = output::check_regular(path);
            mistakes.note(
                setting,
                checked.map_err(|error| unwritable(kind, path, &error)),
            );
        }
    }
}

/// Removes the ID of an earlier image, which must not be taken for that of a build that fails.
///
/// # Errors
///
/// Returns an error if the file can neither be removed nor changed.
pub(crate) fn forget_image_id(spec: &BuildSpec) -> Result<(), BuildError> {
    let Some(path) = &spec.iid_file else {
        return Ok(());
    };
    output::forget(path).map_err(|error| unwritable(FileKind::ImageId, path, &error))
}

/// Writes the metadata of a build, if a file for it is requested.
///
/// # Errors
///
/// Returns an error if the file cannot be written.
pub(crate) fn write_metadata(spec: &BuildSpec, metadata: &Metadata) -> Result<(), BuildError> {
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
