//! Reads a configuration and the files that it names.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use iechor_files::pem::{self, Purpose};
use iechor_sandbox::check_node_files;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Location};
use super::{CONFIG_FILE, DAEMON_DIRECTORY};

/// Returns the line of a position in a text, from 1.
pub(super) fn line_of(text: &[u8], offset: usize) -> usize {
    let before = &text[..offset.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// A configuration that is being read.
pub(super) struct Reading<'a> {
    path: &'a Path,
    directory: &'a Path,
    text: &'a str,
    files: BTreeMap<String, Vec<u8>>,
    /// Positions in the text, and the strings that replace them.
    replacements: Vec<(Range<usize>, String)>,
}

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Reading<'a> {
    pub(super) fn new(path: &'a Path, directory: &'a Path, text: &'a str) -> Self {
        Self {
            path,
            directory,
            text,
            files: BTreeMap::new(),
            replacements: Vec::new(),
        }
    }

    /// Returns the files that were read, and the configuration with their new names.
    pub(super) fn finish(mut self) -> BTreeMap<String, Vec<u8>> {
        // From the end, so that earlier positions stay valid.
        self.replacements
            .sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut rewritten = self.text.to_owned();
        for (range, value) in self.replacements {
            rewritten.replace_range(range, &toml::Value::String(value).to_string());
        }
        self.files
            .insert(CONFIG_FILE.to_owned(), rewritten.into_bytes());
        self.files
    }

    fn location(&self, value: &Value<'_>) -> Location {
        Location {
            path: self.path.to_owned(),
            line: line_of(self.text.as_bytes(), value.span().start),
        }
    }

    pub(super) fn wrong_type(
        &self,
        value: &Value<'_>,
        key: &str,
        expected: &'static str,
    ) -> ConfigError {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        ConfigError::Type {
            location: self.location(value),
            key: key.to_owned(),
            found: found.to_owned(),
            expected,
        }
    }

    /// Returns the error for a text that has the wrong form.
    pub(super) fn wrong_text(
        &self,
        value: &Value<'_>,
        text: &str,
        key: &str,
        expected: &'static str,
    ) -> ConfigError {
        ConfigError::Type {
            location: self.location(value),
            key: key.to_owned(),
            found: format!("{text:?}"),
            expected,
        }
    }

    /// Reads certificates, and returns the entitlements.
    pub(super) fn root(&mut self, root: &DeTable<'_>) -> Result<Vec<String>, ConfigError> {
        let entitlements = match root.get("insecure-entitlements") {
            Some(value) => self
                .strings(value, "insecure-entitlements")?
                .into_iter()
                .map(|(_, text)| text.to_owned())
                .collect(),
            None => Vec::new(),
        };
        if let Some(value) = root.get("registry") {
            let Some(registries) = value.get_ref().as_table() else {
                return Err(self.wrong_type(value, "registry", "a table"));
            };
            for (host, registry) in registries {
                self.registry(host.get_ref(), registry)?;
            }
        }
        Ok(entitlements)
    }

    fn registry(&mut self, host: &str, value: &Value<'_>) -> Result<(), ConfigError> {
        let prefix = format!("registry.{host:?}");
        let Some(registry) = value.get_ref().as_table() else {
            return Err(self.wrong_type(value, &prefix, "a table"));
        };
        if let Some(value) = registry.get("ca") {
            let key = format!("{prefix}.ca");
            for (place, path) in self.strings(value, &key)? {
                self.certificate(host, "CA", &key, place, path)?;
            }
        }
        let Some(value) = registry.get("keypair") else {
            return Ok(());
        };
        let key = format!("{prefix}.keypair");
        let expected = "an array of tables with `key` and `cert`";
        let Some(pairs) = value.get_ref().as_array() else {
            return Err(self.wrong_type(value, &key, expected));
        };
        for pair in pairs {
            let Some(table) = pair.get_ref().as_table() else {
                return Err(self.wrong_type(pair, &key, expected));
            };
            for name in ["key", "cert"] {
                let Some(value) = table.get(name) else {
                    return Err(ConfigError::Incomplete {
                        location: self.location(pair),
                        key,
                        missing: name,
                    });
                };
                let key = format!("{key}.{name}");
                let path = self.string(value, &key)?;
                self.certificate(host, name, &key, value, path)?;
            }
        }
        Ok(())
    }

    fn string<'v>(&self, value: &'v Value<'_>, key: &str) -> Result<&'v str, ConfigError> {
        value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.wrong_type(value, key, "a string"))
    }

    pub(super) fn strings<'v, 't>(
        &self,
        value: &'v Value<'t>,
        key: &str,
    ) -> Result<Vec<(&'v Value<'t>, &'v str)>, ConfigError> {
        let expected = "an array of strings";
        let Some(array) = value.get_ref().as_array() else {
            return Err(self.wrong_type(value, key, expected));
        };
        array
            .iter()
            .map(|item| match item.get_ref().as_str() {
                Some(text) => Ok((item, text)),
                None => Err(self.wrong_type(item, key, expected)),
            })
            .collect()
    }

    /// Reads a file, and replaces its name in the configuration.
    fn certificate(
        &mut self,
        host: &str,
        kind: &'static str,
        key: &str,
        place: &Value<'_>,
        named: &str,
    ) -> Result<(), ConfigError> {
        let from_here = self.directory.join(named);
        let beside = self.path.parent().map(|parent| parent.join(named));
        let mut path = from_here;
        let mut result = iechor_files::read(&path, pem::LARGEST);
        if let (Err(error), Some(beside)) = (&result, beside)
            && error.is_not_found()
        {
            match iechor_files::read(&beside, pem::LARGEST) {
                Err(error) if error.is_not_found() => {}
                found => (path, result) = (beside, found),
            }
        }
        let data = result.map_err(|source| ConfigError::Certificate {
            kind,
            path: path.clone(),
            key: key.to_owned(),
            location: self.location(place),
            source,
        })?;
        let purpose = match kind {
            "CA" => Purpose::Authorities,
            "key" => Purpose::PrivateKey,
            _ => Purpose::Certificate,
        };
        pem::check(&data, purpose).map_err(|source| ConfigError::Content {
            kind,
            path,
            key: key.to_owned(),
            location: self.location(place),
            source,
        })?;
        let base = Path::new(named)
            .file_name()
            .map_or(kind.to_owned(), |name| name.to_string_lossy().into_owned());
        let path = self.free_path(host, &base, &data);
        self.replacements
            .push((place.span(), format!("{DAEMON_DIRECTORY}/{path}")));
        self.files.insert(path, data);
        // Checked at once, so that the amount that is read is bounded.
        let sizes = self
            .files
            .iter()
            .map(|(path, data)| (path.as_str(), data.len()));
        check_node_files(sizes).map_err(|reason| ConfigError::TooMuch {
            path: self.path.to_owned(),
            reason,
        })
    }

    /// Returns the path of a file: `certs/<host>/<name>`, with a number if another file has that
    /// path.
    fn free_path(&self, host: &str, base: &str, data: &[u8]) -> String {
        let host = directory_name(host);
        let base: String = base
            .chars()
            .map(|c| if c.is_control() || c == '\\' { '_' } else { c })
            .collect();
        let (stem, extension) = match base.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
            _ => (base.as_str(), String::new()),
        };
        let mut number = 1u32;
        loop {
            let suffix = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let path = format!("certs/{host}/{stem}{suffix}{extension}");
            match self.files.get(&path) {
                Some(other) if other != data => number += 1,
                _ => return path,
            }
        }
    }
}

/// Returns the directory of a registry: each sequence of characters other than letters, digits, `.`
/// and `-` becomes one `_`.
pub(super) fn directory_name(host: &str) -> String {
    let mut name = String::new();
    for character in host.chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '-') {
            name.push(character);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    // No `.` and `..`.
    if name.chars().all(|character| character == '.') {
        name.insert(0, '_');
    }
    name
}
