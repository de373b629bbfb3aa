//! Makes a build of flags and the environment.

use anyhow::bail;
use iechor_build::spec::attestation::{PROVENANCE, SBOM};
use iechor_build::spec::url::is_git_over_ssh;
use iechor_build::spec::{
    Call, Context, Dockerfile, Entitlement, MetadataFile, ProvenanceMode, Secret, SpecError,
    SshAgent, VcsInfo, parse,
};
use iechor_build::{BuildSpec, Mistakes, Setting};
use iechor_progress::Mode;

use super::caches;
use super::faults::errors;
use super::flags::Build;
use crate::command::Format;

/// The variable that keeps results from being loaded where there is no output.
const NO_DEFAULT_LOAD: &str = "BUILDX_NO_DEFAULT_LOAD";

/// The variable that becomes a build argument of the same name: the time of files in the image.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The variable that turns the default attestations off.
const NO_DEFAULT_ATTESTATIONS: &str = "BUILDX_NO_DEFAULT_ATTESTATIONS";

/// The variable that turns off what BuildKit stores attestations as by default.
const NO_DEFAULT_OCI_ARTIFACT: &str = "BUILDX_NO_DEFAULT_OCI_ARTIFACT";

/// The variable with the part of the provenance that is in the metadata.
const METADATA_PROVENANCE: &str = "BUILDX_METADATA_PROVENANCE";

/// The variable that adds the warnings to the metadata.
const METADATA_WARNINGS: &str = "BUILDX_METADATA_WARNINGS";

/// The variable with the socket of the user's SSH agent.
const SSH_SOCKET: &str = "SSH_AUTH_SOCK";

/// The variable that leaves the tokens of registries to BuildKit.
const NO_CLIENT_TOKEN: &str = "BUILDKIT_NO_CLIENT_TOKEN";

/// Returns whether the ID of the image is printed. `BUILDKIT_PROGRESS` only chooses how progress is shown.
pub fn prints_id(flags: &Build) -> bool {
    (flags.quiet || flags.progress.parse() == Ok(Mode::Quiet))
        && matches!(flags.format, Format::Table)
}

/// Returns how progress is shown.
pub fn progress(
    flags: &Build,
    environment: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Mode> {
    let mode: Mode = flags.progress.parse()?;
    Ok(match (flags.quiet, mode) {
        (true, Mode::Auto | Mode::Quiet) => Mode::Quiet,
        // docker buildx prints the same.
        (true, mode) => bail!("progress={mode} and quiet cannot be used together"),
        (false, mode) => Mode::resolve(mode, environment("BUILDKIT_PROGRESS").as_deref())?,
    })
}

/// Makes the build, and returns what is wrong with its settings. `environment` returns the value of a
/// variable. A setting that is wrong has its default.
pub fn spec(flags: Build, environment: impl Fn(&str) -> Option<String>) -> (BuildSpec, Mistakes) {
    let mut mistakes = Mistakes::default();
    let context = mistakes.note(Setting::Context, Context::parse(&flags.context));
    let mut spec = BuildSpec::new(context.unwrap_or_else(|| Context::Directory(".".into())));
    spec.dockerfile = Dockerfile::parse(&flags.file.unwrap_or_default());
    let contexts = flags.build_contexts.iter().filter(|text| {
        let named = parse::named_contexts(std::slice::from_ref(text));
        mistakes.note_all(Setting::BuildContext, named).is_some()
    });
    let contexts: Vec<_> = contexts.collect();
    spec.named_contexts = parse::named_contexts(&contexts).unwrap_or_default();
    spec.target = flags.target.filter(|target| !target.is_empty());
    // A text without any platform is not given, as the empty value of a variable.
    let texts = flags.platforms.iter().filter(|text| !text.is_empty());
    for text in texts.flat_map(|text| text.split(',')) {
        let parsed = mistakes.note(Setting::Platform, parse::platforms(&[text]));
        for platform in parsed.into_iter().flatten() {
            if !spec.platforms.contains(&platform) {
                spec.platforms.push(platform);
            }
        }
    }
    spec.no_cache = flags.no_cache;
    let stages = flags.no_cache_filter.into_iter();
    spec.no_cache_filter = stages.filter(|stage| !stage.is_empty()).collect();
    spec.pull = flags.pull;
    spec.steps = flags.steps.resolve(&mut mistakes);
    spec.cache_from = caches::imports(&flags.cache_from, &environment, &mut mistakes);
    spec.cache_to = caches::exports(&flags.cache_to, &environment, &mut mistakes);
    for text in &flags.build_args {
        let pair = mistakes.note(Setting::BuildArg, parse::pair(text));
        // A variable that is not set is left out.
        spec.build_args.extend(pair.and_then(|(name, value)| {
            let value = value.map(str::to_owned).or_else(|| environment(name));
            Some((name.to_owned(), value?))
        }));
    }
    let epoch = environment(EPOCH).filter(|epoch| !epoch.is_empty());
    if let Some(epoch) = epoch {
        spec.build_args.entry(EPOCH.to_owned()).or_insert(epoch);
    }
    for text in &flags.labels {
        let pair = mistakes.note(Setting::Label, parse::pair(text));
        let pair = pair.map(|(name, value)| (name, value.unwrap_or_default()));
        spec.labels
            .extend(pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    for text in &flags.tags {
        spec.tags
            .extend(mistakes.note(Setting::Tag, parse::tag(text)));
    }
    // As in docker buildx, an empty output is not given.
    for text in flags.outputs.iter().filter(|text| !text.is_empty()) {
        spec.exporters
            .extend(mistakes.note_all(Setting::Output, parse::output(text)));
    }
    for text in flags.annotations.iter().filter(|text| !text.is_empty()) {
        let annotations = mistakes.note_all(Setting::Annotation, parse::annotation(text));
        spec.annotations.extend(annotations.into_iter().flatten());
    }
    for text in flags.attestations.iter().filter(|text| !text.is_empty()) {
        let added = spec.attestations.add(text).map_err(errors);
        mistakes.note_all(Setting::Attest, added);
    }
    for (setting, kind, text) in [
        (Setting::Provenance, PROVENANCE, &flags.provenance),
        (Setting::Sbom, SBOM, &flags.sbom),
    ] {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            let added = spec.attestations.add_short(kind, text);
            mistakes.note_all(setting, added.map_err(errors));
        }
    }
    mistakes.note(Setting::Attest, surroundings(&mut spec, &environment));
    for text in flags.secrets.iter().filter(|text| !text.is_empty()) {
        let variable = |name: &str| environment(name).map(String::into_bytes);
        let secret = Secret::parse(text, variable).map_err(errors);
        let secret = mistakes.note_all(Setting::Secret, secret);
        spec.secrets.extend(secret);
    }
    let agents = ssh_agents(flags.ssh_agents, &spec.context, &environment);
    spec.ssh_agents = mistakes.note_all(Setting::Ssh, agents).unwrap_or_default();
    for text in flags.allow.iter().filter(|text| !text.is_empty()) {
        spec.entitlements
            .extend(mistakes.note(Setting::Allow, Entitlement::parse(text)));
    }
    spec.call = match flags.check {
        true => Some(Call::check()),
        false => {
            let call = mistakes.note_all(Setting::Call, Call::parse(&flags.call));
            call.flatten()
        }
    };
    if flags.push {
        spec.push();
    }
    if flags.load {
        spec.load();
    }
    let provenance = environment(METADATA_PROVENANCE).unwrap_or_default();
    spec.metadata_file = flags.metadata_file.map(|path| MetadataFile {
        path,
        provenance: ProvenanceMode::named(&provenance),
        warnings: is_on(METADATA_WARNINGS, &environment),
    });
    spec.iid_file = flags.iid_file;
    (spec, mistakes)
}

/// Sets what variables of the environment decide for every build.
///
/// # Errors
///
/// Returns an error if a variable has a value that means nothing. The other variables count all the same.
pub fn surroundings(
    spec: &mut BuildSpec,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), SpecError> {
    spec.vcs = vcs(environment);
    spec.default_oci_artifact = !is_on(NO_DEFAULT_OCI_ARTIFACT, environment);
    spec.fetch_tokens = !is_on(NO_CLIENT_TOKEN, environment);
    spec.default_load = !is_on(NO_DEFAULT_LOAD, environment);
    spec.default_attestations = !switch(NO_DEFAULT_ATTESTATIONS, environment)?;
    Ok(())
}

/// Returns whether a variable is true. Other values do not count.
fn is_on(name: &str, environment: &dyn Fn(&str) -> Option<String>) -> bool {
    environment(name).and_then(|value| parse::boolean(&value)) == Some(true)
}

/// Returns the value of a boolean variable; false if it is not set.
fn switch(
    name: &'static str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<bool, SpecError> {
    match environment(name) {
        None => Ok(false),
        Some(value) => parse::boolean(&value).ok_or(SpecError::Switch { name, value }),
    }
}

/// Returns the SSH agents. A Git repository that is accessed over SSH needs the agent of the user.
fn ssh_agents(
    mut texts: Vec<String>,
    context: &Context,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Vec<SshAgent>, Vec<SpecError>> {
    let is_over_ssh = matches!(context, Context::Remote(url) if is_git_over_ssh(url));
    if is_over_ssh && texts.iter().all(String::is_empty) {
        texts.push("default".to_owned());
    }
    let socket = environment(SSH_SOCKET);
    SshAgent::parse_all(&texts, socket.as_deref()).map_err(errors)
}

/// Returns which information about the version of the sources is recorded.
fn vcs(environment: impl Fn(&str) -> Option<String>) -> VcsInfo {
    let is_on = |name: &str| environment(name).and_then(|value| parse::boolean(&value));
    // As in docker buildx, other values do not count.
    let labels = environment("BUILDX_GIT_LABELS").unwrap_or_default();
    let default = VcsInfo::default();
    VcsInfo {
        in_provenance: is_on("BUILDX_GIT_INFO").unwrap_or(default.in_provenance),
        as_labels: labels == "full" || parse::boolean(&labels).unwrap_or(default.as_labels),
        marks_dirty: is_on("BUILDX_GIT_CHECK_DIRTY").unwrap_or(default.marks_dirty),
    }
}

#[cfg(test)]
mod tests;
