//! The misdeeds, each with the kind of answer that it has to come to.

/// How the guest is led to a misdeed.
pub enum Call {
    /// It does it where it gets no configuration; the pure function that is called.
    Ordered(&'static str),
    /// Its option `behave` says so, and `value` with what; the export that is called.
    Told(&'static str, &'static str),
}

pub struct Behaviour {
    /// What the guest knows it by.
    pub name: &'static str,
    /// What the table calls it.
    pub shown: &'static str,
    pub call: Call,
    /// The kind of answer.
    pub expected: &'static str,
}

const fn told(
    name: &'static str,
    value: &'static str,
    shown: &'static str,
    expected: &'static str,
) -> Behaviour {
    at("boot", name, value, shown, expected)
}

const fn at(
    export: &'static str,
    name: &'static str,
    value: &'static str,
    shown: &'static str,
    expected: &'static str,
) -> Behaviour {
    Behaviour {
        name,
        shown,
        call: Call::Told(export, value),
        expected,
    }
}

const fn ordered(
    function: &'static str,
    name: &'static str,
    shown: &'static str,
    expected: &'static str,
) -> Behaviour {
    Behaviour {
        name,
        shown,
        call: Call::Ordered(function),
        expected,
    }
}

/// All of them, by what they are after.
pub const BEHAVIOURS: &[Behaviour] = &[
    told("nothing", "", "nothing, for comparison", "ok"),
    // Time.
    told("spin", "", "computes for ever", "over-budget"),
    told(
        "create and spin",
        "",
        "creates, then computes for ever",
        "over-budget",
    ),
    ordered(
        "describe",
        "spin at start",
        "computes for ever in a start function",
        "timeout",
    ),
    ordered(
        "describe",
        "spin in describe",
        "computes for ever in `describe`",
        "timeout",
    ),
    told(
        "sleep",
        "",
        "sleeps for ever (boot may take 8 s here)",
        "timeout",
    ),
    told(
        "sleep on and on",
        "",
        "sleeps on after each time-out",
        "timeout",
    ),
    told(
        "sleep in the standard library",
        "",
        "sleeps in its standard library",
        "timeout",
    ),
    told(
        "create and sleep",
        "",
        "creates, then sleeps for ever",
        "timeout",
    ),
    // Memory.
    told("allocate", "", "allocates without end", "over-budget"),
    ordered(
        "describe",
        "allocate at start",
        "allocates in a start function",
        "over-budget",
    ),
    told("recurse", "", "recurses without end", "crashed"),
    ordered(
        "describe",
        "recurse at start",
        "recurses in a start function",
        "crashed",
    ),
    // Sizes.
    told("huge string", "", "logs 200 MiB at once", "over-budget"),
    told(
        "many strings",
        "",
        "logs two million empty fields",
        "over-budget",
    ),
    told(
        "huge step",
        "",
        "begins a step whose name has 200 MiB",
        "over-budget",
    ),
    told(
        "huge name",
        "",
        "looks for a container whose name has 200 MiB",
        "over-budget",
    ),
    told("huge file", "", "copies a file of 200 MiB", "over-budget"),
    told(
        "huge error",
        "",
        "fails with 200 MiB of words",
        "over-budget",
    ),
    at(
        "version",
        "huge version",
        "",
        "answers with a version of 200 MiB",
        "over-budget",
    ),
    at(
        "info",
        "much beside the state",
        "",
        "answers with two million details",
        "over-budget",
    ),
    ordered(
        "describe",
        "huge describe",
        "describes itself in 200 MiB",
        "over-budget",
    ),
    // Output.
    told("flood log", "", "logs without end", "timeout"),
    told("flood log for a while", "", "logs 50 MB", "ok"),
    told(
        "flood empty records",
        "",
        "logs and shows 600,000 empty records",
        "ok",
    ),
    told("flood output", "", "shows 64 MB of output", "ok"),
    told("flood steps", "", "begins 20,000 steps", "ok"),
    told("flood counters", "", "sets 20,000 counters", "ok"),
    told(
        "flood counters with long names",
        "",
        "sets 300 counters whose names have 8 MiB",
        "ok",
    ),
    told(
        "flood large output",
        "",
        "shows 600 MiB of output, 15 MiB at a time",
        "ok",
    ),
    told("flood stderr", "", "prints, then panics", "crashed"),
    // Handles and requests.
    told("open handles", "", "opens a million steps", "over-budget"),
    told(
        "open containers",
        "",
        "opens a container a million times",
        "limit-exceeded",
    ),
    told(
        "create for ever",
        "",
        "creates volumes without end",
        "limit-exceeded",
    ),
    told(
        "flood engine",
        "",
        "asks the engine without end",
        "limit-exceeded",
    ),
    told(
        "volume with large labels",
        "",
        "labels a volume with 1 MiB",
        "limit-exceeded",
    ),
    // Little that takes much. Who may put any files into a container meets bounds instead of a denial: the
    // tests have that.
    told(
        "copy below many directories",
        "",
        "copies 30,000 files, each below 200 directories",
        "denied",
    ),
    told("copy many files", "", "copies 30,000 empty files", "denied"),
    told(
        "copy a deep path",
        "",
        "copies a file below 100 directories",
        "denied",
    ),
    told(
        "copy a long path",
        "",
        "copies a file whose path has 100 KB",
        "denied",
    ),
    told(
        "copy large files",
        "",
        "copies two files of 5 MiB",
        "denied",
    ),
    told(
        "run with many variables",
        "",
        "runs a command with 5,000 variables",
        "limit-exceeded",
    ),
    told(
        "connect with many variables",
        "",
        "connects to a command with 5,000 variables",
        "limit-exceeded",
    ),
    told(
        "mount many directories",
        "",
        "mounts 5,000 directories",
        "limit-exceeded",
    ),
    told(
        "join with many names",
        "",
        "joins a network under 5,000 names",
        "limit-exceeded",
    ),
    // Handles of others.
    at(
        "dial",
        "forge a connection",
        "",
        "returns a connection that it made up",
        "crashed",
    ),
    told(
        "forge a container",
        "",
        "starts a container that it made up",
        "crashed",
    ),
    told(
        "use what was dropped",
        "",
        "starts a container whose handle it dropped",
        "crashed",
    ),
    told(
        "take one for another",
        "",
        "starts a step as a container",
        "crashed",
    ),
    // Names of others.
    told(
        "create",
        "../../etc",
        "creates a container `../../etc`",
        "invalid-argument",
    ),
    told(
        "create",
        "buildx_buildkit_other0",
        "creates a container of another builder",
        "invalid-argument",
    ),
    told(
        "create",
        "buildx_buildkit_node0_y0",
        "creates the container of a node whose name begins as its own does",
        "invalid-argument",
    ),
    told(
        "create volume",
        "buildx_buildkit_node0_y0_state",
        "creates the state of a node whose name begins as its own does",
        "invalid-argument",
    ),
    told(
        "create volume",
        "buildx_buildkit_node0",
        "creates the state of a node whose name ends before its own does",
        "invalid-argument",
    ),
    told(
        "find",
        "postgres",
        "looks for somebody's container",
        "invalid-argument",
    ),
    told(
        "find volume",
        "buildx_buildkit_node00_state",
        "looks for another node's state",
        "invalid-argument",
    ),
    told(
        "mount volume",
        "postgres",
        "mounts somebody's volume",
        "invalid-argument",
    ),
    told(
        "copy",
        "../../etc/passwd",
        "copies a file to `../../etc/passwd`",
        "invalid-argument",
    ),
    told(
        "image",
        "moby/../image",
        "runs an image `moby/../image`",
        "invalid-argument",
    ),
    // Privileges.
    told("privileged", "", "runs a privileged container", "denied"),
    told(
        "host user namespace",
        "",
        "shares the engine's user namespace",
        "denied",
    ),
    told("bind", "/", "mounts `/` of the engine's machine", "denied"),
    told(
        "bind",
        "/srv/../etc",
        "mounts `/srv/../etc`",
        "invalid-argument",
    ),
    told(
        "volume options",
        "",
        "makes a volume of a directory",
        "denied",
    ),
    told("network", "host", "joins the host's network", "denied"),
    told(
        "network",
        "container:postgres",
        "joins somebody's network",
        "denied",
    ),
    told("devices", "", "takes all devices", "denied"),
    told(
        "cgroup-parent",
        "/other",
        "moves to another cgroup",
        "denied",
    ),
    told("pull", "image", "pulls an image", "denied"),
    told("dial tcp", "", "connects over TCP", "denied"),
    told(
        "dial local",
        "/run/docker.sock",
        "connects to the engine's socket",
        "denied",
    ),
    told("hijack", "", "speaks to the engine's BuildKit", "denied"),
    told(
        "see the environment",
        "",
        "reads environment and arguments: finds none",
        "other",
    ),
    told(
        "search memory",
        // `secret key`
        "yek terces",
        "searches its memory for the user's key: finds nothing",
        "other",
    ),
    told(
        "copy a file of the user",
        "/tmp key.pem",
        "copies the user's key to another place",
        "denied",
    ),
    told(
        "copy a file of the user many times",
        "key.pem",
        "copies the user's key 100,000 times at once",
        "invalid-argument",
    ),
    ordered(
        "describe",
        "reach out in describe",
        "asks the engine in `describe`: is refused",
        "ok",
    ),
    // Programs, and what passes through them.
    told(
        "command",
        "sh -c x",
        "runs a shell in place of BuildKit",
        "denied",
    ),
    told(
        "command",
        "--addr tcp://0.0.0.0:1234",
        "opens BuildKit to the network",
        "denied",
    ),
    told(
        "command",
        "--oci-worker-binary=/var/lib/buildkit/x",
        "names the program that runs build steps",
        "denied",
    ),
    told(
        "environment",
        "LD_PRELOAD=/var/lib/buildkit/x.so",
        "loads a library into BuildKit",
        "denied",
    ),
    told(
        "environment",
        "HTTPS_PROXY=http://evil.example",
        "leads BuildKit's traffic through a proxy",
        "denied",
    ),
    told(
        "mount at",
        "/usr/bin",
        "mounts a volume over `/usr/bin`",
        "denied",
    ),
    told(
        "mount at",
        "/var/lib/buildkit /var/lib/buildkit/link",
        "mounts through a link in a volume",
        "denied",
    ),
    told(
        "chain volumes",
        "",
        "fills a volume in one container, mounts it over programs in another",
        "denied",
    ),
    told(
        "copy program",
        "usr/bin/buildctl",
        "copies a program in place of `buildctl`",
        "denied",
    ),
    told(
        "copy program",
        "etc/buildkit/cdi/x.yaml",
        "describes a device whose hook is a program",
        "denied",
    ),
    told(
        "configure",
        "[worker.oci]\nbinary = '/var/lib/buildkit/x'",
        "configures another program for build steps",
        "denied",
    ),
    told(
        "configure",
        "[registry.'docker.io']\nmirrors = ['evil.example']",
        "configures a mirror for images",
        "denied",
    ),
    told(
        "run",
        "cat /etc/shadow",
        "runs a command of its own",
        "denied",
    ),
    told(
        "dial through",
        "sh -c tee|buildctl",
        "connects through `tee`",
        "denied",
    ),
    told(
        "dial with",
        "env",
        "leads `buildctl` to another daemon",
        "denied",
    ),
    told(
        "read a connection",
        "",
        "reads a connection to BuildKit",
        "denied",
    ),
    told("write to a connection", "", "speaks to BuildKit", "denied"),
    told(
        "label",
        "io.containers.autoupdate",
        "has the engine replace its image",
        "denied",
    ),
    // Traps.
    ordered(
        "describe",
        "panic at start",
        "traps in a start function",
        "crashed",
    ),
    ordered(
        "describe",
        "panic in describe",
        "traps in `describe`",
        "crashed",
    ),
    ordered(
        "priority",
        "panic in priority",
        "traps in `priority`",
        "crashed",
    ),
    ordered(
        "validate",
        "panic in validate",
        "traps in `validate`",
        "crashed",
    ),
    told("panic in open", "", "traps in `open`", "crashed"),
    told("panic", "", "traps in `boot`", "crashed"),
    told("create and panic", "", "creates, then traps", "crashed"),
    at("info", "panic in info", "", "traps in `info`", "crashed"),
    at("dial", "panic in dial", "", "traps in `dial`", "crashed"),
    at(
        "version",
        "panic in version",
        "",
        "traps in `version`",
        "crashed",
    ),
    at(
        "features",
        "panic in features",
        "",
        "traps in `features`",
        "crashed",
    ),
    at("stop", "panic in stop", "", "traps in `stop`", "crashed"),
    at(
        "remove",
        "panic in remove",
        "",
        "traps in `remove`",
        "crashed",
    ),
    at(
        "host-gateway",
        "panic in host-gateway",
        "",
        "traps in `host-gateway`",
        "crashed",
    ),
    told("exit", "", "ends its process", "crashed"),
    // Words.
    told("colour", "", "colours its steps, log and error", "other"),
    told(
        "colour denial",
        "",
        "retitles the terminal with a refusal",
        "denied",
    ),
    ordered(
        "describe",
        "colour describe",
        "colours its description",
        "ok",
    ),
    ordered(
        "validate",
        "colour in validate",
        "colours what it says of options",
        "invalid-configuration",
    ),
    at(
        "info",
        "nothing",
        "",
        "colours the details of its state",
        "ok",
    ),
    at(
        "features",
        "nothing",
        "",
        "colours the names of features",
        "ok",
    ),
    at("host-gateway", "nothing", "", "colours an address", "ok"),
    // Ends well and leaves what it made, or changes its mind and leaves nothing.
    told("create and fail", "", "creates, then fails", "other"),
    told(
        "create four and fail",
        "",
        "creates four containers, then fails",
        "other",
    ),
    at(
        "info",
        "create in queries",
        "",
        "creates a volume in `info`",
        "invalid-argument",
    ),
    // Words that are not its own.
    told(
        "forge a denial",
        "",
        "claims that a grant would help",
        "denied",
    ),
    told(
        "speak as the host",
        "",
        "fails with lines that look like the program's",
        "other",
    ),
    told(
        "imitate the program",
        "",
        "names its steps as those of a build, and as errors of the program",
        "other",
    ),
    // What the user is to decide by.
    ordered(
        "describe",
        "ask with 3001 patterns",
        "hides what it asks for behind 3,001 patterns",
        "not-loaded",
    ),
    ordered(
        "describe",
        "ask for a long pattern",
        "asks with a pattern of 100,000 characters",
        "not-loaded",
    ),
    ordered(
        "describe",
        "ask for no pattern",
        "asks with a pattern that may mean two things",
        "not-loaded",
    ),
    ordered(
        "describe",
        "ask for what is not seen",
        "asks with a pattern that has a letter nobody sees",
        "not-loaded",
    ),
    ordered(
        "describe",
        "ask twice",
        "asks twice for a capability",
        "not-loaded",
    ),
    ordered(
        "describe",
        "ask without end",
        "asks 10,000 times for a capability",
        "not-loaded",
    ),
    ordered(
        "describe",
        "give long reasons",
        "gives reasons of 141 characters",
        "not-loaded",
    ),
    ordered(
        "describe",
        "turn the reasons round",
        "turns round how its reasons are read",
        "not-loaded",
    ),
    ordered(
        "describe",
        "colour the reasons",
        "colours its reasons",
        "not-loaded",
    ),
    ordered(
        "describe",
        "options without end",
        "declares 10,000 options",
        "not-loaded",
    ),
    ordered(
        "describe",
        "an option with a period",
        "names an option as a part of another",
        "not-loaded",
    ),
    // Networks.
    told(
        "network options",
        "",
        "makes a network that takes the machine's interface",
        "denied",
    ),
    told(
        "network of a kind",
        "macvlan",
        "makes a network that is the machine's own",
        "denied",
    ),
];
