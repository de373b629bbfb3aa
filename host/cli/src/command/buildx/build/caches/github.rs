//! The address and the token of the cache of GitHub Actions, which a workflow has in its environment.

use iechor_build::spec::{Attributes, parse};

/// Adds the options that the environment has and the user has not given.
pub(super) fn complete(attributes: &mut Attributes, environment: &dyn Fn(&str) -> Option<String>) {
    let version = attributes.get("version").cloned().or_else(|| {
        let is_second = environment("ACTIONS_CACHE_SERVICE_V2");
        let is_second = is_second.and_then(|value| parse::boolean(&value));
        is_second.filter(|is| *is).map(|_| "2".to_owned())
    });
    let mut add = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|_| !attributes.contains_key(key)) {
            attributes.insert(key.to_owned(), value);
        }
    };
    add("token", environment("ACTIONS_RUNTIME_TOKEN"));
    let results = || environment("ACTIONS_RESULTS_URL");
    if version.as_deref() == Some("2") {
        add("url_v2", results());
    }
    add("url", environment("ACTIONS_CACHE_URL").or_else(results));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(given: &[(&str, &str)], environment: &[(&str, &str)]) -> Vec<String> {
        super::super::tests::completed(complete, given, environment)
    }

    #[test]
    fn the_environment_of_a_workflow_is_used() {
        let old = [("ACTIONS_RUNTIME_TOKEN", "t"), ("ACTIONS_CACHE_URL", "u1")];
        assert_eq!(completed(&[], &old), ["token=t", "url=u1"]);
        let new = [
            ("ACTIONS_RUNTIME_TOKEN", "t"),
            ("ACTIONS_RESULTS_URL", "u2"),
            ("ACTIONS_CACHE_SERVICE_V2", "True"),
        ];
        assert_eq!(completed(&[], &new), ["token=t", "url=u2", "url_v2=u2"]);
        // Without the setting, the first version of the service is used.
        assert_eq!(completed(&[], &new[..2]), ["token=t", "url=u2"]);
        assert_eq!(
            completed(&[("version", "2")], &new[..2]),
            ["token=t", "url=u2", "url_v2=u2", "version=2"]
        );
        assert_eq!(
            completed(&[("version", "1")], &new),
            ["token=t", "url=u2", "version=1"]
        );
        assert!(completed(&[], &[]).is_empty());
    }

    #[test]
    fn options_of_the_user_take_precedence() {
        let given = [("token", "mine"), ("url", "mine"), ("url_v2", "mine")];
        let environment = [
            ("ACTIONS_RUNTIME_TOKEN", "t"),
            ("ACTIONS_RESULTS_URL", "u"),
            ("ACTIONS_CACHE_SERVICE_V2", "1"),
        ];
        let expected = ["token=mine", "url=mine", "url_v2=mine"];
        assert_eq!(completed(&given, &environment), expected);
    }
}
