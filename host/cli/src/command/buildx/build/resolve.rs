//! Makes a build of flags and the environment.

use anyhow::bail;
use iechor_build::spec::{Context, parse};
use iechor_build::{BuildSpec, Mistakes, Setting};
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
    let context = mistakes.note(Setting::Context, parse::context(&flags.context));
    let mut spec = BuildSpec::new(context.unwrap_or_else(|| Context::Directory(".".into())));
    let dockerfile = flags.file.as_deref().map(parse::dockerfile);
    spec.dockerfile = dockerfile.and_then(|file| mistakes.note(Setting::File, file));
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
    for text in &flags.build_args {
        let pair = mistakes.note(Setting::BuildArg, parse::pair(text));
        // A variable that is not set is left out.
        spec.build_args.extend(pair.and_then(|(name, value)| {
            let value = value.map(str::to_owned).or_else(|| environment(name));
            Some((name.to_owned(), value?))
        }));
    }
    let is_given = |name: &String| name.eq_ignore_ascii_case(EPOCH);
    if !spec.build_args.keys().any(is_given) {
        let epoch = environment(EPOCH);
        spec.build_args
            .extend(epoch.map(|epoch| (EPOCH.to_owned(), epoch)));
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
            .extend(mistakes.note(Setting::Output, parse::output(text)));
    }
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
    (spec, mistakes)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use iechor_build::spec::Exporter;
    use iechor_build::spec::exporter::Image;
    use iechor_build::spec::steps::Network;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        build: Build,
    }

    fn flags(line: &str) -> Build {
        let words = std::iter::once("build").chain(line.split(' '));
        Line::try_parse_from(words).expect("flags").build
    }

    fn resolved(line: &str, environment: impl Fn(&str) -> Option<String>) -> BuildSpec {
        let (spec, mistakes) = spec(flags(line), environment);
        assert!(mistakes.is_empty(), "{mistakes}");
        spec
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
        let spec = resolved(line, environment);
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
        let spec = resolved("--build-arg source_date_epoch=0 .", environment);
        assert_eq!(pairs(&spec.build_args), ["source_date_epoch=0"]);
        assert!(spec.default_load, "not a boolean");
    }

    #[test]
    fn flags_of_the_steps_become_settings() {
        let line = "--add-host a:1.1.1.1,b=::1 --add-host c:host-gateway --network none \
                    --shm-size 64m --ulimit nofile=1:2 --ulimit nofile=3 --resource memory=1g \
                    --cpu-quota 7 -m 2g -c 5 --cgroup-parent /p --no-cache-filter a,b .";
        let spec = resolved(line, |_| None);
        let hosts: Vec<_> = spec.steps.hosts.iter().map(|host| &host.name).collect();
        assert_eq!(hosts, ["a", "b", "c"]);
        assert!(spec.steps.need_host_gateway());
        assert_eq!(spec.steps.network, Network::None);
        assert_eq!(spec.steps.shm_size, Some(64 << 20));
        let limits = spec.steps.ulimits.iter();
        let limits: Vec<_> = limits
            .map(|(name, limit)| format!("{name}={limit}"))
            .collect();
        assert_eq!(limits, ["nofile=3:3"]);
        let resources = &spec.steps.resources;
        assert_eq!((resources.memory, resources.cpu_quota), (1 << 30, 7));
        assert_eq!(resources.cpu_shares, 5);
        assert_eq!(spec.steps.cgroup_parent.as_deref(), Some("/p"));
        assert_eq!(spec.no_cache_filter, ["a,b"]);
        let defaults = resolved(".", |_| None);
        assert_eq!(defaults, BuildSpec::new(Context::Directory(".".into())));
    }

    #[test]
    fn mistakes_are_found_in_every_flag() {
        let cases = [
            ("--build-arg =v", "invalid key-value pair \"=v\": empty key"),
            ("--label =v", "invalid key-value pair \"=v\": empty key"),
            ("--platform banana,cherry", "\"banana\""),
            (
                "--tag Bad:Tag:1",
                "invalid tag \"Bad:Tag:1\": invalid reference format",
            ),
            ("--output type=banana", "unknown type \"banana\""),
            ("--file -", "standard input"),
            ("--add-host a", "invalid host a"),
            (
                "--network bridge",
                "network mode \"bridge\" not supported by buildkit",
            ),
            ("--shm-size x", "invalid size: 'x'"),
            ("--ulimit banana=1", "invalid ulimit type: banana"),
            ("--resource banana=1", "unknown resource \"banana\""),
            (
                "--cpu-quota x",
                "invalid value \"x\" for resource cpu-quota",
            ),
        ];
        for (line, words) in cases {
            let (_, mistakes) = spec(flags(&format!("{line} .")), |_| None);
            assert!(mistakes.to_string().contains(words), "{line}: {mistakes}");
        }
        // All of them at once, and the two of one flag.
        let line: Vec<_> = cases.iter().map(|(line, _)| *line).collect();
        let (_, mistakes) = spec(flags(&format!("{} -", line.join(" "))), |_| None);
        assert_eq!(mistakes.len(), cases.len() + 2, "{mistakes}");
    }

    #[test]
    fn progress_and_quiet() {
        let mode = |line: &str, variable: Option<&str>| {
            progress(&flags(line), |_| variable.map(str::to_owned))
                .map_err(|error| error.to_string())
        };
        for (line, variable, expected) in [
            (".", None, Mode::Auto),
            (".", Some("plain"), Mode::Plain),
            ("--progress none .", Some("plain"), Mode::None),
            ("--quiet .", Some("plain"), Mode::Quiet),
            ("--quiet --progress quiet .", None, Mode::Quiet),
        ] {
            assert_eq!(mode(line, variable), Ok(expected), "{line}");
        }
        let error = mode("--quiet --progress plain .", None).expect_err("both");
        assert_eq!(error, "progress=plain and quiet cannot be used together");
        let error = mode("--progress banana .", None).expect_err("unknown");
        assert!(error.starts_with("invalid progress mode banana"), "{error}");
    }

    #[test]
    fn an_empty_element_of_a_list_is_not_given() {
        let mut flags = flags(".");
        for list in [
            &mut flags.platforms,
            &mut flags.outputs,
            &mut flags.no_cache_filter,
        ] {
            list.push(String::new());
        }
        let (spec, mistakes) = spec(flags, |_| None);
        assert!(mistakes.is_empty(), "{mistakes}");
        assert_eq!(spec, BuildSpec::new(Context::Directory(".".into())));
    }
}
