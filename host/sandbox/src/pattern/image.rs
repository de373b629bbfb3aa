//! Patterns of images.

use std::fmt;

use iechor_values::image::{Reference, is_host};

use super::host::{HostPattern, Place};

/// Registries where everybody can publish under a name of his own.
const PUBLIC: [&str; 7] = [
    "docker.io",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "public.ecr.aws",
    "registry.gitlab.com",
    "ttl.sh",
];

/// Images, by registry, path, and tag or digest: `moby/buildkit:*`, `registry.example.com/*`.
///
/// A pattern means what the engine would take it for: `buildkit` is
/// `docker.io/library/buildkit:latest`, however a driver writes that. `*` is any characters, but
/// does not reach from a registry into a path; `:*` is any tag or digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePattern {
    text: String,
    /// `None` is any image at all.
    place: Option<Place>,
}

impl ImagePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// A description of what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let place = match text {
            "*" => None,
            _ => Some(place(text)?),
        };
        Ok(Self {
            text: text.into(),
            place,
        })
    }

    /// Returns whether the image is one of these. What may be the id of an image is none, since it does
    /// not say where it comes from; only `*` has it.
    pub(crate) fn matches(&self, reference: &str) -> bool {
        match &self.place {
            None => true,
            Some(_) if may_be_id(reference) => false,
            Some(place) => canonical(reference).is_some_and(|(registry, rest)| {
                // Any tag is any version, so a digest is among them.
                let by_digest = place.path.strip_suffix(":*").map(|name| Place {
                    host: place.host.clone(),
                    path: format!("{name}@*"),
                });
                place.matches(&registry, &rest)
                    || by_digest.is_some_and(|place| place.matches(&registry, &rest))
            }),
        }
    }

    /// Returns whether anybody can make an image of such a name: the registry is anybody's to choose, or it is
    /// one where everybody publishes, and the pattern does not say who does.
    pub(crate) fn is_everything(&self) -> bool {
        let Some(place) = &self.place else {
            return true;
        };
        let publisher = place.path.split('/').next().unwrap_or_default();
        let public =
            matches!(&place.host, HostPattern::Exactly(host) if PUBLIC.contains(&host.as_str()));
        place.host.is_everybodys() || (public && publisher.contains('*'))
    }

    /// Returns whether the image may be one of these.
    pub(crate) fn may_match(&self, reference: &str) -> bool {
        may_be_id(reference) || self.matches(reference)
    }
}

impl fmt::Display for ImagePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

pub(crate) fn may_be_id(reference: &str) -> bool {
    Reference::may_be_id(reference)
}

/// Registry, and path with tag or digest, as the engine understands the reference.
fn canonical(reference: &str) -> Option<(String, String)> {
    let canonical = Reference::check(reference).ok()?.canonical();
    let (registry, rest) = canonical.split_once('/')?;
    Some((registry.into(), rest.into()))
}

fn place(text: &str) -> Result<Place, String> {
    // The stars stand for something plain while the engine's rules are asked.
    if text.contains('\u{0}') || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it has a space or control character".into());
    }
    let (first, behind) = match text.split_once('/') {
        Some((first, rest)) => (Some(first), rest),
        None => (None, text),
    };
    if first.is_none()
        && text
            .split([':', '@'])
            .next()
            .is_some_and(|name| name == "*")
    {
        return Err(
            "write * for every image, or docker.io/library/* for those of that name".into(),
        );
    }
    let (registry, path) = match first {
        Some("index.docker.io") => ("docker.io", behind.to_owned()),
        Some(first) if is_registry(first) => (first, behind.to_owned()),
        Some(first) if first.contains('*') => {
            return Err(format!(
                "does {first:?} stand for registries, or for names of Docker Hub? write \
                 docker.io/{text}, or name the registry"
            ));
        }
        _ => ("docker.io", text.to_owned()),
    };
    let path = if registry == "docker.io" && !path.contains('/') && path != "*" {
        format!("library/{path}")
    } else {
        path
    };
    let check = path.replace('*', "x");
    Reference::check(&format!("host.example/{check}"))
        .map_err(|_| "it is not the name of an image with * for any characters".to_owned())?;
    let name = path.rsplit('/').next().unwrap_or_default();
    let path = if path.ends_with('*') || name.contains([':', '@']) {
        path
    } else {
        format!("{path}:latest")
    };
    Ok(Place {
        host: HostPattern::parse(registry)?,
        path: without_ignored_tag(path),
    })
}

/// As the engine, which ignores the tag of what has a digest too.
fn without_ignored_tag(path: String) -> String {
    match path.split_once('@') {
        Some((tagged, digest)) => match tagged.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => format!("{name}@{digest}"),
            _ => path,
        },
        None => path,
    }
}

/// Returns whether the first part of a name is a registry, by the engine's rule, or a pattern of some.
fn is_registry(first: &str) -> bool {
    first == "*" || is_host(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    #[track_caller]
    fn assert_matches(pattern: &str, image: &str, expected: bool) {
        let parsed = ImagePattern::parse(pattern).expect("a pattern");
        assert_eq!(parsed.matches(image), expected, "{pattern} {image}");
    }

    #[test]
    fn an_image_matches_however_it_is_written() {
        for image in [
            "buildkit",
            "buildkit:latest",
            "library/buildkit",
            "docker.io/buildkit",
            "index.docker.io/library/buildkit:latest",
        ] {
            for pattern in [
                "buildkit",
                "docker.io/buildkit",
                "library/buildkit:latest",
                "index.docker.io/library/buildkit",
                "buildkit:*",
                "docker.io/*",
                "*/library/*",
                "*",
            ] {
                assert_matches(pattern, image, true);
            }
            for pattern in ["moby/buildkit:*", "registry.example.com/*", "buildkit:v*"] {
                assert_matches(pattern, image, false);
            }
        }
    }

    #[test]
    fn patterns_are_not_dodged() {
        for (pattern, image) in [
            // Another registry, whose paths look like it.
            ("moby/buildkit:*", "evil.example/moby/buildkit:v1"),
            ("moby/buildkit:*", "localhost/moby/buildkit:v1"),
            ("moby/buildkit:*", "MOBY/buildkit:v1"),
            ("*.example.com/*", "evil.test/a.example.com/x"),
            ("registry.example.com/*", "registry.example.com.evil/x"),
            ("registry.example.com/*", "registry.example.com:5000/x"),
            ("registry.example.com/*", "evil@registry.example.com/x"),
            // A way out of the path.
            ("moby/*", "moby/../evil/x"),
            (
                "registry.example.com/team/*",
                "registry.example.com/team/../x",
            ),
            (
                "registry.example.com/team/*",
                "registry.example.com/teams/x",
            ),
            ("moby/*", "moby//x"),
            // What the engine reads as an id, or not at all.
            ("docker.io/*", "sha256:0123"),
            ("docker.io/*", "0123abcdef"),
            ("library/*", "s:1"),
            ("docker.io/*", ""),
            ("docker.io/*", "a b"),
            // A tag that the engine ignores, beside the digest that it takes.
            (
                "moby/buildkit:v1",
                "moby/buildkit:v1@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            ),
            ("moby/buildkit", "moby/buildkit:v1"),
            ("moby/buildkit", "moby/buildkit-evil"),
        ] {
            assert_matches(pattern, image, false);
        }
    }

    #[test]
    fn digests() {
        let pinned = format!("moby/buildkit@{DIGEST}");
        let tagged = format!("moby/buildkit:v1@{DIGEST}");
        for pattern in [
            "moby/buildkit@sha256:*",
            "moby/buildkit@*",
            &pinned,
            &tagged,
        ] {
            assert_matches(pattern, &pinned, true);
            assert_matches(pattern, &tagged, true);
            assert_matches(pattern, "moby/buildkit:v1", false);
        }
        for pattern in ["moby/buildkit*", "moby/buildkit:*", "moby/*:*"] {
            assert_matches(pattern, &pinned, true);
            assert_matches(pattern, "moby/buildkit:v1", true);
        }
        assert_matches("moby/buildkit:v*", &pinned, false);
    }

    #[test]
    fn what_may_mean_two_things_is_no_pattern() {
        for pattern in [
            "",
            "moby*/buildkit:*",
            "*moby/x",
            "a*.example.com/x",
            "registry.example.com",
            "registry.example.com/",
            "moby/../x",
            "moby/build kit",
            "moby/buildkit:",
        ] {
            let parsed = ImagePattern::parse(pattern);
            // A bare host is the name of an image of Docker Hub.
            if pattern == "registry.example.com" {
                assert_eq!(
                    parsed.expect("a name").place.expect("one").path,
                    "library/registry.example.com:latest"
                );
            } else {
                assert!(parsed.is_err(), "{pattern}: {parsed:?}");
            }
        }
    }
}
