//! Patterns of images.

use std::fmt;

use iechor_values::image::{Reference, is_host};

use super::host::{HostPattern, Place};

/// Registries where anybody can publish under a name of their own.
const PUBLIC: [&str; 7] = [
    "docker.io",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "public.ecr.aws",
    "registry.gitlab.com",
    "ttl.sh",
];

/// A pattern of images, by registry, path, and tag or digest: `moby/buildkit:*`, `registry.example.com/*`.
///
/// A pattern has the meaning that the engine gives it: `buildkit` is `docker.io/library/buildkit:latest`,
/// regardless of how a driver writes the image. `*` matches any characters, but does not extend from a registry
/// into a path; `:*` matches any tag or digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePattern {
    text: String,
    /// `None` matches every image.
    place: Option<Place>,
}

impl ImagePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// A description of what is wrong with the pattern.
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

    /// Returns whether the pattern matches the image. A reference that may be the ID of an image does not say
    /// where the image comes from, so only `*` matches it.
    pub(crate) fn matches(&self, reference: &str) -> bool {
        match &self.place {
            None => true,
            Some(_) if may_be_id(reference) => false,
            Some(place) => canonical(reference).is_some_and(|(registry, rest)| {
                // "Any tag" means any version, so it includes digests.
                let by_digest = place.path.strip_suffix(":*").map(|name| Place {
                    host: place.host.clone(),
                    path: format!("{name}@*"),
                });
                place.matches(&registry, &rest)
                    || by_digest.is_some_and(|place| place.matches(&registry, &rest))
            }),
        }
    }

    /// Returns whether anybody can publish a matching image: the pattern leaves the registry open, or it names a
    /// registry where anybody can publish, without naming the publisher.
    pub(crate) fn is_everything(&self) -> bool {
        let Some(place) = &self.place else {
            return true;
        };
        let publisher = place.path.split('/').next().unwrap_or_default();
        let public =
            matches!(&place.host, HostPattern::Exactly(host) if PUBLIC.contains(&host.as_str()));
        place.host.is_everybodys() || (public && publisher.contains('*'))
    }

    /// Returns whether the pattern may match the image.
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

/// Returns the registry, and the path with tag or digest, as the engine understands the reference.
fn canonical(reference: &str) -> Option<(String, String)> {
    let canonical = Reference::check(reference).ok()?.canonical();
    let (registry, rest) = canonical.split_once('/')?;
    Some((registry.into(), rest.into()))
}

fn place(text: &str) -> Result<Place, String> {
    // To apply the engine's rules, each `*` is replaced by a plain character below.
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

/// Removes the tag of a reference with a digest, which the engine ignores.
fn without_ignored_tag(path: String) -> String {
    match path.split_once('@') {
        Some((tagged, digest)) => match tagged.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => format!("{name}@{digest}"),
            _ => path,
        },
        None => path,
    }
}

/// Returns whether the first part of a name is a registry, by the engine's rule, or a pattern of registries.
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
            // Another registry with a similar path.
            ("moby/buildkit:*", "evil.example/moby/buildkit:v1"),
            ("moby/buildkit:*", "localhost/moby/buildkit:v1"),
            ("moby/buildkit:*", "MOBY/buildkit:v1"),
            ("*.example.com/*", "evil.test/a.example.com/x"),
            ("registry.example.com/*", "registry.example.com.evil/x"),
            ("registry.example.com/*", "registry.example.com:5000/x"),
            ("registry.example.com/*", "evil@registry.example.com/x"),
            // Paths that lead out of the allowed one.
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
            // References that the engine takes for an ID, or refuses.
            ("docker.io/*", "sha256:0123"),
            ("docker.io/*", "0123abcdef"),
            ("library/*", "s:1"),
            ("docker.io/*", ""),
            ("docker.io/*", "a b"),
            // A tag that the engine ignores, beside the digest that it uses.
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
            // A host alone is the name of an image on Docker Hub.
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
