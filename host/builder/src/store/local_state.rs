//! Local records of builds: `refs/<builder>/<node>/<reference>`.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{REFERENCES, StoreError};

/// The files that a build was made of. The JSON is that of docker buildx.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LocalState {
    /// Name of the target in a definition file, or `default`.
    pub target: String,
    /// The context: an absolute path, or a URL.
    pub local_path: String,
    /// The Dockerfile: an absolute path, or one in a remote context. Empty for the default one.
    pub dockerfile_path: String,
    /// Name of the group of builds that the build belongs to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group_ref: String,
}

/// Returns the path of the record of a build.
pub(super) fn path(builder: &str, node: &str, reference: &str) -> Result<PathBuf, StoreError> {
    below_references([builder, node, reference])
}

/// Returns the path of the records of a node's builds.
pub(super) fn directory(builder: &str, node: &str) -> Result<PathBuf, StoreError> {
    below_references([builder, node])
}

fn below_references<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<PathBuf, StoreError> {
    let mut path = PathBuf::from(REFERENCES);
    for name in names {
        let mut components = Path::new(name).components();
        match (components.next(), components.next()) {
            (Some(Component::Normal(part)), None) if part == name => path.push(part),
            _ => {
                return Err(StoreError::NotFound {
                    name: name.to_owned(),
                });
            }
        }
    }
    Ok(path)
}
