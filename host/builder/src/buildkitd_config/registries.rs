//! What the daemon's configuration states about registries, for clients of the same registries.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::CONFIG_FILE;

/// Returns whether the configuration among the files of a node has `http = true` for a registry, so that it is used
/// without TLS. An unreadable configuration states nothing.
pub fn uses_plain_http(files: &BTreeMap<String, Vec<u8>>, host: &str) -> bool {
    let text = files.get(CONFIG_FILE).map(Vec::as_slice);
    let Some(Ok(text)) = text.map(std::str::from_utf8) else {
        return false;
    };
    let Ok(root) = DeTable::parse(text) else {
        return false;
    };
    let registry = root.get_ref().get("registry");
    let setting = registry
        .and_then(|registries| registries.get_ref().get(host)?.get_ref().get("http"))
        .and_then(|setting| setting.get_ref().as_bool());
    setting == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registries_with_the_setting_are_used_without_tls() {
        let files = |text: &str| {
            let files = [(CONFIG_FILE.to_owned(), text.as_bytes().to_vec())];
            BTreeMap::from(files)
        };
        let configured = files(
            "[registry.\"one.example:5000\"]\nhttp = true\n[registry.\"two.example\"]\nhttp = false\n\
             [registry.\"three.example\"]\ninsecure = true\n",
        );
        assert!(uses_plain_http(&configured, "one.example:5000"));
        for host in ["one.example", "two.example", "three.example", "other"] {
            assert!(!uses_plain_http(&configured, host), "{host}");
        }
        for text in ["", "registry = 1", "[registry]\n\"a\" = 1", "not toml"] {
            assert!(!uses_plain_http(&files(text), "a"), "{text}");
        }
        assert!(!uses_plain_http(&BTreeMap::new(), "a"));
    }
}
