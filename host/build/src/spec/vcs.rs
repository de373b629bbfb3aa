//! Which information about the version of the sources a build records.

/// The information that is taken from the git repository of the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VcsInfo {
    /// Whether the provenance names the commit, the remote repository and the directories.
    pub in_provenance: bool,
    /// Whether labels of the image name the commit, the remote repository and the Dockerfile.
    pub as_labels: bool,
    /// Whether the commit is marked as `-dirty` if files differ from it.
    pub marks_dirty: bool,
}

impl Default for VcsInfo {
    fn default() -> Self {
        Self {
            in_provenance: true,
            as_labels: false,
            marks_dirty: false,
        }
    }
}
