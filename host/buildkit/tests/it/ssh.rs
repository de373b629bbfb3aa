//! The service for SSH agents, called by the fake daemon.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use iechor_buildkit::session::ssh::Agents;
use iechor_buildkit::{Session, SolveRequest};
use prost::Message as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::caller::{Caller, body, once};
use crate::calling::calling;
use crate::session::settled;

const CHECK: &str = "/moby.sshforward.v1.SSH/CheckAgent";
const FORWARD: &str = "/moby.sshforward.v1.SSH/ForwardAgent";

/// An agent that records requests, and answers each with an answer of its kind.
struct Agent {
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    directory: TempDir,
}

impl Agent {
    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
        let requests = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u32().await {
                        let mut request = vec![0; length as usize];
                        stream.read_exact(&mut request).await.unwrap();
                        let kind = request[0];
                        seen.lock().unwrap().push(request);
                        // 12 answers 11, and 14 answers 13.
                        stream.write_all(&[0, 0, 0, 2, kind + 1, 9]).await.unwrap();
                    }
                });
            }
        });
        Self {
            requests,
            directory,
        }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.directory.path().join("socket")
    }

    fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().unwrap().clone()
    }
}

/// Returns a request with its length before it.
fn framed(request: &[u8]) -> Vec<u8> {
    let length = u32::try_from(request.len()).unwrap();
    [&length.to_be_bytes(), request].concat()
}

/// Sends chunks to an agent, ends the connection, and returns the bytes that come back.
async fn forward(caller: &Caller, id: &str, chunks: &[&[u8]]) -> Result<Vec<u8>, Status> {
    let mut messages = Vec::new();
    for chunk in chunks {
        let message = BytesMessage {
            data: chunk.to_vec(),
        };
        messages.push(once(&message).collect().await.unwrap().to_bytes());
    }
    let headers = [("buildkit.ssh.id", id)];
    let headers = if id.is_empty() { &[][..] } else { &headers };
    let response = caller
        .start(FORWARD, headers, body(stream::iter(messages)))
        .await;
    let response = response.unwrap();
    let in_headers = Status::from_header_map(response.headers());
    let collected = response.into_body().collect().await.unwrap();
    let in_trailers = collected.trailers().and_then(Status::from_header_map);
    let status = in_headers.or(in_trailers).expect("a status");
    if status.code() != Code::Ok {
        return Err(status);
    }
    let mut bytes: Bytes = collected.to_bytes();
    let mut data = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        let message = bytes.split_to(5 + length).slice(5..);
        data.extend(BytesMessage::decode(message).unwrap().data);
    }
    Ok(data)
}

async fn with(agents: Agents, test: impl AsyncFnOnce(Caller)) {
    let session = Session::builder().ssh_agents(agents).build();
    calling(session, SolveRequest::dockerfile(), test).await;
}

#[tokio::test]
async fn agents_are_found_by_id() {
    let agent = Agent::start();
    let agents = Agents::default()
        .socket("default", agent.socket())
        .keys("empty", Vec::new());
    with(agents, async |caller| {
        let check = async |id: &str| {
            caller
                .unary(CHECK, &CheckAgentRequest { id: id.into() })
                .await
        };
        for id in ["", "default", "empty"] {
            check(id).await.unwrap();
            forward(&caller, id, &[&framed(&[11])]).await.unwrap();
        }
        assert_eq!(agent.requests(), [[11], [11]]);
        for id in ["other", "Default", "/etc"] {
            let expected = format!("unset ssh forward key {id}");
            assert_eq!(check(id).await.unwrap_err().message(), expected);
            let status = forward(&caller, id, &[]).await.unwrap_err();
            assert_eq!(status.message(), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn only_listing_and_signing_reach_the_agent() {
    let agent = Agent::start();
    with(
        Agents::default().socket("default", agent.socket()),
        async |caller| {
            let list = forward(&caller, "", &[&framed(&[11])]).await.unwrap();
            assert_eq!(list, framed(&[12, 9]));
            let sign = forward(&caller, "", &[&framed(&[13, 1])]).await.unwrap();
            assert_eq!(sign, framed(&[14, 9]));
            assert_eq!(agent.requests(), [&[11][..], &[13, 1]]);
            // To add, to remove, to lock, to unlock, extensions, and what agents do not know.
            for kind in (0..=255).filter(|kind| ![11, 13].contains(kind)) {
                let refused = forward(&caller, "", &[&framed(&[kind, 1, 2])])
                    .await
                    .unwrap();
                assert_eq!(refused, framed(&[5]), "{kind}");
            }
            assert_eq!(agent.requests().len(), 2, "{:?}", agent.requests());
        },
    )
    .await;
}

#[tokio::test]
async fn requests_may_be_cut_anywhere_and_follow_each_other() {
    let agent = Agent::start();
    with(
        Agents::default().socket("default", agent.socket()),
        async |caller| {
            let bytes = [framed(&[11]), framed(&[17, 1]), framed(&[13, 2])].concat();
            let answers = [framed(&[12, 9]), framed(&[5]), framed(&[14, 9])].concat();
            for size in 1..=bytes.len() {
                let chunks: Vec<_> = bytes.chunks(size).collect();
                assert_eq!(
                    forward(&caller, "", &chunks).await.unwrap(),
                    answers,
                    "{size}"
                );
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_request_that_is_empty_or_too_long_ends_the_connection() {
    let agent = Agent::start();
    with(
        Agents::default().socket("default", agent.socket()),
        async |caller| {
            for length in [0_u32, (256 << 10) + 1, u32::MAX] {
                let status = forward(&caller, "", &[&length.to_be_bytes()])
                    .await
                    .unwrap_err();
                assert_eq!(status.code(), Code::InvalidArgument, "{status}");
            }
            assert_eq!(agent.requests().len(), 0);
        },
    )
    .await;
}

#[tokio::test]
async fn a_bounded_number_of_connections_is_open() {
    let agent = Agent::start();
    let agents = Agents::default().socket("default", agent.socket());
    with(agents, async |caller| {
        let answered = Arc::<AtomicUsize>::default();
        let mut calls = JoinSet::new();
        for _ in 0..100 {
            let (caller, answered) = (caller.clone(), Arc::clone(&answered));
            calls.spawn(async move {
                let message = BytesMessage {
                    data: framed(&[11]),
                };
                let first = once(&message).collect().await.unwrap().to_bytes();
                let first = stream::once(async { first }).chain(stream::pending());
                let response = caller.start(FORWARD, &[], body(first)).await.unwrap();
                let mut answers = response.into_body();
                if answers.frame().await.is_some() {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                std::future::pending::<()>().await;
            });
        }
        assert_eq!(settled(&answered, 64).await, 64);
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_has_ended_is_named() {
    let socket = Path::new("/nonexistent/agent");
    with(
        Agents::default().socket("default", socket),
        async |caller| {
            let status = forward(&caller, "", &[&framed(&[11])]).await.unwrap_err();
            let message = status.message();
            let start = "cannot connect to the SSH agent /nonexistent/agent: No such file";
            assert!(message.starts_with(start), "{message}");
        },
    )
    .await;
}
