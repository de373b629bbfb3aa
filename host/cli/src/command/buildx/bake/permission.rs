//! The consent to what builds of a definition demand: files outside the working directory, entitlements, the
//! agent of the user.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::bail;
use iechor_bake::demands::Demand;
use iechor_build::spec::Entitlement;

/// Most symbolic links that are followed for a path that does not exist.
const MOST_LINKS: usize = 40;

/// What the user allows.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    entitlements: BTreeSet<Entitlement>,
    ssh: bool,
    delete: bool,
    /// Directories and files that may be read; `None` for all.
    read: Vec<Option<PathBuf>>,
    /// Directories and files that may be written; `None` for all.
    write: Vec<Option<PathBuf>>,
}

impl Allowed {
    /// Parses the values of `--allow`. The working directory and what is below it is always allowed.
    pub(super) fn parse(texts: &[String], working: &Path) -> anyhow::Result<Self> {
        let mut allowed = Self {
            read: vec![Some(real(working))],
            write: vec![Some(real(working))],
            ..Self::default()
        };
        for text in texts {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            let path = || match value {
                "*" => None,
                value => Some(real(&working.join(value))),
            };
            match name {
                "fs" => {
                    allowed.read.push(path());
                    allowed.write.push(path());
                }
                "fs.read" => allowed.read.push(path()),
                "fs.write" => allowed.write.push(path()),
                "ssh" => allowed.ssh = true,
                "buildx.local.delete" if value.is_empty() => allowed.delete = true,
                // docker buildx prints the same, here and below.
                "buildx.local.delete" => bail!("buildx.local.delete does not accept a value"),
                "image" | "image.push" | "image.load" => {}
                _ => match Entitlement::parse(text) {
                    Ok(entitlement) => drop(allowed.entitlements.insert(entitlement)),
                    Err(_) => bail!("unknown entitlement key {name:?}"),
                },
            }
        }
        Ok(allowed)
    }

    /// Returns the demands that are not allowed. Their paths are real: absolute, and without symbolic links.
    pub(super) fn missing(&self, demands: &BTreeSet<Demand>, working: &Path) -> BTreeSet<Demand> {
        let is_in = |places: &[Option<PathBuf>], path: &Path| {
            places
                .iter()
                .any(|place| place.as_ref().is_none_or(|place| path.starts_with(place)))
        };
        let mut missing = BTreeSet::new();
        for demand in demands {
            let demand = match demand {
                Demand::Read(path) => Demand::Read(real(&working.join(path))),
                Demand::Write(path) => Demand::Write(real(&working.join(path))),
                other => other.clone(),
            };
            let is_allowed = match &demand {
                Demand::Entitlement(entitlement) => self.allows(entitlement),
                Demand::Delete => self.delete,
                Demand::SshAgent => self.ssh,
                Demand::Read(path) => is_in(&self.read, path),
                Demand::Write(path) => is_in(&self.write, path),
            };
            if !is_allowed {
                missing.insert(demand);
            }
        }
        // Consent to a directory includes what is below it.
        let all = missing.clone();
        missing.retain(|demand| {
            !all.iter()
                .any(|other| other != demand && includes(other, demand))
        });
        missing
    }

    /// Returns whether an entitlement is allowed. All devices include each one.
    fn allows(&self, entitlement: &Entitlement) -> bool {
        let is_device = matches!(entitlement, Entitlement::Device(_));
        self.entitlements.contains(entitlement)
            || is_device && self.entitlements.contains(&Entitlement::Device(None))
    }
}

/// Returns whether consent to a demand includes another one.
fn includes(demand: &Demand, other: &Demand) -> bool {
    match (demand, other) {
        (Demand::Read(directory), Demand::Read(path))
        | (Demand::Write(directory), Demand::Write(path)) => path.starts_with(directory),
        _ => demand == other,
    }
}

/// Returns the real path of a file, which need not exist. The path is absolute.
///
/// Links are followed even if they lead to what does not exist: a file that is written there is created at their
/// end. `..` after a directory that does not exist leads to the directory above, because it may be created.
fn real(path: &Path) -> PathBuf {
    let root = PathBuf::from("/");
    let owned = |path: &Path| {
        path.components()
            .map(|part| part.as_os_str().to_owned())
            .collect()
    };
    let mut left: VecDeque<OsString> = owned(path);
    let mut real = root.clone();
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        match Path::new(&part).components().next() {
            Some(Component::RootDir) => real.clone_from(&root),
            Some(Component::ParentDir) => drop(real.pop()),
            Some(Component::Normal(name)) => match real.join(name).read_link() {
                Ok(target) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return root;
                    }
                    let mut parts = owned(&target);
                    parts.append(&mut left);
                    left = parts;
                }
                Err(_) => real.push(name),
            },
            Some(Component::CurDir | Component::Prefix(_)) | None => {}
        }
    }
    real
}

/// Returns what a demand lets a build do, as docker buildx says it.
pub(super) fn described(demand: &Demand, working: &Path) -> String {
    match demand {
        Demand::Entitlement(Entitlement::NetworkHost) => {
            "Running build containers that can access host network".to_owned()
        }
        Demand::Entitlement(Entitlement::SecurityInsecure) => {
            "Running privileged containers that can make system changes".to_owned()
        }
        Demand::Entitlement(Entitlement::Device(None)) => "Access to CDI devices".to_owned(),
        Demand::Entitlement(Entitlement::Device(Some(device))) => {
            format!("Access to device {device}")
        }
        Demand::Entitlement(Entitlement::LocalDelete) | Demand::Delete => {
            "Deleting stale files from local output destinations".to_owned()
        }
        Demand::SshAgent => "Forwarding default SSH agent socket".to_owned(),
        Demand::Read(path) => format!("Read access to path {}", shown(path, working)),
        Demand::Write(path) => format!("Write access to path {}", shown(path, working)),
    }
}

/// Returns the flag that allows a demand.
pub(super) fn flag(demand: &Demand, working: &Path) -> String {
    match demand {
        Demand::Entitlement(entitlement) => format!("--allow={entitlement}"),
        Demand::Delete => "--allow=buildx.local.delete".to_owned(),
        Demand::SshAgent => "--allow=ssh".to_owned(),
        Demand::Read(path) => format!("--allow=fs.read={}", shown(path, working)),
        Demand::Write(path) => format!("--allow=fs.write={}", shown(path, working)),
    }
}

/// Returns a path relative to the working directory if it is below the directory above, else the whole path.
fn shown(path: &Path, working: &Path) -> String {
    let working = real(working);
    if let Some(above) = working.parent()
        && let Ok(rest) = path.strip_prefix(above)
        && above != Path::new("/")
    {
        let up = Path::new("..").join(rest);
        return up.display().to_string().trim_end_matches('/').to_owned();
    }
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn missing(working: &Path, allow: &[&str], demands: &[Demand]) -> Vec<String> {
        let allow: Vec<String> = allow.iter().map(|text| (*text).to_owned()).collect();
        let allowed = Allowed::parse(&allow, working).expect("parsed");
        let missing = allowed.missing(&demands.iter().cloned().collect(), working);
        missing.iter().map(|demand| flag(demand, working)).collect()
    }

    #[test]
    fn files_outside_the_working_directory_need_consent() {
        let root = tempfile::tempdir().expect("a directory");
        let working = root.path().join("work");
        fs::create_dir_all(working.join("sub")).expect("made");
        fs::create_dir(root.path().join("other")).expect("made");
        symlink("../other", working.join("link")).expect("linked");
        symlink("../other/new", working.join("dangling")).expect("linked");
        symlink("sub", working.join("inside")).expect("linked");
        let read = |path: &str| Demand::Read(path.into());
        let write = |path: &str| Demand::Write(path.into());
        for path in [".", "sub", "sub/new/file", "inside", "./sub/../sub", "new"] {
            assert!(
                missing(&working, &[], &[read(path), write(path)]).is_empty(),
                "{path}"
            );
        }
        for (path, asked) in [
            ("../other", "../other"),
            ("link", "../other"),
            ("link/new", "../other/new"),
            ("dangling", "../other/new"),
            ("..", ".."),
            ("../new", "../new"),
            ("new/../../other/x", "../other/x"),
        ] {
            let found = missing(&working, &[], &[write(path)]);
            assert_eq!(found, [format!("--allow=fs.write={asked}")], "{path}");
        }
        let nested = [
            read("../other"),
            read("../other/sub"),
            write("../other/sub"),
        ];
        assert_eq!(
            missing(&working, &[], &nested),
            ["--allow=fs.read=../other", "--allow=fs.write=../other/sub"]
        );
        assert_eq!(
            missing(&working, &[], &[read("/etc/passwd")]),
            ["--allow=fs.read=/etc/passwd"]
        );
        for allow in ["fs.read=../other", "fs=../other", "fs.read=*", "fs.read=.."] {
            assert!(
                missing(&working, &[allow], &[read("link")]).is_empty(),
                "{allow}"
            );
        }
        assert_eq!(missing(&working, &["fs.read=*"], &[write("link")]).len(), 1);
        assert_eq!(
            missing(&working, &["fs.read=../other"], &[read("../otherwise")]).len(),
            1
        );
    }

    #[test]
    fn entitlements_and_agents_need_consent() {
        let working = tempfile::tempdir().expect("a directory");
        let demands = [
            Demand::Entitlement(Entitlement::NetworkHost),
            Demand::Entitlement(Entitlement::Device(Some("gpu".into()))),
            Demand::Delete,
            Demand::SshAgent,
        ];
        let all = [
            "--allow=network.host",
            "--allow=device=gpu",
            "--allow=buildx.local.delete",
            "--allow=ssh",
        ];
        assert_eq!(missing(working.path(), &[], &demands), all);
        let allow = ["network.host", "device", "buildx.local.delete", "ssh"];
        assert!(missing(working.path(), &allow, &demands).is_empty());
        let parse = |text: &str| Allowed::parse(&[text.to_owned()], working.path()).map(|_| ());
        let error = |text: &str| parse(text).expect_err(text).to_string();
        assert_eq!(error("foo"), "unknown entitlement key \"foo\"");
        assert_eq!(
            error("buildx.local.delete=x"),
            "buildx.local.delete does not accept a value"
        );
    }
}
