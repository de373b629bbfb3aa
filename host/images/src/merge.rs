//! Combines the parts of an image into one index.

use iechor_platform::Platform;

use crate::content::Part;
use crate::index::{DOCKER_LIST, Descriptor, INDEX, Index};

/// Combines parts into one index. Its images have the order of `platforms`; images of other platforms follow
/// in the order of the parts, then attestations in the order of their images.
///
/// An entry that several parts have is kept once, with the annotations of all. Annotations of indexes are kept;
/// of several values the first one counts. The index is a list of Docker if all entries are Docker's and there
/// are no annotations of the index, which such a list cannot have.
pub fn merge(parts: Vec<Part>, platforms: &[Platform]) -> Index {
    let mut entries: Vec<Descriptor> = Vec::new();
    let mut annotations = std::collections::BTreeMap::new();
    for part in parts {
        for (key, value) in part.annotations {
            annotations.entry(key).or_insert(value);
        }
        for entry in part.manifests {
            match entries.iter_mut().find(|kept| kept.digest == entry.digest) {
                Some(kept) => complete(kept, entry),
                None => entries.push(entry),
            }
        }
    }
    let rank = |entry: &Descriptor| {
        let platform = entry.platform.clone().map(Platform::normalised);
        let mut platforms = platforms.iter();
        let place = platforms.position(|wanted| Some(wanted) == platform.as_ref());
        place.unwrap_or(usize::MAX)
    };
    // The sorts are stable.
    let (mut manifests, mut added): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .partition(|entry| entry.reference().is_none());
    manifests.sort_by_key(rank);
    added.sort_by_key(|entry| {
        let mut images = manifests.iter();
        let place = images.position(|image| Some(image.digest.as_str()) == entry.reference());
        place.unwrap_or(usize::MAX)
    });
    manifests.append(&mut added);
    let mut types = manifests.iter().map(|entry| &entry.media_type);
    let is_docker = annotations.is_empty()
        && !manifests.is_empty()
        && types.all(|kind| kind.starts_with("application/vnd.docker."));
    Index {
        schema_version: 2,
        media_type: if is_docker { DOCKER_LIST } else { INDEX }.to_owned(),
        manifests,
        annotations,
    }
}

/// Adds to an entry what another one with the same digest states.
fn complete(kept: &mut Descriptor, other: Descriptor) {
    for (key, value) in other.annotations {
        kept.annotations.entry(key).or_insert(value);
    }
    if kept.platform.is_none() {
        kept.platform = other.platform;
    }
}

#[cfg(test)]
mod tests;
