//! Information about the version of the sources, from the git repository of the context.
//!
//! The information is a bonus: a build does not fail without it. The repository may come from anywhere, so
//! git runs without the settings that make it run other programs, with a time limit, and its output is
//! bounded.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::source::Source;
use crate::spec::VcsInfo;

/// Maximum time of one run of git.
const TIME: Duration = Duration::from_secs(10);

/// Maximum size of the output of git that is read, in bytes.
const OUTPUT_BYTES: u64 = 64 << 10;

/// Maximum length of a value that is sent, in bytes.
const LONGEST_VALUE: usize = 4 << 10;

/// Label of an image with the commit of its sources.
const REVISION_LABEL: &str = "org.opencontainers.image.revision";
/// Label of an image with the repository of its sources.
const SOURCE_LABEL: &str = "org.opencontainers.image.source";
/// Label of an image with the path of its Dockerfile in the repository.
const DOCKERFILE_LABEL: &str = "com.docker.image.source.entrypoint";

/// The information about the version of the sources.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Vcs {
    /// Attributes of the frontend, by name.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Labels of the image, by name.
    pub(crate) labels: BTreeMap<String, String>,
}

/// Reads the information of the repository that contains the context. Returns nothing if the context is
/// not local or not in a repository.
///
/// # Errors
///
/// Returns the reason why the repository in the context cannot be read.
pub(super) async fn read(wanted: VcsInfo, source: &Source) -> Result<Vcs, String> {
    let Some(context) = source.context.directory() else {
        return Ok(Vcs::default());
    };
    if !wanted.in_provenance && !wanted.as_labels {
        return Ok(Vcs::default());
    }
    let git = Git {
        program: "git",
        directory: context,
        time: TIME,
    };
    read_with(&git, wanted, source).await
}

async fn read_with(git: &Git<'_>, wanted: VcsInfo, source: &Source) -> Result<Vcs, String> {
    // Outside of a repository, git need not be installed.
    let is_repository = git.directory.join(".git").is_dir();
    let unreadable = |reason: String| match is_repository {
        true => Err(reason),
        false => Ok(Vcs::default()),
    };
    match git.line(&["rev-parse", "--is-inside-work-tree"]).await {
        Ok(inside) if inside == "true" => {}
        Ok(_) => return unreadable("the context is not in a work tree of git".to_owned()),
        Err(reason) => return unreadable(reason),
    }
    let root = match git.line(&["rev-parse", "--show-toplevel"]).await {
        Ok(root) => PathBuf::from(root),
        Err(reason) => return unreadable(reason),
    };
    let mut vcs = Vcs::default();
    // Without a commit, there is no revision.
    let revision = git
        .line(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
        .await;
    if let Ok(mut revision) = revision {
        if wanted.marks_dirty && git.is_dirty().await {
            revision += "-dirty";
        }
        vcs.add(wanted, "vcs:revision", REVISION_LABEL, revision);
    }
    if let Some(url) = git.remote().await {
        vcs.add(
            wanted,
            "vcs:source",
            SOURCE_LABEL,
            without_credentials(&url),
        );
    }
    if wanted.as_labels
        && let Some((directory, name)) = source.dockerfile.place()
        && let Some(path) = below(&root, &directory.join(name))
    {
        vcs.labels.insert(DOCKERFILE_LABEL.to_owned(), path);
    }
    if wanted.in_provenance {
        for (name, directory) in source.directories() {
            if let Some(path) = below(&root, directory) {
                vcs.attributes.insert(format!("vcs:localdir:{name}"), path);
            }
        }
    }
    Ok(vcs)
}

impl Vcs {
    fn add(&mut self, wanted: VcsInfo, attribute: &str, label: &str, value: String) {
        if value.is_empty() || value.len() > LONGEST_VALUE {
            return;
        }
        if wanted.in_provenance {
            self.attributes.insert(attribute.to_owned(), value.clone());
        }
        if wanted.as_labels {
            self.labels.insert(label.to_owned(), value);
        }
    }
}

/// Returns the path of a file relative to the root of the repository, `.` for the root itself.
fn below(root: &Path, path: &Path) -> Option<String> {
    let (root, path) = (root.canonicalize().ok()?, path.canonicalize().ok()?);
    let relative = path.strip_prefix(root).ok()?;
    let is_plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let text = relative.to_str().filter(|_| is_plain)?;
    Some(match text {
        "" => ".".to_owned(),
        text => text.to_owned(),
    })
}

/// Returns a URL without user name and password. Leaves other names of repositories unchanged.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

/// The program git in a directory.
struct Git<'a> {
    program: &'a str,
    directory: &'a Path,
    time: Duration,
}

impl Git<'_> {
    /// Returns the first line that git writes.
    async fn line(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.run(arguments).await?;
        let text = String::from_utf8(output).map_err(|_| "git did not write text".to_owned())?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// Returns whether files differ from the commit. As in docker buildx, ignored files count.
    async fn is_dirty(&self) -> bool {
        match self.run(&["status", "--porcelain", "--ignored"]).await {
            Ok(output) => !output.trim_ascii().is_empty(),
            Err(_) => true,
        }
    }

    /// Returns the URL of the remote repository: that of the current branch, `origin` or `upstream`.
    async fn remote(&self) -> Option<String> {
        let mut names = Vec::new();
        if let Ok(branch) = self.line(&["symbolic-ref", "-q", "HEAD"]).await {
            let arguments = ["for-each-ref", "--format=%(upstream:remotename)", &branch];
            names.extend(self.line(&arguments).await);
        }
        names.extend(["origin".to_owned(), "upstream".to_owned()]);
        for name in names
            .iter()
            .filter(|name| !name.is_empty() && !name.starts_with('-'))
        {
            let url = self.line(&["remote", "get-url", name]).await;
            if let Some(url) = url.ok().filter(|url| !url.is_empty()) {
                return Some(url);
            }
        }
        None
    }

    /// Runs git and returns the beginning of what it writes.
    async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let mut command = Command::new(self.program);
        command
            .arg("-C")
            .arg(self.directory)
            // Settings of the repository must not run programs.
            .args(["-c", "core.fsmonitor=false"])
            .args(["-c", "log.showSignature=false"])
            .args(arguments)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "git was not found in the system".to_owned(),
            _ => format!("cannot run git: {error}"),
        })?;
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let conversation = async {
            let read = bounded(stdout, &mut output);
            let read_errors = bounded(stderr, &mut errors);
            tokio::try_join!(read, read_errors)?;
            child.wait().await
        };
        let status = match tokio::time::timeout(self.time, conversation).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => return Err(format!("cannot run git: {error}")),
            Err(_) => return Err(format!("git did not end within {} s", self.time.as_secs())),
        };
        // A long list of files ends git early, because its rest is not read.
        match status.success() || output.len() as u64 == OUTPUT_BYTES {
            true => Ok(output),
            false => Err(failure(arguments, &errors)),
        }
    }
}

/// Reads the beginning of an output.
async fn bounded(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> io::Result<()> {
    if let Some(stream) = stream {
        stream.take(OUTPUT_BYTES).read_to_end(into).await?;
    }
    Ok(())
}

fn failure(arguments: &[&str], errors: &[u8]) -> String {
    let errors = String::from_utf8_lossy(errors);
    let reason = errors.lines().find(|line| !line.trim().is_empty());
    let command = arguments.join(" ");
    match reason {
        Some(reason) => {
            format!("failed to read current commit information with git {command}: {reason}")
        }
        None => format!("failed to read current commit information with git {command}"),
    }
}

#[cfg(test)]
mod tests;
