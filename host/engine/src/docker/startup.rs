//! How the first process of an inspected container or image is started.

use serde::Deserialize;

use crate::model::Startup;

/// The part of `Config` about the first process. Every field may be missing or null.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct InspectedStartup {
    entrypoint: Option<Words>,
    cmd: Option<Words>,
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
    healthcheck: Option<HealthCheck>,
}

/// Podman before version 5 joins the words of an entry point.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Many(Vec<String>),
    One(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthCheck {
    #[serde(default)]
    test: Option<Vec<String>>,
}

impl InspectedStartup {
    pub(super) fn read(self) -> Startup {
        let words = |words: Option<Words>| match words {
            Some(Words::Many(words)) => words,
            Some(Words::One(word)) if !word.is_empty() => vec![word],
            _ => Vec::new(),
        };
        Startup {
            entrypoint: words(self.entrypoint),
            command: words(self.cmd),
            env: self.env.unwrap_or_default(),
            user: self.user.unwrap_or_default(),
            workdir: self.working_dir.unwrap_or_default(),
            health_check: self
                .healthcheck
                .and_then(|check| check.test)
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Startup {
        let read: InspectedStartup = serde_json::from_str(json).expect("readable");
        read.read()
    }

    #[test]
    fn what_an_engine_says_of_a_start_is_read() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        let nothing = r#"{"Entrypoint":null,"Cmd":null,"Env":null,"User":"","Healthcheck":null}"#;
        assert_eq!(read("{}"), Startup::default());
        assert_eq!(read(nothing), Startup::default());
        let full = r#"{"Entrypoint":["buildkitd"],"Cmd":["--debug"],"Env":["PATH=/bin"],"User":"1000",
            "WorkingDir":"/x","Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":1}}"#;
        let startup = Startup {
            entrypoint: words(&["buildkitd"]),
            command: words(&["--debug"]),
            env: words(&["PATH=/bin"]),
            user: "1000".into(),
            workdir: "/x".into(),
            health_check: words(&["CMD-SHELL", "true"]),
        };
        assert_eq!(read(full), startup);
        let joined = read(r#"{"Entrypoint":"buildkitd --addr x"}"#);
        assert_eq!(joined.entrypoint, ["buildkitd --addr x"]);
    }
}
