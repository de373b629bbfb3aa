//! Tests of the configuration.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::reading::directory_name;

use super::*;

/// The least that looks like a certificate, and like a key.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAIwAA==\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n";

fn mode(files: &BTreeMap<String, Vec<u8>>, path: &str) -> u32 {
    mode_of(&private(files), path)
}

fn ca(words: &str) -> String {
    format!("{words}\n{CERTIFICATE}")
}

struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("config.toml"), config).unwrap();
        let fixture = Self(directory);
        fixture
            .file("ca.pem", ca("one"))
            .file("other/ca.pem", ca("two"))
            .file("key.pem", KEY)
            .file("both", format!("{CERTIFICATE}{KEY}"))
            .file("cert.pem", CERTIFICATE);
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
    key = "both"
    cert = "both"
[registry]
  ".." = { ca = ["ca.pem"], insecure = true }
"#,
    );
    let config = fixture.load().unwrap();
    let (one, two, both) = (ca("one"), ca("two"), format!("{CERTIFICATE}{KEY}"));
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
    key = "/etc/buildkit/certs/reg.example_5000/both"
    cert = "/etc/buildkit/certs/reg.example_5000/both"
[registry]
  ".." = { ca = ["/etc/buildkit/certs/_../ca.pem"], insecure = true }
"#
            ),
            ("certs/_../ca.pem", one.as_str()),
            ("certs/reg.example_5000/both", &both),
            ("certs/reg.example_5000/ca-2.pem", &two),
            ("certs/reg.example_5000/ca.pem", &one),
            ("certs/reg.example_5000/cert.pem", CERTIFICATE),
            ("certs/reg.example_5000/key.pem", KEY),
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
            ("certs/reg.example_5000/both", 0o600),
            ("certs/reg.example_5000/key.pem", 0o600)
        ]
    );
    let debug = format!("{config:?}");
    assert!(
        !debug.contains("PRIVATE") && debug.contains("key.pem"),
        "{debug}"
    );
}

/// One registry with this CA.
fn with_ca(name: &str) -> Fixture {
    Fixture::new(&format!("registry.r.ca = ['{name}']\n"))
}

#[test]
fn what_is_no_certificate_or_key_is_not_taken_in() {
    for (table, what, contents, expected) in [
        (
            "ca",
            "CA",
            "[default]\naws_secret_access_key = x\n",
            "it has no certificate in it",
        ),
        ("ca", "CA", KEY, "it has a private key in it"),
        ("key", "key", CERTIFICATE, "it has no private key in it"),
        (
            "key",
            "key",
            "root:$6$salt:1::::\n",
            "it has no private key in it",
        ),
        ("cert", "cert", KEY, "it has no certificate in it"),
        (
            "cert",
            "cert",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
            "damaged",
        ),
    ] {
        let config = match table {
            "ca" => "\nregistry.r.ca = ['it']\n",
            "key" => "[[registry.r.keypair]]\nkey = 'it'\ncert = 'cert.pem'\n",
            _ => "[[registry.r.keypair]]\nkey = 'key.pem'\ncert = 'it'\n",
        };
        let fixture = Fixture::new(config);
        fixture.file("it", contents);
        let error = fixture.error();
        let begin = format!("cannot use {what} file: it: ");
        assert!(
            error.starts_with(&begin) && error.contains(expected),
            "{error}"
        );
        assert!(error.contains("config.toml:"), "{error}");
    }
    // The authority of a registry with a key in the same file by mistake, after many others.
    let fixture = with_ca("it");
    fixture.file("it", format!("{}{}{KEY}", ca("one"), ca("two")));
    assert!(fixture.error().contains("a private key in it"));
}

#[test]
fn what_is_no_regular_file_is_refused_at_once_wherever_it_is_named() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    mkfifoat(CWD, path("pipe"), Mode::RWXU).unwrap();
    symlink("loop", path("loop")).unwrap();
    symlink("/dev/zero", path("zero")).unwrap();
    for (name, words) in [
        ("pipe", "a named pipe"),
        ("loop", "symbolic links"),
        ("zero", "a device"),
        (".", "a directory"),
    ] {
        let named = path(name);
        let error = load(&named, place.path()).unwrap_err().to_string();
        let begin = "failed to read buildkit configuration file: ";
        assert!(error.starts_with(begin) && error.contains(words), "{error}");
        let shown = named.display();
        for (config, line) in [
            (format!("registry.r.ca = ['{shown}']\n"), 1),
            (
                format!("[[registry.r.keypair]]\nkey = '{shown}'\ncert = 'cert.pem'\n"),
                2,
            ),
            (
                format!("[[registry.r.keypair]]\nkey = 'key.pem'\ncert = '{shown}'\n"),
                3,
            ),
        ] {
            let error = Fixture::new(&config).load().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert!(
                error.contains(&format!("config.toml:{line} names it")),
                "{error}"
            );
        }
    }
    // The default configuration of the store is no exception.
    symlink("/dev/zero", path(DEFAULT_FILE)).unwrap();
    let default = find(None, place.path()).expect("there is one");
    let error = load(&default, place.path()).unwrap_err().to_string();
    assert!(error.contains("a device"), "{error}");
}

#[test]
fn a_file_beside_the_configuration_is_no_exception() {
    let fixture = with_ca("it");
    let elsewhere = tempfile::tempdir().unwrap();
    let load = || load(&fixture.0.path().join("config.toml"), elsewhere.path()).unwrap_err();
    mkfifoat(CWD, fixture.0.path().join("it"), Mode::RWXU).unwrap();
    assert!(load().to_string().contains("a named pipe"));
    fs::remove_file(fixture.0.path().join("it")).unwrap();
    fixture.file("it", "text");
    assert!(load().to_string().contains("no certificate"));
}

#[test]
fn the_files_of_a_node_are_few_and_small() {
    let mut many = String::new();
    for number in 0..300 {
        many += &format!("[registry.r{number}]\nca = ['ca.pem']\n");
    }
    let error = Fixture::new(&many).error();
    assert!(error.contains("a node may have 256 files"), "{error}");

    let fixture = Fixture::new("registry.r.ca = ['a', 'b', 'c', 'd', 'e']\n");
    for name in ["a", "b", "c", "d", "e"] {
        fixture.file(name, format!("{}{}", "#".repeat(900_000), ca(name)));
    }
    let error = fixture.error();
    assert!(error.contains("with 4096 KiB"), "{error}");
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
    fixture.file("we\"ird \\name.pem", CERTIFICATE);
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
    assert_eq!(config.files["certs/a/ca.pem"], ca("one").as_bytes());
    // The command's directory comes first.
    fs::write(elsewhere.path().join("ca.pem"), ca("here")).unwrap();
    let config = load(&path, elsewhere.path()).unwrap();
    assert_eq!(config.files["certs/a/ca.pem"], ca("here").as_bytes());
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
            "[[worker.oci.gcpolicy]]\nkeepDuration = \"7d\"\n",
            "invalid buildkit configuration file: config.toml:2: worker.oci.gcpolicy.keepDuration is \"7d\", but has to be a duration such as \"48h\"",
        ),
        (
            "worker.containerd.gckeepstorage = \"lots\"\n",
            "invalid buildkit configuration file: config.toml:1: worker.containerd.gckeepstorage is \"lots\", but has to be a size",
        ),
        (
            "[worker.oci]\nmax-parallelism = \"4\"\n",
            "invalid buildkit configuration file: config.toml:2: worker.oci.max-parallelism is a string, but has to be an integer",
        ),
        (
            "[worker.oci.gcpolicy]\nall = true\n",
            "invalid buildkit configuration file: config.toml:1: worker.oci.gcpolicy is a table, but has to be an array of tables",
        ),
        (
            "worker = 1",
            "invalid buildkit configuration file: config.toml:1: worker is an integer, but has to be a table",
        ),
        (
            "[worker.oci.labels]\na = 1\n",
            "invalid buildkit configuration file: config.toml:1: worker.oci.labels is a table, but has to be a table of strings",
        ),
        (
            "registry = []",
            "invalid buildkit configuration file: config.toml:1: registry is an array, but has to be a table",
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
            "failed to read key file: other: it is a directory, not a regular file (registry.\"r\".keypair.key in config.toml:2 names it)",
        ),
        (
            "registry.r.ca = ['large']\n",
            "failed to read CA file: large: it has more than 1 MiB (registry.\"r\".ca in config.toml:1 names it)",
        ),
    ] {
        let fixture = Fixture::new(config);
        fixture.file("large", vec![b'x'; pem::LARGEST as usize + 1]);
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
fn values_of_the_right_types_and_unknown_keys_are_accepted() {
    let fixture = Fixture::new(
        r#"
trace = false
later = { unknown = 1 }
[grpc]
address = ["unix:///run/x.sock"]
uid = 0
[worker.oci]
enabled = true
max-parallelism = 4
gckeepstorage = 9000
reservedSpace = "10%"
later = "unknown"
[worker.oci.labels]
"a.b" = "c"
[[worker.oci.gcpolicy]]
keepDuration = 172800
keepBytes = "512MB"
filters = ["type==source.local"]
[[worker.oci.gcpolicy]]
all = true
keepDuration = "1h30m"
maxUsedSpace = 1024000000
[frontend."dockerfile.v0"]
enabled = true
[history]
maxAge = "48h"
maxEntries = 50
"#,
    );
    fixture.load().unwrap();
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
        "failed to read buildkit configuration file: config.toml: it has more than 1 MiB"
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
