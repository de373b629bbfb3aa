//! SSH agents that a build may use, as `RUN --mount=type=ssh` does.
//!
//! docker buildx reads the same syntax (`util/buildflags/ssh.go`).

use std::path::PathBuf;

use super::faults::Faults;

/// The ID of an agent that a build requests without a name.
const DEFAULT: &str = "default";

/// An SSH agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAgent {
    /// The name by which the build requests the agent.
    pub id: String,
    /// The socket of an agent, or the files with the keys of one; at least one path.
    pub paths: Vec<PathBuf>,
}

/// The fault of an SSH agent. The messages are those of docker buildx.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshProblem {
    /// The agent of the user is requested, but the user has none.
    #[error("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set")]
    NoSocket,
    /// Two agents have the same ID.
    #[error("duplicate agent ID {id:?}")]
    Duplicate {
        /// The ID.
        id: String,
    },
}

impl SshAgent {
    /// Parses agents. Each text is `ID`, or `ID=PATH,...` with a socket or the files of keys. `socket` is that of
    /// the user's agent (`SSH_AUTH_SOCK`), which agents without a path use. Empty texts are ignored.
    ///
    /// # Errors
    ///
    /// Returns all faults.
    pub fn parse_all<S: AsRef<str>>(
        texts: &[S],
        socket: Option<&str>,
    ) -> Result<Vec<Self>, Vec<SshProblem>> {
        let mut faults = Faults::default();
        let mut agents: Vec<Self> = Vec::new();
        for text in texts.iter().map(AsRef::as_ref) {
            if text.is_empty() {
                continue;
            }
            let Some(agent) = faults.found(Self::parse(text, socket)) else {
                continue;
            };
            if agents.iter().any(|other| other.id == agent.id) {
                faults.note(SshProblem::Duplicate { id: agent.id });
                continue;
            }
            agents.push(agent);
        }
        faults.check(agents)
    }

    /// Parses one agent.
    fn parse(text: &str, socket: Option<&str>) -> Result<Self, SshProblem> {
        let (id, paths) = text.split_once('=').unwrap_or((text, ""));
        let paths = match paths {
            "" => {
                let socket = socket.filter(|socket| !socket.is_empty());
                vec![socket.ok_or(SshProblem::NoSocket)?.into()]
            }
            paths => paths.split(',').map(PathBuf::from).collect(),
        };
        let id = if id.is_empty() { DEFAULT } else { id };
        Ok(Self {
            id: id.to_owned(),
            paths,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<Vec<(String, Vec<String>)>, String> {
        let agents = SshAgent::parse_all(texts, Some("/agent"));
        let texts = |faults: Vec<SshProblem>| {
            let texts = faults.iter().map(ToString::to_string);
            texts.collect::<Vec<_>>().join("; ")
        };
        let agents = agents.map_err(texts)?;
        let paths = |agent: &SshAgent| {
            let paths = agent.paths.iter();
            paths.map(|path| path.display().to_string()).collect()
        };
        Ok(agents
            .iter()
            .map(|agent| (agent.id.clone(), paths(agent)))
            .collect())
    }

    #[test]
    fn an_agent_is_a_socket_or_keys() {
        for (text, id, paths) in [
            ("default", "default", &["/agent"][..]),
            ("github", "github", &["/agent"]),
            ("default=", "default", &["/agent"]),
            ("=/a", "default", &["/a"]),
            ("a=/b/socket", "a", &["/b/socket"]),
            ("a=k1,k2=x", "a", &["k1", "k2=x"]),
        ] {
            let agent = (
                id.to_owned(),
                paths.iter().map(|p| (*p).to_owned()).collect(),
            );
            assert_eq!(parsed(&[text]), Ok(vec![agent]), "{text}");
        }
        assert_eq!(parsed(&["", ""]), Ok(Vec::new()));
    }

    #[test]
    fn faults_have_the_texts_of_docker_buildx() {
        let twice = parsed(&["a", "b=x", "a=y"]).expect_err("twice");
        assert_eq!(twice, "duplicate agent ID \"a\"");
        for socket in [None, Some("")] {
            let error = SshAgent::parse_all(&["default"], socket).expect_err("no socket");
            let said = "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set";
            assert_eq!(error.len(), 1, "{error:?}");
            assert_eq!(error[0].to_string(), said);
        }
        let both = SshAgent::parse_all(&["default", "a=x", "a=y"], None);
        assert_eq!(both.map_err(|faults| faults.len()), Err(2));
        let named = SshAgent::parse_all(&["default=/a"], None);
        assert_eq!(named.map(|agents| agents.len()), Ok(1));
    }
}
