//! Names of images, as users write them.

use iechor_registry::{Artifact, ArtifactError, Digest};
use iechor_values::image::is_host;

/// The registry of names without one.
const HUB: &str = "docker.io";

/// The namespace of names on [`HUB`] without one.
const LIBRARY: &str = "library";

/// Returns the place of an image in a registry: `demo` is `docker.io/library/demo`. A digest at the end of the name
/// is left out.
///
/// # Errors
///
/// Returns an error if the text is not the name of an image.
pub fn artifact(text: &str) -> Result<Artifact, ArtifactError> {
    let name = match Digest::split_from(text) {
        Ok((name, _)) => name,
        Err(_) => text,
    };
    match name.split_once('/') {
        Some((first, path)) if first == HUB || first == "index.docker.io" => {
            match path.contains('/') {
                true => format!("{HUB}/{path}").parse(),
                false => format!("{HUB}/{LIBRARY}/{path}").parse(),
            }
        }
        Some((first, _)) if is_host(first) => name.parse(),
        Some(_) => format!("{HUB}/{name}").parse(),
        None => format!("{HUB}/{LIBRARY}/{name}").parse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_registry() {
        let digest = Digest::of(b"");
        for (text, expected) in [
            ("demo", "docker.io/library/demo"),
            ("demo:1", "docker.io/library/demo:1"),
            ("team/demo:1", "docker.io/team/demo:1"),
            ("docker.io/demo", "docker.io/library/demo"),
            ("index.docker.io/a/demo", "docker.io/a/demo"),
            ("localhost/demo", "localhost/demo"),
            ("localhost:5000/demo:1", "localhost:5000/demo:1"),
            ("ghcr.io/a/b/c", "ghcr.io/a/b/c"),
            (&format!("ghcr.io/a/b:1@{digest}"), "ghcr.io/a/b:1"),
        ] {
            let artifact = artifact(text).expect(text);
            assert_eq!(artifact.to_string(), expected, "{text}");
        }
        for text in ["", "a//b", "ghcr.io/", "UPPER"] {
            assert!(artifact(text).is_err(), "{text}");
        }
    }
}
