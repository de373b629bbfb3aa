//! Credentials for S3: from the environment, or from a profile in the files of the AWS CLI.
//!
//! Only keys that stand there are used. BuildKit finds its own credentials if there are none, for example
//! those of the machine that it runs on.

use std::path::{Path, PathBuf};

use iechor_build::spec::Attributes;

/// Maximum size of a file with credentials, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// Credentials of AWS.
#[derive(Default)]
struct Keys {
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
}

/// Adds the credentials that were found and that the user has not given. The user's own key is never
/// combined with a token from elsewhere.
pub(super) fn complete(attributes: &mut Attributes, environment: &dyn Fn(&str) -> Option<String>) {
    let is_given = |key: &str| attributes.contains_key(key);
    if is_given("access_key_id") && is_given("secret_access_key") {
        return;
    }
    let Some(keys) = from_environment(environment).or_else(|| from_files(environment)) else {
        return;
    };
    for (key, value) in [
        ("access_key_id", keys.id),
        ("secret_access_key", keys.secret),
        ("session_token", keys.token),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            attributes.entry(key.to_owned()).or_insert(value);
        }
    }
}

fn from_environment(environment: &dyn Fn(&str) -> Option<String>) -> Option<Keys> {
    let first = |names: [&str; 2]| {
        let values = names.into_iter().filter_map(environment);
        values.into_iter().find(|value| !value.is_empty())
    };
    Some(Keys {
        id: Some(first(["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"])?),
        secret: Some(first(["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"])?),
        token: environment("AWS_SESSION_TOKEN"),
    })
}

/// Reads the keys of the selected profile. The file with credentials takes precedence over the one with
/// settings. What cannot be read is left out, as in docker buildx.
fn from_files(environment: &dyn Fn(&str) -> Option<String>) -> Option<Keys> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let profile = set("AWS_PROFILE").or_else(|| set("AWS_DEFAULT_PROFILE"));
    let profile = profile.unwrap_or_else(|| "default".to_owned());
    let file = |variable: &str, name: &str| {
        let usual = || Some(Path::new(&set("HOME")?).join(".aws").join(name));
        set(variable).map(PathBuf::from).or_else(usual)
    };
    let read = |path: Option<PathBuf>| iechor_files::read_to_string(&path?, LARGEST_FILE).ok();
    let of_profile = format!("profile {profile}");
    let in_credentials = read(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
        .and_then(|text| keys_of(&text, &[&profile]));
    in_credentials.or_else(|| {
        let text = read(file("AWS_CONFIG_FILE", "config"))?;
        match profile == "default" {
            true => keys_of(&text, &["default", &of_profile]),
            false => keys_of(&text, &[&of_profile]),
        }
    })
}

/// Returns the keys in the section with one of the names.
fn keys_of(text: &str, names: &[&str]) -> Option<Keys> {
    let mut keys = Keys::default();
    let mut is_inside = false;
    for line in text.lines() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let name = section.split(']').next().unwrap_or_default();
            let name: Vec<_> = name.split_whitespace().collect();
            is_inside = names.contains(&name.join(" ").as_str());
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_inside) else {
            continue;
        };
        let value = Some(value.trim().to_owned());
        match key.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => keys.id = value,
            "aws_secret_access_key" => keys.secret = value,
            "aws_session_token" => keys.token = value,
            _ => {}
        }
    }
    (keys.id.is_some() && keys.secret.is_some()).then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(given: &[(&str, &str)], environment: &[(&str, &str)]) -> Vec<String> {
        super::super::tests::completed(complete, given, environment)
    }

    const ENVIRONMENT: [(&str, &str); 3] = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
    ];

    #[test]
    fn the_environment_has_credentials() {
        let all = [
            "access_key_id=id",
            "secret_access_key=secret",
            "session_token=token",
        ];
        assert_eq!(completed(&[], &ENVIRONMENT), all);
        assert_eq!(completed(&[], &ENVIRONMENT[..2]), all[..2]);
        assert!(completed(&[], &ENVIRONMENT[..1]).is_empty());
        let old = [("AWS_ACCESS_KEY", "id"), ("AWS_SECRET_KEY", "secret")];
        assert_eq!(completed(&[], &old), all[..2]);
    }

    #[test]
    fn credentials_of_the_user_are_not_combined_with_others() {
        let own = [("access_key_id", "mine"), ("secret_access_key", "mine")];
        let expected = ["access_key_id=mine", "secret_access_key=mine"];
        assert_eq!(completed(&own, &ENVIRONMENT), expected);
    }

    #[test]
    fn files_have_the_credentials_of_a_profile() {
        let home = tempfile::tempdir().expect("directory");
        let directory = home.path().join(".aws");
        std::fs::create_dir(&directory).expect("made");
        std::fs::write(
            directory.join("credentials"),
            "[default]\naws_access_key_id = id\naws_secret_access_key=secret\n\
             [other]\naws_access_key_id=only\n",
        )
        .expect("written");
        std::fs::write(
            directory.join("config"),
            "[default]\nregion = x\n# a comment\n[profile  work]\naws_access_key_id=wid\n\
             aws_secret_access_key=wsecret\naws_session_token=wtoken\n[profile other]\n",
        )
        .expect("written");
        let home = ("HOME", home.path().to_str().expect("Unicode"));
        let of_default = ["access_key_id=id", "secret_access_key=secret"];
        assert_eq!(completed(&[], &[home]), of_default);
        let work = [
            "access_key_id=wid",
            "secret_access_key=wsecret",
            "session_token=wtoken",
        ];
        assert_eq!(completed(&[], &[home, ("AWS_PROFILE", "work")]), work);
        assert!(completed(&[], &[home, ("AWS_PROFILE", "other")]).is_empty());
        assert!(completed(&[], &[home, ("AWS_PROFILE", "none")]).is_empty());
        let elsewhere = ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
        assert!(completed(&[], &[home, elsewhere]).is_empty());
    }
}
