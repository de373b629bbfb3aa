//! Complete targets as typed builds.

use iechor_build::BuildSpec;
use iechor_build::spec::steps::{Steps, parse as steps};
use iechor_build::spec::{
    Cache, Call, Context, Dockerfile, Entitlement, NamedSource, Secret, SpecError, SshAgent, parse,
    url,
};

use crate::definition::{Entry, SelectedTarget};
use crate::path;

/// An attribute of a target that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("target {target}: {problem}")]
pub struct TargetError {
    /// The target.
    pub target: String,
    /// The attribute.
    pub attribute: &'static str,
    /// What is wrong.
    pub problem: TargetProblem,
}

/// What is wrong with an attribute of a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetProblem {
    /// The value is wrong: all its faults.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Value(Vec<SpecError>),
    /// The value is right, but this program cannot do it.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

impl<E> From<E> for TargetProblem
where
    SpecError: From<E>,
{
    fn from(error: E) -> Self {
        Self::Value(vec![error.into()])
    }
}

/// Returns the faults of a value.
fn faults<E>(errors: Vec<E>) -> TargetProblem
where
    SpecError: From<E>,
{
    TargetProblem::Value(errors.into_iter().map(SpecError::from).collect())
}

/// Makes the build of a target. `variable` returns a variable of the environment.
///
/// # Errors
///
/// Returns the first attribute that is wrong.
pub fn of_target(
    name: &str,
    target: &SelectedTarget,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<BuildSpec, TargetError> {
    let mut at = "context";
    build(target, variable, &mut at).map_err(|problem| TargetError {
        target: name.to_owned(),
        attribute: at,
        problem,
    })
}

/// Makes a build. `at` is the attribute that is read.
fn build(
    target: &SelectedTarget,
    variable: &dyn Fn(&str) -> Option<String>,
    at: &mut &'static str,
) -> Result<BuildSpec, TargetProblem> {
    let context = target.text("context").unwrap_or(".");
    let mut spec = BuildSpec::new(Context::parse(context.as_ref())?);
    *at = "dockerfile-inline";
    if target
        .text("dockerfile-inline")
        .is_some_and(|text| !text.is_empty())
    {
        return Err(TargetProblem::Unsupported("a Dockerfile in the definition"));
    }
    *at = "dockerfile";
    spec.dockerfile = dockerfile(context, target.text("dockerfile").unwrap_or_default());
    *at = "contexts";
    let contexts: Vec<String> = target
        .map("contexts")
        .into_iter()
        .map(|(name, source)| match source.strip_prefix("cwd://") {
            Some(local) => format!("{name}={}", path::clean(local)),
            None => format!("{name}={source}"),
        })
        .collect();
    spec.named_contexts = parse::named_contexts(&contexts).map_err(faults)?;
    let is_link = |source: &NamedSource| matches!(source, NamedSource::Resolved(source) if source.starts_with("target:"));
    if spec
        .named_contexts
        .iter()
        .any(|context| is_link(&context.source))
    {
        return Err(TargetProblem::Unsupported(
            "a target as a context of another one",
        ));
    }
    spec.target = target
        .text("target")
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    spec.build_args = target.map("args");
    spec.labels = target.map("labels");
    *at = "platforms";
    spec.platforms = parse::platforms(target.texts("platforms"))?;
    spec.no_cache = target.flag("no-cache");
    spec.no_cache_filter = target.texts("no-cache-filter").to_vec();
    spec.pull = target.flag("pull");
    containers(target, &mut spec.steps, at)?;
    *at = "secret";
    for secret in target.entries("secret") {
        let value = |name: &str| variable(name).map(String::into_bytes);
        spec.secrets
            .push(Secret::parse(&secret.to_csv(), value).map_err(faults)?);
    }
    *at = "ssh";
    let mut agents: Vec<String> = target.entries("ssh").iter().map(agent).collect();
    if agents.is_empty() && url::is_git_over_ssh(context) {
        agents.push("default".to_owned());
    }
    let socket = variable("SSH_AUTH_SOCK");
    spec.ssh_agents = SshAgent::parse_all(&agents, socket.as_deref()).map_err(faults)?;
    *at = "entitlements";
    for text in target.texts("entitlements") {
        spec.entitlements.insert(Entitlement::parse(text)?);
    }
    *at = "call";
    spec.call = Call::parse(target.text("call").unwrap_or("build")).map_err(faults)?;
    outcome(target, &mut spec, at)?;
    *at = "policy";
    if !target.entries("policy").is_empty() {
        return Err(TargetProblem::Unsupported("a policy"));
    }
    Ok(spec)
}

/// Returns the Dockerfile. A path is relative to a context that is a directory.
fn dockerfile(context: &str, name: &str) -> Dockerfile {
    let is_local = !url::is_remote(context);
    let file = match name.strip_prefix("cwd://") {
        Some(local) => path::clean(local),
        None if is_local && !name.starts_with('/') && !url::is_http(name) => {
            path::clean(&format!("{context}/{name}"))
        }
        None => name.to_owned(),
    };
    Dockerfile::parse(file.as_ref())
}

/// Sets the containers in which the steps run.
fn containers(
    target: &SelectedTarget,
    into: &mut Steps,
    at: &mut &'static str,
) -> Result<(), TargetProblem> {
    *at = "extra-hosts";
    for (name, address) in target.map("extra-hosts") {
        for host in steps::hosts(&format!("{name}={address}")) {
            into.hosts.push(host?);
        }
    }
    *at = "network";
    into.network = steps::network(target.text("network").unwrap_or_default())?;
    *at = "shm-size";
    into.shm_size = target.text("shm-size").map(steps::shm_size).transpose()?;
    *at = "ulimits";
    for text in target.texts("ulimits") {
        into.ulimits.extend([steps::ulimit(text)?]);
    }
    *at = "resources";
    for (name, limit) in target.map("resources") {
        steps::resource(&format!("{name}={limit}"), &mut into.resources)?;
    }
    Ok(())
}

/// Sets the results, and what is known of them.
fn outcome(
    target: &SelectedTarget,
    spec: &mut BuildSpec,
    at: &mut &'static str,
) -> Result<(), TargetProblem> {
    *at = "cache-from";
    for cache in target.entries("cache-from") {
        let text = cache.to_csv();
        let caches = Cache::imports(&text).map_err(faults)?;
        spec.cache_from.extend(caches);
    }
    *at = "cache-to";
    for cache in target.entries("cache-to") {
        let text = cache.to_csv();
        let caches = Cache::exports(&text).map_err(faults)?;
        spec.cache_to.extend(caches);
    }
    *at = "tags";
    for tag in target.texts("tags") {
        spec.tags.push(parse::tag(tag)?);
    }
    *at = "output";
    for output in target.entries("output") {
        spec.exporters
            .push(parse::output(&output.to_csv()).map_err(faults)?);
    }
    *at = "annotations";
    for text in target.texts("annotations") {
        spec.annotations
            .extend(parse::annotation(text).map_err(faults)?);
    }
    *at = "attest";
    for attestation in target.entries("attest") {
        spec.attestations
            .add(&attestation.to_csv())
            .map_err(faults)?;
    }
    Ok(())
}

/// Returns an agent as the flag takes it.
fn agent(entry: &Entry) -> String {
    let id = entry.get("id").unwrap_or("default");
    match entry.get("paths") {
        Some(paths) => format!("{id}={paths}"),
        None => id.to_owned(),
    }
}
