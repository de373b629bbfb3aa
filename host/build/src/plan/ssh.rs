//! Checks the sockets and the keys of SSH agents before anything starts.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use iechor_buildkit::session::ssh::{Agents, Key, MAX_KEY_FILE};

use super::error::{PlanError, SshFileProblem};
use crate::spec::SshAgent;

/// Returns what the daemon may use.
///
/// # Errors
///
/// Returns the first agent that cannot be used.
pub(super) async fn find(agents: &[SshAgent]) -> Result<Agents, PlanError> {
    let mut found = Agents::default();
    for agent in agents {
        let id = agent.id.clone();
        let source = source(&agent.paths).await;
        found = match source.map_err(|problem| PlanError::Ssh {
            id: id.clone(),
            problem,
        })? {
            Source::Socket(path) => found.socket(id, path),
            Source::Keys(keys) => found.keys(id, keys),
        };
    }
    Ok(found)
}

enum Source {
    Socket(PathBuf),
    Keys(Vec<Key>),
}

async fn source(paths: &[PathBuf]) -> Result<Source, SshFileProblem> {
    let mut socket = None;
    let mut keys = Vec::new();
    for path in paths {
        if socket.is_some() {
            return Err(SshFileProblem::SeveralSockets);
        }
        match is_socket(path)? {
            true => socket = Some(path.clone()),
            false => keys.push(key(path)?),
        }
    }
    match socket {
        Some(_) if !keys.is_empty() => Err(SshFileProblem::SocketAndKeys),
        Some(path) => {
            // A socket whose agent has ended still exists.
            Agents::reach(&path)
                .await
                .map_err(|reason| SshFileProblem::Socket {
                    path: path.clone(),
                    reason,
                })?;
            Ok(Source::Socket(path))
        }
        None => Ok(Source::Keys(keys)),
    }
}

fn is_socket(path: &Path) -> Result<bool, SshFileProblem> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    Ok(metadata.file_type().is_socket())
}

fn key(path: &Path) -> Result<Key, SshFileProblem> {
    let text = iechor_files::read(path, MAX_KEY_FILE).map_err(|error| unreadable(path, error))?;
    Key::parse(&text).map_err(|fault| SshFileProblem::Key {
        path: path.to_owned(),
        fault,
    })
}

fn unreadable(path: &Path, reason: impl ToString) -> SshFileProblem {
    SshFileProblem::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    async fn fault(paths: &[&Path]) -> String {
        let agent = SshAgent {
            id: "a".into(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        };
        let error = find(&[agent]).await.expect_err("unusable").to_string();
        let start = "failed to convert agent config for ID: \"a\": ";
        error.strip_prefix(start).expect(&error).to_owned()
    }

    #[tokio::test]
    async fn sockets_are_checked() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("socket");
        let other = directory.path().join("other");
        let dead = directory.path().join("dead");
        let listener = UnixListener::bind(&path).expect("bound");
        let _other = UnixListener::bind(&other).expect("bound");
        drop(UnixListener::bind(&dead).expect("bound"));
        let missing = directory.path().join("missing");
        for (paths, words) in [
            (&[missing.as_path()][..], "cannot read /"),
            (&[&missing], "No such file or directory"),
            (&[directory.path()], "it is a directory"),
            (&[&dead], "cannot connect to /"),
            (&[&dead], "Connection refused"),
            (&[&path, &other], "only single socket allowed"),
        ] {
            let fault = fault(paths).await;
            assert!(fault.contains(words), "{fault}");
        }
        let agent = SshAgent {
            id: "a".into(),
            paths: vec![path],
        };
        find(&[agent]).await.expect("an agent");
        drop(listener);
    }

    #[tokio::test]
    async fn keys_are_checked() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("key");
        fs::write(&path, "nothing").expect("written");
        let fault = fault(&[&path]).await;
        let start = format!("failed to parse {}: ", path.display());
        assert!(fault.starts_with(&start), "{fault}");
    }
}
