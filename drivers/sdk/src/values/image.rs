//! References of images.

/// Checks the reference of an image: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, the grammar of the
/// distribution project as far as a mistake is likely.
///
/// # Errors
///
/// What is wrong with the text, and an example of a right one.
pub fn image_reference(text: &str) -> Result<String, String> {
    let wrong = |why: &str| {
        format!("{text:?} is not an image reference{why} (for example moby/buildkit:v0.31.0)")
    };
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(wrong(""));
    }
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Err(wrong(": what follows @ must be ALGORITHM:HEXADECIMAL"));
    }
    let (name, tag) = match named.rsplit_once(':') {
        // A colon before a slash is that of a port.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (named, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(wrong(
            ": a tag has letters, digits, '_', '.' and '-', at most 128",
        ));
    }
    let path = match name.split_once('/') {
        Some((host, path)) if is_host(host) => path,
        _ => name,
    };
    let is_right = |component: &str| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        component.starts_with(ends) && component.ends_with(ends) && component.chars().all(allowed)
    };
    if !path.split('/').all(is_right) {
        return Err(wrong(
            ": a path has lower-case letters, digits, and '.', '_', '-' between them",
        ));
    }
    Ok(text.to_owned())
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, value)| {
        !algorithm.is_empty() && value.len() >= 32 && value.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || ".-".contains(c))
}

/// The first component is a host where it looks like one.
fn is_host(component: &str) -> bool {
    component == "localhost"
        || component.contains(['.', ':'])
        || component.bytes().any(|b| b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "busybox",
            "moby/buildkit:buildx-stable-1",
            "localhost:5000/a/b__c:v1",
            "registry.example.com/team/buildkit",
            "[::1]:5000/x:1",
            "MACHINE/x",
            &digest,
            &format!("moby/buildkit@{digest}"),
            &format!("moby/buildkit:v1@{digest}"),
        ] {
            assert_eq!(image_reference(text), Ok(text.to_owned()));
        }
        for text in [
            "",
            " ",
            "a b",
            "BusyBox",
            "moby/BuildKit",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a:-b",
            "a@sha256",
            "a@sha256:zz",
            "a\u{1b}[2J",
            "https://a/b",
        ] {
            let error = image_reference(text).expect_err(text);
            assert!(error.contains("is not an image reference"), "{error}");
        }
    }
}
