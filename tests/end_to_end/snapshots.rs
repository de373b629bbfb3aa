//! Snapshots of listings and errors that need no engine, recorded in `host/cli/tests/snapshots`. A unit test of
//! the program records the help of all commands in the same directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Sets an environment in which no engine can be reached.
struct Nowhere(TempDir);

impl Nowhere {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["home", "docker", "work", "store/instances"] {
            fs::create_dir_all(directory.path().join(name)).expect("a directory");
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Runs a command. Returns its output and its exit code.
    fn run(&self, arguments: &[&str]) -> String {
        let ran = Command::new(env!("CARGO_BIN_EXE_iechor"))
            .args(arguments)
            .current_dir(self.path("work"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("BUILDX_CONFIG", self.path("store"))
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
            .output()
            .expect("it runs");
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.replace(&self.0.path().display().to_string(), "DIRECTORY")
        };
        format!(
            "$ iechor {}\n{}{}exit code {}\n",
            arguments.join(" "),
            text(&ran.stdout),
            text(&ran.stderr),
            ran.status.code().unwrap_or(-1)
        )
    }
}

#[track_caller]
fn compare(name: &str, commands: &[&[&str]], at: &Nowhere) {
    let mut settings = insta::Settings::clone_current();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let ran: Vec<_> = commands.iter().map(|command| at.run(command)).collect();
    settings.bind(|| insta::assert_snapshot!(name, ran.join("\n")));
}

#[test]
fn wrong_command_lines() {
    let at = Nowhere::new();
    compare(
        "errors-command-line",
        &[
            &[],
            &["--banana"],
            &["banana"],
            &["buildx", "biuld", "."],
            &["buildx", "build"],
            &["buildx", "build", ".", "--progress", "banana"],
            &["buildx", "build", ".", "--quiet", "--progress", "plain"],
            &["buildx", "ls", "--format", "banana"],
            &["buildx", "ls", "--format", "{{.Name"],
            &["buildx", "ls", "--timeout", "20"],
            &["buildx", "use"],
            &["buildx", "rm", "x", "--all-inactive"],
            &["buildx", "rm", "--all-inactive"],
            &["buildx", "create", "--grant", "x="],
            &["driver", "new", "My_Driver"],
            &["driver", "test"],
            &["driver", "install"],
            &["network", "rm"],
        ],
        &at,
    );
}

#[test]
fn errors_without_an_engine() {
    let at = Nowhere::new();
    fs::write(at.path("work/broken.wasm"), "no component").expect("written");
    fs::write(at.path("work/policy.toml"), "[images]\nalow = []\n").expect("written");
    compare(
        "errors-no-engine",
        &[
            &["buildx", "create", "--name", "b"],
            &["buildx", "create", "--name", "b", "--driver", "banana"],
            &["buildx", "create", "--name", "b", "--driver", "./none.wasm"],
            &["buildx", "create", "--driver", "./broken.wasm"],
            &["buildx", "create", "--driver-opt", "=x"],
            &["buildx", "create", "--append"],
            &["buildx", "build", "."],
            &["buildx", "build", "./none"],
            &["buildx", "--builder", "none", "build", "."],
            &["buildx", "inspect", "none"],
            &["buildx", "use", "none"],
            &["buildx", "stop", "none"],
            &["buildx", "rm", "none"],
            &["driver", "inspect", "none"],
            &["driver", "install", "./none.wasm"],
            &["driver", "install", "https://example.com/driver.wasm"],
            &["driver", "rm", "none"],
            &["driver", "trust", "remote", "--grant", "transport.tcp"],
            &["driver", "policy", "policy.toml"],
            &["inspect", "none"],
            &["network", "ls"],
            &["volume", "ls"],
        ],
        &at,
    );
}

#[test]
fn listings() {
    let at = Nowhere::new();
    fs::write(at.path("store/instances/broken"), "{").expect("written");
    let remote = serde_json::json!({
        "Name": "far", "Driver": "remote", "Dynamic": false, "Nodes": [{
            "Name": "far0", "Endpoint": "unix:///nonexistent/buildkit.sock",
            "Platforms": [{ "os": "linux", "architecture": "arm64" }],
            "DriverOpts": {}, "Flags": null, "Files": null,
        }],
    });
    fs::write(at.path("store/instances/far"), remote.to_string()).expect("written");
    let policy = "[drivers]\nallow = [\"built-in\"]\n\n[grants]\nforbid = [\"container.bind\"]\n\n\
                  [limits]\nmemory = \"4g\"\n";
    fs::write(at.path("work/policy.toml"), policy).expect("written");
    compare(
        "listings",
        &[
            &["version"],
            &["version", "--format", "json"],
            &["version", "--format", "v{{.Version}}"],
            &["buildx", "version"],
            &["buildx", "ls"],
            &["buildx", "ls", "--format", "json"],
            &[
                "buildx",
                "ls",
                "--format",
                "{{.Name}}: {{if .Err}}broken{{else}}{{len .Nodes}} nodes{{end}}",
            ],
            &[
                "buildx",
                "ls",
                "--format",
                r"table {{.Name}}\t{{upper .Name}}\t{{json .Current}}",
            ],
            &["buildx", "ls", "--format", "{{.Nam}}"],
            &["buildx", "inspect", "far"],
            &[
                "buildx",
                "inspect",
                "far",
                "--format",
                "{{range .Nodes}}{{.Name}} {{.Status}}{{end}}",
            ],
            &[
                "driver",
                "ls",
                "--format",
                "{{.Name}} {{.Status}} {{join .Aliases \",\"}}",
            ],
            &["driver", "trust", "remote"],
            &["driver", "verify"],
            &["driver", "policy"],
            &["driver", "policy", "policy.toml"],
            &["driver", "policy", "policy.toml", "--format", "json"],
            &[
                "driver",
                "policy",
                "policy.toml",
                "--format",
                "{{range .Files}}{{json .Rules}}{{end}}",
            ],
        ],
        &at,
    );
}
