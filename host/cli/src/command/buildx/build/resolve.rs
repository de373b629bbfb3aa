//! Makes a build of flags and the environment.

use anyhow::bail;
use iechor_build::BuildSpec;
use iechor_build::spec::attestation::{PROVENANCE, SBOM};
use iechor_build::spec::url::is_git_over_ssh;
use iechor_build::spec::{
    Call, Context, Dockerfile, Entitlement, MetadataFile, ProvenanceMode, Secret, SpecError,
    SshAgent, VcsInfo, parse,
};
use iechor_progress::Mode;

use super::caches;
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
    (flags.quiet || flags.progress == Mode::Quiet) && matches!(flags.format, Format::Table)
}

/// Returns how progress is shown.
pub fn progress(
    flags: &Build,
    environment: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Mode> {
    Ok(match (flags.quiet, flags.progress) {
        (true, Mode::Auto | Mode::Quiet) => Mode::Quiet,
        // docker buildx prints the same.
        (true, mode) => bail!("progress={mode} and quiet cannot be used together"),
        (false, mode) => Mode::resolve(mode, environment("BUILDKIT_PROGRESS").as_deref())?,
    })
}

/// Makes the build. `environment` returns the value of a variable.
///
/// # Errors
///
/// The first flag that cannot be read.
pub fn spec(
    flags: Build,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<BuildSpec, SpecError> {
    let mut spec = BuildSpec::new(Context::parse(&flags.context)?);
    spec.dockerfile = Dockerfile::parse(&flags.file.unwrap_or_default());
    spec.named_contexts = parse::named_contexts(&flags.build_contexts)?;
    spec.vcs = vcs(&environment);
    spec.target = flags.target.filter(|target| !target.is_empty());
    spec.platforms = parse::platforms(&flags.platforms)?;
    spec.no_cache = flags.no_cache;
    spec.pull = flags.pull;
    spec.cache_from = caches::imports(&flags.cache_from, &environment)?;
    spec.cache_to = caches::exports(&flags.cache_to, &environment)?;
    for text in &flags.build_args {
        let (name, value) = parse::pair(text)?;
        let value = value.map(str::to_owned).or_else(|| environment(name));
        // A variable that is not set is left out.
        spec.build_args
            .extend(value.map(|value| (name.to_owned(), value)));
    }
    let epoch = environment(EPOCH).filter(|epoch| !epoch.is_empty());
    if let Some(epoch) = epoch {
        spec.build_args.entry(EPOCH.to_owned()).or_insert(epoch);
    }
    for text in &flags.labels {
        let (name, value) = parse::pair(text)?;
        let value = value.unwrap_or_default().to_owned();
        spec.labels.insert(name.to_owned(), value);
    }
    for text in flags.secrets.iter().filter(|text| !text.is_empty()) {
        let variable = |name: &str| environment(name).map(String::into_bytes);
        spec.secrets.push(Secret::parse(text, variable)?);
    }
    spec.ssh_agents = ssh_agents(flags.ssh_agents, &spec.context, &environment)?;
    let is_left = environment(NO_CLIENT_TOKEN).and_then(|value| parse::boolean(&value));
    spec.fetch_tokens = is_left != Some(true);
    let entitlements = flags.allow.iter().filter(|text| !text.is_empty());
    spec.entitlements = entitlements
        .map(|text| Entitlement::parse(text))
        .collect::<Result<_, _>>()?;
    spec.call = match flags.check {
        true => Some(Call::check()),
        false => Call::parse(&flags.call)?,
    };
    let tags = flags.tags.iter().map(|tag| parse::tag(tag));
    spec.tags = tags.collect::<Result<_, _>>()?;
    let outputs = flags.outputs.iter().filter(|output| !output.is_empty());
    let outputs = outputs.map(|output| parse::output(output));
    spec.exporters = outputs.collect::<Result<_, _>>()?;
    for text in flags.annotations.iter().filter(|text| !text.is_empty()) {
        spec.annotations.extend(parse::annotation(text)?);
    }
    for text in flags.attestations.iter().filter(|text| !text.is_empty()) {
        spec.attestations.add(text)?;
    }
    for (kind, text) in [(PROVENANCE, &flags.provenance), (SBOM, &flags.sbom)] {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            spec.attestations.add_short(kind, text)?;
        }
    }
    spec.default_attestations = !switch(NO_DEFAULT_ATTESTATIONS, &environment)?;
    let is_on = |name| environment(name).and_then(|value| parse::boolean(&value)) == Some(true);
    spec.default_oci_artifact = !is_on(NO_DEFAULT_OCI_ARTIFACT);
    if flags.push {
        spec.push();
    }
    if flags.load {
        spec.load();
    }
    let is_off = environment(NO_DEFAULT_LOAD).and_then(|value| parse::boolean(&value));
    spec.default_load = is_off != Some(true);
    let provenance = environment(METADATA_PROVENANCE).unwrap_or_default();
    spec.metadata_file = flags.metadata_file.map(|path| MetadataFile {
        path,
        provenance: ProvenanceMode::named(&provenance),
        warnings: is_on(METADATA_WARNINGS),
    });
    spec.iid_file = flags.iid_file;
    Ok(spec)
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
) -> Result<Vec<SshAgent>, SpecError> {
    let is_over_ssh = matches!(context, Context::Remote(url) if is_git_over_ssh(url));
    if is_over_ssh && texts.iter().all(String::is_empty) {
        texts.push("default".to_owned());
    }
    let socket = environment(SSH_SOCKET);
    Ok(SshAgent::parse_all(&texts, socket.as_deref())?)
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
mod tests {
    use std::path::PathBuf;

    use clap::Parser;
    use iechor_build::spec::exporter::Image;
    use iechor_build::spec::{Exporter, NamedSource, SecretSource};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        build: Build,
    }

    fn resolved(
        line: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<BuildSpec, SpecError> {
        let words = std::iter::once("build").chain(line.split(' '));
        let flags = Line::try_parse_from(words).expect("flags").build;
        spec(flags, environment)
    }

    fn pairs(pairs: &std::collections::BTreeMap<String, String>) -> Vec<String> {
        let pairs = pairs.iter();
        pairs.map(|(key, value)| format!("{key}={value}")).collect()
    }

    #[test]
    fn flags_and_environment_become_a_build() {
        let environment = |name: &str| match name {
            "FROM_ENV" => Some("here".to_owned()),
            "SOURCE_DATE_EPOCH" => Some("1".to_owned()),
            "BUILDX_NO_DEFAULT_LOAD" => Some("true".to_owned()),
            "BUILDX_NO_DEFAULT_ATTESTATIONS" | "BUILDX_METADATA_WARNINGS" => Some("1".to_owned()),
            "BUILDX_METADATA_PROVENANCE" => Some("max".to_owned()),
            _ => None,
        };
        let line = "--build-arg A=1 --build-arg B=x=y --build-arg FROM_ENV --build-arg UNSET \
                    --build-arg A=2 --label l=v --label bare --target stage --no-cache --pull \
                    --platform linux/amd64,linux/arm64 --platform linux/amd64 -t demo:1 \
                    --push --load --metadata-file m --iidfile i -f other/Dockerfile .";
        let spec = resolved(line, environment).expect("well-formed");
        assert_eq!(
            pairs(&spec.build_args),
            ["A=2", "B=x=y", "FROM_ENV=here", "SOURCE_DATE_EPOCH=1"]
        );
        assert_eq!(pairs(&spec.labels), ["bare=", "l=v"]);
        assert_eq!(spec.target.as_deref(), Some("stage"));
        assert!(spec.no_cache && spec.pull && !spec.default_load && !spec.default_attestations);
        let platforms: Vec<_> = spec.platforms.iter().map(ToString::to_string).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(spec.tags[0].as_str(), "demo:1");
        assert_eq!(
            spec.exporters,
            [Exporter::Image(Image::only_to_push()), Exporter::to_load()]
        );
        assert_eq!(spec.dockerfile, Dockerfile::File("other/Dockerfile".into()));
        let file = MetadataFile {
            path: "m".into(),
            provenance: ProvenanceMode::Max,
            warnings: true,
        };
        assert_eq!(spec.metadata_file, Some(file));
        assert_eq!(spec.iid_file, Some("i".into()));
    }

    #[test]
    fn secrets_and_agents_come_from_the_environment() {
        let environment = |name: &str| match name {
            "TOKEN" => Some("s3cret".to_owned()),
            "SSH_AUTH_SOCK" => Some("/agent".to_owned()),
            "BUILDKIT_NO_CLIENT_TOKEN" => Some("1".to_owned()),
            _ => None,
        };
        let line = "--secret id=TOKEN --secret id=a,env=TOKEN --ssh default --ssh b=/b .";
        let spec = resolved(line, environment).expect("well-formed");
        for secret in &spec.secrets {
            assert_eq!(secret.source, SecretSource::Value(b"s3cret".to_vec()));
        }
        let agents = spec.ssh_agents.iter();
        let agents: Vec<_> = agents
            .map(|agent| (agent.id.as_str(), &agent.paths[0]))
            .collect();
        assert_eq!(agents, [("default", &"/agent".into()), ("b", &"/b".into())]);
        assert!(!spec.fetch_tokens);
        assert!(!format!("{spec:?}").contains("s3cret"), "{spec:?}");

        let nothing = resolved(".", environment).expect("well-formed");
        assert!(nothing.ssh_agents.is_empty() && nothing.secrets.is_empty());
        for line in ["git@example.com:a/b.git", "ssh://example.com/a.git#main"] {
            let agents = resolved(line, environment).expect(line).ssh_agents;
            assert_eq!(agents[0].id, "default");
            let missing = resolved(line, |_| None).expect_err("no agent").to_string();
            assert!(
                missing.contains("make sure SSH_AUTH_SOCK is set"),
                "{missing}"
            );
            let named = resolved(&format!("--ssh default=/x {line}"), |_| None);
            let paths = named.expect(line).ssh_agents.remove(0).paths;
            assert_eq!(paths, [PathBuf::from("/x")]);
        }
        assert!(resolved(".", |_| None).expect("read").fetch_tokens);
    }

    #[test]
    fn an_argument_of_the_user_takes_precedence_over_the_environment() {
        let environment = |name: &str| {
            let is_read = !name.starts_with("BUILDX_NO_DEFAULT_ATT");
            is_read.then(|| "environment".to_owned())
        };
        let spec = resolved("--build-arg SOURCE_DATE_EPOCH=0 .", environment).expect("read");
        assert_eq!(pairs(&spec.build_args), ["SOURCE_DATE_EPOCH=0"]);
        assert!(spec.default_load, "not a boolean");
        // An empty variable does not count, as in docker buildx.
        let empty = |name: &str| (name == EPOCH).then(String::new);
        let spec = resolved(".", empty).expect("read");
        assert_eq!(pairs(&spec.build_args), [""; 0]);
    }

    #[test]
    fn variables_choose_the_information_about_the_version() {
        let with = |name: &'static str, value: &'static str| {
            vcs(move |asked| (asked == name).then(|| value.to_owned()))
        };
        let default = VcsInfo::default();
        assert!(default.in_provenance && !default.as_labels && !default.marks_dirty);
        assert!(!with("BUILDX_GIT_INFO", "0").in_provenance);
        assert!(with("BUILDX_GIT_INFO", "banana").in_provenance);
        for value in ["full", "1", "true"] {
            assert!(with("BUILDX_GIT_LABELS", value).as_labels, "{value}");
        }
        for value in ["", "false", "banana"] {
            assert!(!with("BUILDX_GIT_LABELS", value).as_labels, "{value}");
        }
        assert!(with("BUILDX_GIT_CHECK_DIRTY", "true").marks_dirty);
    }

    #[test]
    fn an_empty_name_of_a_dockerfile_is_the_default() {
        let words = ["build", "--file", "", "."];
        let flags = Line::try_parse_from(words).expect("flags").build;
        let spec = spec(flags, |_| None).expect("well-formed");
        assert_eq!(spec.dockerfile, Dockerfile::Default);
    }

    #[test]
    fn paths_need_not_be_unicode() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt as _;
        let word = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let words = [
            word(b"build"),
            word(b"--file=a\xff"),
            word(b"--build-context=x=c\xff"),
            word(b"b\xff"),
        ];
        let flags = Line::try_parse_from(words).expect("flags").build;
        let spec = spec(flags, |_| None).expect("well-formed");
        assert_eq!(spec.dockerfile, Dockerfile::File(word(b"a\xff").into()));
        assert_eq!(spec.context, Context::Directory(word(b"b\xff").into()));
        let named = NamedSource::Directory(word(b"c\xff").into());
        assert_eq!(spec.named_contexts[0].source, named);
    }

    #[test]
    fn calls_and_entitlements_are_read() {
        let call = |line: &str| resolved(line, |_| None).expect(line).call;
        assert_eq!(call("."), None);
        assert_eq!(call("--check ."), Some(Call::check()));
        assert_eq!(call("--call=check ."), Some(Call::check()));
        assert_eq!(call("--print=lint ."), Some(Call::check()));
        // The last one counts.
        let outline = call("--check --call outline .").expect("a call");
        assert_eq!(outline.request(), "frontend.outline");
        assert_eq!(call("--call outline --check ."), Some(Call::check()));
        let line = "--allow security.insecure --allow device=a --allow network.host .";
        let spec = resolved(line, |_| None).expect("read");
        let names: Vec<_> = spec.entitlements.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["network.host", "security.insecure", "device=a"]);
    }

    #[test]
    fn annotations_and_attestations_are_read_from_all_flags() {
        let line = "--annotation a=b --annotation index,manifest:c=d --attest type=sbom,generator=x \
                    --sbom true --provenance mode=max -o a=b .";
        let spec = resolved(line, |_| None).expect("well-formed");
        let options: Vec<_> = spec.annotations.iter().map(|it| it.option()).collect();
        assert_eq!(
            options,
            [
                "annotation.a",
                "annotation-index.c",
                "annotation-manifest.c"
            ]
        );
        assert_eq!(
            pairs(&spec.attestations.options(true)),
            [
                "attest:provenance=type=provenance,mode=max",
                "attest:sbom=type=sbom,generator=x",
            ]
        );
        assert!(spec.default_attestations);
        let directory = parse::output("a=b").expect("a directory");
        assert_eq!(spec.exporters, [directory]);

        let environment = |name: &str| (name == NO_DEFAULT_ATTESTATIONS).then(|| "x".to_owned());
        let error = resolved(".", environment).expect_err("not a boolean");
        let said = "invalid BUILDX_NO_DEFAULT_ATTESTATIONS: strconv.ParseBool: parsing \"x\": invalid syntax";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn the_id_is_printed_on_request_only() {
        let prints = |line: &str| {
            let words = std::iter::once("build").chain(line.split(' '));
            prints_id(&Line::try_parse_from(words).expect("flags").build)
        };
        assert!(prints("-q ."));
        assert!(prints("--progress quiet ."));
        assert!(!prints("."));
        assert!(!prints("-q --format json ."));
    }

    #[test]
    fn caches_get_credentials_from_the_environment() {
        let environment = |name: &str| match name {
            "ACTIONS_RUNTIME_TOKEN" | "ACTIONS_CACHE_URL" | "AWS_ACCESS_KEY_ID" => {
                Some("found".to_owned())
            }
            "AWS_SECRET_ACCESS_KEY" => Some("secret".to_owned()),
            _ => None,
        };
        let line = "--cache-from type=gha --cache-from a/b,c/d --cache-from a/b --cache-to type=s3,bucket=b \
                    --cache-to type=inline .";
        let spec = resolved(line, environment).expect("well-formed");
        let shown = |caches: &[iechor_build::spec::Cache]| -> Vec<String> {
            let caches = caches.iter();
            caches
                .map(|cache| {
                    format!(
                        "{} {}",
                        cache.kind.name(),
                        pairs(&cache.attributes).join(",")
                    )
                })
                .collect()
        };
        assert_eq!(
            shown(&spec.cache_from),
            [
                "gha token=found,url=found",
                "registry ref=a/b",
                "registry ref=c/d"
            ]
        );
        assert_eq!(
            shown(&spec.cache_to),
            [
                "s3 access_key_id=found,bucket=b,secret_access_key=secret",
                "inline "
            ]
        );
    }

    #[test]
    fn mistakes_are_found_in_every_flag() {
        for (line, words) in [
            (
                "--build-arg =v .",
                "invalid key-value pair \"=v\": empty key",
            ),
            ("--label =v .", "invalid key-value pair \"=v\": empty key"),
            ("--allow all .", "unknown entitlement all"),
            ("--call a,b .", "invalid print value: a,b"),
            ("--platform banana .", "unknown operating system"),
            ("-t Bad:Tag:1 .", "invalid tag \"Bad:Tag:1\""),
            ("-o type=banana .", "unknown type \"banana\""),
            (
                "--annotation a .",
                "parse annotations: invalid annotation \"a\"",
            ),
            ("--attest sbom .", "invalid value sbom"),
            ("--sbom x .", "invalid value x"),
            ("--secret src=a .", "secret missing ID"),
            ("--ssh default .", "make sure SSH_AUTH_SOCK is set"),
            (
                "--build-context a .",
                "invalid context value: a, expected key=value",
            ),
            ("--build-context A=b .", "invalid context name A"),
            (
                "--build-context a=oci-layout:// .",
                "invalid context value: a=oci-layout://",
            ),
            ("--cache-from ref=a .", "type required for \"ref=a\""),
            ("--cache-to type=local .", "exporter requires dest"),
        ] {
            let error = resolved(line, |_| None).expect_err(line).to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
