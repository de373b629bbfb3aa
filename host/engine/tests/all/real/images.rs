//! Pulls and loads of images.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use iechor_engine::Engine;
use tokio::sync::mpsc;

use crate::support;

/// A stream without end that records when it is dropped.
struct Endless(Arc<AtomicBool>);

impl Stream for Endless {
    type Item = std::io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        cx.waker().wake_by_ref();
        Poll::Ready(Some(Ok(Bytes::from(vec![0; 4096]))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_pull_that_cannot_work_says_why() {
    let engine = support::real().await;
    let (events, _) = mpsc::channel(1);
    let pull = engine.pull_image("localhost:1/nothing:here", None, events);
    let error = tokio::time::timeout(Duration::from_secs(60), pull)
        .await
        .expect("at once")
        .expect_err("nothing is there");
    let text = error.to_string();
    assert!(
        text.contains("cannot pull localhost:1/nothing:here: "),
        "{text}"
    );
    assert!(
        text.contains("does not reach the registry localhost:1"),
        "{text}"
    );
    let (events, _) = mpsc::channel(1);
    let error = engine
        .pull_image("not a reference", None, events)
        .await
        .expect_err("bad");
    assert!(
        error.to_string().contains("invalid reference format"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_can_be_given_up_and_can_break_off() {
    let engine = support::real().await;
    // An archive that never ends: a header of a file larger than all that follows.
    let mut header = tar::Header::new_gnu();
    header.set_path("manifest.json").expect("short");
    header.set_size(1 << 40);
    header.set_mode(0o644);
    header.set_cksum();
    let head = Bytes::copy_from_slice(header.as_bytes());
    let dropped = Arc::new(AtomicBool::new(false));
    let endless = stream::iter([Ok(head.clone())])
        .chain(Endless(dropped.clone()))
        .boxed();
    let (events, _) = mpsc::channel(1);
    let load = engine.load_images(endless, events);
    tokio::time::timeout(Duration::from_millis(300), load)
        .await
        .expect_err("it has no end");
    for _ in 0..100 {
        if dropped.load(Ordering::Relaxed) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        dropped.load(Ordering::Relaxed),
        "the load continues although nobody waits for it"
    );

    let broken = stream::iter([Ok(head), Err(std::io::Error::other("disk on fire"))]);
    let (events, _) = mpsc::channel(1);
    let error = engine
        .load_images(broken.boxed(), events)
        .await
        .expect_err("broken");
    assert!(error.to_string().contains("disk on fire"), "{error}");
}

#[tokio::test]
async fn an_archive_that_breaks_off_at_its_end_names_no_image() {
    let engine = support::real().await;
    // The same image by another name of the same length.
    let name = support::IMAGE.replacen("engine", "broken", 1);
    assert_eq!(name.len(), support::IMAGE.len());
    let mut archive = support::image();
    let named = archive
        .windows(name.len())
        .position(|part| part == support::IMAGE.as_bytes());
    let named = named.expect("it names the image");
    archive[named..named + name.len()].copy_from_slice(name.as_bytes());
    // Everything except the end mark, at which the engine decides whether to load.
    archive.truncate(archive.len() - 1024);
    let parts = vec![
        Ok(Bytes::from(archive)),
        Err(std::io::Error::other("a name that nobody asked for")),
    ];
    let (events, _) = mpsc::channel(1);
    let error = engine
        .load_images(stream::iter(parts).boxed(), events)
        .await
        .expect_err("broken");
    assert!(error.to_string().contains("nobody asked for"), "{error}");
    let found = engine.inspect_image(&name).await.expect("it answers");
    assert!(found.is_none(), "{found:?}");
}
