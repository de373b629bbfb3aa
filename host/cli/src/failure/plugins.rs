//! Hints for errors of the plugin of the Docker CLI.

use std::io::ErrorKind;

use crate::plugin::link::LinkError;

/// Returns what to do about an error.
pub(super) fn hint(error: &LinkError) -> Option<String> {
    match error {
        LinkError::Foreign { .. } => {
            Some("`iechor plugin install --force` replaces it; nothing restores it".to_owned())
        }
        LinkError::Io { error, .. } if error.kind() == ErrorKind::PermissionDenied => {
            Some("run the command as root".to_owned())
        }
        LinkError::Missing { .. } | LinkError::Io { .. } => None,
    }
}
