//! Makes a build of flags and the environment.

use anyhow::bail;
use iechor_build::BuildSpec;
use iechor_build::spec::attestation::{PROVENANCE, SBOM};
use iechor_build::spec::{MetadataFile, ProvenanceMode, SpecError, parse};
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
    let mut spec = BuildSpec::new(parse::context(&flags.context)?);
    let dockerfile = flags.file.as_deref().map(parse::dockerfile);
    spec.dockerfile = dockerfile.transpose()?;
    spec.target = flags.target.filter(|target| !target.is_empty());
    spec.platforms = parse::platforms(&flags.platforms)?;
    spec.no_cache = flags.no_cache;
    spec.pull = flags.pull;
    let layouts = flags.build_contexts.iter();
    let layouts = layouts.map(|context| parse::oci_layout(context));
    spec.oci_layouts = layouts.collect::<Result<_, _>>()?;
    spec.cache_from = caches::imports(&flags.cache_from, &environment)?;
    spec.cache_to = caches::exports(&flags.cache_to, &environment)?;
    for text in &flags.build_args {
        let (name, value) = parse::pair(text)?;
        let value = value.map(str::to_owned).or_else(|| environment(name));
        // A variable that is not set is left out.
        spec.build_args
            .extend(value.map(|value| (name.to_owned(), value)));
    }
    let is_given = |name: &String| name.eq_ignore_ascii_case(EPOCH);
    if !spec.build_args.keys().any(is_given) {
        let epoch = environment(EPOCH);
        spec.build_args
            .extend(epoch.map(|epoch| (EPOCH.to_owned(), epoch)));
    }
    for text in &flags.labels {
        let (name, value) = parse::pair(text)?;
        let value = value.unwrap_or_default().to_owned();
        spec.labels.insert(name.to_owned(), value);
    }
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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use iechor_build::spec::Exporter;
    use iechor_build::spec::exporter::Image;

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
        assert_eq!(spec.dockerfile, Some("other/Dockerfile".into()));
        let file = MetadataFile {
            path: "m".into(),
            provenance: ProvenanceMode::Max,
            warnings: true,
        };
        assert_eq!(spec.metadata_file, Some(file));
        assert_eq!(spec.iid_file, Some("i".into()));
    }

    #[test]
    fn an_argument_of_the_user_takes_precedence_over_the_environment() {
        let environment = |name: &str| {
            let is_read = !name.starts_with("BUILDX_NO_DEFAULT_ATT");
            is_read.then(|| "environment".to_owned())
        };
        let spec = resolved("--build-arg source_date_epoch=0 .", environment).expect("read");
        assert_eq!(pairs(&spec.build_args), ["source_date_epoch=0"]);
        assert!(spec.default_load, "not a boolean");
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
            ("--platform banana .", "unknown operating system"),
            ("-t Bad:Tag:1 .", "invalid tag \"Bad:Tag:1\""),
            ("-o type=banana .", "unknown type \"banana\""),
            (
                "--annotation a .",
                "parse annotations: invalid annotation \"a\"",
            ),
            ("--attest sbom .", "invalid value sbom"),
            ("--sbom x .", "invalid value x"),
            ("--build-context a=b .", "invalid context value: a=b"),
            ("--cache-from ref=a .", "type required for \"ref=a\""),
            ("--cache-to type=local .", "exporter requires dest"),
            ("-f - .", "standard input"),
            ("-", "standard input"),
        ] {
            let error = resolved(line, |_| None).expect_err(line).to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
