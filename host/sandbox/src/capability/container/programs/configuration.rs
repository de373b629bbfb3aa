//! Files that a driver may put into a container by itself: the user's own, and a configuration of
//! BuildKit with harmless keys.
//!
//! BuildKit reads more in its configuration directory than `buildkitd.toml`: descriptions of devices
//! whose hooks are programs (`cdi/`), of networks (`cni.json`), and what it adds to the provenance of
//! each build (`provenance.d/`). None of that is a driver's to write, nor is a certificate in place of
//! one that the user gave.
//!
//! The keys of [`KEYS`] set how much BuildKit keeps, for which platforms it builds and how it stores
//! layers, as the flags do that a driver may set. Not among them are `root`, `debug`, `trace`, `grpc`,
//! `otel`, `cdi`, `registry` (mirrors and authorities decide what is pulled from where), `dns`,
//! `frontend`, `history`, `provenanceEnvDir`, and the programs and sockets of workers.

use toml::{Table, Value};

use super::targets::{is_within, normalised};
use crate::bindings::contract::File;
use crate::user_words::UserWords;

/// Where BuildKit looks for its configuration.
pub(in super::super) const DIRECTORY: &str = "/etc/buildkit";

/// Largest configuration that a driver writes itself, in bytes: ten times what all keys take.
const LARGEST: usize = 64 << 10;

/// Ways to store layers for which BuildKit needs no other program or socket.
pub(super) const SNAPSHOTTERS: &[&str] = &["auto", "overlayfs", "native", "fuse-overlayfs"];

/// Networks of build steps that no file describes.
pub(super) const NETWORKS: &[&str] = &["auto", "bridge", "host"];

/// What may stand for a key.
enum Kind {
    Boolean,
    /// A number of bytes or of something else.
    Number,
    /// A number, or a text such as `10GB`, `20%` or `48h`.
    Amount,
    OneOf(&'static [&'static str]),
    ListOf(&'static [&'static str]),
    Platforms,
    Labels,
    /// Words such as `type==source.local`.
    Filters,
    /// Tables with these keys.
    Tables(&'static [(&'static str, Kind)]),
    /// A table with these keys.
    Table(&'static [(&'static str, Kind)]),
    /// Only this value.
    Off,
}

/// Rules for what to keep.
const POLICIES: &[(&str, Kind)] = &[
    ("all", Kind::Boolean),
    ("filters", Kind::Filters),
    ("keepDuration", Kind::Amount),
    ("keepBytes", Kind::Amount),
    ("reservedSpace", Kind::Amount),
    ("maxUsedSpace", Kind::Amount),
    ("minFreeSpace", Kind::Amount),
];

/// Keys of the worker.
const WORKER: &[(&str, Kind)] = &[
    ("enabled", Kind::Boolean),
    ("labels", Kind::Labels),
    ("platforms", Kind::Platforms),
    ("snapshotter", Kind::OneOf(SNAPSHOTTERS)),
    ("rootless", Kind::Boolean),
    ("networkMode", Kind::OneOf(NETWORKS)),
    ("selinux", Kind::Boolean),
    ("max-parallelism", Kind::Number),
    ("gc", Kind::Boolean),
    ("gckeepstorage", Kind::Amount),
    ("reservedSpace", Kind::Amount),
    ("maxUsedSpace", Kind::Amount),
    ("minFreeSpace", Kind::Amount),
    ("gcpolicy", Kind::Tables(POLICIES)),
];

/// All keys that a driver may write.
const KEYS: &[(&str, Kind)] = &[
    (
        "insecure-entitlements",
        Kind::ListOf(&["network.host", "security.insecure"]),
    ),
    (
        "log",
        Kind::Table(&[("format", Kind::OneOf(&["text", "json"]))]),
    ),
    (
        "system",
        Kind::Table(&[("platformsCacheMaxAge", Kind::Amount)]),
    ),
    (
        "worker",
        Kind::Table(&[
            ("oci", Kind::Table(WORKER)),
            ("containerd", Kind::Table(&[("enabled", Kind::Off)])),
        ]),
    ),
];

/// Files to copy, and what of them is the driver's choice.
pub(in super::super) struct Copied {
    /// As they are to be written.
    pub(in super::super) files: Vec<File>,
    /// The first that a driver may not write by itself.
    pub(in super::super) chosen: Option<String>,
}

/// Judges files that are to be copied below `target`, which is as [`normalised`] writes it.
pub(in super::super) fn judge(target: &str, files: Vec<File>, words: &UserWords) -> Copied {
    let mut chosen = None;
    let mut judged = Vec::with_capacity(files.len());
    for file in &files {
        match harmless(target, file, words) {
            Ok(file) => judged.push(file),
            Err(what) => {
                chosen = Some(what);
                break;
            }
        }
    }
    if chosen.is_some() {
        judged = files;
    }
    Copied {
        files: judged,
        chosen,
    }
}

/// Returns a file as the host writes it for any driver: read and write, and nothing that makes a program.
fn harmless(target: &str, file: &File, words: &UserWords) -> Result<File, String> {
    let path = format!("{target}/{}", file.path);
    let copied = |contents: Vec<u8>| File {
        path: file.path.clone(),
        mode: file.mode & 0o666,
        contents,
    };
    let place =
        below(&path).ok_or_else(|| format!("file {path:?}, which is not below {DIRECTORY}"))?;
    if words.has_file(&place, &file.contents) {
        return Ok(copied(file.contents.clone()));
    }
    if words.names_file(&place) {
        return Err(format!("file {path:?}, which is not as the user gave it"));
    }
    if !place.ends_with(".toml") {
        return Err(format!(
            "file {path:?}, which is neither the user's nor a configuration of BuildKit"
        ));
    }
    let written = rewritten(&file.contents)
        .map_err(|what| format!("file {path:?}, which the user did not give: {what}"))?;
    Ok(copied(written))
}

/// Returns the part of a path behind the configuration directory; `None` where it does not lie below.
pub(super) fn below(path: &str) -> Option<String> {
    let path = normalised(path).ok()?;
    let rest = path.strip_prefix(DIRECTORY)?.strip_prefix('/')?;
    (is_within(&path, DIRECTORY) && !rest.is_empty()).then(|| rest.to_owned())
}

/// Writes a configuration anew, so that BuildKit's parser reads in it what this one did.
fn rewritten(contents: &[u8]) -> Result<Vec<u8>, String> {
    if contents.len() > LARGEST {
        return Err(format!(
            "it has {} KiB, and may have {}",
            contents.len() >> 10,
            LARGEST >> 10
        ));
    }
    let text = std::str::from_utf8(contents).map_err(|_| "it is not text")?;
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| format!("it is no TOML: {}", error.message()))?;
    check_table("", &table, KEYS)?;
    let written = toml::to_string(&table).map_err(|error| error.to_string())?;
    Ok(written.into_bytes())
}

fn check_table(within: &str, table: &Table, keys: &[(&str, Kind)]) -> Result<(), String> {
    for (name, value) in table {
        let full = if within.is_empty() {
            name.clone()
        } else {
            format!("{within}.{name}")
        };
        let known = keys.iter().find(|(known, _)| known == name);
        let Some((_, kind)) = known else {
            return Err(format!("key {full:?} is not a driver's to set"));
        };
        match (kind, value) {
            (Kind::Table(keys), Value::Table(table)) => check_table(&full, table, keys)?,
            (Kind::Tables(keys), Value::Array(list)) => {
                for entry in list {
                    match entry {
                        Value::Table(table) => check_table(&full, table, keys)?,
                        _ => return Err(format!("key {full:?} has another type")),
                    }
                }
            }
            _ if kind.allows(value) => {}
            _ => return Err(format!("value of key {full:?} is not a driver's to set")),
        }
    }
    Ok(())
}

impl Kind {
    fn allows(&self, value: &Value) -> bool {
        let all = |is: &dyn Fn(&str) -> bool| match value {
            Value::Array(list) => list.iter().all(|entry| entry.as_str().is_some_and(is)),
            _ => false,
        };
        match self {
            Self::Boolean => value.is_bool(),
            Self::Off => value.as_bool() == Some(false),
            Self::Number => value.is_integer(),
            Self::Amount => value.is_integer() || value.as_str().is_some_and(is_amount),
            Self::OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::ListOf(words) => all(&|word| words.contains(&word)),
            Self::Platforms => all(&is_platform),
            Self::Filters => all(&is_filter),
            Self::Labels => value.as_table().is_some_and(|table| {
                table
                    .iter()
                    .all(|(name, value)| value.as_str().is_some_and(|value| is_label(name, value)))
            }),
            Self::Tables(_) | Self::Table(_) => false,
        }
    }
}

fn is_amount(text: &str) -> bool {
    text.len() <= 32
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".%".contains(c))
}

fn is_filter(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "=!~.,-_".contains(c);
    text.len() <= 256 && text.chars().all(word)
}

/// Returns whether that is a platform such as `linux/arm64/v8`.
pub(super) fn is_platform(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "/_.-".contains(c);
    !text.is_empty() && text.len() <= 64 && text.chars().all(word)
}

/// Returns whether a label of a worker is one that only people read: BuildKit's own say, for example, where
/// the host of a build is.
pub(super) fn is_label(name: &str, value: &str) -> bool {
    let is_plain = |text: &str| !text.chars().any(char::is_control);
    !name.is_empty()
        && !name.contains("mobyproject")
        && is_plain(name)
        && is_plain(value)
        && name.len() + value.len() <= 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::contract::Config;

    fn words(files: &[(&str, &str)]) -> UserWords {
        UserWords::of(&Config {
            name: "node0".into(),
            endpoint: String::new(),
            options: Vec::new(),
            buildkitd_flags: Vec::new(),
            files: files.iter().map(|(path, text)| file(path, text)).collect(),
            platforms: Vec::new(),
            extra: Vec::new(),
        })
    }

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.into(),
            mode: 0o6755,
            contents: text.as_bytes().to_vec(),
        }
    }

    fn chosen(target: &str, path: &str, text: &str, words: &UserWords) -> Option<String> {
        judge(target, vec![file(path, text)], words).chosen
    }

    #[test]
    fn the_users_own_files_go_where_they_belong_and_are_no_programs() {
        let certificate = "certs/registry/ca.pem";
        let toml = "root = '/x'\n[registry.a]\nhttp = true\n";
        let words = words(&[("buildkitd.toml", toml), (certificate, "PEM")]);
        for (target, path, text) in [
            // The driver was not shown what is in them: the host fills that in.
            ("/etc", "buildkit/buildkitd.toml", ""),
            ("/etc/buildkit", "buildkitd.toml", ""),
            ("/", "etc/buildkit/certs/registry/ca.pem", ""),
            ("/etc/buildkit", certificate, ""),
        ] {
            let copied = judge(target, vec![file(path, text)], &words);
            assert_eq!(copied.chosen, None, "{path}");
            assert_eq!(copied.files[0].mode, 0o644);
        }
        for (target, path, text) in [
            ("/etc/buildkit", "buildkitd.toml", "root = '/y'"),
            ("/etc/buildkit", certificate, "another"),
            ("/etc/buildkit/certs/registry", "ca.pem", "another"),
            ("/etc/buildkit", "other.toml", toml),
            ("/etc", "buildkitd.toml", toml),
            ("/usr/bin", "buildctl", ""),
            ("/etc/buildkit", "cni.json", "{}"),
            ("/etc/buildkit/cdi", "x.yaml", ""),
            ("/etc/buildkit", "provenance.d/x.json", "{}"),
            ("/etc", "buildkit", ""),
            ("/etc", "buildkit-x/a.toml", ""),
        ] {
            assert!(
                chosen(target, path, text, &words).is_some(),
                "{target} {path}"
            );
        }
    }

    #[test]
    fn one_file_that_is_chosen_takes_the_capability_for_all() {
        let words = words(&[]);
        let files = vec![file("buildkitd.toml", ""), file("x", "y")];
        let copied = judge(DIRECTORY, files, &words);
        let what = copied.chosen.expect("chosen");
        assert!(what.contains("/etc/buildkit/x"), "{what}");
        assert_eq!(copied.files.len(), 2);
        assert_eq!(copied.files[1].mode, 0o6755);
    }

    #[test]
    fn a_driver_writes_harmless_keys_only() {
        let words = words(&[]);
        let toml = |text: &str| chosen(DIRECTORY, "buildkitd.toml", text, &words);
        for text in [
            "",
            "insecure-entitlements = ['network.host', 'security.insecure']",
            "[log]\nformat = 'json'",
            "[worker.oci]\nenabled = true\ngc = true\ngckeepstorage = 9000\nmax-parallelism = 4\n\
             snapshotter = 'native'\nplatforms = ['linux/amd64', 'linux/arm64/v8']\n\
             [worker.oci.labels]\n'com.example.team' = 'a b'\n[[worker.oci.gcpolicy]]\nall = true\n\
             keepBytes = '10GB'\nkeepDuration = '48h'\nfilters = ['type==source.local']\n\
             [worker.containerd]\nenabled = false",
            "[system]\nplatformsCacheMaxAge = '1h'",
        ] {
            assert_eq!(toml(text), None, "{text}");
        }
        for text in [
            "root = '/mnt/x'",
            "Root = '/mnt/x'",
            "debug = true",
            "trace = true",
            "provenanceEnvDir = '/mnt'",
            "unknown = 1",
            "insecure-entitlements = ['device']",
            "insecure-entitlements = 'network.host'",
            "[grpc]\naddress = ['tcp://0.0.0.0:1']",
            "grpc.debugAddress = '0.0.0.0:1'",
            "[otel]\nsocketPath = '/mnt/x'",
            "[cdi]\nspecDirs = ['/mnt']",
            "[worker.oci]\nbinary = '/var/lib/buildkit/runc'",
            "worker.oci.binary = 'x'",
            "worker = { oci = { binary = 'x' } }",
            "[worker.oci]\nproxySnapshotterPath = '/mnt/x'",
            "[worker.oci]\ncniBinaryPath = '/mnt'",
            "[worker.oci]\ncniConfigPath = '/mnt'",
            "[worker.oci]\nnetworkMode = 'cni'",
            "[worker.oci]\nnoProcessSandbox = true",
            "[worker.oci]\napparmor-profile = 'unconfined'",
            "[worker.oci]\ndefaultCgroupParent = '/'",
            "[worker.oci]\nsnapshotter = 'stargz'",
            "[worker.oci.stargzSnapshotter]\nx = 1",
            "[worker.oci.labels]\n'org.mobyproject.buildkit.worker.moby.host-gateway-ip' = '6.6.6.6'",
            "[[worker.oci]]\nbinary = 'x'",
            "[[worker.oci.gcpolicy]]\nbinary = 'x'",
            "[worker.containerd]\nenabled = true",
            "[worker.containerd]\naddress = '/mnt/x'",
            "[registry.'docker.io']\nmirrors = ['evil.example']",
            "[dns]\nnameservers = ['6.6.6.6']",
            "[frontend.'gateway.v0']\nenabled = true",
            "[history]\nmaxEntries = 1",
            "x",
        ] {
            assert!(toml(text).is_some(), "{text}");
        }
        let large = format!("# {}", "x".repeat(LARGEST));
        assert!(toml(&large).is_some());
    }

    #[test]
    fn what_a_driver_writes_is_written_anew() {
        let text = "# a comment\nworker.oci.labels = { a = \"b\\u0022\" } # another\n";
        let copied = judge(DIRECTORY, vec![file("a.toml", text)], &words(&[]));
        assert_eq!(copied.chosen, None);
        let written = String::from_utf8(copied.files[0].contents.clone()).expect("text");
        assert_eq!(written, "[worker.oci.labels]\na = 'b\"'\n");
    }
}
