//! The body of the fuzz target of templates, see `fuzz/README.md`. It exists only in tests and in the target, which
//! has a copy of the modules that it needs.

use serde_json::json;

use crate::template::Format;

/// Renders a template over an object and over a listing.
pub fn templates(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(format) = Format::parse(text) else {
        return;
    };
    let row = json!({
        "Name": "one\u{1b}[31m\nERROR: two",
        "Nodes": [{"Name": "a", "Platforms": ["linux/amd64", null]}],
        "Labels": {"a.b": "c"},
        "Size": -1.5,
        "Count": u64::MAX,
        "Current": true,
    });
    for shown in [format.object(&row), format.rows(&[row.clone(), row])] {
        let shown = shown.unwrap_or_default();
        assert!(!shown.as_str().contains('\u{1b}'), "{text:?}");
        let is_imitated = shown
            .as_str()
            .lines()
            .any(|line| line.starts_with("ERROR: two"));
        assert!(!is_imitated, "{text:?}");
    }
}

#[cfg(test)]
#[path = "../../../tests/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn templates() {
        seeds::run("templates", 200, super::templates);
    }
}
