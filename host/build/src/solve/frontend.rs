//! Attributes of a build for the Dockerfile frontend of BuildKit.

use std::collections::BTreeMap;
use std::net::IpAddr;

use iechor_platform::Platform;

use super::files::Prepared;
use super::steps;
use crate::plan::Vcs;
use crate::spec::BuildSpec;

/// Settings that depend on the node.
pub(super) struct OfNode<'a> {
    /// The platforms to build for.
    pub(super) platforms: &'a [Platform],
    /// Build arguments, used unless the build sets the same names.
    pub(super) proxies: &'a [(String, String)],
    /// Whether images of the engine take precedence over images of registries.
    pub(super) prefers_local_images: bool,
    /// The address of the host machine, if the build needs it.
    pub(super) host_gateway: Option<IpAddr>,
    /// Whether other nodes build for other platforms, so that the result has to be one for several platforms.
    pub(super) is_one_of_several: bool,
}

/// Returns the attributes of the frontend, by name.
pub(super) fn attributes(
    spec: &BuildSpec,
    files: &Prepared,
    vcs: &Vcs,
    node: &OfNode<'_>,
) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    let mut set = |key: String, value: String| drop(attributes.insert(key, value));
    let is_given = |name: &str| {
        let mut names = spec.build_args.keys();
        names.any(|given| given.eq_ignore_ascii_case(name))
    };
    for (name, value) in node.proxies.iter().filter(|(name, _)| !is_given(name)) {
        set(format!("build-arg:{name}"), value.clone());
    }
    for (name, value) in &spec.build_args {
        set(format!("build-arg:{name}"), value.clone());
    }
    for (name, value) in vcs.labels.iter().chain(&spec.labels) {
        set(format!("label:{name}"), value.clone());
    }
    if let Some(target) = &spec.target {
        set("target".into(), target.clone());
    }
    // No stage stands for all of them.
    if spec.no_cache {
        set("no-cache".into(), String::new());
    } else if !spec.no_cache_filter.is_empty() {
        set("no-cache".into(), spec.no_cache_filter.join(","));
    }
    for (name, value) in steps::attributes(&spec.steps, node.host_gateway) {
        set(name.to_owned(), value);
    }
    match (spec.pull, node.prefers_local_images) {
        (true, _) => set("image-resolve-mode".into(), "pull".into()),
        (false, true) => set("image-resolve-mode".into(), "local".into()),
        (false, false) => {}
    }
    if !node.platforms.is_empty() {
        let names: Vec<_> = node.platforms.iter().map(Platform::to_string).collect();
        set("platform".into(), names.join(","));
    }
    if node.is_one_of_several {
        set("multi-platform".into(), "true".into());
    }
    for (name, value) in vcs
        .attributes
        .iter()
        .map(owned)
        .chain(files.attributes.clone())
    {
        set(name, value);
    }
    for capability in &files.capabilities {
        require(&mut attributes, capability);
    }
    attributes
}

/// Adds a capability that the frontend needs.
pub(super) fn require(attributes: &mut BTreeMap<String, String>, capability: &str) {
    let capabilities = attributes.entry("frontend.caps".to_owned()).or_default();
    if !capabilities.is_empty() {
        capabilities.push(',');
    }
    capabilities.push_str(capability);
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Context;

    fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        list.iter().map(owned).collect()
    }

    fn prepared(attributes: &[(&str, &str)], capabilities: &[&'static str]) -> Prepared {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Prepared {
            attributes: attributes.iter().map(owned).collect(),
            capabilities: capabilities.to_vec(),
            ..Prepared::default()
        }
    }

    #[test]
    fn settings_become_attributes() {
        let spec = BuildSpec {
            build_args: pairs(&[("A", "1"), ("http_proxy", "mine")]),
            labels: pairs(&[("l", "v"), ("bare", "")]),
            target: Some("stage".into()),
            no_cache: true,
            pull: true,
            ..BuildSpec::new(Context::Directory(".".into()))
        };
        let platforms = Platform::parse_list(&["linux/amd64,windows(10.0.1)/amd64"]).expect("two");
        let proxies = [
            ("HTTP_PROXY".to_owned(), "configured".to_owned()),
            ("NO_PROXY".to_owned(), "none".to_owned()),
        ];
        let node = OfNode {
            platforms: &platforms,
            proxies: &proxies,
            prefers_local_images: true,
            host_gateway: None,
            is_one_of_several: true,
        };
        let files = prepared(&[("filename", "Dockerfile")], &["one", "two"]);
        let vcs = Vcs {
            attributes: pairs(&[("vcs:revision", "abc")]),
            labels: pairs(&[("l", "of vcs"), ("revision", "abc")]),
        };
        let expected = pairs(&[
            ("build-arg:A", "1"),
            ("build-arg:NO_PROXY", "none"),
            ("build-arg:http_proxy", "mine"),
            ("filename", "Dockerfile"),
            ("frontend.caps", "one,two"),
            ("image-resolve-mode", "pull"),
            ("label:bare", ""),
            ("label:l", "v"),
            ("label:revision", "abc"),
            ("multi-platform", "true"),
            ("no-cache", ""),
            ("platform", "linux/amd64,windows(10.0.1)/amd64"),
            ("target", "stage"),
            ("vcs:revision", "abc"),
        ]);
        assert_eq!(attributes(&spec, &files, &vcs, &node), expected);
    }

    #[test]
    fn a_build_without_settings_has_few_attributes() {
        let spec = BuildSpec::new(Context::Directory(".".into()));
        let mut node = OfNode {
            platforms: &[],
            proxies: &[],
            prefers_local_images: false,
            host_gateway: None,
            is_one_of_several: false,
        };
        let files = prepared(&[("context", "https://example.com/a.git")], &[]);
        let mut expected = pairs(&[("context", "https://example.com/a.git")]);
        assert_eq!(attributes(&spec, &files, &Vcs::default(), &node), expected);
        let spec_of_stages = BuildSpec {
            no_cache_filter: vec!["a".into(), "b,c".into()],
            ..spec.clone()
        };
        let filtered = attributes(&spec_of_stages, &files, &Vcs::default(), &node);
        assert_eq!(filtered["no-cache"], "a,b,c");
        node.prefers_local_images = true;
        expected.insert("image-resolve-mode".into(), "local".into());
        assert_eq!(attributes(&spec, &files, &Vcs::default(), &node), expected);
    }
}
