//! Names for the image of a build.

use std::fmt;

use iechor_values::image::image_reference;

/// The name of an image: `[HOST/]NAME[:LABEL][@DIGEST]`, with the name in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// Parses a tag. Returns `None` for a text that registries and engines would refuse.
    pub fn new(text: &str) -> Option<Self> {
        image_reference(text).ok().map(Self)
    }

    /// Returns the tag unchanged.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let pinned = format!("ghcr.io/o/n:v1@{digest}");
        let bare = format!("demo@{digest}");
        for tag in [
            "demo",
            "demo:1.0",
            "a/b_c/d-e",
            "localhost:5000/x",
            "ghcr.io/o/n:v1",
            "a:A_b",
            &pinned,
            &bare,
        ] {
            assert!(Tag::new(tag).is_some(), "{tag}");
        }
        for tag in [
            "",
            "Demo",
            "demo:",
            "a//b",
            ":tag",
            "a b",
            "demo:-x",
            "-a",
            "a/",
            "x:y z",
            "demo@",
            "demo@sha256:0",
        ] {
            assert!(Tag::new(tag).is_none(), "{tag}");
        }
    }
}
