//! Credentials for S3: from the environment, or from a profile in the files of the AWS CLI, which may name a
//! program (`process`).
//!
//! The order is that of the AWS SDKs. A source that needs requests to AWS is not used, but named in a warning.
//! BuildKit finds its own credentials if there are none, for example those of the machine that it runs on.

mod process;
mod profile;

use iechor_build::spec::Attributes;
use profile::Profile;

/// A function that returns the value of a variable.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Credentials of AWS.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    id: String,
    secret: String,
    token: Option<String>,
}

/// The source of the credentials.
enum Source {
    /// Keys that the environment or a file has.
    Keys(Keys),
    /// A program that prints them.
    Process(String),
    /// A source that needs requests to AWS.
    Unsupported(String),
    /// None.
    Nothing,
}

/// Adds the keys that the environment or a file has and that the user has not given. The user's own key is never
/// combined with a token from elsewhere.
pub(super) fn complete(attributes: &mut Attributes, environment: Environment<'_>) {
    if needs_keys(attributes)
        && let Source::Keys(keys) = source(environment)
    {
        add(attributes, &keys);
    }
}

/// Adds the keys of the program that the profile names to caches without keys. Returns a warning if the keys cannot
/// be found out.
pub(super) fn complete_from_process(
    caches: &mut [&mut Attributes],
    environment: Environment<'_>,
) -> Option<String> {
    caches.iter().find(|attributes| needs_keys(attributes))?;
    let problem = match source(environment) {
        Source::Keys(_) | Source::Nothing => return None,
        Source::Process(command) => match process::keys(&command) {
            Ok(keys) => {
                let caches = caches.iter_mut();
                caches
                    .filter(|attributes| needs_keys(attributes))
                    .for_each(|attributes| add(attributes, &keys));
                return None;
            }
            Err(reason) => format!("the credential_process of the AWS profile failed: {reason}"),
        },
        Source::Unsupported(name) => {
            format!("the AWS credentials come from {name}, which is not supported")
        }
    };
    Some(format!(
        "The cache type=s3 has no credentials: {problem}. BuildKit uses its own, if it has any. To pass keys, run \
         `eval \"$(aws configure export-credentials --format env)\"` before"
    ))
}

fn needs_keys(attributes: &Attributes) -> bool {
    let is_given = |key: &str| attributes.contains_key(key);
    !is_given("access_key_id") || !is_given("secret_access_key")
}

fn add(attributes: &mut Attributes, keys: &Keys) {
    for (key, value) in [
        ("access_key_id", Some(&keys.id)),
        ("secret_access_key", Some(&keys.secret)),
        ("session_token", keys.token.as_ref()),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            attributes
                .entry(key.to_owned())
                .or_insert_with(|| value.clone());
        }
    }
}

fn source(environment: Environment<'_>) -> Source {
    let is_set = |name: &str| environment(name).is_some_and(|value| !value.is_empty());
    if let Some(keys) = from_environment(environment) {
        return Source::Keys(keys);
    }
    if is_set("AWS_WEB_IDENTITY_TOKEN_FILE") {
        let name = "a web identity (AWS_WEB_IDENTITY_TOKEN_FILE)";
        return Source::Unsupported(name.to_owned());
    }
    match Profile::find(environment).source() {
        Source::Nothing => {}
        source => return source,
    }
    let of_container = [
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    match of_container.into_iter().find(|name| is_set(name)) {
        Some(name) => Source::Unsupported(format!("the container ({name})")),
        None => Source::Nothing,
    }
}

fn from_environment(environment: Environment<'_>) -> Option<Keys> {
    let first = |names: [&str; 2]| {
        let values = names.into_iter().filter_map(environment);
        values.into_iter().find(|value| !value.is_empty())
    };
    Some(Keys {
        id: first(["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"])?,
        secret: first(["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"])?,
        token: environment("AWS_SESSION_TOKEN"),
    })
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

    #[test]
    fn sources_that_need_aws_are_named_and_other_keys_do_not_replace_them() {
        let home = tempfile::tempdir().expect("directory");
        std::fs::create_dir(home.path().join(".aws")).expect("made");
        std::fs::write(
            home.path().join(".aws/config"),
            "[profile role]\nrole_arn = arn:x\nsource_profile = base\naws_access_key_id = id\n\
             aws_secret_access_key = secret\n[profile sso]\nsso_session = mine\n\
             [profile fails]\ncredential_process = exit 3\n\
             [profile prints]\ncredential_process = cat \"$HOME/printed\" 2>/dev/null || printf \
             '{\"Version\": 1, \"AccessKeyId\": \"pid\", \"SecretAccessKey\": \"psecret\"}'\n",
        )
        .expect("written");
        let home = ("HOME", home.path().to_str().expect("Unicode"));
        let found = |variables: &[(&str, &str)]| {
            assert!(completed(&[], variables).is_empty());
            let mut attributes = Attributes::new();
            let warning = complete_from_process(&mut [&mut attributes], &|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            (attributes, warning)
        };
        for (variables, said) in [
            (
                &[home, ("AWS_PROFILE", "role")][..],
                "the role of the profile \"role\"",
            ),
            (
                &[home, ("AWS_PROFILE", "sso")],
                "the single sign-on of the profile \"sso\"",
            ),
            (
                &[home, ("AWS_PROFILE", "fails")],
                "failed: it ended with exit status: 3",
            ),
            (
                &[home, ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")],
                "a web identity (AWS_WEB_IDENTITY_TOKEN_FILE)",
            ),
            (
                &[home, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x")],
                "the container (AWS_CONTAINER_CREDENTIALS_FULL_URI)",
            ),
        ] {
            let (attributes, warning) = found(variables);
            let warning = warning.expect("a warning");
            assert!(attributes.is_empty() && warning.contains(said), "{warning}");
        }
        let (attributes, warning) = found(&[home, ("AWS_PROFILE", "prints")]);
        assert_eq!(warning, None);
        assert_eq!(attributes["access_key_id"], "pid");
        assert_eq!(attributes["secret_access_key"], "psecret");
        assert_eq!(found(&[home]), (Attributes::new(), None));
    }
}
