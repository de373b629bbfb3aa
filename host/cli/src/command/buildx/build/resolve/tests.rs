use std::path::PathBuf;

use clap::Parser;
use iechor_build::spec::exporter::Image;
use iechor_build::spec::steps::Network;
use iechor_build::spec::{Exporter, NamedSource, SecretSource};

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

fn refused(line: &str, environment: impl Fn(&str) -> Option<String>) -> String {
    let (_, mistakes) = spec(flags(line), environment);
    assert_eq!(mistakes.len(), 1, "{mistakes}");
    mistakes.to_string()
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
    let spec = resolved(line, environment);
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
    let spec = resolved(line, environment);
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

    let nothing = resolved(".", environment);
    assert!(nothing.ssh_agents.is_empty() && nothing.secrets.is_empty());
    for line in ["git@example.com:a/b.git", "ssh://example.com/a.git#main"] {
        let agents = resolved(line, environment).ssh_agents;
        assert_eq!(agents[0].id, "default");
        let missing = refused(line, |_| None);
        assert!(
            missing.contains("make sure SSH_AUTH_SOCK is set"),
            "{missing}"
        );
        let mut named = resolved(&format!("--ssh default=/x {line}"), |_| None);
        let paths = named.ssh_agents.remove(0).paths;
        assert_eq!(paths, [PathBuf::from("/x")]);
    }
    assert!(resolved(".", |_| None).fetch_tokens);
}

#[test]
fn an_argument_of_the_user_takes_precedence_over_the_environment() {
    let environment = |name: &str| {
        let is_read = !name.starts_with("BUILDX_NO_DEFAULT_ATT");
        is_read.then(|| "environment".to_owned())
    };
    let spec = resolved("--build-arg SOURCE_DATE_EPOCH=0 .", environment);
    assert_eq!(pairs(&spec.build_args), ["SOURCE_DATE_EPOCH=0"]);
    assert!(spec.default_load, "not a boolean");
    // An empty variable does not count, as in docker buildx.
    let empty = |name: &str| (name == EPOCH).then(String::new);
    let spec = resolved(".", empty);
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
    let (spec, mistakes) = spec(flags, |_| None);
    assert!(mistakes.is_empty(), "{mistakes}");
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
    let (spec, mistakes) = spec(flags, |_| None);
    assert!(mistakes.is_empty(), "{mistakes}");
    assert_eq!(spec.dockerfile, Dockerfile::File(word(b"a\xff").into()));
    assert_eq!(spec.context, Context::Directory(word(b"b\xff").into()));
    let named = NamedSource::Directory(word(b"c\xff").into());
    assert_eq!(spec.named_contexts[0].source, named);
}

#[test]
fn calls_and_entitlements_are_read() {
    let call = |line: &str| resolved(line, |_| None).call;
    assert_eq!(call("."), None);
    assert_eq!(call("--check ."), Some(Call::check()));
    assert_eq!(call("--call=check ."), Some(Call::check()));
    assert_eq!(call("--print=lint ."), Some(Call::check()));
    // The last one counts.
    let outline = call("--check --call outline .").expect("a call");
    assert_eq!(outline.request(), "frontend.outline");
    assert_eq!(call("--call outline --check ."), Some(Call::check()));
    let line = "--allow security.insecure --allow device=a --allow network.host .";
    let spec = resolved(line, |_| None);
    let names: Vec<_> = spec.entitlements.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["network.host", "security.insecure", "device=a"]);
}

#[test]
fn annotations_and_attestations_are_read_from_all_flags() {
    let line = "--annotation a=b --annotation index,manifest:c=d --attest type=sbom,generator=x \
                --sbom true --provenance mode=max -o a=b .";
    let spec = resolved(line, |_| None);
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
    let error = refused(".", environment);
    let said =
        "invalid BUILDX_NO_DEFAULT_ATTESTATIONS: strconv.ParseBool: parsing \"x\": invalid syntax";
    assert_eq!(error, said);
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
    let spec = resolved(line, environment);
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
        ("--allow all", "unknown entitlement all"),
        ("--call a,b", "invalid print value: a,b"),
        (
            "--annotation a",
            "parse annotations: invalid annotation \"a\"",
        ),
        ("--attest sbom", "invalid value sbom"),
        ("--sbom x", "invalid value x"),
        ("--provenance x", "invalid value x"),
        ("--secret src=a", "secret missing ID"),
        ("--ssh default", "make sure SSH_AUTH_SOCK is set"),
        (
            "--build-context a",
            "invalid context value: a, expected key=value",
        ),
        ("--build-context A=b", "invalid context name A"),
        (
            "--build-context a=oci-layout://",
            "invalid context value: a=oci-layout://",
        ),
        ("--cache-from ref=a", "type required for \"ref=a\""),
        ("--cache-to type=local", "exporter requires dest"),
    ];
    for (line, words) in cases {
        let (_, mistakes) = spec(flags(&format!("{line} .")), |_| None);
        assert!(mistakes.to_string().contains(words), "{line}: {mistakes}");
    }
    // All of them at once, and the two of one flag.
    let line: Vec<_> = cases.iter().map(|(line, _)| *line).collect();
    let (_, mistakes) = spec(flags(&format!("{} .", line.join(" "))), |_| None);
    assert_eq!(mistakes.len(), cases.len() + 1, "{mistakes}");
}

#[test]
fn progress_and_quiet() {
    let mode = |line: &str, variable: Option<&str>| {
        progress(&flags(line), |_| variable.map(str::to_owned)).map_err(|error| error.to_string())
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
