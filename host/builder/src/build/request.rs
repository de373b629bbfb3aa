//! What a build was asked for, and what BuildKit's Dockerfile frontend is told of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::BuilderError;
use crate::store::Platform;

/// What `build` was asked for: flags as they were given.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// Directory or URL.
    pub context: String,
    /// `--file`
    pub dockerfile: Option<PathBuf>,
    /// `--tag`
    pub tags: Vec<String>,
    /// `--target`
    pub target: Option<String>,
    /// `--build-arg`: `K=V`, or `K` for the value of the environment.
    pub build_args: Vec<String>,
    /// `--label`: `K=V`.
    pub labels: Vec<String>,
    /// `--platform`
    pub platforms: Vec<String>,
    /// `--no-cache`
    pub no_cache: bool,
    /// `--pull`
    pub pull: bool,
    /// `--output`
    pub outputs: Vec<String>,
    /// `--load`
    pub load: bool,
    /// `--push`
    pub push: bool,
    /// `--metadata-file`
    pub metadata_file: Option<PathBuf>,
    /// `--iidfile`
    pub iid_file: Option<PathBuf>,
}

impl BuildRequest {
    /// The attributes of the frontend that come from flags. `environment` looks up a variable;
    /// `proxies` are build arguments where the user gives none of that name.
    ///
    /// # Errors
    ///
    /// Where a flag is no `key=value`.
    pub fn frontend_attributes(
        &self,
        environment: impl Fn(&str) -> Option<String>,
        proxies: Vec<(String, String)>,
    ) -> Result<BTreeMap<String, String>, BuilderError> {
        let mut attributes = BTreeMap::new();
        let mut arguments: Vec<(String, String)> = Vec::new();
        for text in &self.build_args {
            match text.split_once('=') {
                Some(("", _)) => return Err(empty_key("--build-arg", text)),
                Some((key, value)) => arguments.push((key.into(), value.into())),
                // Without a value it is passed on; one that is not set is left out.
                None => arguments.extend(environment(text).map(|value| (text.clone(), value))),
            }
        }
        let given = |name: &str| {
            arguments
                .iter()
                .any(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let proxies: Vec<_> = proxies
            .into_iter()
            .filter(|(name, _)| !given(name))
            .collect();
        if !given("SOURCE_DATE_EPOCH")
            && let Some(epoch) = environment("SOURCE_DATE_EPOCH")
        {
            arguments.push(("SOURCE_DATE_EPOCH".into(), epoch));
        }
        for (key, value) in proxies.into_iter().chain(arguments) {
            attributes.insert(format!("build-arg:{key}"), value);
        }
        for text in &self.labels {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            if key.is_empty() {
                return Err(empty_key("--label", text));
            }
            attributes.insert(format!("label:{key}"), value.into());
        }
        if let Some(target) = self.target.as_ref().filter(|target| !target.is_empty()) {
            attributes.insert("target".into(), target.clone());
        }
        if self.no_cache {
            attributes.insert("no-cache".into(), String::new());
        }
        if self.pull {
            attributes.insert("image-resolve-mode".into(), "pull".into());
        }
        let platforms = self.parsed_platforms()?;
        if !platforms.is_empty() {
            let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
            attributes.insert("platform".into(), names.join(","));
        }
        Ok(attributes)
    }

    /// The platforms, each once.
    ///
    /// # Errors
    ///
    /// Where one is not a platform.
    pub fn parsed_platforms(&self) -> Result<Vec<Platform>, BuilderError> {
        let mut platforms: Vec<Platform> = Vec::new();
        for platform in Platform::parse_list(&self.platforms)? {
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
        Ok(platforms)
    }
}

fn empty_key(flag: &str, text: &str) -> BuilderError {
    BuilderError::Usage(format!(
        "{flag}: invalid key-value pair {text:?}: empty key"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "FROM_ENV" => Some("here".into()),
            _ => None,
        }
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).into()).collect()
    }

    #[test]
    fn flags_become_attributes() {
        let request = BuildRequest {
            build_args: words(&["A=1", "B=x=y", "FROM_ENV", "UNSET", "http_proxy=mine"]),
            labels: words(&["l=v", "bare"]),
            target: Some("stage".into()),
            platforms: words(&["linux/amd64,linux/arm64", "linux/amd64"]),
            no_cache: true,
            pull: true,
            ..BuildRequest::default()
        };
        let proxies = vec![
            ("HTTP_PROXY".to_owned(), "configured".to_owned()),
            ("NO_PROXY".to_owned(), "none".to_owned()),
        ];
        let attributes = request
            .frontend_attributes(environment, proxies)
            .expect("well-formed");
        let expected: BTreeMap<String, String> = [
            ("build-arg:A", "1"),
            ("build-arg:B", "x=y"),
            ("build-arg:FROM_ENV", "here"),
            ("build-arg:NO_PROXY", "none"),
            ("build-arg:http_proxy", "mine"),
            ("image-resolve-mode", "pull"),
            ("label:bare", ""),
            ("label:l", "v"),
            ("no-cache", ""),
            ("platform", "linux/amd64,linux/arm64"),
            ("target", "stage"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        assert_eq!(attributes, expected);
    }

    #[test]
    fn malformed_flags_are_named() {
        for (build_args, labels) in [(words(&["=v"]), vec![]), (vec![], words(&["=v"]))] {
            let request = BuildRequest {
                build_args,
                labels,
                ..BuildRequest::default()
            };
            let error = request
                .frontend_attributes(environment, vec![])
                .expect_err("refused");
            assert!(error.to_string().contains("empty key"), "{error}");
        }
        let request = BuildRequest {
            platforms: words(&["banana"]),
            ..BuildRequest::default()
        };
        assert!(request.frontend_attributes(environment, vec![]).is_err());
    }
}
