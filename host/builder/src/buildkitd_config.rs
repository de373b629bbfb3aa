//! The daemon's configuration file, from `--buildkitd-config`, with the certificates that it names.
//!
//! The daemon runs elsewhere, so certificates and keys of registries are taken along: each becomes
//! a file `certs/<registry>/<name>`, and the configuration names it where the daemon will find it,
//! below `/etc/buildkit`. Nothing else of the user's text changes, comments and order included.
//!
//! What is taken in is stored with the builder: later edits of the file do not reach it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Name of the configuration file among the node's files.
pub const CONFIG_FILE: &str = "buildkitd.toml";

/// The directory in which the daemon finds the node's files.
pub const DAEMON_DIRECTORY: &str = "/etc/buildkit";

/// The largest file that is taken in, in bytes.
pub const LARGEST_FILE: u64 = 1024 * 1024;

/// The file in the store's directory that is used where no other is given.
const DEFAULT_FILE: &str = "buildkitd.default.toml";

/// Permissions of a file for everybody, and of one that holds a private key.
const PUBLIC: u32 = 0o644;
const PRIVATE: u32 = 0o600;

/// A configuration as it is stored with a node.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConfigFiles {
    /// Contents by path below [`DAEMON_DIRECTORY`]; permissions are told by [`mode`].
    pub files: BTreeMap<String, Vec<u8>>,
    /// The value of `insecure-entitlements`.
    pub insecure_entitlements: Vec<String>,
}

/// Leaves the contents out: they hold private keys.
impl std::fmt::Debug for ConfigFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ConfigFiles")
            .field("paths", &self.files.keys().collect::<Vec<_>>())
            .field("insecure_entitlements", &self.insecure_entitlements)
            .finish_non_exhaustive()
    }
}

/// A place in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.path.display(), self.line)
    }
}

/// Why a configuration cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file does not exist.
    #[error("buildkit configuration file not found: {}", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("failed to read buildkit configuration file: {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is larger than [`LARGEST_FILE`].
    #[error("invalid buildkit configuration file: {} is larger than 1 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("failed to parse buildkit configuration file: {location}: {message}")]
    Syntax {
        /// Where.
        location: Location,
        /// What the parser says.
        message: String,
    },
    /// A value has the wrong type.
    #[error(
        "invalid buildkit configuration file: {location}: {key} is {found}, but has to be {expected}"
    )]
    Type {
        /// Where.
        location: Location,
        /// The key with those around it, such as `registry."docker.io".ca`.
        key: String,
        /// What the value is.
        found: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A pair of key and certificate lacks one of them.
    #[error("invalid buildkit configuration file: {location}: {key} lacks `{missing}`")]
    Incomplete {
        /// Where.
        location: Location,
        /// The key with those around it.
        key: String,
        /// `key` or `cert`.
        missing: &'static str,
    },
    /// A certificate or key cannot be read.
    #[error("failed to read {kind} file: {}: {source} ({key} in {location} names it)", path.display())]
    Certificate {
        /// `CA`, `key` or `cert`.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The key that names it.
        key: String,
        /// Where.
        location: Location,
        /// What the system says.
        source: io::Error,
    },
}

/// The configuration to use: the one that is given, else `buildkitd.default.toml` in the store's
/// directory if there is one.
pub fn find(given: Option<&Path>, store_directory: &Path) -> Option<PathBuf> {
    let default = || Some(store_directory.join(DEFAULT_FILE)).filter(|path| path.exists());
    given.map(Path::to_owned).or_else(default)
}

/// Reads a configuration with the files that it names. Relative names start at `directory`, the
/// current one of the command; a file that is not there is looked for beside the configuration.
pub fn load(path: &Path, directory: &Path) -> Result<ConfigFiles, ConfigError> {
    let data = read_limited(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ConfigError::NotFound {
            path: path.to_owned(),
        },
        io::ErrorKind::FileTooLarge => ConfigError::TooLarge {
            path: path.to_owned(),
        },
        _ => ConfigError::Read {
            path: path.to_owned(),
            source: error,
        },
    })?;
    let text = String::from_utf8(data).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ConfigError::Syntax {
            location: Location {
                path: path.to_owned(),
                line: line_of(before, before.len()),
            },
            message: "the text is not UTF-8".to_owned(),
        }
    })?;
    let root = DeTable::parse(&text).map_err(|error| ConfigError::Syntax {
        location: Location {
            path: path.to_owned(),
            line: error
                .span()
                .map_or(1, |span| line_of(text.as_bytes(), span.start)),
        },
        message: error.message().to_owned(),
    })?;

    let mut reading = Reading {
        path,
        directory,
        text: &text,
        files: BTreeMap::new(),
        replacements: Vec::new(),
    };
    let insecure_entitlements = reading.root(root.get_ref())?;
    let Reading {
        mut files,
        mut replacements,
        ..
    } = reading;

    // From the end, so that the places before stay where they are.
    replacements.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut rewritten = text.clone();
    for (range, value) in replacements {
        rewritten.replace_range(range, &toml::Value::String(value).to_string());
    }
    files.insert(CONFIG_FILE.to_owned(), rewritten.into_bytes());
    Ok(ConfigFiles {
        files,
        insecure_entitlements,
    })
}

/// The permissions of a file of a node: 0600 where it holds a private key, 0644 otherwise.
pub fn mode(files: &BTreeMap<String, Vec<u8>>, path: &str) -> u32 {
    let is_pem_key = files.get(path).is_some_and(|data| {
        data.windows(PEM_KEY.len())
            .any(|window| window == PEM_KEY.as_bytes())
    });
    if is_pem_key || path.ends_with(".key") || named_keys(files).contains(path) {
        PRIVATE
    } else {
        PUBLIC
    }
}

const PEM_KEY: &str = "PRIVATE KEY-----";

/// The files that a stored configuration names as private keys.
fn named_keys(files: &BTreeMap<String, Vec<u8>>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let text = files
        .get(CONFIG_FILE)
        .and_then(|data| std::str::from_utf8(data).ok())
        .unwrap_or_default();
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let registries = table.get("registry").and_then(toml::Value::as_table);
    for registry in registries.into_iter().flat_map(toml::Table::values) {
        let pairs = registry.get("keypair").and_then(toml::Value::as_array);
        for pair in pairs.into_iter().flatten() {
            let key = pair.get("key").and_then(toml::Value::as_str);
            let path = key.and_then(|key| key.strip_prefix(DAEMON_DIRECTORY)?.strip_prefix('/'));
            keys.extend(path.map(str::to_owned));
        }
    }
    keys
}

/// Reads a file up to [`LARGEST_FILE`]; fails with `FileTooLarge` beyond.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    File::open(path)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut data)?;
    if data.len() as u64 > LARGEST_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than 1 MiB",
        ));
    }
    Ok(data)
}

fn line_of(text: &[u8], offset: usize) -> usize {
    let before = &text[..offset.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// One configuration while it is read.
struct Reading<'a> {
    path: &'a Path,
    directory: &'a Path,
    text: &'a str,
    files: BTreeMap<String, Vec<u8>>,
    /// Places of the text, and the strings that replace them.
    replacements: Vec<(Range<usize>, String)>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl Reading<'_> {
    fn location(&self, value: &Value<'_>) -> Location {
        Location {
            path: self.path.to_owned(),
            line: line_of(self.text.as_bytes(), value.span().start),
        }
    }

    fn wrong_type(&self, value: &Value<'_>, key: &str, expected: &'static str) -> ConfigError {
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
            found,
            expected,
        }
    }

    /// Checks what can be checked without knowing every key of the daemon, takes certificates in,
    /// and returns the entitlements.
    fn root(&mut self, root: &DeTable<'_>) -> Result<Vec<String>, ConfigError> {
        for key in ["debug", "trace"] {
            self.boolean(root, key, "")?;
        }
        if let Some(value) = root.get("root") {
            self.string(value, "root")?;
        }
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
                return Err(self.wrong_type(value, "registry", "a table of registries"));
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
        for key in ["http", "insecure"] {
            self.boolean(registry, key, &format!("{prefix}."))?;
        }
        if let Some(value) = registry.get("mirrors") {
            self.strings(value, &format!("{prefix}.mirrors"))?;
        }
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

    fn boolean(&self, table: &DeTable<'_>, key: &str, prefix: &str) -> Result<(), ConfigError> {
        match table.get(key) {
            Some(value) if value.get_ref().as_bool().is_none() => {
                Err(self.wrong_type(value, &format!("{prefix}{key}"), "true or false"))
            }
            _ => Ok(()),
        }
    }

    fn string<'v>(&self, value: &'v Value<'_>, key: &str) -> Result<&'v str, ConfigError> {
        value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.wrong_type(value, key, "a string"))
    }

    fn strings<'v, 't>(
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

    /// Takes a file in and has the configuration name its new place.
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
        let result = match read_limited(&from_here) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => beside
                .and_then(|beside| read_limited(&beside).ok())
                .ok_or(error),
            result => result,
        };
        let data = result.map_err(|source| ConfigError::Certificate {
            kind,
            path: from_here,
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
        Ok(())
    }

    /// The path of a file: `certs/<host>/<name>`, numbered where another file has it already.
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

/// The directory of a registry: whatever is no letter, digit, `.` or `-` becomes `_`, one for
/// several in a row.
fn directory_name(host: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Fixture(tempfile::TempDir);

    impl Fixture {
        fn new(config: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("config.toml"), config).unwrap();
            let fixture = Self(directory);
            fixture
                .file("ca.pem", "CA one")
                .file("other/ca.pem", "CA two")
                .file("key.pem", "-----BEGIN PRIVATE KEY-----\n")
                .file("binary", "a key in binary")
                .file("cert.pem", "a certificate");
            fixture
        }

        fn file(&self, path: &str, data: impl AsRef<[u8]>) -> &Self {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, data).unwrap();
            self
        }

        fn load(&self) -> Result<ConfigFiles, ConfigError> {
            load(&self.0.path().join("config.toml"), self.0.path())
        }

        /// The error, with the directory left out.
        fn error(&self) -> String {
            let error = self.load().unwrap_err().to_string();
            error.replace(&format!("{}/", self.0.path().display()), "")
        }
    }

    fn texts(files: &BTreeMap<String, Vec<u8>>) -> Vec<(&str, &str)> {
        files
            .iter()
            .map(|(path, data)| (path.as_str(), std::str::from_utf8(data).unwrap()))
            .collect()
    }

    #[test]
    fn a_configuration_without_certificates_stays_as_it_is() {
        let text = "# mine\ndebug = true\ninsecure-entitlements = [ \"network.host\", 'security.insecure' ]\n\n[worker.oci]\n  max-parallelism = 4 # few\n[registry.\"docker.io\"]\n  mirrors = [\"mirror.gcr.io\"]\n  http = true\n";
        let config = Fixture::new(text).load().unwrap();
        assert_eq!(texts(&config.files), [("buildkitd.toml", text)]);
        assert_eq!(
            config.insecure_entitlements,
            ["network.host", "security.insecure"]
        );
        assert_eq!(
            Fixture::new("").load().unwrap().files["buildkitd.toml"],
            b""
        );
    }

    #[test]
    fn certificates_are_taken_in_and_named_anew() {
        let fixture = Fixture::new(
            r#"debug = true # stays
[registry."reg.example:5000"]
  ca = ["ca.pem", 'other/ca.pem', "./ca.pem"] # three
  [[registry."reg.example:5000".keypair]]
    key = "key.pem"
    cert = """cert.pem"""
  [[registry."reg.example:5000".keypair]]
    key = "binary"
    cert = "cert.pem"
[registry]
  ".." = { ca = ["ca.pem"], insecure = true }
"#,
        );
        let config = fixture.load().unwrap();
        assert_eq!(
            texts(&config.files),
            [
                (
                    "buildkitd.toml",
                    r#"debug = true # stays
[registry."reg.example:5000"]
  ca = ["/etc/buildkit/certs/reg.example_5000/ca.pem", "/etc/buildkit/certs/reg.example_5000/ca-2.pem", "/etc/buildkit/certs/reg.example_5000/ca.pem"] # three
  [[registry."reg.example:5000".keypair]]
    key = "/etc/buildkit/certs/reg.example_5000/key.pem"
    cert = "/etc/buildkit/certs/reg.example_5000/cert.pem"
  [[registry."reg.example:5000".keypair]]
    key = "/etc/buildkit/certs/reg.example_5000/binary"
    cert = "/etc/buildkit/certs/reg.example_5000/cert.pem"
[registry]
  ".." = { ca = ["/etc/buildkit/certs/_../ca.pem"], insecure = true }
"#
                ),
                ("certs/_../ca.pem", "CA one"),
                ("certs/reg.example_5000/binary", "a key in binary"),
                ("certs/reg.example_5000/ca-2.pem", "CA two"),
                ("certs/reg.example_5000/ca.pem", "CA one"),
                ("certs/reg.example_5000/cert.pem", "a certificate"),
                (
                    "certs/reg.example_5000/key.pem",
                    "-----BEGIN PRIVATE KEY-----\n"
                ),
            ]
        );
        let modes: Vec<(&str, u32)> = config
            .files
            .keys()
            .map(|path| (path.as_str(), mode(&config.files, path)))
            .filter(|(_, mode)| *mode != 0o644)
            .collect();
        assert_eq!(
            modes,
            [
                ("certs/reg.example_5000/binary", 0o600),
                ("certs/reg.example_5000/key.pem", 0o600)
            ]
        );
        let debug = format!("{config:?}");
        assert!(
            !debug.contains("PRIVATE") && debug.contains("key.pem"),
            "{debug}"
        );
    }

    #[test]
    fn registries_make_directories() {
        for (host, expected) in [
            ("docker.io", "docker.io"),
            ("reg.example:5000", "reg.example_5000"),
            ("[::1]:5000", "_1_5000"),
            ("../../etc", ".._.._etc"),
            ("..", "_.."),
            ("", "_"),
        ] {
            assert_eq!(directory_name(host), expected, "{host}");
        }
    }

    #[test]
    fn names_that_need_quotes_are_quoted() {
        let fixture = Fixture::new("registry.\"a\".ca = ['we\"ird \\name.pem']\n");
        fixture.file("we\"ird \\name.pem", "x");
        let config = fixture.load().unwrap();
        let table: toml::Table =
            toml::from_str(std::str::from_utf8(&config.files["buildkitd.toml"]).unwrap()).unwrap();
        assert_eq!(
            table["registry"]["a"]["ca"][0].as_str(),
            Some("/etc/buildkit/certs/a/we\"ird _name.pem")
        );
    }

    #[test]
    fn files_are_found_beside_the_configuration_too() {
        let fixture = Fixture::new("registry.a.ca = ['ca.pem']\n");
        let elsewhere = tempfile::tempdir().unwrap();
        let path = fixture.0.path().join("config.toml");
        let config = load(&path, elsewhere.path()).unwrap();
        assert_eq!(config.files["certs/a/ca.pem"], b"CA one");
        // The command's directory comes first.
        fs::write(elsewhere.path().join("ca.pem"), "CA here").unwrap();
        let config = load(&path, elsewhere.path()).unwrap();
        assert_eq!(config.files["certs/a/ca.pem"], b"CA here");
    }

    #[test]
    fn errors_name_file_key_and_line() {
        for (config, expected) in [
            (
                "debug = true\nroot = \n",
                "failed to parse buildkit configuration file: config.toml:2: ",
            ),
            (
                "debug = true\ndebug = false\n",
                "failed to parse buildkit configuration file: config.toml:2: ",
            ),
            (
                "\ndebug = \"yes\"\n",
                "invalid buildkit configuration file: config.toml:2: debug is a string, but has to be true or false",
            ),
            (
                "insecure-entitlements = [\"a\",\n 1]\n",
                "invalid buildkit configuration file: config.toml:2: insecure-entitlements is an integer, but has to be an array of strings",
            ),
            (
                "registry = []",
                "invalid buildkit configuration file: config.toml:1: registry is an array, but has to be a table of registries",
            ),
            (
                "[registry.\"docker.io\"]\nmirrors = \"x\"\n",
                "invalid buildkit configuration file: config.toml:2: registry.\"docker.io\".mirrors is a string, but has to be an array of strings",
            ),
            (
                "[registry.\"docker.io\"]\nhttp = 1\n",
                "invalid buildkit configuration file: config.toml:2: registry.\"docker.io\".http is an integer, but has to be true or false",
            ),
            (
                "[registry.r.keypair]\nkey = \"key.pem\"\n",
                "invalid buildkit configuration file: config.toml:1: registry.\"r\".keypair is a table, but has to be an array of tables with `key` and `cert`",
            ),
            (
                "\n[[registry.r.keypair]]\nkey = \"key.pem\"\n",
                "invalid buildkit configuration file: config.toml:2: registry.\"r\".keypair lacks `cert`",
            ),
            (
                "[registry.r]\n\nca = [\n  \"ca.pem\",\n  \"missing.pem\"]\n",
                "failed to read CA file: missing.pem: No such file or directory (os error 2) (registry.\"r\".ca in config.toml:5 names it)",
            ),
            (
                "[[registry.r.keypair]]\nkey = \"other\"\ncert = \"cert.pem\"\n",
                "failed to read key file: other: Is a directory (os error 21) (registry.\"r\".keypair.key in config.toml:2 names it)",
            ),
            (
                "registry.r.ca = ['large']\n",
                "failed to read CA file: large: it is larger than 1 MiB (registry.\"r\".ca in config.toml:1 names it)",
            ),
        ] {
            let fixture = Fixture::new(config);
            fixture.file("large", vec![b'x'; LARGEST_FILE as usize + 1]);
            let error = fixture.error();
            assert!(error.starts_with(expected), "{error}\n{expected}");
        }
        let fixture = Fixture::new("");
        fixture.file("config.toml", b"a = 1\nb = \"\xff\"\n");
        assert_eq!(
            fixture.error(),
            "failed to parse buildkit configuration file: config.toml:2: the text is not UTF-8"
        );
    }

    #[test]
    fn missing_and_large_configurations_are_refused() {
        let fixture = Fixture::new("");
        let missing = load(&fixture.0.path().join("no.toml"), fixture.0.path()).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("buildkit configuration file not found: ")
        );
        let filler = "#".repeat(LARGEST_FILE as usize);
        fixture.file("config.toml", &filler);
        assert!(fixture.load().is_ok());
        fixture.file("config.toml", filler + "\n");
        assert_eq!(
            fixture.error(),
            "invalid buildkit configuration file: config.toml is larger than 1 MiB"
        );
    }

    #[test]
    fn the_default_configuration_is_that_of_the_store() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(find(None, directory.path()), None);
        let default = directory.path().join("buildkitd.default.toml");
        fs::write(&default, "").unwrap();
        assert_eq!(find(None, directory.path()), Some(default));
        let given = Path::new("given.toml");
        assert_eq!(find(Some(given), directory.path()).as_deref(), Some(given));
    }

    #[test]
    fn files_of_the_peer_get_their_modes_without_a_configuration() {
        let files = BTreeMap::from([
            ("certs/r/client.key".to_owned(), Vec::new()),
            (
                "certs/r/rsa.pem".to_owned(),
                b"x\n-----BEGIN RSA PRIVATE KEY-----\n".to_vec(),
            ),
            (
                "certs/r/ca.pem".to_owned(),
                b"-----BEGIN CERTIFICATE-----".to_vec(),
            ),
        ]);
        let modes: Vec<u32> = files.keys().map(|path| mode(&files, path)).collect();
        assert_eq!(modes, [0o644, 0o600, 0o600]);
    }
}
