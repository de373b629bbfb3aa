//! The upload service, called by the fake daemon.

use std::io::Cursor;

use iechor_buildkit::session::upload::Uploads;
use iechor_buildkit::{Session, SolveRequest};
use tokio::io::AsyncReadExt as _;
use tonic::Code;

use crate::caller::{Caller, open};
use crate::calling::calling;

const PULL: &str = "/moby.upload.v1.Upload/Pull";

/// Returns the path of a URL, as the daemon sends it.
fn path(url: &str) -> String {
    let path = url.strip_prefix("http://buildkit-session");
    path.expect("the host of a session").to_owned()
}

/// Returns the first message of a stream.
async fn pulled(caller: &Caller, path: &str) -> Result<Vec<u8>, tonic::Status> {
    let answer = caller.call(PULL, &[("urlpath", path)], open()).await?;
    Ok(answer.to_vec())
}

#[tokio::test]
async fn a_stream_is_sent_once() {
    let mut uploads = Uploads::default();
    let first = path(&uploads.add(Cursor::new(b"one".to_vec())));
    let second = path(&uploads.add(Cursor::new(b"two".to_vec())));
    let session = Session::builder().uploads(uploads).build();
    calling(session, SolveRequest::dockerfile(), async |caller| {
        assert!(caller.announced.contains(&PULL.to_owned()));
        // A field of bytes with its key and length.
        assert_eq!(pulled(&caller, &second).await.unwrap(), b"\x0a\x03two");
        assert_eq!(pulled(&caller, &first).await.unwrap(), b"\x0a\x03one");
        let again = pulled(&caller, &first).await.unwrap_err();
        assert_eq!(again.code(), Code::NotFound, "{again}");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_stream_is_not_found() {
    let mut uploads = Uploads::default();
    let known = path(&uploads.add(Cursor::new(b"one".to_vec())));
    let session = Session::builder().uploads(uploads).build();
    calling(session, SolveRequest::dockerfile(), async |caller| {
        for path in ["", "/", "/other", "/etc/passwd", &known[..10]] {
            let status = pulled(&caller, path).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{path}: {status}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_fails_the_call() {
    struct Broken;
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Err(std::io::Error::other("it broke")))
        }
    }
    let mut uploads = Uploads::default();
    let broken = path(&uploads.add(Cursor::new(b"begun".to_vec()).chain(Broken)));
    let session = Session::builder().uploads(uploads).build();
    calling(session, SolveRequest::dockerfile(), async |caller| {
        let status = pulled(&caller, &broken).await.unwrap_err();
        assert!(status.message().contains("it broke"), "{status}");
    })
    .await;
}
