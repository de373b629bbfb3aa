//! `--ssh`: SSH agents and keys that a build may use, with OpenSSH on both sides.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::context::{BASE, Context};
use crate::support::{Sandbox, native_architecture, wait_until};

/// Programs of OpenSSH that builds use.
const PROGRAMS: [&str; 2] = ["ssh-add", "ssh-keygen"];

/// An agent of OpenSSH that runs as long as this value exists.
struct Agent {
    socket: PathBuf,
    child: Child,
}

impl Agent {
    /// Starts an agent with a key.
    fn start(socket: PathBuf, key: &Path) -> Self {
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent is installed");
        let agent = Self { socket, child };
        wait_until("the agent listens", || agent.socket.exists());
        let added = agent.ssh_add(&["-q".as_ref(), key.as_os_str()]);
        assert!(added.status.success(), "{added:?}");
        agent
    }

    fn ssh_add(&self, arguments: &[&std::ffi::OsStr]) -> Output {
        let mut command = Command::new("ssh-add");
        let command = command.args(arguments).env("SSH_AUTH_SOCK", &self.socket);
        command.output().expect("ssh-add is installed")
    }

    /// Returns the list of the keys.
    fn keys(&self) -> String {
        let listed = self.ssh_add(&["-l".as_ref()]);
        String::from_utf8(listed.stdout).expect("text")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Creates a key with the words for `ssh-keygen`.
fn key(sandbox: &Sandbox, name: &str, words: &str) -> PathBuf {
    let path = sandbox.path(name);
    let output = Command::new("ssh-keygen")
        .args(["-q", "-C", name, "-f"])
        .arg(&path)
        .args(words.split(' '))
        .output()
        .expect("ssh-keygen is installed");
    assert!(output.status.success(), "{output:?}");
    path
}

fn fingerprint(key: &Path) -> String {
    let output = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(key)
        .output()
        .expect("runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text.split(' ').nth(1).expect("a fingerprint").to_owned()
}

/// Returns a context with the programs of OpenSSH of this machine, whose Dockerfile continues with steps.
fn context(steps: &str) -> Context {
    let context = Context::bare(&format!(
        "{BASE}ADD openssh.tar /\nRUN echo root:x:0:0:root:/root:/bin/sh >/etc/passwd\n{steps}"
    ));
    context.add_busybox(native_architecture());
    let file = fs::File::create(context.path().join("openssh.tar")).expect("made");
    let mut archive = tar::Builder::new(file);
    let mut added = std::collections::BTreeSet::new();
    for program in PROGRAMS {
        let program = format!("/usr/bin/{program}");
        let listed = Command::new("ldd")
            .arg(&program)
            .output()
            .expect("ldd is installed");
        let listed = String::from_utf8(listed.stdout).expect("text");
        let libraries = listed
            .split_whitespace()
            .filter(|word| word.starts_with('/'));
        for path in libraries.chain([program.as_str()]) {
            if added.insert(path.to_owned()) {
                // At the path itself, whatever it leads to.
                archive
                    .append_path_with_name(path, path.trim_start_matches('/'))
                    .expect("added");
            }
        }
    }
    archive.finish().expect("whole");
    context.file("data", "what is signed\n");
    context
}

/// Steps that use the agent `ID`: they list its keys, and sign with the key of the file `key.pub`.
fn listing_and_signing(id: &str) -> String {
    format!(
        "COPY key.pub data /\n\
         RUN --mount=type=ssh,id={id},required=true ssh-add -l >/listed && \
         ssh-keygen -q -Y sign -f /key.pub -n test /data\n\
         FROM scratch\nCOPY --from=base /listed /data.sig /\n"
    )
}

/// Asserts that the build listed and signed with a key.
#[track_caller]
fn assert_used(sandbox: &Sandbox, context: &Context, key: &Path) {
    let out = sandbox.path("out");
    let listed = fs::read_to_string(out.join("listed")).expect("built");
    assert!(listed.contains(&fingerprint(key)), "{listed}");
    let public = fs::read_to_string(key.with_extension("pub")).expect("there");
    let signers = sandbox.write("signers", format!("me {public}"));
    let verified = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-I", "me", "-n", "test", "-f"])
        .arg(signers)
        .arg("-s")
        .arg(out.join("data.sig"))
        .stdin(fs::File::open(context.path().join("data")).expect("there"))
        .output()
        .expect("runs");
    assert!(verified.status.success(), "{verified:?}");
    fs::remove_dir_all(out).expect("removed");
}

fn offer(context: &Context, key: &Path) {
    fs::copy(key.with_extension("pub"), context.path().join("key.pub")).expect("copied");
}

#[test]
fn a_build_uses_the_agent_of_the_user() {
    let sandbox = Sandbox::new();
    sandbox.booted("ssh", "");
    let mine = key(&sandbox, "mine", "-t ed25519 -N ");
    let agent = Agent::start(sandbox.path("agent"), &mine);
    for (id, flag) in [
        ("default", "default".to_owned()),
        ("default", format!("default={}", agent.socket.display())),
        ("github", format!("github={}", agent.socket.display())),
    ] {
        let context = context(&listing_and_signing(id));
        offer(&context, &mine);
        sandbox
            .buildx(&format!(
                "build --no-cache -o out --ssh {flag} {}",
                context.word()
            ))
            .variable("SSH_AUTH_SOCK", &agent.socket)
            .success();
        assert_used(&sandbox, &context, &mine);
    }
}

#[test]
fn a_build_uses_keys_from_files() {
    let sandbox = Sandbox::new();
    sandbox.booted("ssh", "");
    let keys = [
        key(&sandbox, "ed25519", "-t ed25519 -N "),
        key(&sandbox, "rsa", "-t rsa -b 3072 -N "),
        key(&sandbox, "ecdsa", "-t ecdsa -b 256 -m PEM -N "),
    ];
    let context = context(&listing_and_signing("default"));
    for used in &keys {
        offer(&context, used);
        sandbox
            .buildx("build -o out --ssh default=ed25519,rsa,ecdsa")
            .argument(context.path())
            .success();
        assert_used(&sandbox, &context, used);
    }
}

#[test]
fn a_build_cannot_change_an_agent() {
    let sandbox = Sandbox::new();
    sandbox.booted("ssh", "");
    let mine = key(&sandbox, "mine", "-t ed25519 -N ");
    let agent = Agent::start(sandbox.path("agent"), &mine);
    let before = agent.keys();
    let context = context(
        "COPY mine.pub /\n\
         RUN --mount=type=ssh ssh-add -l && ssh-keygen -q -t ed25519 -N '' -f /other && \
         ! ssh-add /other && ! ssh-add -d /mine.pub && ! ssh-add -D && \
         ! SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=/bin/true ssh-add -x && ssh-add -l\n",
    );
    fs::copy(mine.with_extension("pub"), context.path().join("mine.pub")).expect("copied");
    for flag in ["default", "default=mine"] {
        sandbox
            .buildx(&format!("build --no-cache --ssh {flag} {}", context.word()))
            .variable("SSH_AUTH_SOCK", &agent.socket)
            .success();
        assert_eq!(agent.keys(), before);
    }
}

#[test]
fn an_agent_that_was_not_offered_is_not_there() {
    let sandbox = Sandbox::new();
    sandbox.booted("ssh", "");
    let mine = key(&sandbox, "mine", "-t ed25519 -N ");
    let agent = Agent::start(sandbox.path("agent"), &mine);
    let context = Context::on_base("RUN --mount=type=ssh,required=true true\n");
    for (flags, message) in [
        ("", "no SSH key"),
        ("--ssh other", "unset ssh forward key default"),
    ] {
        sandbox
            .buildx(&format!("build {flags} {}", context.word()))
            .variable("SSH_AUTH_SOCK", &agent.socket)
            .failure(1)
            .says(message);
    }
}

#[test]
fn mistakes_are_reported_before_anything_boots() {
    let sandbox = Sandbox::new();
    sandbox.unbooted("unbooted");
    let context = Context::bare("FROM scratch\n");
    key(&sandbox, "locked", "-t ed25519 -N passphrase");
    key(&sandbox, "open", "-t ed25519 -N ");
    sandbox.write("text", "no key");
    let dead = sandbox.path("dead");
    drop(std::os::unix::net::UnixListener::bind(&dead).expect("bound"));
    let listener = std::os::unix::net::UnixListener::bind(sandbox.path("live")).expect("bound");
    for (flags, message) in [
        (
            "--ssh default",
            "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set",
        ),
        (
            "--ssh a=missing",
            "for ID: \"a\": cannot read missing: No such file or directory",
        ),
        (
            "--ssh a=.",
            "for ID: \"a\": cannot read .: it is a directory",
        ),
        ("--ssh a=dead", "cannot connect to dead: Connection refused"),
        ("--ssh a=text", "failed to parse text: ssh: no key found"),
        (
            "--ssh a=locked",
            "failed to parse locked: ssh: this private key is passphrase protected",
        ),
        ("--ssh a=live,live", "only single socket allowed"),
        (
            "--ssh a=open,live",
            "invalid combination of keys and sockets",
        ),
        ("--ssh a=open --ssh a=live", "duplicate agent ID \"a\""),
    ] {
        sandbox
            .buildx(&format!("build {flags} {}", context.word()))
            .failure(1)
            .says(message)
            .says("--ssh");
        assert_eq!(sandbox.left_in_engine().len(), 0, "{flags}");
    }
    drop(listener);
}
