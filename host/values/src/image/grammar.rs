//! The grammar of image references.

use super::{Parts, split};
use crate::hex;

/// Maximum length of a path that registries accept.
const LONGEST_PATH: usize = 255;
/// Maximum length of a tag.
const LONGEST_TAG: usize = 128;
/// Algorithms of digests, and the number of hexadecimal digits of each.
const ALGORITHMS: &[(&str, usize)] = &[("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// Checks an image reference, `[HOST[:PORT]/]PATH[:TAG][@ALGORITHM:DIGEST]`, by the grammar of
/// `distribution/reference`, which engines use, and returns it unchanged. A reference with a digest
/// (`moby/buildkit@sha256:...`) always means the same image; a tag beside the digest is only for readers.
///
/// # Errors
///
/// A description of what is wrong with the text, with an example of a valid one.
pub fn image_reference(text: &str) -> Result<String, String> {
    check(text).map_err(|why| {
        format!("{text:?} is not an image reference: {why} (for example moby/buildkit:v0.31.0)")
    })?;
    Ok(text.to_owned())
}

fn check(text: &str) -> Result<(), &'static str> {
    let Parts {
        host,
        path,
        tag,
        digest,
        ..
    } = split(text);
    if !digest.is_none_or(is_digest) {
        return Err("what follows @ is a digest, sha256: and 64 digits or letters from a to f");
    }
    if !tag.is_none_or(is_tag) {
        return Err("a tag has letters, digits, '_', '.' and '-', at most 128");
    }
    if !host.is_none_or(is_valid_host) {
        return Err("what precedes the first '/' is no HOST or HOST:PORT");
    }
    if path.len() > LONGEST_PATH {
        return Err("a path has at most 255 characters");
    }
    if !path.split('/').all(is_path_component) {
        return Err(
            "a path has lower-case letters and digits, and between them '.', '_', '__' or any \
             number of '-'",
        );
    }
    Ok(())
}

/// Returns whether the text is a name or an address, with an optional port.
fn is_valid_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // A colon in an IPv6 address, which ends in a bracket, does not begin a port.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_right = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| {
            !address.is_empty() && address.bytes().all(|b| b == b':' || b.is_ascii_hexdigit())
        }),
        None => host.split('.').all(|label| {
            let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
            let label = label.as_bytes();
            ends(label.first())
                && ends(label.last())
                && label
                    .iter()
                    .all(|b| *b == b'-' || b.is_ascii_alphanumeric())
        }),
    };
    is_right && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns whether the component consists of words of lower-case letters and digits, separated by a period, one
/// or two underscores, or any number of hyphens.
fn is_path_component(component: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator = |s: &str| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-');
    component.starts_with(is_word)
        && component.ends_with(is_word)
        && component.split(is_word).all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= LONGEST_TAG
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || ".-".contains(c))
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, digits)| {
        ALGORITHMS.contains(&(algorithm, digits.len())) && hex::is_hex(digits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let sha256 = format!("sha256:{}", "0a".repeat(32));
        let sha512 = format!("sha512:{}", "f".repeat(128));
        let longest_path = format!("{}a", "a/".repeat(127));
        let longest_tag = "t".repeat(128);
        for text in [
            "busybox",
            "moby/buildkit:buildx-stable-1",
            "test_com",
            "test.com:5000",
            "test:5000/repo:tag",
            "localhost/a",
            "localhost:5000/a/b__c:v1",
            "registry.example.com/team/buildkit",
            "sub-dom1.foo.com/bar/baz/quux:some-long-tag",
            "192.168.1.1:5000/repo:5050",
            "xn--n3h.com/myimage:xn--n3h.com",
            "foo/foo_bar.com:8080",
            "a---b/c.d",
            "lower:Upper_case.1-x",
            "[::1]:5000/x:1",
            "[2001:db8:1:2:3:4:5:6]/repo",
            // A host rather than a path: its letters may be capital.
            "MACHINE/x",
            &sha256,
            &format!("moby/buildkit@{sha256}"),
            &format!("moby/buildkit:v1@{sha256}"),
            &format!("localhost:5000/a@{sha512}"),
            &format!("host.example/{longest_path}:{longest_tag}"),
        ] {
            assert_eq!(image_reference(text), Ok(text.to_owned()));
        }
        for text in [
            "",
            " ",
            "a b",
            " a",
            "a\n",
            "a\u{1b}[2J",
            // Paths.
            "BusyBox",
            "moby/BuildKit",
            "test:5000/Upper/lower",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a_-b",
            "a-_b",
            "a._b",
            "a___b",
            "-a",
            "a-",
            "a/_b",
            "aa/asdf$$^/aa",
            "caf\u{e9}",
            &format!("{longest_path}b"),
            // Hosts and ports.
            "localhost:port/x",
            "localhost:/x",
            "a.b:1:2/x",
            "-a.com/x",
            "a-.com/x",
            "a..com/x",
            "a_b.com/x",
            "user:pass@a.com/x",
            "https://a/b",
            "[::1/x",
            "[]/x",
            "[::1]x/y",
            "[fe80::1%eth0]:5000/repo",
            "[2001:db8::1]",
            "[2001:db8::1]:5000",
            "localhost/",
            // Tags.
            "a:",
            ":a",
            "a:-b",
            "a:.b",
            "a:b+c",
            &format!("a:{longest_tag}t"),
            // Digests.
            "a@",
            "a@sha256",
            "a@sha256:zz",
            &format!("@{sha256}"),
            &format!("a@{sha256}@{sha256}"),
            &format!("a@{}", sha256.to_uppercase()),
            &format!("a@sha256:{}", "0A".repeat(32)),
            &format!("a@{sha256}00"),
            &format!("a@sha256:{}", "0".repeat(32)),
            &format!("a@md5:{}", "0".repeat(32)),
        ] {
            let error = image_reference(text).expect_err(text);
            assert!(error.contains("is not an image reference"), "{error}");
        }
    }
}
