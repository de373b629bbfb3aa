//! Logins for a repository or for certain rights, below the directory of the builders:
//! `config/HOST[/REPOSITORY][@RIGHT,...]/config.json`.
//!
//! docker buildx reads the same files (`util/dockerutil/dockerconfig`). They are used for requests that state the
//! rights that they need in one repository, which are the requests for tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use iechor_engine::config::{ConfigError, DockerConfig};
use iechor_engine::endpoint::Environment;

/// The directory of the logins in that of the builders, and the name of their files.
const DIRECTORY: &str = "config";
const FILE: &str = "config.json";

/// Maximum number of directory levels and of entries that are searched.
const LEVELS: usize = 16;
const ENTRIES: usize = 10_000;

/// The right to push.
const PUSH: &str = "push";

/// The rights that a request needs, by resource: `repository:team/app` to `pull` and `push`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scopes(BTreeMap<String, BTreeSet<String>>);

impl Scopes {
    /// Reads scopes in the format of the distribution project. Each text may contain several, separated by spaces.
    pub(super) fn parse<S: AsRef<str>>(texts: &[S]) -> Self {
        let mut scopes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for scope in texts
            .iter()
            .flat_map(|text| text.as_ref().split_whitespace())
        {
            let mut parts = scope.splitn(3, ':');
            let kind = parts.next().unwrap_or_default();
            let resource = match parts.next() {
                Some(name) => format!("{kind}:{name}"),
                None => kind.to_owned(),
            };
            let rights = parts.next().unwrap_or_default().split(',');
            let rights = rights.filter(|right| !right.is_empty()).map(str::to_owned);
            scopes.entry(resource).or_default().extend(rights);
        }
        Self(scopes)
    }

    /// Returns the rights in one repository only, if there is one that decides which login is used: the only one, or
    /// the only one to push to. The others are then those that have the same layers already.
    pub(super) fn of_one_repository(self) -> Self {
        let pushed = self.0.iter().filter(|(_, rights)| rights.contains(PUSH));
        let pushed: Vec<_> = pushed.map(|(resource, _)| resource.clone()).collect();
        match pushed.as_slice() {
            [only] => Self(
                self.0
                    .into_iter()
                    .filter(|(resource, _)| resource == only)
                    .collect(),
            ),
            _ => self,
        }
    }

    /// Returns the repository, if there is exactly one.
    pub(super) fn repository(&self) -> Option<&str> {
        let mut names = self.0.keys();
        let name = names.next()?.strip_prefix("repository:")?;
        names.next().is_none().then_some(name)
    }
}

/// The logins of a directory.
pub(super) struct ScopedLogins {
    logins: Vec<ScopedLogin>,
    environment: Environment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ScopedLogin {
    directory: PathBuf,
    host: String,
    /// Empty for all repositories.
    repository: String,
    /// Empty for all rights.
    rights: BTreeSet<String>,
}

impl ScopedLogins {
    /// Finds the logins below the directory of the builders.
    pub(super) fn find(directory: &Path, environment: Environment) -> Self {
        let root = directory.join(DIRECTORY);
        let mut logins = Vec::new();
        let mut pending = vec![(root.clone(), 0)];
        let mut seen = 0;
        while let Some((directory, level)) = pending.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                seen += 1;
                if seen > ENTRIES {
                    break;
                }
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory && level < LEVELS {
                    pending.push((entry.path(), level + 1));
                } else if !is_directory && entry.file_name() == FILE {
                    let key = directory.strip_prefix(&root).ok();
                    let key = key.and_then(Path::to_str).filter(|key| !key.is_empty());
                    logins.extend(key.map(|key| ScopedLogin::new(key, &directory)));
                }
            }
        }
        // Those for a repository come first, then those for more rights.
        logins.sort_by(|a, b| {
            let order = b.repository.cmp(&a.repository);
            order
                .then(b.rights.len().cmp(&a.rights.len()))
                .then(a.directory.cmp(&b.directory))
        });
        Self {
            logins,
            environment,
        }
    }

    /// Returns whether there is a login for a host.
    pub(super) fn has(&self, host: &str) -> bool {
        self.logins.iter().any(|login| login.host == host)
    }

    /// Returns the configuration with the login for a request, and its directory.
    pub(super) fn config(
        &self,
        host: &str,
        scopes: &Scopes,
    ) -> Option<(String, Result<DockerConfig, ConfigError>)> {
        let directory = &self.login(host, scopes)?.directory;
        let config = DockerConfig::load_from(directory.clone(), &self.environment).without_faults();
        Some((directory.display().to_string(), config))
    }

    fn login(&self, host: &str, scopes: &Scopes) -> Option<&ScopedLogin> {
        if scopes.0.len() != 1 {
            return None;
        }
        let mut logins = self.logins.iter();
        logins.find(|login| login.host == host && login.fits(scopes))
    }
}

impl ScopedLogin {
    fn new(key: &str, directory: &Path) -> Self {
        let (place, rights) = key.split_once('@').unwrap_or((key, ""));
        let (host, repository) = place.split_once('/').unwrap_or((place, ""));
        let rights = rights.split(',').map(str::trim);
        Self {
            directory: directory.to_owned(),
            host: host.to_owned(),
            repository: repository.to_owned(),
            rights: rights
                .filter(|right| !right.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    fn fits(&self, scopes: &Scopes) -> bool {
        let wanted = format!("repository:{}", self.repository);
        let mut requests = scopes.0.iter();
        requests.any(|(resource, rights)| {
            (self.repository.is_empty() || *resource == wanted) && self.rights.is_subset(rights)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read() {
        let scopes = Scopes::parse(&["repository:team/app:pull,push registry:catalog:*"]);
        assert_eq!(scopes.repository(), None);
        assert_eq!(scopes.0["repository:team/app"].len(), 2);
        for (texts, repository) in [
            (&["repository:team/app:pull"][..], Some("team/app")),
            (&["repository:a:pull", "repository:a:push"], Some("a")),
            (&["repository:a:pull", "repository:b:pull"], None),
            // A layer that is in another repository already.
            (&["repository:a:pull", "repository:b:pull,push"], Some("b")),
            (&["repository:a:push", "repository:b:pull,push"], None),
            (&["registry:catalog:*"], None),
            (&["repository"], None),
            (&[""], None),
            (&[], None),
        ] {
            let scopes = Scopes::parse(texts).of_one_repository();
            assert_eq!(scopes.repository(), repository, "{texts:?}");
        }
    }

    #[test]
    fn a_login_is_for_a_repository_and_rights() {
        for (key, scope, fits) in [
            ("r.example", "repository:a:pull", true),
            ("r.example/a", "repository:a:pull", true),
            ("r.example/a", "repository:a/b:pull", false),
            ("r.example/a/b@", "repository:a/b:pull", true),
            ("r.example@push", "repository:a:pull", false),
            ("r.example@push", "repository:a:pull,push", true),
            ("r.example/@push", "repository:a:pull,push", true),
            ("r.example/a@push, pull", "repository:a:pull,push", true),
            ("r.example/a@push,pull", "repository:a:push", false),
            ("r.example/a@pull", "repository:a:", false),
        ] {
            let login = ScopedLogin::new(key, Path::new("/"));
            assert_eq!(login.host, "r.example");
            assert_eq!(login.fits(&Scopes::parse(&[scope])), fits, "{key} {scope}");
        }
    }

    #[test]
    fn the_closest_login_is_used() {
        let root = tempfile::tempdir().expect("directory");
        for key in [
            "r.example",
            "r.example@push",
            "r.example/team/app",
            "r.example/team/app@push",
        ] {
            let directory = root.path().join("config").join(key);
            fs::create_dir_all(&directory).expect("made");
            let text = format!(r#"{{"credsStore":"{key}"}}"#);
            fs::write(directory.join("config.json"), text).expect("written");
        }
        fs::create_dir_all(root.path().join("config/other.example")).expect("made");
        fs::write(root.path().join("config/config.json"), "{}").expect("written");
        let logins = ScopedLogins::find(root.path(), Environment::default());
        assert!(logins.has("r.example") && !logins.has("other.example") && !logins.has(""));
        for (host, scopes, key) in [
            (
                "r.example",
                &["repository:team/app:pull"][..],
                Some("r.example/team/app"),
            ),
            (
                "r.example",
                &["repository:team/app:pull,push"],
                Some("r.example/team/app@push"),
            ),
            ("r.example", &["repository:lib:pull"], Some("r.example")),
            (
                "r.example",
                &["repository:lib:pull,push"],
                Some("r.example@push"),
            ),
            (
                "r.example",
                &["repository:lib:pull", "repository:a:pull"],
                None,
            ),
            ("r.example", &[], None),
            ("other.example", &["repository:lib:pull"], None),
        ] {
            let login = logins.login(host, &Scopes::parse(scopes));
            let expected = key.map(|key| root.path().join("config").join(key));
            assert_eq!(
                login.map(|login| login.directory.clone()),
                expected,
                "{scopes:?}"
            );
        }
    }
}
