//! Reading the history of a daemon.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use iechor_buildkit::{Client, Code, Error};
use prost::Message as _;

const HISTORY: &str = "/moby.buildkit.v1.Control/ListenBuildHistory";
const CONTENT: &str = "/containerd.services.content.v1.Content/Read";

/// The messages that answer a call, or the status code of the failure.
type Answer = Result<BoxStream<'static, Bytes>, &'static str>;

/// Connects to a daemon that answers each call by its path.
async fn connected(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Client {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (messages, code) = match answer(request.uri().path()) {
                Ok(messages) => (messages, "0"),
                Err(code) => (stream::empty().boxed(), code),
            };
            let mut status = http::HeaderMap::new();
            status.insert("grpc-status", http::HeaderValue::from_static(code));
            let frames = messages
                .map(|message| Frame::data(framed(&message)))
                .chain(stream::once(async move { Frame::trailers(status) }));
            let body = StreamBody::new(frames.map(Ok::<_, Infallible>));
            async move {
                let response = http::Response::builder();
                let response = response.header("content-type", "application/grpc");
                Ok::<_, Infallible>(response.body(body).unwrap())
            }
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        // The test sees the end of the connection on its own side.
        let _ = server.serve_connection(TokioIo::new(theirs), service).await;
    });
    Client::connect(ours).await.unwrap()
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.extend_from_slice(message);
    frame.freeze()
}

/// Returns a message with a part of a document.
fn part(data: &[u8]) -> Bytes {
    // The field 2, of bytes.
    let mut message = BytesMut::new();
    message.put_u8(0x12);
    prost::encoding::encode_varint(data.len() as u64, &mut message);
    message.extend_from_slice(data);
    message.freeze()
}

fn attestation(kind: &str, size: i64) -> proto::Descriptor {
    let annotation = ("in-toto.io/predicate-type".to_owned(), kind.to_owned());
    proto::Descriptor {
        media_type: "application/vnd.in-toto+json".into(),
        digest: "sha256:1".into(),
        size,
        annotations: HashMap::from([annotation]),
    }
}

fn result(size: i64) -> proto::BuildResultInfo {
    proto::BuildResultInfo {
        attestations: vec![
            attestation("https://spdx.dev/Document", 1),
            attestation("https://slsa.dev/provenance/v0.2", size),
        ],
        ..proto::BuildResultInfo::default()
    }
}

fn event(record: proto::BuildHistoryRecord) -> Answer {
    let event = proto::BuildHistoryEvent {
        r#type: 1,
        record: Some(record),
    };
    let message = Bytes::from(event.encode_to_vec());
    Ok(stream::once(async move { message }).boxed())
}

#[tokio::test]
async fn the_provenance_of_each_platform_is_read() {
    let client = connected(|path| match path {
        HISTORY => event(proto::BuildHistoryRecord {
            // A result of all platforms, which has no provenance.
            result: Some(proto::BuildResultInfo::default()),
            results: HashMap::from([
                ("linux/amd64".to_owned(), result(7)),
                ("linux/arm64".to_owned(), result(7)),
            ]),
            ..proto::BuildHistoryRecord::default()
        }),
        CONTENT => Ok(stream::iter([part(b"{\"a\""), part(b":1}")]).boxed()),
        _ => Err("12"),
    })
    .await;
    let found = client.provenance("ref").await.unwrap();
    let platforms: Vec<_> = found.iter().map(|it| it.platform.as_deref()).collect();
    assert_eq!(platforms, [Some("linux/amd64"), Some("linux/arm64")]);
    for provenance in found {
        assert_eq!(provenance.document, "{\"a\":1}");
    }
}

#[tokio::test]
async fn a_daemon_without_a_history_has_no_provenance() {
    let client = connected(|_| Err("12")).await;
    assert_eq!(client.provenance("ref").await.unwrap(), []);
    let client = connected(|path| match path {
        HISTORY => Ok(stream::empty().boxed()),
        _ => Err("13"),
    })
    .await;
    assert_eq!(client.provenance("ref").await.unwrap(), []);
}

/// Returns the error of reading a document of a stated size that never ends, and the number of its parts
/// that were sent.
async fn endless(size: i64) -> (Error, usize) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let client = connected(move |path| match path {
        HISTORY => event(proto::BuildHistoryRecord {
            result: Some(result(size)),
            ..proto::BuildHistoryRecord::default()
        }),
        _ => {
            let counter = Arc::clone(&counter);
            let parts = stream::repeat_with(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                part(&[b'x'; 1 << 20])
            });
            Ok(parts.boxed())
        }
    })
    .await;
    let error = client.provenance("ref").await.unwrap_err();
    (error, sent.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_document_that_is_too_large_is_refused() {
    for (size, most) in [(i64::MAX, 0), (-1, 0), (1, 100)] {
        let (error, sent) = endless(size).await;
        assert_eq!(error.code(), Some(Code::ResourceExhausted), "{error}");
        assert!(sent <= most, "{size}: {sent} MiB were read");
    }
}
