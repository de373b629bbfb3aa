//! Paths and queries of requests.

/// Returns a name as one segment of a path. A name that could leave its place in the path becomes
/// one that no object has.
pub(super) fn segment(name: &str) -> String {
    match name {
        "" | "." | ".." => "%20".into(),
        _ => encode(name, b"-_.~"),
    }
}

/// Returns a name as several segments of a path. Its slashes stay, because engines separate the
/// parts of an image's name by them.
pub(super) fn segments(name: &str) -> String {
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "%20".to_owned()
    } else {
        encode(name, b"-_.~/:@")
    }
}

/// Returns the path and query of a request.
pub(super) fn address(path: &str, query: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    for (i, (key, value)) in query.iter().enumerate() {
        address.push(if i == 0 { '?' } else { '&' });
        address.push_str(key);
        address.push('=');
        address.push_str(&encode(value, b"-_.~"));
    }
    address
}

/// Returns the parameter `filters` of a list of the objects that carry every one of `labels`.
pub(super) fn label_filters(labels: &[(String, String)]) -> String {
    let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    serde_json::json!({ "label": labels }).to_string()
}

fn encode(text: &str, keep: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_segment() {
        assert_eq!(segment("buildx_buildkit_b0"), "buildx_buildkit_b0");
        assert_eq!(segment("a/../b?c#d"), "a%2F..%2Fb%3Fc%23d");
        assert_eq!(segment(".."), "%20");
        assert_eq!(
            address("/x", &[("a", "1 2"), ("b", "c&d")]),
            "/x?a=1%202&b=c%26d"
        );
    }
}
