//! Images of several nodes in one archive or directory with an OCI layout.
//!
//! The archives of the nodes have the same format. Blobs of several nodes are written once. The index of the image is
//! made of those of the nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use iechor_images::{Content, Part, merge};
use iechor_platform::Platform;
use iechor_registry::digest::Digesting;
use iechor_registry::{Digest, Layout};
use serde_json::{Map, Value, json};

use super::super::layout::{DESCRIPTOR, NAMES};

/// Maximum size of an index, a manifest or a configuration, in bytes.
const LARGEST_MANIFEST: u64 = 16 << 20;

/// The directory of the blobs.
const BLOBS: &str = "blobs/sha256/";

/// The files of a layout besides the blobs, and the version of its format.
const INDEX: &str = "index.json";
const MARK: (&str, &str) = ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);

/// The annotation with the full name of an image.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// A merged image.
#[derive(Debug)]
pub(super) struct Merged {
    media_type: String,
    digest: Digest,
    size: u64,
    names: String,
}

impl Merged {
    /// Describes an index. `names` are separated by commas.
    pub(super) fn new(media_type: &str, index: &[u8], names: String) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(index),
            size: index.len() as u64,
            names,
        }
    }

    /// Returns the values that an exporter reports for such an image.
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        let digest = self.digest.to_string();
        let descriptor = json!({
            "mediaType": self.media_type,
            "digest": digest,
            "size": self.size,
        });
        let engine = base64::engine::general_purpose::STANDARD;
        let mut values = BTreeMap::from([
            (DESCRIPTOR.to_owned(), engine.encode(descriptor.to_string())),
            ("containerimage.digest".to_owned(), digest),
        ]);
        if !self.names.is_empty() {
            values.insert(NAMES.to_owned(), self.names.clone());
        }
        values
    }
}

/// A place for blobs.
trait Blobs {
    /// Adds a blob. `content` ends with an error if it does not have the digest.
    fn add(&mut self, digest: &Digest, size: u64, content: &mut dyn Read) -> io::Result<()>;
}

/// Merges the images of archives into one archive.
///
/// # Errors
///
/// Returns an error if an archive is malformed, a blob does not have its digest, or the output cannot be written.
pub(super) fn to_archive(
    parts: &[PathBuf],
    platforms: &[Platform],
    output: &mut dyn Write,
) -> io::Result<Merged> {
    let mut archive = Archive(tar::Builder::new(output));
    archive.file(MARK.0, MARK.1.as_bytes())?;
    let (merged, entries) = blobs(parts, platforms, &mut archive)?;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": iechor_images::index::INDEX,
        "manifests": entries,
    });
    archive.file(INDEX, index.to_string().as_bytes())?;
    archive.0.finish()?;
    Ok(merged)
}

/// Adds the blobs of a merged image to a directory. Its index is not changed.
///
/// # Errors
///
/// As [`to_archive`].
pub(super) fn to_directory(
    parts: &[PathBuf],
    platforms: &[Platform],
    directory: &Path,
) -> io::Result<Merged> {
    fs::create_dir_all(directory.join(BLOBS))?;
    let (merged, _) = blobs(parts, platforms, &mut Store(Layout::new(directory)))?;
    Ok(merged)
}

/// Writes the blobs of all images, and of their index. Returns the image, and its entries for the index of the layout.
fn blobs(
    parts: &[PathBuf],
    platforms: &[Platform],
    output: &mut dyn Blobs,
) -> io::Result<(Merged, Vec<Value>)> {
    let mut opened = Vec::new();
    let mut images: Vec<Part> = Vec::new();
    let mut entries = Vec::new();
    for path in parts {
        let mut archive = Opened::open(path)?;
        let (image, roots) = archive.image()?;
        if entries.is_empty() {
            entries = roots;
        }
        images.push(image);
        opened.push(archive);
    }
    let index = merge(images, platforms);
    let bytes = index.to_bytes();
    let mut names = Vec::new();
    for entry in &mut entries {
        entry.insert("mediaType".into(), json!(index.media_type));
        entry.insert("digest".into(), json!(Digest::of(&bytes)));
        entry.insert("size".into(), json!(bytes.len()));
        entry.remove("platform");
        let name = entry.get("annotations").and_then(|all| all.get(IMAGE_NAME));
        names.extend(name.and_then(Value::as_str).map(str::to_owned));
    }
    let merged = Merged::new(&index.media_type, &bytes, names.join(","));
    let mut written = BTreeSet::new();
    for archive in &mut opened {
        for (digest, place) in archive.blobs.clone() {
            // The index of a node is replaced by that of all.
            if archive.root.as_ref() != Some(&digest) && written.insert(digest.clone()) {
                archive.copy(&digest, place, output)?;
            }
        }
    }
    if !written.contains(&merged.digest) {
        output.add(&merged.digest, merged.size, &mut bytes.as_slice())?;
    }
    let entries = entries.into_iter().map(Value::Object).collect();
    Ok((merged, entries))
}

/// The archive of a node.
struct Opened {
    file: File,
    index: Vec<u8>,
    /// The places of the blobs: offset and size.
    blobs: BTreeMap<Digest, (u64, u64)>,
    /// The index of the image, which is not part of the result.
    root: Option<Digest>,
}

impl Opened {
    fn open(path: &Path) -> io::Result<Self> {
        let mut opened = Self {
            file: File::open(path)?,
            index: Vec::new(),
            blobs: BTreeMap::new(),
            root: None,
        };
        let mut archive = tar::Archive::new(io::BufReader::new(opened.file.try_clone()?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = entry.path()?.to_string_lossy().into_owned();
            let place = (entry.raw_file_position(), entry.size());
            if name == INDEX {
                opened.index = limited(&mut entry, &name)?;
            } else if let Some(digits) = name.strip_prefix(BLOBS) {
                let digest = format!("sha256:{digits}").parse::<Digest>();
                opened.blobs.insert(digest.map_err(malformed)?, place);
            }
        }
        Ok(opened)
    }

    /// Returns the image of the archive, and its entries in the index of the layout: one for each name.
    fn image(&mut self) -> io::Result<(Part, Vec<Map<String, Value>>)> {
        let index: Value = serde_json::from_slice(&self.index).map_err(malformed)?;
        let entries = index.get("manifests").and_then(Value::as_array);
        let entries: Vec<_> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.as_object().cloned())
            .collect();
        let digest = entries
            .first()
            .and_then(|entry| entry.get("digest")?.as_str());
        let digest = digest.ok_or_else(|| malformed("the archive has no image"))?;
        let digest: Digest = digest.parse().map_err(malformed)?;
        let part = match Content::read(&self.read(&digest)?).map_err(malformed)? {
            Content::Index(part) => {
                self.root = Some(digest);
                part
            }
            Content::Manifest(manifest) => {
                let config = self.read(&manifest.config)?;
                manifest.with_config(&config).map_err(malformed)?
            }
        };
        Ok((part, entries))
    }

    /// Reads a small blob.
    fn read(&mut self, digest: &Digest) -> io::Result<Vec<u8>> {
        let place = self.blobs.get(digest).copied();
        let (offset, size) = place.ok_or_else(|| malformed(format!("{digest} is missing")))?;
        self.file.seek(SeekFrom::Start(offset))?;
        let bytes = limited(&mut (&self.file).take(size), digest.as_str())?;
        match Digest::of(&bytes) == *digest {
            true => Ok(bytes),
            false => Err(wrong(digest)),
        }
    }

    fn copy(
        &mut self,
        digest: &Digest,
        (offset, size): (u64, u64),
        output: &mut dyn Blobs,
    ) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        let mut content = Digesting::new(io::BufReader::new((&self.file).take(size)));
        output.add(digest, size, &mut content)?;
        match content.digest() == *digest {
            true => Ok(()),
            false => Err(wrong(digest)),
        }
    }
}

/// Reads content that is kept in memory.
fn limited(content: &mut impl Read, name: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(LARGEST_MANIFEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST_MANIFEST {
        true => Err(malformed(format!("{name} is too large"))),
        false => Ok(bytes),
    }
}

fn malformed(reason: impl ToString) -> io::Error {
    let reason = format!("BuildKit sent a malformed archive: {}", reason.to_string());
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn wrong(digest: &Digest) -> io::Error {
    malformed(format!("the blob {digest} does not have this digest"))
}

/// An archive with a layout.
struct Archive<W: Write>(tar::Builder<W>);

impl<W: Write> Archive<W> {
    fn entry(&mut self, name: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(size);
        header.set_mode(0o644);
        self.0.append_data(&mut header, name, content)
    }

    fn file(&mut self, name: &str, mut content: &[u8]) -> io::Result<()> {
        self.entry(name, content.len() as u64, &mut content)
    }
}

impl<W: Write> Blobs for Archive<W> {
    fn add(&mut self, digest: &Digest, size: u64, content: &mut dyn Read) -> io::Result<()> {
        self.entry(&format!("{BLOBS}{}", digest.digits()), size, content)
    }
}

/// A directory with a layout.
struct Store(Layout);

impl Blobs for Store {
    fn add(&mut self, digest: &Digest, _: u64, content: &mut dyn Read) -> io::Result<()> {
        let path = self.0.blob_path(digest);
        if path.exists() {
            return io::copy(content, &mut io::sink()).map(drop);
        }
        let directory = path.parent().unwrap_or(&path);
        let mut file = tempfile::Builder::new()
            .prefix(".iechor-tmp-")
            .tempfile_in(directory)
            .map_err(iechor_files::output::without_name)?;
        let mut content = Digesting::new(content);
        io::copy(&mut content, &mut file)?;
        // A blob with another digest must not have its name at any time.
        if content.digest() != *digest {
            return Err(wrong(digest));
        }
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(permissions)?;
        file.persist(&path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
