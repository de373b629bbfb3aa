//! A BuildKit daemon in a container of the test engine, shared by the whole test program.

use std::collections::HashMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use iechor_buildkit::{Client, new_id};
use tokio::process::Child;

use crate::Counted;

pub struct Machine {
    engine: String,
    pub container: String,
    /// A root file system as a tar file, for `ADD` in a `FROM scratch` build.
    pub base: PathBuf,
}

/// Returns the daemon. The first call starts it.
pub fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(Machine::start)
}

fn setting(file: &HashMap<String, String>, name: &str) -> String {
    // The file takes precedence: the tests do not use the DOCKER_HOST of the developer's
    // environment.
    file.get(name)
        .cloned()
        .or_else(|| std::env::var(name).ok())
        .unwrap_or_else(|| {
            panic!(
                "{name} is neither in the environment nor in target/machine/env: \
                 run `tests/machine/prepare` to set up the test engine"
            )
        })
}

impl Machine {
    fn start() -> Self {
        let env = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/machine/env");
        let file = std::fs::read_to_string(env)
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned()))
            .collect();
        let machine = Self {
            engine: setting(&file, "DOCKER_HOST"),
            container: format!("iechor-test-{}", new_id()),
            base: PathBuf::from(setting(&file, "IECHOR_TEST_BASE")).join("amd64/busybox.tar"),
        };
        let image = setting(&file, "IECHOR_TEST_BUILDKIT_IMAGE");

        // Removes the container after this process has ended in any way, which closes the standard
        // input.
        let reaper = Command::new("sh")
            .args([
                "-c",
                "cat >/dev/null; exec docker rm --force --volumes \"$0\"",
            ])
            .arg(&machine.container)
            .env("DOCKER_HOST", &machine.engine)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::mem::forget(reaper);

        machine.docker(&[
            "run",
            "-d",
            "--privileged",
            "--name",
            &machine.container,
            &image,
        ]);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !machine.try_docker(&["exec", &machine.container, "buildctl", "debug", "workers"]) {
            assert!(
                Instant::now() < deadline,
                "BuildKit did not start within a minute"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        machine
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.engine]).args(arguments);
        command
    }

    fn try_docker(&self, arguments: &[&str]) -> bool {
        self.command(arguments).output().unwrap().status.success()
    }

    pub fn docker(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "docker {arguments:?} failed: {}\nIs the test engine up? `tests/machine/prepare` starts it.",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn exec(&self, script: &str) -> String {
        self.docker(&["exec", &self.container, "sh", "-c", script])
    }

    /// Opens a separate connection through `buildctl dial-stdio`.
    pub async fn dial(&self) -> Dialled {
        let command = self.command(&["exec", "-i", &self.container, "buildctl", "dial-stdio"]);
        let mut child = tokio::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let written = Arc::new(AtomicU64::new(0));
        let stream = Counted {
            stream: tokio::io::join(child.stdout.take().unwrap(), child.stdin.take().unwrap()),
            written: Arc::clone(&written),
        };
        Dialled {
            client: Client::connect(stream).await.unwrap(),
            child,
            written,
        }
    }
}

pub struct Dialled {
    pub client: Client,
    pub child: Child,
    /// Number of bytes that this side sent.
    pub written: Arc<AtomicU64>,
}
