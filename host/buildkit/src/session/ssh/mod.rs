//! `moby.sshforward.v1.SSH`: lets a build use SSH agents, for `RUN --mount=type=ssh` and Git over SSH.
//!
//! The daemon forwards the connections of programs in the build. Only two requests reach an agent: to list its
//! keys, and to sign with one of them (`protocol`). The agent is a program of the user behind a socket, or this
//! program with keys from files (`key`).

mod key;
mod protocol;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::moby::sshforward::v1::{
    BytesMessage, CheckAgentRequest, CheckAgentResponse,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::Status;

use super::SessionBuilder;
use super::service::{
    Handler, Method, SMALL_MESSAGE, SessionService, StreamingCall, UnaryFuture, decode,
};
use crate::grpc::framed;

pub use key::{Key, KeyFault};

/// Maximum size of a file with a key, in bytes, as in BuildKit.
pub const MAX_KEY_FILE: u64 = 100 << 10;

/// The agent of a call that names none.
const DEFAULT: &str = "default";

/// Header of a call that names the agent.
const ID_HEADER: &str = "buildkit.ssh.id";

/// Maximum number of connections to agents at the same time. A connection stays open as long as a program in the
/// build uses it.
const CONNECTIONS: usize = 64;

/// Time limit for connecting to an agent, as in BuildKit.
const CONNECT: Duration = Duration::from_secs(2);

/// Time that an agent has to answer. It may ask the user to confirm, or to touch a device.
const ANSWER: Duration = Duration::from_secs(120);

/// The SSH agents that a build may use, by ID.
///
/// ```
/// use iechor_buildkit::Session;
/// use iechor_buildkit::session::ssh::Agents;
///
/// let agents = Agents::default().socket("default", "/run/user/1000/ssh-agent");
/// let session = Session::builder().ssh_agents(agents).build();
/// ```
#[derive(Clone, Default)]
pub struct Agents(BTreeMap<String, Agent>);

#[derive(Clone)]
enum Agent {
    Socket(PathBuf),
    Keys(Arc<[Key]>),
}

impl Agents {
    /// Adds the agent that serves a socket.
    #[must_use]
    pub fn socket(mut self, id: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.0.insert(id.into(), Agent::Socket(path.into()));
        self
    }

    /// Adds an agent with these keys.
    #[must_use]
    pub fn keys(mut self, id: impl Into<String>, keys: Vec<Key>) -> Self {
        self.0.insert(id.into(), Agent::Keys(keys.into()));
        self
    }

    /// Returns whether there is no agent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that a program serves a socket.
    ///
    /// # Errors
    ///
    /// Returns the cause, for the user.
    pub async fn reach(path: &Path) -> Result<(), String> {
        connect(path).await.map(drop)
    }
}

/// Shows the IDs and the paths, not the keys.
impl fmt::Debug for Agents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(&self.0).finish()
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => formatter.debug_tuple("Socket").field(path).finish(),
            Self::Keys(keys) => write!(formatter, "Keys({})", keys.len()),
        }
    }
}

impl SessionBuilder {
    /// Lets the build use SSH agents. Replaces those of an earlier call.
    ///
    /// A build can list the keys of an agent and sign with them. All other requests are refused.
    #[must_use]
    pub fn ssh_agents(self, agents: Agents) -> Self {
        self.attach(agents)
    }
}

impl SessionService for Agents {
    const NAME: &'static str = "moby.sshforward.v1.SSH";
    const METHODS: &'static [Method<Self>] = &[
        Method {
            name: "CheckAgent",
            calls_at_once: CONNECTIONS,
            message_limit: SMALL_MESSAGE,
            handler: Handler::Unary(|service, message| check(&service, message)),
        },
        Method {
            name: "ForwardAgent",
            calls_at_once: CONNECTIONS,
            message_limit: SMALL_MESSAGE,
            handler: Handler::Streaming(|service, call| Box::pin(service.forward(call))),
        },
    ];
}

fn check(agents: &Agents, message: Bytes) -> UnaryFuture {
    let found = decode::<CheckAgentRequest>(message)
        .and_then(|request| agents.find(&request.id).map(|_| ()));
    Box::pin(async { found.map(|()| framed(&CheckAgentResponse {})) })
}

impl Agents {
    fn find(&self, id: &str) -> Result<&Agent, Status> {
        let id = if id.is_empty() { DEFAULT } else { id };
        // The text of BuildKit.
        let unknown = || Status::unknown(format!("unset ssh forward key {id}"));
        self.0.get(id).ok_or_else(unknown)
    }

    async fn forward(self: Arc<Self>, mut call: StreamingCall) -> Result<(), Status> {
        let id = call.headers.get(ID_HEADER);
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
        let mut agent = match self.find(id)? {
            Agent::Keys(keys) => Connected::Keys(Arc::clone(keys)),
            Agent::Socket(path) => {
                let socket = connect(path).await.map_err(|reason| {
                    let path = path.display();
                    Status::unknown(format!("cannot connect to the SSH agent {path}: {reason}"))
                })?;
                Connected::Socket(socket)
            }
        };
        let mut received = BytesMut::new();
        while let Some(message) = call.incoming.next().await {
            let message = message.map_err(|error| Status::unknown(error.to_string()))?;
            received.extend_from_slice(&decode::<BytesMessage>(message)?.data);
            while let Some(request) =
                protocol::take(&mut received).map_err(Status::invalid_argument)?
            {
                let answer = agent.answer(&request).await.map_err(Status::unknown)?;
                let data = protocol::frame(&answer);
                if call
                    .outgoing
                    .send(framed(&BytesMessage { data }))
                    .await
                    .is_err()
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// A connection to an agent.
enum Connected<S = UnixStream> {
    Socket(S),
    Keys(Arc<[Key]>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connected<S> {
    /// Returns the answer to a request. A request that is not permitted gets the answer of an agent that failed,
    /// and does not reach the agent.
    async fn answer(&mut self, request: &[u8]) -> Result<Bytes, String> {
        let Some(permitted) = protocol::permit(request) else {
            return Ok(protocol::failure());
        };
        match self {
            Self::Keys(keys) => Ok(protocol::answer(permitted, request, keys)),
            Self::Socket(socket) => {
                match timeout(ANSWER, protocol::ask(socket, permitted, request)).await {
                    Ok(answer) => answer.map_err(|error| format!("the SSH agent failed: {error}")),
                    Err(_) => Err(format!(
                        "the SSH agent did not answer within {} s",
                        ANSWER.as_secs()
                    )),
                }
            }
        }
    }
}

async fn connect(path: &Path) -> Result<UnixStream, String> {
    match timeout(CONNECT, UnixStream::connect(path)).await {
        Ok(connected) => connected.map_err(|error: io::Error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", CONNECT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_does_not_answer_is_not_waited_for() {
        let (near, _far) = tokio::io::duplex(1024);
        let mut agent = Connected::Socket(near);
        let error = agent.answer(&[11]).await.expect_err("no answer");
        assert_eq!(error, "the SSH agent did not answer within 120 s");
    }

    /// Returns the answer of an agent which sends these bytes.
    async fn answered(bytes: Vec<u8>, request: &[u8]) -> Result<Vec<u8>, String> {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(&bytes).await.unwrap();
        let answer = Connected::Socket(near).answer(request).await;
        drop(far);
        answer.map(|answer| answer.to_vec())
    }

    #[tokio::test]
    async fn only_answers_that_fit_the_request_are_passed_on() {
        let list: &[u8] = &[11];
        let sign: &[u8] = &[13, 0, 0, 0, 0];
        for (request, kind, passed) in [
            (list, 12, true),
            (list, 5, true),
            (list, 14, false),
            (list, 29, false),
            (sign, 14, true),
            (sign, 5, true),
            (sign, 12, false),
        ] {
            let answer = answered(vec![0, 0, 0, 2, kind, 7], request).await;
            match passed {
                true => assert_eq!(answer, Ok(vec![kind, 7])),
                false => assert!(answer.expect_err("refused").contains("unexpected answer")),
            }
        }
        for length in [0_u32, (256 << 10) + 1, u32::MAX] {
            let error = answered(length.to_be_bytes().to_vec(), list).await;
            let error = error.expect_err("refused");
            assert!(error.contains("bytes"), "{error}");
        }
    }

    #[tokio::test]
    async fn requests_that_are_not_permitted_do_not_reach_the_agent() {
        let (near, far): (DuplexStream, _) = tokio::io::duplex(1024);
        let mut agent = Connected::Socket(near);
        for kind in (0..=255).filter(|kind| ![11, 13].contains(kind)) {
            let answer = agent.answer(&[kind, 1, 2, 3]).await;
            assert_eq!(answer.as_deref(), Ok(&[5][..]), "{kind}");
        }
        drop(agent);
        let mut seen = Vec::new();
        let mut far = far;
        far.read_to_end(&mut seen).await.unwrap();
        assert!(seen.is_empty(), "{seen:?}");
    }
}
