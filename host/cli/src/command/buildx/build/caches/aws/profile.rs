//! A profile in the files of the AWS CLI.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Environment, Keys, Source};

/// Maximum size of a file with credentials, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// The settings of a section of a file, by name.
type Section = BTreeMap<String, String>;

/// The settings of the selected profile.
pub(super) struct Profile {
    name: String,
    /// The section of the file with credentials.
    credentials: Section,
    /// The section of the file with settings.
    config: Section,
}

impl Profile {
    /// Reads the selected profile. What cannot be read is left out, as in docker buildx.
    pub(super) fn find(environment: Environment<'_>) -> Self {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let name = set("AWS_PROFILE").or_else(|| set("AWS_DEFAULT_PROFILE"));
        let name = name.unwrap_or_else(|| "default".to_owned());
        let file = |variable: &str, name: &str| {
            let usual = || Some(Path::new(&set("HOME")?).join(".aws").join(name));
            set(variable).map(PathBuf::from).or_else(usual)
        };
        let read = |path: Option<PathBuf>| iechor_files::read_to_string(&path?, LARGEST_FILE).ok();
        let credentials = read(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"));
        let config = read(file("AWS_CONFIG_FILE", "config"));
        let of_profile = format!("profile {name}");
        let in_config = match name == "default" {
            true => vec!["default", &of_profile],
            false => vec![of_profile.as_str()],
        };
        Self {
            credentials: section(&credentials.unwrap_or_default(), &[&name]),
            config: section(&config.unwrap_or_default(), &in_config),
            name,
        }
    }

    /// Returns the source of the credentials. The file with credentials takes precedence.
    pub(super) fn source(&self) -> Source {
        let Self { name, .. } = self;
        if self.has("role_arn") {
            return Source::Unsupported(format!("the role of the profile {name:?}"));
        }
        let sections = [&self.credentials, &self.config];
        if let Some(keys) = sections.into_iter().find_map(keys_of) {
            return Source::Keys(keys);
        }
        if self.has("sso_session") || self.has("sso_start_url") {
            return Source::Unsupported(format!("the single sign-on of the profile {name:?}"));
        }
        match self.setting("credential_process") {
            Some(command) => Source::Process(command.clone()),
            None => Source::Nothing,
        }
    }

    fn setting(&self, key: &str) -> Option<&String> {
        self.credentials.get(key).or_else(|| self.config.get(key))
    }

    fn has(&self, key: &str) -> bool {
        self.setting(key).is_some()
    }
}

fn keys_of(section: &Section) -> Option<Keys> {
    Some(Keys {
        id: section.get("aws_access_key_id")?.clone(),
        secret: section.get("aws_secret_access_key")?.clone(),
        token: section.get("aws_session_token").cloned(),
    })
}

/// Returns the settings in the section with one of the names.
fn section(text: &str, names: &[&str]) -> Section {
    let mut settings = Section::new();
    let mut is_inside = false;
    for line in text.lines() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let name = header.split(']').next().unwrap_or_default();
            let name: Vec<_> = name.split_whitespace().collect();
            is_inside = names.contains(&name.join(" ").as_str());
            continue;
        }
        if let Some((key, value)) = line.split_once('=').filter(|_| is_inside) {
            let key = key.trim().to_ascii_lowercase();
            settings.insert(key, value.trim().to_owned());
        }
    }
    settings
}
