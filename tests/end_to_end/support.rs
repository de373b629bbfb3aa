//! Common code of all tests: a sandbox that runs the binary, and access to the engine.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The time after which a command counts as hung. It is not a limit on performance.
const HUNG: Duration = Duration::from_secs(240);

/// The parts of the test machine.
pub struct Machine {
    /// Endpoint of the engine.
    pub docker_host: String,
    /// Whether the engine is Podman, which tells less.
    pub is_podman: bool,
    /// The BuildKit image in the engine.
    pub buildkit_image: String,
    /// The program `docker-registry`.
    pub registry: PathBuf,
    /// The program `wkg`.
    pub wkg: PathBuf,
    /// The newest Docker CLI.
    pub docker_cli: PathBuf,
    /// A directory for each architecture, with a tar archive of busybox.
    pub base: PathBuf,
    arm64: Result<(), String>,
}

/// Returns the machine, from the environment or the file that `tests/machine/prepare` writes.
pub fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/machine/env");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let optional = |name: &str| {
            std::env::var(name).ok().or_else(|| {
                let line = text
                    .lines()
                    .find_map(|line| line.strip_prefix(&format!("{name}=")))?;
                Some(line.trim_matches('\'').to_owned())
            })
        };
        let setting =
            |name: &str| {
                optional(name).filter(|value| !value.is_empty()).unwrap_or_else(|| {
                panic!(
                    "{name} is neither in the environment nor in {}: run tests/machine/prepare",
                    file.display()
                )
            })
            };
        let arm64 = match optional("IECHOR_TEST_QEMU_ARM64").as_deref() {
            Some("1") => Ok(()),
            _ => Err(optional("IECHOR_TEST_QEMU_ARM64_REASON").unwrap_or_default()),
        };
        Machine {
            docker_host: setting("DOCKER_HOST"),
            is_podman: optional("IECHOR_TEST_PODMAN").as_ref() == Some(&setting("DOCKER_HOST")),
            buildkit_image: setting("IECHOR_TEST_BUILDKIT_IMAGE"),
            registry: setting("IECHOR_TEST_REGISTRY").into(),
            wkg: setting("IECHOR_TEST_WKG").into(),
            docker_cli: setting("IECHOR_TEST_DOCKER_CLI").into(),
            base: setting("IECHOR_TEST_BASE").into(),
            arm64,
        }
    })
}

/// Fails the test if the machine cannot run arm64 programs.
pub fn require_arm64() {
    if let Err(reason) = &machine().arm64 {
        panic!("arm64 programs do not run on this machine ({reason}): run tests/machine/prepare");
    }
}

/// Returns the architecture of this machine, as in platforms.
pub fn native_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A command that ended.
pub struct Finished {
    what: String,
    status: ExitStatus,
    /// Standard output, as bytes.
    pub bytes: Vec<u8>,
    /// Standard output, as text.
    pub stdout: String,
    /// Standard error, as text.
    pub stderr: String,
}

impl Finished {
    /// Asserts that the command succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        assert!(self.status.success(), "failed: {}", self.transcript());
        self
    }

    /// Returns whether the command succeeded.
    pub fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// Asserts that the command failed with an exit status.
    #[track_caller]
    pub fn failure(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.transcript());
        self
    }

    /// Asserts that standard error contains a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "{text:?} is not said by {}",
            self.transcript()
        );
        self
    }

    /// Asserts that a line of standard error equals a text.
    #[track_caller]
    pub fn says_line(self, text: &str) -> Self {
        assert!(
            self.stderr.lines().any(|line| line == text),
            "{text:?} is no line said by {}",
            self.transcript()
        );
        self
    }

    /// Asserts that standard error does not contain a text.
    #[track_caller]
    pub fn does_not_say(self, text: &str) -> Self {
        assert!(
            !self.stderr.contains(text),
            "{text:?} is said by {}",
            self.transcript()
        );
        self
    }

    /// Asserts that plain progress contains the step of an instruction, and that its result was cached.
    #[track_caller]
    pub fn says_cached(self, instruction: &str) -> Self {
        let step = self.stderr.lines().find(|line| line.ends_with(instruction));
        let number = step.and_then(|line| line.split(' ').next());
        let number = number.unwrap_or_else(|| panic!("no {instruction}: {}", self.transcript()));
        let cached = format!("{number} CACHED");
        self.says_line(&cached)
    }

    /// Asserts that standard output equals a text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert_eq!(self.stdout, text, "{}", self.transcript());
        self
    }

    /// Asserts that standard output contains a text.
    #[track_caller]
    pub fn shows(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text),
            "{text:?} is not shown by {}",
            self.transcript()
        );
        self
    }

    /// Parses standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}", self.transcript()))
    }

    /// Describes the command and its output, for a message.
    pub fn transcript(&self) -> String {
        format!(
            "{}\n{}\n--- standard output\n{}\n--- standard error\n{}",
            self.what, self.status, self.stdout, self.stderr
        )
    }
}

/// A running command. Dropping it kills the command.
pub struct Running {
    what: String,
    child: Child,
    stdout: Collector,
    stderr: Collector,
}

impl Running {
    /// Starts a command with empty standard input.
    pub fn start(command: Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    fn start_with(mut command: Command, stdin: Stdio) -> Self {
        let what = format!("{command:?}")
            .split("\"/")
            .last()
            .unwrap_or_default()
            .to_owned();
        command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {what}: {error}"));
        Self {
            stdout: Collector::start(child.stdout.take().expect("piped")),
            stderr: Collector::start(child.stderr.take().expect("piped")),
            what,
            child,
        }
    }

    /// Waits until standard error contains a text.
    #[track_caller]
    pub fn wait_until_it_says(&mut self, text: &str) {
        wait_until(&format!("{} says {text:?}", self.what), || {
            let said = self.stderr.text();
            let found = said.contains(text);
            if !found && let Ok(Some(status)) = self.child.try_wait() {
                // Its last output may not have been read yet.
                std::thread::sleep(Duration::from_millis(100));
                let said = self.stderr.text();
                assert!(
                    said.contains(text),
                    "{} ended with {status}: {said}",
                    self.what
                );
            }
            found
        });
    }

    /// Waits until standard output contains a text followed by a line end. Returns the text in between.
    #[track_caller]
    pub fn wait_until_it_prints(&mut self, text: &str) -> String {
        let mut found = None;
        wait_until(&format!("{} prints {text:?}", self.what), || {
            let printed = self.stdout.text();
            let rest = printed.split_once(text).map(|(_, rest)| rest);
            found = rest.and_then(|rest| Some(rest.split_once('\n')?.0.to_owned()));
            found.is_some()
        });
        found.expect("found")
    }

    /// Waits until the command handles Ctrl-C itself.
    #[track_caller]
    pub fn wait_until_it_can_be_interrupted(&self) {
        let status = format!("/proc/{}/status", self.child.id());
        wait_until(&format!("{} handles Ctrl-C", self.what), || {
            let status = fs::read_to_string(&status).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            // SIGINT is signal 2.
            mask.is_some_and(|mask| mask & 0b10 != 0)
        });
    }

    /// Types at the terminal of the command.
    pub fn type_in(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("at a terminal");
        stdin.write_all(text.as_bytes()).expect("it listens");
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends a signal to the command.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        kill_process(Pid::from_raw(id).expect("a process id"), signal).expect("it runs");
    }

    /// Sends a signal to the command that it runs at a terminal.
    pub fn signal_command(&self, signal: Signal) {
        kill_process(self.command_at_terminal(), signal).expect("it runs");
    }

    /// Closes the terminal of the command, and waits until the command has ended.
    #[track_caller]
    pub fn close_terminal(self) {
        let command = self.command_at_terminal();
        drop(self);
        wait_until("the command has ended", || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", command.as_raw_nonzero()));
            stat.map_or(true, |stat| stat.contains(") Z "))
        });
    }

    fn command_at_terminal(&self) -> Pid {
        let child = self.children().into_iter().next().expect("it runs");
        let id = i32::try_from(child).expect("a process id");
        Pid::from_raw(id).expect("a process id")
    }

    /// Returns the running child processes of the command.
    pub fn children(&self) -> Vec<u32> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let tasks = fs::read_dir(tasks).into_iter().flatten().flatten();
        tasks
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|list| {
                let numbers = list.split_whitespace().map(str::parse);
                numbers.flatten().collect::<Vec<_>>()
            })
            .collect()
    }

    /// Waits until the command ends.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(
                start.elapsed() < HUNG,
                "{} hangs; it said: {}",
                self.what,
                self.stderr.text()
            );
            std::thread::sleep(Duration::from_millis(5));
        };
        let bytes = self.stdout.finish();
        Finished {
            what: self.what.clone(),
            status,
            stdout: String::from_utf8_lossy(&bytes).into_owned(),
            stderr: String::from_utf8_lossy(&self.stderr.finish()).into_owned(),
            bytes,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a stream to its end in the background.
struct Collector {
    collected: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collector {
    fn start(mut stream: impl Read + Send + 'static) -> Self {
        let collected = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&collected);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                sink.lock()
                    .expect("not poisoned")
                    .extend_from_slice(&buffer[..length]);
            }
        });
        Self {
            collected,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.collected.lock().expect("not poisoned")).into_owned()
    }

    fn finish(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("no panic");
        }
        std::mem::take(&mut *self.collected.lock().expect("not poisoned"))
    }
}

/// Waits until `condition` is true.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HUNG, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs the Docker CLI. Arguments are the words of `line`.
#[track_caller]
pub fn docker(line: &str) -> Finished {
    docker_at(&machine().docker_host, line.split_whitespace())
}

/// Runs the Docker CLI with an endpoint.
#[track_caller]
pub fn docker_at(
    endpoint: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Finished {
    let mut command = Command::new("docker");
    command.arg("--host").arg(endpoint).args(arguments);
    // No settings of the user: no credentials, no context.
    command
        .env_remove("DOCKER_HOST")
        .env_remove("DOCKER_CONTEXT")
        .env("DOCKER_CONFIG", "/nonexistent");
    Running::start(command).finish()
}

/// Returns the engine's description of an object.
#[track_caller]
pub fn inspect(object: &str) -> Value {
    docker(&format!("inspect {object}")).success().json()[0].take()
}

/// Returns the name of the container of a builder's first node.
pub fn container_of(builder: &str) -> String {
    format!("buildx_buildkit_{builder}0")
}

/// Returns the name of the state volume of a builder's first node.
pub fn volume_of(builder: &str) -> String {
    format!("buildx_buildkit_{builder}0_state")
}

/// A separate home, configuration and names for one test. Dropping it removes everything that the test created,
/// also if the test fails.
pub struct Sandbox {
    directory: TempDir,
    prefix: String,
}

impl Sandbox {
    /// Creates a sandbox.
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        machine();
        let directory = tempfile::Builder::new()
            .prefix("iechor-test-")
            .tempdir()
            .expect("directory");
        for name in ["home", "docker", "work"] {
            fs::create_dir(directory.path().join(name)).expect("directory");
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            directory,
            prefix: format!("e2e{}x{number}-", std::process::id()),
        }
    }

    /// Returns a name that no other test uses.
    pub fn name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.prefix)
    }

    /// Returns a path in the directory of the sandbox.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("work").join(name)
    }

    /// Writes a file at [`Sandbox::path`].
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).expect("written");
        path
    }

    /// Returns the home directory of the user.
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// Returns the directory of the builder store.
    pub fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// Writes the configuration of the Docker CLI.
    pub fn configure_docker(&self, configuration: &Value) {
        let path = self.directory.path().join("docker/config.json");
        fs::write(path, configuration.to_string()).expect("written");
    }

    /// Returns a command that runs the binary with the words of `line`.
    pub fn iechor(&self, line: &str) -> Invocation {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iechor"));
        command
            .args(line.split_whitespace())
            .current_dir(self.directory.path().join("work"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("BUILDX_CONFIG", self.store())
            .env("DOCKER_CONFIG", self.directory.path().join("docker"))
            .env("DOCKER_HOST", &machine().docker_host);
        Invocation {
            command,
            input: None,
        }
    }

    /// Returns a command that runs another program in the same environment. `BUILDX_CONFIG` is not set.
    pub fn program(&self, program: impl AsRef<OsStr>, line: &str) -> Invocation {
        let Invocation {
            command: binary,
            input,
        } = self.iechor("");
        let mut command = Command::new(program);
        command
            .args(line.split_whitespace())
            .current_dir(binary.get_current_dir().expect("set"))
            .env_clear();
        let variables = binary.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        command.env_remove("BUILDX_CONFIG");
        Invocation { command, input }
    }

    /// Returns the directory of the configuration of the Docker CLI.
    pub fn docker_directory(&self) -> PathBuf {
        self.directory.path().join("docker")
    }

    /// Returns a command that runs a shell script, in which `$0` is the binary.
    pub fn shell(&self, script: &str) -> Invocation {
        let Invocation {
            command: binary,
            input,
        } = self.iechor("");
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .arg(binary.get_program())
            .current_dir(binary.get_current_dir().expect("set"))
            .env_clear();
        let variables = binary.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        Invocation { command, input }
    }

    /// Returns a command that runs `iechor buildx` with the words of `line`.
    pub fn buildx(&self, line: &str) -> Invocation {
        self.iechor("buildx").words(line)
    }

    /// Creates and boots the current builder, with the flags of `line`. Returns its name.
    #[track_caller]
    pub fn booted(&self, suffix: &str, line: &str) -> String {
        let name = self.name(suffix);
        self.buildx(&format!(
            "create --name {name} --driver iechor-container --use --bootstrap"
        ))
        .words(line)
        .success();
        name
    }

    /// Creates the current builder, and does not boot it. Returns its name.
    #[track_caller]
    pub fn unbooted(&self, suffix: &str) -> String {
        let name = self.name(suffix);
        self.buildx(&format!(
            "create --name {name} --driver iechor-container --use"
        ))
        .success();
        name
    }

    /// Creates the current builder with the BuildKit at a socket. Returns its name.
    #[track_caller]
    pub fn remote(&self, suffix: &str, socket: &Path) -> String {
        let name = self.name(suffix);
        self.buildx(&format!("create --name {name} --driver remote --use"))
            .argument(format!("unix://{}", socket.display()))
            .success();
        name
    }

    /// Returns the created builders as `ls` lists them.
    #[track_caller]
    pub fn listed(&self) -> Vec<Value> {
        let listed = self.buildx("ls --format json").success();
        listed
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            // The builder of the context, which always exists.
            .filter(|builder| builder["Name"] != "default")
            .collect()
    }

    /// Returns the names of the created builders.
    #[track_caller]
    pub fn builders(&self) -> Vec<String> {
        self.listed()
            .iter()
            .map(|builder| builder["Name"].as_str().expect("a name").to_owned())
            .collect()
    }

    /// Creates a context in the format of the Docker CLI.
    pub fn docker_context(&self, name: &str, endpoint: &str) {
        let digest = Command::new("sh")
            .args(["-c", "printf %s \"$0\" | sha256sum | cut -d ' ' -f 1", name])
            .output()
            .expect("sha256sum is installed");
        let digest = String::from_utf8(digest.stdout).expect("digits");
        let folder = self.directory.path().join("docker/contexts/meta");
        let folder = folder.join(digest.trim());
        fs::create_dir_all(&folder).expect("directory");
        let meta = serde_json::json!({
            "Name": name,
            "Metadata": {},
            "Endpoints": {"docker": {"Host": endpoint, "SkipTLSVerify": false}},
        });
        fs::write(folder.join("meta.json"), meta.to_string()).expect("written");
    }

    /// Returns the containers, volumes, networks and images in the engine with a name of this sandbox.
    pub fn left_in_engine(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (kind, name) in self.objects() {
            found.insert(format!("{kind} {name}"));
        }
        found
    }

    /// Asserts that there are no builders and no objects in the engine.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.builders(), Vec::<String>::new(), "saved");
        let instances = fs::read_dir(self.store().join("instances"));
        let saved: Vec<_> = instances
            .map(|entries| {
                entries
                    .map(|entry| entry.expect("readable").file_name())
                    .collect()
            })
            .unwrap_or_default();
        assert!(saved.is_empty(), "saved: {saved:?}");
        assert_eq!(self.left_in_engine(), BTreeSet::new(), "left in the engine");
    }

    fn objects(&self) -> Vec<(&'static str, String)> {
        let prefix = &self.prefix;
        let mut objects = Vec::new();
        for (kind, line) in [
            (
                "container",
                format!("ps --all --filter name={prefix} --format {{{{.Names}}}}"),
            ),
            (
                "volume",
                format!("volume ls --quiet --filter name={prefix}"),
            ),
            (
                "network",
                format!("network ls --filter name={prefix} --format {{{{.Name}}}}"),
            ),
            (
                "image",
                "images --format {{.Repository}}:{{.Tag}}".to_owned(),
            ),
        ] {
            let listed = docker(&line);
            objects.extend(
                listed
                    .stdout
                    .lines()
                    .filter(|name| name.contains(prefix.as_str()))
                    .map(|name| (kind, name.to_owned())),
            );
        }
        objects
    }
}

impl Drop for Sandbox {
    #[expect(
        clippy::print_stderr,
        reason = "a destructor has no other way to say what it could not do"
    )]
    fn drop(&mut self) {
        // Use the engine directly, so that a broken program leaves nothing. The order matters,
        // because objects in use cannot be removed.
        for (kind, name) in self.objects() {
            let removed = match kind {
                "container" => docker(&format!("rm --force --volumes {name}")),
                _ => docker(&format!("{kind} rm {name}")),
            };
            if !removed.status.success() {
                eprintln!("left behind: {kind} {name}: {}", removed.stderr);
            }
        }
    }
}

/// A builder of a command line.
pub struct Invocation {
    command: Command,
    /// Standard input; empty without one.
    input: Option<fs::File>,
}

impl Invocation {
    /// Adds the words of `line`.
    pub fn words(mut self, line: &str) -> Self {
        self.command.args(line.split_whitespace());
        self
    }

    /// Adds one argument.
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets the working directory.
    pub fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Sets an environment variable.
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    pub fn without_variable(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Redirects standard input from a file.
    pub fn input(mut self, file: &Path) -> Self {
        self.input = Some(fs::File::open(file).expect("readable"));
        self
    }

    /// Returns the command, with its environment and its working directory.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Starts the command.
    #[track_caller]
    pub fn start(self) -> Running {
        let input = self.input.map_or_else(Stdio::null, Stdio::from);
        Running::start_with(self.command, input)
    }

    /// Starts the command at its own terminal. Standard output and standard error are combined.
    #[track_caller]
    pub fn start_at_terminal(self) -> Running {
        let quoted = |word: &OsStr| format!("'{}'", word.to_str().expect("text"));
        let mut words = vec!["exec env -i".to_owned()];
        for (name, value) in self.command.get_envs() {
            let setting = format!("{}={}", name.display(), value.unwrap_or_default().display());
            words.push(quoted(setting.as_ref()));
        }
        words.push(quoted(self.command.get_program()));
        words.extend(self.command.get_args().map(quoted));
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"exec script -q -e -c "$0" /dev/null 1>&2"#])
            .arg(words.join(" "))
            .current_dir(self.command.get_current_dir().expect("set"));
        Running::start_with(command, Stdio::piped())
    }

    /// Runs the command, and asserts that it succeeds.
    #[track_caller]
    pub fn success(self) -> Finished {
        self.start().finish().success()
    }

    /// Runs the command, and asserts that it fails with an exit status.
    #[track_caller]
    pub fn failure(self, code: i32) -> Finished {
        self.start().finish().failure(code)
    }
}

/// Returns the cells of a row of a table.
pub fn cells(row: &str) -> Vec<&str> {
    row.split("   ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

/// Returns the component of the driver `iechor-container`, which the build script built and embedded.
pub fn built_driver() -> PathBuf {
    built_component("iechor_container.wasm")
}

/// Returns a component that the build script built and embedded.
#[track_caller]
pub fn built_component(file: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_iechor"))
        .ancestors()
        .nth(2)
        .expect("above");
    let mut pending = vec![target.join("guests"), target.join("../guests")];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.file_name().is_some_and(|name| name == file) {
                return path;
            }
        }
    }
    panic!("the build script left no {file} below target/guests")
}
