//! Directories with an OCI layout
//! (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>): the index of the images in
//! them. The blobs are in `blobs/sha256`.
//!
//! - [`Layout`] finds an image in the index and adds one, as BuildKit's clients do.
//! - [`sweep`](Layout::sweep) removes the blobs that the index does not lead to.

mod lock;
mod sweep;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use iechor_files::FileError;
use serde_json::{Map, Value, json};

use crate::digest::Digest;

/// Maximum size of an index or a manifest, in bytes.
const LARGEST_MANIFEST: u64 = 16 << 20;

/// The annotation with the full name of an image.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// The annotation with the tag of an image.
const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// A directory with an OCI layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    directory: PathBuf,
}

/// The name of an image in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Only a tag, as for a cache.
    Tag(String),
    /// The full name of an image, with its registry: `docker.io/library/demo:1`.
    Image(String),
}

/// An entry of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry(Map<String, Value>);

/// The reason why a layout cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file cannot be read.
    // docker buildx begins in the same way.
    #[error("could not read {}: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: FileError,
    },
    /// A file is not what it should be.
    #[error("could not unmarshal {}: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// Another process does not finish its change.
    #[error("could not lock {}: {reason}", .path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// A file cannot be written.
    #[error("could not write {}: {reason}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: io::Error,
    },
}

impl Entry {
    /// Parses the JSON of a descriptor.
    ///
    /// # Errors
    ///
    /// Returns the reason if it has no valid digest.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let fields: Map<String, Value> =
            serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let entry = Self(fields);
        entry.digest().map(|_| entry.clone())
    }

    /// Returns the digest of the manifest or index.
    ///
    /// # Errors
    ///
    /// Returns the reason if it is invalid.
    pub fn digest(&self) -> Result<Digest, String> {
        let digest = self.0.get("digest").and_then(Value::as_str);
        let digest = digest.ok_or("the descriptor has no digest")?;
        digest.parse::<Digest>().map_err(|error| error.to_string())
    }

    fn media_type(&self) -> Option<&str> {
        self.0.get("mediaType").and_then(Value::as_str)
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.0.get("annotations")?.get(key)?.as_str()
    }
}

impl Layout {
    /// Returns the layout in a directory, which need not exist yet.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    fn index_path(&self) -> PathBuf {
        self.directory.join("index.json")
    }

    /// Returns the path of the blob with a digest, whether it exists or not.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.directory
            .join("blobs")
            .join("sha256")
            .join(digest.digits())
    }

    /// Returns the entry with a tag: first one whose full name it is, then one whose tag it is.
    ///
    /// # Errors
    ///
    /// Returns an error if the index cannot be read.
    pub fn find(&self, tag: &str) -> Result<Option<Entry>, LayoutError> {
        let entries = self.entries()?;
        let with = |key| {
            let mut entries = entries.iter();
            entries.find(|entry| entry.annotation(key) == Some(tag))
        };
        let found = with(IMAGE_NAME).or_else(|| with(REFERENCE_NAME));
        Ok(found.cloned())
    }

    /// Returns the entry of an index that has only one.
    ///
    /// # Errors
    ///
    /// Returns an error if the index cannot be read.
    pub fn only(&self) -> Result<Option<Entry>, LayoutError> {
        let mut entries = self.entries()?;
        Ok(entries.pop().filter(|_| entries.is_empty()))
    }

    fn entries(&self) -> Result<Vec<Entry>, LayoutError> {
        let path = self.index_path();
        children(&read_object(&path)?).map_err(|reason| LayoutError::Malformed { path, reason })
    }

    /// Adds an image to the index under the given names. Entries with the same names are replaced; all others
    /// stay. Creates the index if there is none. Waits for other processes that change it.
    ///
    /// # Errors
    ///
    /// Returns an error if the index cannot be read or written. It is unchanged in this case.
    pub fn put(&self, entry: &Entry, names: &[Name]) -> Result<(), LayoutError> {
        let path = self.index_path();
        let _lock = lock::Lock::take(&self.directory.join("index.json.lock"))?;
        let mut index = match read_object(&path) {
            Ok(index) => index,
            Err(LayoutError::Read { reason, .. }) if reason.is_not_found() => Map::new(),
            Err(error) => return Err(error),
        };
        let mut entries = children(&index).map_err(|reason| LayoutError::Malformed {
            path: path.clone(),
            reason,
        })?;
        for name in names {
            let (image, tag) = match name {
                Name::Tag(tag) => (None, tag.as_str()),
                Name::Image(image) => (Some(image.as_str()), tag_of(image)),
            };
            entries.retain(|old| {
                let old_tag = old.annotation(REFERENCE_NAME).unwrap_or_default();
                old_tag != tag || old.annotation(IMAGE_NAME) != image
            });
            entries.push(named(entry, image, tag));
        }
        index.entry("schemaVersion").or_insert(json!(2));
        index.entry("mediaType").or_insert(json!(INDEX_TYPE));
        let entries = entries.into_iter().map(|entry| Value::Object(entry.0));
        index.insert("manifests".into(), entries.collect());
        self.write("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))?;
        self.write("index.json", &Value::Object(index))
    }

    /// Replaces a file by a whole one.
    fn write(&self, name: &str, value: &Value) -> Result<(), LayoutError> {
        let path = self.directory.join(name);
        let write = || {
            let mut file = tempfile::Builder::new()
                .prefix(".iechor-tmp-")
                .permissions(fs::Permissions::from_mode(0o644))
                .tempfile_in(&self.directory)?;
            file.write_all(value.to_string().as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|reason| LayoutError::Write {
            path: path.clone(),
            reason,
        })
    }
}

/// Returns an entry with the annotations of a name.
fn named(entry: &Entry, image: Option<&str>, tag: &str) -> Entry {
    let mut entry = entry.clone();
    let annotations = entry.0.entry("annotations").or_insert(Value::Null);
    if !annotations.is_object() {
        *annotations = json!({});
    }
    if let Some(image) = image {
        annotations[IMAGE_NAME] = json!(image);
    }
    annotations[REFERENCE_NAME] = json!(tag);
    entry
}

/// Returns the tag, or the digest with its `@`, of the full name of an image.
fn tag_of(image: &str) -> &str {
    let path = image.find('/').unwrap_or(image.len());
    match image[path..].find([':', '@']) {
        Some(at) if image[path + at..].starts_with(':') => &image[path + at + 1..],
        Some(at) => &image[path + at..],
        None => "",
    }
}

fn read_object(path: &Path) -> Result<Map<String, Value>, LayoutError> {
    let bytes = iechor_files::read(path, LARGEST_MANIFEST).map_err(|reason| LayoutError::Read {
        path: path.to_owned(),
        reason,
    })?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&bytes).map_err(|error| LayoutError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Returns the list `manifests` of an index.
fn children(index: &Map<String, Value>) -> Result<Vec<Entry>, String> {
    let manifests = match index.get("manifests") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(manifests)) => manifests,
        Some(_) => return Err("`manifests` is not a list".into()),
    };
    let entries = manifests.iter().map(|entry| match entry {
        Value::Object(fields) => Ok(Entry(fields.clone())),
        _ => Err("an entry of `manifests` is not an object".to_owned()),
    });
    entries.collect()
}

#[cfg(test)]
mod tests;
