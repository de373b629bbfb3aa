//! Calls that a hostile daemon may make on a session.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bollard_buildkit_proto::health::HealthCheckRequest;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::GetSecretRequest;
use bollard_buildkit_proto::moby::filesync::v1::CredentialsRequest;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use iechor_buildkit::session::auth::{Token, TokenAuthority, TokenRequest};
use iechor_buildkit::session::content::ContentStore;
use iechor_buildkit::session::secrets::Secrets;
use iechor_buildkit::session::ssh::Agents;
use iechor_buildkit::session::upload::Uploads;
use iechor_buildkit::{
    Credential, CredentialSource, ExportTarget, Exporter, Session, SolveRequest,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Code;

use crate::caller::{body, endless, once, open};
use crate::calling::calling;
use crate::content::{ABORT, INFO, LIST, LIST_STATUSES, READ, STATUS, STORE, UPDATE, WRITE};

pub const HEALTH: &str = "/grpc.health.v1.Health/Check";
const CREDENTIALS: &str = "/moby.filesync.v1.Auth/Credentials";
const FETCH_TOKEN: &str = "/moby.filesync.v1.Auth/FetchToken";
const GET_TOKEN_AUTHORITY: &str = "/moby.filesync.v1.Auth/GetTokenAuthority";
const VERIFY_TOKEN_AUTHORITY: &str = "/moby.filesync.v1.Auth/VerifyTokenAuthority";
const GET_SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
const CHECK_AGENT: &str = "/moby.sshforward.v1.SSH/CheckAgent";
const FORWARD_AGENT: &str = "/moby.sshforward.v1.SSH/ForwardAgent";
const FILE_SYNC: &str = "/moby.filesync.v1.FileSync/DiffCopy";
const FILE_SEND: &str = "/moby.filesync.v1.FileSend/DiffCopy";
const PULL: &str = "/moby.upload.v1.Upload/Pull";

/// A source that counts its look-ups, which never end.
#[derive(Default)]
struct Waiting(AtomicUsize);

#[async_trait::async_trait]
impl CredentialSource for Waiting {
    async fn credentials(&self, _: &str) -> Result<Option<Credential>, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }

    async fn token_authority(&self, _: &str) -> Result<TokenAuthority, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }

    async fn token(&self, _: TokenRequest) -> Result<Token, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }
}

/// A session that offers everything, and its context.
fn everything() -> (Session, TempDir) {
    let context = TempDir::new().unwrap();
    std::fs::write(context.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let session = Session::builder()
        .directory("context", context.path())
        .credentials(Arc::<Waiting>::default())
        .secrets(Secrets::default().value("token", "x"))
        .ssh_agents(Agents::default().keys("default", Vec::new()))
        .uploads(Uploads::default())
        .content_store(STORE.1, ContentStore::writable(context.path()).unwrap())
        .build();
    (session, context)
}

/// A build with a result that comes to this side.
pub fn exporting(kind: &str, target: ExportTarget) -> SolveRequest {
    SolveRequest {
        exporters: vec![Exporter {
            kind: kind.into(),
            target,
            ..Exporter::default()
        }],
        ..SolveRequest::dockerfile()
    }
}

pub fn to_directory(directory: &Path) -> SolveRequest {
    exporting("local", ExportTarget::Directory(directory.into()))
}

/// Waits until as many things as expected have happened, and some time for more of them.
pub async fn settled(count: &AtomicUsize, expected: usize) -> usize {
    for _ in 0..1000 {
        if count.load(Ordering::Relaxed) >= expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    count.load(Ordering::Relaxed)
}

#[tokio::test]
async fn what_is_offered_is_announced_and_nothing_else() {
    let nothing = Session::builder().build();
    calling(nothing, SolveRequest::dockerfile(), async |caller| {
        assert_eq!(caller.announced, [HEALTH]);
    })
    .await;

    let (session, context) = everything();
    calling(session, to_directory(context.path()), async |caller| {
        let mut announced = caller.announced.clone();
        announced.sort();
        let mut expected = [
            HEALTH,
            CREDENTIALS,
            FETCH_TOKEN,
            GET_TOKEN_AUTHORITY,
            VERIFY_TOKEN_AUTHORITY,
            GET_SECRET,
            CHECK_AGENT,
            FORWARD_AGENT,
            FILE_SYNC,
            FILE_SEND,
            PULL,
            INFO,
            LIST,
            READ,
            WRITE,
            STATUS,
            LIST_STATUSES,
            ABORT,
            UPDATE,
        ];
        expected.sort();
        assert_eq!(announced, expected);
    })
    .await;
}

#[tokio::test]
async fn a_method_of_a_service_that_was_not_attached_is_refused() {
    let nothing = Session::builder().build();
    calling(nothing, SolveRequest::dockerfile(), async |caller| {
        caller
            .unary(HEALTH, &HealthCheckRequest::default())
            .await
            .unwrap();
        for path in [
            CREDENTIALS,
            FETCH_TOKEN,
            GET_TOKEN_AUTHORITY,
            VERIFY_TOKEN_AUTHORITY,
            GET_SECRET,
            CHECK_AGENT,
            FORWARD_AGENT,
            FILE_SYNC,
            FILE_SEND,
            PULL,
            INFO,
            LIST,
            READ,
            WRITE,
            STATUS,
            LIST_STATUSES,
            ABORT,
            UPDATE,
        ] {
            let status = caller.call(path, &[], endless(1)).await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{path}: {status}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_method_is_refused() {
    let (session, context) = everything();
    calling(session, to_directory(context.path()), async |caller| {
        for path in [
            "/",
            "/moby.filesync.v1.Auth",
            "/moby.filesync.v1.Auth/",
            "/moby.filesync.v1.Auth/Passwords",
            "/moby.filesync.v1.auth/credentials",
            "/moby.filesync.v1.Auth/Credentials/",
            "/moby.filesync.v1.FileSync/TarStream",
            "/moby.buildkit.secrets.v1.Secrets/ListSecrets",
            "/moby.sshforward.v1.SSH/AddKey",
        ] {
            let status = caller.call(path, &[], endless(1)).await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{path}: {status}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_directory_that_was_not_offered_is_not_sent() {
    let (session, context) = everything();
    calling(session, SolveRequest::dockerfile(), async |caller| {
        let path = context.path().to_str().unwrap();
        for name in ["", "dockerfile", "Context", "context/", "..", "/", path] {
            let headers = [("dir-name", name)];
            let status = caller.call(FILE_SYNC, &headers, open()).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{name:?}: {status}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_without_a_message_is_refused() {
    let (session, _context) = everything();
    calling(session, SolveRequest::dockerfile(), async |caller| {
        for path in [HEALTH, CREDENTIALS, FETCH_TOKEN, GET_SECRET, CHECK_AGENT] {
            let call = caller.call(path, &[], body(stream::empty()));
            let status = call.await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{path}: {status}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_before_it_has_come() {
    let (session, context) = everything();
    calling(session, to_directory(context.path()), async |caller| {
        for (path, limit) in [
            (HEALTH, 64 << 10),
            (CREDENTIALS, 64 << 10),
            (FETCH_TOKEN, 64 << 10),
            (GET_TOKEN_AUTHORITY, 64 << 10),
            (VERIFY_TOKEN_AUTHORITY, 64 << 10),
            (GET_SECRET, 64 << 10),
            (CHECK_AGENT, 64 << 10),
            (FORWARD_AGENT, 64 << 10),
            (FILE_SYNC, 1 << 20),
            (FILE_SEND, 4 << 20),
            (INFO, 64 << 10),
            (LIST, 64 << 10),
            (READ, 64 << 10),
            (STATUS, 64 << 10),
            (LIST_STATUSES, 64 << 10),
            (ABORT, 64 << 10),
            (WRITE, 4 << 20),
        ] {
            for length in [limit + 1, u32::MAX as usize] {
                let headers = [("dir-name", "context"), STORE];
                let call = caller.call(path, &headers, endless(length));
                let status = call.await.unwrap_err();
                let expected = format!("a gRPC message longer than {} KiB", limit >> 10);
                assert!(status.message().contains(&expected), "{path}: {status}");
            }
        }
        // A message of exactly the limit gets an answer of the service.
        let mut request = GetSecretRequest {
            id: "x".repeat((64 << 10) - 4),
            ..Default::default()
        };
        assert_eq!(prost::Message::encoded_len(&request), 64 << 10);
        let status = caller.unary(GET_SECRET, &request).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        request.id = "token".into();
        caller.unary(GET_SECRET, &request).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn headers_are_bounded() {
    let (session, _context) = everything();
    calling(session, SolveRequest::dockerfile(), async |caller| {
        let request = HealthCheckRequest::default();
        let patterns = "x".repeat(900 << 10);
        let headers = [("exclude-patterns", patterns.as_str())];
        caller.call(HEALTH, &headers, once(&request)).await.unwrap();

        let patterns = "x".repeat(1100 << 10);
        let headers = [("exclude-patterns", patterns.as_str())];
        let served = match caller.start(HEALTH, &headers, once(&request)).await {
            Ok(response) => response.status().is_success(),
            Err(_) => false,
        };
        assert!(!served);
    })
    .await;
}

#[tokio::test]
async fn a_few_credentials_are_looked_up_at_a_time() {
    let source = Arc::<Waiting>::default();
    let session = Session::builder().credentials(Arc::clone(&source) as _);
    let request = SolveRequest::dockerfile();
    calling(session.build(), request, async |caller| {
        let mut calls = JoinSet::new();
        for number in 0..50 {
            let caller = caller.clone();
            calls.spawn(async move {
                let host = format!("registry{number}.example");
                let _ = caller
                    .unary(CREDENTIALS, &CredentialsRequest { host })
                    .await;
            });
        }
        assert_eq!(settled(&source.0, 8).await, 8);
        // Calls of other methods are not held up, and calls that end make room.
        caller
            .unary(HEALTH, &HealthCheckRequest::default())
            .await
            .unwrap();
        calls.shutdown().await;
        let (count, source) = (settled(&source.0, 8).await, Arc::clone(&source));
        tokio::spawn(async move {
            let host = "late.example".into();
            let _ = caller
                .unary(CREDENTIALS, &CredentialsRequest { host })
                .await;
        });
        assert_eq!(settled(&source.0, count + 1).await, count + 1);
    })
    .await;
}

#[tokio::test]
async fn a_few_directories_are_sent_at_a_time() {
    let (session, _context) = everything();
    calling(session, SolveRequest::dockerfile(), async |caller| {
        let begun = Arc::new(AtomicUsize::new(0));
        let mut calls = JoinSet::new();
        for _ in 0..100 {
            let (caller, begun) = (caller.clone(), Arc::clone(&begun));
            calls.spawn(async move {
                let headers = [("dir-name", "context")];
                let response = caller.start(FILE_SYNC, &headers, open()).await.unwrap();
                let mut body = response.into_body();
                while body.frame().await.is_some() {
                    begun.fetch_add(1, Ordering::Relaxed);
                    std::future::pending::<()>().await;
                }
            });
        }
        assert_eq!(settled(&begun, 32).await, 32);
    })
    .await;
}

#[tokio::test]
async fn calls_beyond_the_bound_wait() {
    let (session, context) = everything();
    calling(session, to_directory(context.path()), async |caller| {
        let answered = Arc::new(AtomicUsize::new(0));
        let mut calls = JoinSet::new();
        for _ in 0..400 {
            let (caller, answered) = (caller.clone(), Arc::clone(&answered));
            calls.spawn(async move {
                let _response = caller.start(FILE_SEND, &[], open()).await.unwrap();
                answered.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>().await;
            });
        }
        assert_eq!(settled(&answered, 128).await, 128);
    })
    .await;
}

#[tokio::test]
async fn a_result_that_is_not_read_is_held_up_and_nothing_else() {
    // The other end of this pipe is open, but not read.
    let (pipe, _reader) = tokio::io::duplex(1 << 10);
    let request = exporting("tar", ExportTarget::Stream(Box::new(pipe)));
    let (session, _context) = everything();
    calling(session, request, async |caller| {
        let (sender, receiver) = mpsc::channel::<Bytes>(1);
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let sending = caller.clone();
        let _call = tokio::spawn(async move {
            let chunks = stream::unfold(receiver, async |mut receiver| {
                Some((receiver.recv().await?, receiver))
            });
            let response = sending.start(FILE_SEND, &[], body(chunks)).await.unwrap();
            response.into_body().collect().await.unwrap();
        });
        let _writer = tokio::spawn(async move {
            // Messages of 32 KiB with a field of bytes.
            let data = bollard_buildkit_proto::moby::filesync::v1::BytesMessage {
                data: vec![7; 32 << 10],
            };
            let message = once(&data).collect().await.unwrap().to_bytes();
            for _ in 0..2000 {
                sender.send(message.clone()).await.unwrap();
                count.fetch_add(message.len(), Ordering::Relaxed);
            }
        });
        let sent = settled(&sent, 64 << 20).await;
        assert!((4 << 20..6 << 20).contains(&sent), "{sent} bytes");
        caller
            .unary(HEALTH, &HealthCheckRequest::default())
            .await
            .unwrap();
    })
    .await;
}
