//! Makes a build of flags and the environment.

use anyhow::bail;
use iechor_build::BuildSpec;
use iechor_build::spec::{SpecError, parse};
use iechor_progress::Mode;

use super::flags::Build;

/// The variable that keeps results from being loaded where there is no output.
const NO_DEFAULT_LOAD: &str = "BUILDX_NO_DEFAULT_LOAD";

/// The variable that becomes a build argument of the same name: the time of files in the image.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

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
    let outputs = flags.outputs.iter().map(|output| parse::output(output));
    spec.exporters = outputs.collect::<Result<_, _>>()?;
    if flags.push {
        spec.push();
    }
    if flags.load {
        spec.load();
    }
    let is_off = environment(NO_DEFAULT_LOAD).and_then(|value| parse::boolean(&value));
    spec.default_load = is_off != Some(true);
    spec.metadata_file = flags.metadata_file;
    spec.iid_file = flags.iid_file;
    Ok(spec)
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
        assert!(spec.no_cache && spec.pull && !spec.default_load);
        let platforms: Vec<_> = spec.platforms.iter().map(ToString::to_string).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(spec.tags[0].as_str(), "demo:1");
        assert_eq!(
            spec.exporters,
            [Exporter::Image(Image::only_to_push()), Exporter::to_load()]
        );
        assert_eq!(spec.dockerfile, Some("other/Dockerfile".into()));
        assert_eq!(spec.metadata_file, Some("m".into()));
        assert_eq!(spec.iid_file, Some("i".into()));
    }

    #[test]
    fn an_argument_of_the_user_takes_precedence_over_the_environment() {
        let environment = |_: &str| Some("environment".to_owned());
        let spec = resolved("--build-arg source_date_epoch=0 .", environment).expect("read");
        assert_eq!(pairs(&spec.build_args), ["source_date_epoch=0"]);
        assert!(spec.default_load, "not a boolean");
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
            ("-f - .", "standard input"),
            ("-", "standard input"),
        ] {
            let error = resolved(line, |_| None).expect_err(line).to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
