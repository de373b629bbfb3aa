//! Paths with slashes.

/// Returns the shortest equivalent of a path, as Go's `path.Clean`.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(last) if *last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_are_as_short_as_possible() {
        for (path, expected) in [
            ("", "."),
            (".", "."),
            ("./a/", "a"),
            ("a//b/./c", "a/b/c"),
            ("a/../..", ".."),
            ("/..//a", "/a"),
            ("../a/../b", "../b"),
        ] {
            assert_eq!(super::clean(path), expected, "{path}");
        }
    }
}
