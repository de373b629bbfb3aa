//! Flags of `build`: the list of all flags with the test that shows each of them, and the flags of the
//! steps. `build_line` has the command lines.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bollard_buildkit_proto::moby::buildkit::v1::BuildHistoryRequest;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use tokio::runtime::Runtime;

use crate::context::{Context, files_in_tar};
use crate::daemon::Daemon;
use crate::hostile;
use crate::meddler::channel;
use crate::support::{Finished, Sandbox, docker};

/// The flags of `build --help`, each with the module and the name of a test against the real BuildKit that
/// fails if the flag is ignored. A new flag needs a line here.
const SHOWN: &[(&str, &str, &str)] = &[
    ("--add-host", "build_flags", "settings_of_the_steps"),
    (
        "--allow",
        "calls",
        "entitlements_are_checked_before_the_build",
    ),
    (
        "--annotation",
        "annotations",
        "annotations_are_where_their_levels_say",
    ),
    (
        "--attest",
        "attestations",
        "an_sbom_is_made_by_the_requested_generator",
    ),
    ("--build-arg", "builds", "flags_reach_the_dockerfile"),
    ("--build-context", "contexts", "named_contexts"),
    ("--builder", "builds", "a_build_boots_the_builder"),
    ("--cache-from", "caches", "a_cache_in_a_directory"),
    ("--cache-to", "caches", "a_cache_in_a_directory"),
    ("--call", "calls", "outlines_targets_and_calls_are_listed"),
    ("--cgroup-parent", "build_flags", "settings_of_the_steps"),
    (
        "--check",
        "calls",
        "warnings_of_a_check_are_shown_with_their_lines",
    ),
    (
        "--debug",
        "build_flags",
        "debug_shows_where_a_driver_crashed",
    ),
    ("--file", "builds", "flags_reach_the_dockerfile"),
    ("--format", "result_files", "the_result_as_json"),
    ("--iidfile", "result_files", "metadata_file_and_iidfile"),
    ("--label", "builds", "flags_reach_the_dockerfile"),
    ("--load", "outputs", "load"),
    (
        "--metadata-file",
        "result_files",
        "metadata_file_and_iidfile",
    ),
    (
        "--network",
        "build_flags",
        "the_network_of_the_host_needs_an_entitlement",
    ),
    ("--no-cache", "builds", "the_second_build_is_cached"),
    (
        "--no-cache-filter",
        "build_flags",
        "stages_are_built_without_the_cache",
    ),
    ("--output", "outputs", "a_directory"),
    (
        "--platform",
        "outputs",
        "two_platforms_go_to_a_directory_each",
    ),
    (
        "--progress",
        "builds",
        "rawjson_progress_is_a_json_object_a_line",
    ),
    (
        "--provenance",
        "attestations",
        "the_provenance_has_the_requested_mode",
    ),
    ("--pull", "build_flags", "pull_asks_the_registry"),
    ("--push", "push", "an_image_is_pushed_and_pulled_back"),
    ("--quiet", "builds", "quiet_prints_the_id_alone"),
    (
        "--resource",
        "build_flags",
        "buildkit_receives_the_settings_of_the_steps",
    ),
    (
        "--sbom",
        "attestations",
        "an_sbom_is_made_by_the_requested_generator",
    ),
    (
        "--secret",
        "secrets",
        "files_and_variables_are_given_to_the_build",
    ),
    ("--shm-size", "build_flags", "settings_of_the_steps"),
    ("--ssh", "ssh", "a_build_uses_the_agent_of_the_user"),
    ("--tag", "builds", "flags_reach_the_dockerfile"),
    ("--target", "builds", "flags_reach_the_dockerfile"),
    ("--ulimit", "build_flags", "settings_of_the_steps"),
];

/// Returns the flags in a help.
fn flags_of(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim);
    let lines = lines.filter(|line| line.starts_with('-'));
    let flags = lines.filter_map(|line| {
        let mut words = line.split([' ', ',']);
        words.find(|word| word.starts_with("--"))
    });
    flags.map(str::to_owned).collect()
}

#[test]
fn a_test_shows_each_flag() {
    let sandbox = Sandbox::new();
    let help = sandbox.buildx("build --help").success();
    let mut flags = flags_of(&help.stdout);
    assert!(flags.remove("--help") && flags.len() > 20, "{flags:?}");
    let shown = SHOWN
        .iter()
        .map(|(flag, _, _)| (*flag).to_owned())
        .collect();
    assert_eq!(flags, shown, "the flags of the help, and those with a test");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/end_to_end");
    for (flag, module, test) in SHOWN {
        let file = tests.join(format!("{module}.rs"));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{flag}: {error}"));
        let is_test = text.contains(&format!("#[test]\nfn {test}() {{"));
        assert!(
            is_test,
            "{flag}: there is no test {test} in {}",
            file.display()
        );
        let names = text.contains(flag) || short_of(flag).is_some_and(|short| text.contains(short));
        assert!(names, "{flag} does not occur in {}", file.display());
    }
}

fn short_of(flag: &str) -> Option<&'static str> {
    Some(match flag {
        "--debug" => "-D",
        "--file" => "-f ",
        "--output" => "-o ",
        "--quiet" => "-q",
        "--tag" => "-t ",
        _ => return None,
    })
}

#[test]
fn the_documentation_lists_each_flag() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/build-flags.md");
    let text = fs::read_to_string(&file).expect("docs/build-flags.md");
    let rows = text.lines().filter(|line| line.starts_with("| `--"));
    let mut documented = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "flag, docker buildx, here: {row}");
        let flag = cells[0].trim_matches('`').split([' ', '`']).next();
        let flag = flag.unwrap_or_default();
        let is_here = !cells[2].starts_with("Not yet.");
        if is_here {
            assert!(documented.insert(flag.to_owned()), "{flag} has two rows");
        }
    }
    let sandbox = Sandbox::new();
    let help = sandbox.buildx("build --help").success();
    let mut flags = flags_of(&help.stdout);
    flags.remove("--help");
    let hidden = [
        "--compress",
        "--cpu-period",
        "--cpu-quota",
        "--cpu-shares",
        "--cpuset-cpus",
        "--cpuset-mems",
        "--force-rm",
        "--isolation",
        "--memory",
        "--memory-swap",
        "--print",
        "--rm",
        "--security-opt",
        "--squash",
    ];
    flags.extend(hidden.map(str::to_owned));
    assert_eq!(documented, flags, "the rows, and the flags of the help");
}

/// Builds with flags, and returns what a command prints in a step.
#[track_caller]
fn printed(sandbox: &Sandbox, builder: &str, flags: &str, command: &str) -> String {
    let context = Context::on_base(&format!(
        "FROM base AS made\nRUN ({command}) > /printed\nFROM scratch\nCOPY --from=made /printed /\n"
    ));
    sandbox
        .buildx(&format!("build --builder {builder} --no-cache -o out"))
        .words(flags)
        .words(context.word())
        .success();
    let text = fs::read_to_string(sandbox.path("out/printed")).expect("made");
    text.trim().to_owned()
}

#[test]
fn settings_of_the_steps() {
    let sandbox = Sandbox::new();
    let builder = sandbox.booted("steps", "");
    let group = format!("/{}", sandbox.name("group"));
    for (flags, command, given) in [
        (
            "--add-host one:1.2.3.4,two=::1 --add-host three:[10.0.0.1]",
            "grep -E 'one|two|three' /etc/hosts | tr '\\t' ' '",
            "1.2.3.4 one\n::1 two\n10.0.0.1 three",
        ),
        (
            "--shm-size 8m",
            "df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2",
            "8192",
        ),
        (
            "--ulimit nofile=123:456 --ulimit nofile=124:457",
            "ulimit -S -n; ulimit -H -n",
            "124\n457",
        ),
        ("--network none", "ls /sys/class/net", "lo"),
        (
            &format!("--cgroup-parent {group}"),
            &format!("grep -c {group}/ /proc/self/cgroup | grep -v '^0' | wc -l"),
            "1",
        ),
    ] {
        let found = printed(&sandbox, &builder, flags, command);
        assert_eq!(found, given, "{flags}");
        let without = printed(&sandbox, &builder, "", &format!("{command} || true"));
        assert_ne!(without, given, "it has this value without {flags}");
    }
}

#[test]
fn the_network_of_the_host_needs_an_entitlement() {
    let sandbox = Sandbox::new();
    let allowed = sandbox.booted("allowed", "");
    let flags = "--buildkitd-flags --allow-insecure-entitlement=security.insecure";
    let refused = sandbox.booted("refused", flags);
    let context = Context::on_base("RUN echo made > /made\n");
    let build = |builder: &str, network: &str| {
        let line = format!(
            "build --builder {builder} --network {network} {}",
            context.word()
        );
        sandbox.buildx(&line)
    };
    build(&allowed, "host").success();
    build(&refused, "default").success();
    build(&refused, "host")
        .failure(1)
        .says("network.host is not allowed");
}

#[test]
fn the_host_gateway_is_that_of_the_driver() {
    let sandbox = Sandbox::new();
    let flags = "--add-host outside:host-gateway";
    // The engine knows it since version 23.
    let version = docker("version --format {{.Server.Version}}").success();
    let major = version
        .stdout
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= 23) {
        let network = docker("network inspect bridge").success().json();
        let gateway = network[0]["IPAM"]["Config"][0]["Gateway"].as_str();
        let command = "grep outside /etc/hosts | tr '\\t' ' '";
        assert_eq!(
            printed(&sandbox, "default", flags, command),
            format!("{} outside", gateway.expect("an address"))
        );
    } else {
        let context = Context::bare("FROM scratch\n");
        sandbox
            .buildx(&format!("build {flags} {}", context.word()))
            .failure(1)
            .says("host-gateway: this engine does not say at what address builds reach it");
    }
    // A BuildKit in a container does not know it. Nothing is started to find that out.
    let name = sandbox.name("container");
    sandbox.buildx(&format!("create --name {name}")).success();
    let context = Context::bare("FROM scratch\n");
    sandbox
        .buildx(&format!(
            "build --builder {name} {flags} {}",
            context.word()
        ))
        .failure(1)
        .says("ERROR: unable to derive the IP value for host-gateway: ")
        .says("host-gateway is not supported by the driver")
        .says("hint: write the address itself: --add-host HOST:IP");
    assert!(sandbox.left_in_engine().is_empty());
}

#[test]
fn stages_are_built_without_the_cache() {
    let sandbox = Sandbox::new();
    sandbox.booted("filter", "");
    let context = Context::on_base(
        "FROM base AS kept\nRUN echo kept > /kept\nFROM base AS fresh\nRUN echo fresh > /fresh\n\
         FROM base AS other\nRUN echo other > /other\nFROM scratch\nCOPY --from=kept /kept /\n\
         COPY --from=fresh /fresh /\nCOPY --from=other /other /\n",
    );
    let build = format!("build -o out {}", context.word());
    sandbox.buildx(&build).success();
    let is_cached = |built: &Finished, instruction: &str| {
        let mut lines = built.stderr.lines();
        let step = lines.find(|line| line.ends_with(instruction));
        let number = step.and_then(|line| line.split(' ').next());
        let cached = format!("{} CACHED", number.expect("a step"));
        built.stderr.lines().any(|line| line == cached)
    };
    for (flags, expected) in [
        ("", [true, true, true]),
        ("--no-cache-filter fresh", [true, false, true]),
        ("--no-cache-filter fresh,other", [true, false, false]),
        (
            "--no-cache-filter other --no-cache-filter kept",
            [false, true, false],
        ),
    ] {
        let built = sandbox.buildx(&build).words(flags).success();
        let steps = [
            "RUN echo kept > /kept",
            "RUN echo fresh > /fresh",
            "RUN echo other > /other",
        ];
        let found = steps.map(|step| is_cached(&built, step));
        assert_eq!(found, expected, "{flags}: {}", built.transcript());
    }
}

/// A registry that does not exist.
const NOWHERE: &str = "127.0.0.1:1";

#[test]
fn pull_asks_the_registry() {
    let sandbox = Sandbox::new();
    let image = format!("{NOWHERE}/{}", sandbox.name("base:1"));
    let base = Context::on_base("RUN echo made > /made\n");
    sandbox
        .buildx(&format!("build -t {image} {}", base.word()))
        .success();
    let context = Context::bare(&format!(
        "FROM {image} AS a\nFROM scratch\nCOPY --from=a /made /\n"
    ));
    let build = format!("build -o - {}", context.word());
    let built = sandbox.buildx(&build).success();
    assert_eq!(files_in_tar(&built.bytes), ["made"]);
    sandbox.buildx(&build).words("--pull=false").success();
    sandbox
        .buildx(&build)
        .words("--pull")
        .failure(1)
        .says("connection refused");
}

#[test]
fn debug_shows_where_a_driver_crashed() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("debug");
    hostile::create(&sandbox, &name, "panic in host-gateway");
    let context = Context::bare("FROM scratch\n");
    let build = format!(
        "build --builder {name} --add-host a:host-gateway {}",
        context.word()
    );
    for (flags, is_shown) in [("", false), ("-D", true), ("--debug --debug=false", false)] {
        let failed = sandbox.buildx(&build).words(flags).failure(1);
        let found = failed.stderr.contains("wasm backtrace");
        assert_eq!(found, is_shown, "{}", failed.transcript());
    }
}

#[test]
fn a_driver_cannot_write_entries_into_the_hosts_of_the_steps() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("odd");
    hostile::create(&sandbox, &name, "");
    let context = Context::bare("FROM scratch\n");
    sandbox
        .buildx(&format!("build --builder {name} --add-host a:host-gateway"))
        .words(context.word())
        .failure(1)
        .says("ERROR: unable to derive the IP value for host-gateway: driver ")
        .says("the host machine has the address \"gateway\", which is not an IP address");
}

/// Returns the attributes of the frontend in the records of a BuildKit.
fn recorded(sandbox: &Sandbox, daemon: &Daemon) -> Vec<(String, String)> {
    let socket = sandbox.path("records.sock");
    daemon.on_socket(&socket);
    Runtime::new().expect("a runtime").block_on(async {
        let mut control = ControlClient::new(channel(socket));
        let request = BuildHistoryRequest {
            early_exit: true,
            ..BuildHistoryRequest::default()
        };
        let mut events = control
            .listen_build_history(request)
            .await
            .expect("records")
            .into_inner();
        let mut found = Vec::new();
        while let Some(event) = events.message().await.expect("a record") {
            found.extend(event.record.unwrap_or_default().frontend_attrs);
        }
        found.sort();
        found
    })
}

/// BuildKit v0.25 does not know the limits of `--resource` yet: its record shows that it receives them.
#[test]
fn buildkit_receives_the_settings_of_the_steps() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start(&sandbox);
    let socket = sandbox.path("buildkit.sock");
    daemon.on_socket(&socket);
    sandbox.remote("remote", &socket);
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx("build --resource memory=64m --resource memory-swap=-1 --cpu-period 100000")
        .words("-m 32m -c 7 --cpu-quota=50000 --resource cpuset-cpus=0 --cpuset-mems 0")
        .words("--cgroup-parent /parent --no-cache-filter a --no-cache-filter b --shm-size 1m")
        .words("--ulimit core=0 --ulimit nofile=1:2 --add-host a:1.1.1.1 --network none")
        .words("--platform windows(10.0.17763)/amd64 -o out")
        .words(context.word())
        .success();
    let recorded = recorded(&sandbox, &daemon);
    for (attribute, value) in [
        ("memory", "67108864"),
        ("memswap", "-1"),
        ("cpuperiod", "100000"),
        ("cpuquota", "50000"),
        ("cpushares", "7"),
        ("cpusetcpus", "0"),
        ("cpusetmems", "0"),
        ("cgroup-parent", "/parent"),
        ("no-cache", "a,b"),
        ("shm-size", "1048576"),
        ("ulimit", "core=0:0,nofile=1:2"),
        ("add-hosts", "a=1.1.1.1"),
        ("force-network-mode", "none"),
        ("platform", "windows(10.0.17763)/amd64"),
    ] {
        let found = (attribute.to_owned(), value.to_owned());
        assert!(recorded.contains(&found), "{found:?} in {recorded:?}");
    }
}
