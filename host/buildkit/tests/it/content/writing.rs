//! Writing blobs.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::messages::{COMMIT, Empty, Filters, OfRef, OfState, STAT, States, WRITE as PIECE};
use super::*;
use crate::session::settled;

/// Returns the first message of a write of some content.
fn begin(name: &str, content: &[u8]) -> WriteRequest {
    WriteRequest {
        action: STAT,
        r#ref: name.to_owned(),
        total: content.len() as i64,
        expected: digest(content),
        ..Default::default()
    }
}

fn piece(offset: usize, data: &[u8]) -> WriteRequest {
    WriteRequest {
        action: PIECE,
        offset: offset as i64,
        data: data.to_vec(),
        ..Default::default()
    }
}

fn commit(content: &[u8]) -> WriteRequest {
    WriteRequest {
        action: COMMIT,
        offset: content.len() as i64,
        total: content.len() as i64,
        expected: digest(content),
        ..Default::default()
    }
}

/// Returns the state of the write `r`.
async fn state(caller: &Caller) -> Result<(i64, i64), Status> {
    let name = OfRef { r#ref: "r".into() };
    let status: OfState = call(caller, STATUS, &name).await?;
    let status = status.status.unwrap();
    assert!(status.started_at.is_some() && status.r#ref == "r");
    Ok((status.offset, status.total))
}

#[tokio::test]
async fn a_blob_is_written_in_pieces() {
    let directory = TempDir::new().unwrap();
    let content = b"one two three";
    writing(&directory, async |caller| {
        let mut writer = Writer::open(&caller).await;
        let begun = writer.send(&begin("r", content)).await.unwrap();
        assert_eq!((begun.action, begun.offset, begun.total), (STAT, 0, 13));
        assert_eq!(begun.digest, digest(b""));
        assert!(begun.started_at.is_some() && begun.updated_at.is_some());
        let written = writer.send(&piece(0, b"one ")).await.unwrap();
        assert_eq!((written.action, written.offset), (PIECE, 4));
        let written = writer.send(&piece(4, b"two three")).await.unwrap();
        assert_eq!(written.offset, 13);
        assert!(
            !path(&directory, &digest(content)).exists(),
            "not committed"
        );
        let done = writer.send(&commit(content)).await.unwrap();
        assert_eq!((done.action, done.offset), (COMMIT, 13));
        assert_eq!(done.digest, digest(content));

        // All at once, and without an announcement.
        let mut writer = Writer::open(&caller).await;
        let request = WriteRequest {
            action: COMMIT,
            r#ref: "other".into(),
            data: b"short".to_vec(),
            ..Default::default()
        };
        let done = writer.send(&request).await.unwrap();
        assert_eq!(done.digest, digest(b"short"));
    })
    .await;
    let mut expected = [
        path(&directory, &digest(content)),
        path(&directory, &digest(b"short")),
    ];
    let mut found = files(directory.path());
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "nothing else");
    assert_eq!(
        fs::read(path(&directory, &digest(content))).unwrap(),
        content
    );
    let mode = fs::metadata(&found[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o222, 0, "{mode:o}");
}

#[tokio::test]
async fn content_that_is_not_what_was_announced_is_refused() {
    let directory = TempDir::new().unwrap();
    writing(&directory, async |caller| {
        let announced = begin("r", b"content");
        let only_size = WriteRequest {
            expected: String::new(),
            ..announced.clone()
        };
        let commit_of = |data: &[u8]| WriteRequest {
            action: COMMIT,
            data: data.to_vec(),
            ..Default::default()
        };
        for (begun, request, code) in [
            // Another digest, another size, more than announced, another offset.
            (&announced, commit_of(b"conten1"), Code::FailedPrecondition),
            (&only_size, commit_of(b"short"), Code::FailedPrecondition),
            (&announced, piece(0, b"content and more"), Code::OutOfRange),
            (&announced, piece(3, b"tent"), Code::OutOfRange),
        ] {
            let mut writer = Writer::open(&caller).await;
            writer.send(begun).await.unwrap();
            let status = writer.send(&request).await.unwrap_err();
            assert_eq!(status.code(), code, "{status}");
        }
        assert!(
            !files(directory.path())
                .iter()
                .any(|file| file.starts_with(directory.path().join("blobs")))
        );
        // The write begins again.
        let mut writer = Writer::open(&caller).await;
        let begun = writer.send(&begin("r", b"content")).await.unwrap();
        assert_eq!(begun.offset, 0);
        writer.send(&piece(0, b"con")).await.unwrap();
        let again = writer.send(&piece(0, b"content")).await.unwrap();
        assert_eq!(again.offset, 7, "from the beginning");
        writer.send(&commit(b"content")).await.unwrap();
    })
    .await;
    until_files_are(&directory, &[path(&directory, &digest(b"content"))]).await;
}

#[tokio::test]
async fn a_blob_that_exists_is_not_written_again() {
    let directory = TempDir::new().unwrap();
    blob(&directory, b"there");
    let cut = blob(&directory, b"whole");
    fs::write(path(&directory, &cut), "who").unwrap();
    writing(&directory, async |caller| {
        let mut writer = Writer::open(&caller).await;
        let status = writer.send(&begin("r", b"there")).await.unwrap_err();
        assert_eq!(status.code(), Code::AlreadyExists);
        // A blob of another size is damaged.
        let mut writer = Writer::open(&caller).await;
        writer.send(&begin("r", b"whole")).await.unwrap();
        writer.send(&piece(0, b"whole")).await.unwrap();
        writer.send(&commit(b"whole")).await.unwrap();
    })
    .await;
    assert_eq!(fs::read(path(&directory, &cut)).unwrap(), b"whole");
}

#[tokio::test]
async fn a_write_is_resumed_until_it_is_aborted() {
    let directory = TempDir::new().unwrap();
    writing(&directory, async |caller| {
        assert_eq!(state(&caller).await.unwrap_err().code(), Code::NotFound);
        let mut writer = Writer::open(&caller).await;
        writer.send(&begin("r", b"content")).await.unwrap();
        writer.send(&piece(0, b"con")).await.unwrap();
        // While a call uses it, no other one can.
        let status = Writer::open(&caller)
            .await
            .send(&begin("r", b"content"))
            .await;
        assert_eq!(status.unwrap_err().code(), Code::Unavailable);
        drop(writer);
        let idle = async {
            while state(&caller).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), idle)
            .await
            .unwrap();
        assert_eq!(state(&caller).await.unwrap(), (3, 7));
        let states: States = call(&caller, LIST_STATUSES, &Filters::default())
            .await
            .unwrap();
        assert_eq!(states.statuses.len(), 1);

        let mut writer = Writer::open(&caller).await;
        let begun = writer.send(&begin("r", b"content")).await.unwrap();
        assert_eq!(begun.offset, 3);
        assert_eq!(begun.digest, digest(b"con"));
        writer.send(&piece(3, b"tent")).await.unwrap();
        writer.send(&commit(b"content")).await.unwrap();
        drop(writer);

        let mut writer = Writer::open(&caller).await;
        writer.send(&begin("r", b"other")).await.unwrap();
        let name = OfRef { r#ref: "r".into() };
        call::<Empty>(&caller, ABORT, &name).await.unwrap();
        assert_eq!(state(&caller).await.unwrap_err().code(), Code::NotFound);
        let status = call::<Empty>(&caller, ABORT, &name).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    })
    .await;
    until_files_are(&directory, &[path(&directory, &digest(b"content"))]).await;
}

#[tokio::test]
async fn the_name_of_a_write_is_not_a_path() {
    let directory = TempDir::new().unwrap();
    let store = directory.path().join("deep/store");
    let opened = ContentStore::writable(&store).unwrap();
    with(opened, async |caller| {
        for name in ["../../evil", "/tmp/evil", "a/b", ".", "..", "\0", "x\ny"] {
            let mut writer = Writer::open(&caller).await;
            writer.send(&begin(name, b"content")).await.unwrap();
            writer.send(&piece(0, b"con")).await.unwrap();
            let outside: Vec<_> = files(directory.path())
                .into_iter()
                .filter(|file| !file.starts_with(&store))
                .collect();
            assert!(outside.is_empty(), "{outside:?}");
            drop(writer);
        }
        for name in ["", &"x".repeat((4 << 10) + 1)] {
            let status = Writer::open(&caller)
                .await
                .send(&begin(name, b"content"))
                .await;
            assert_eq!(status.unwrap_err().code(), Code::InvalidArgument);
        }
    })
    .await;
    // The session has ended: nothing unfinished stays.
    until_files_are(&directory, &[]).await;
}

#[tokio::test]
async fn the_number_of_unfinished_writes_is_bounded() {
    let directory = TempDir::new().unwrap();
    writing(&directory, async |caller| {
        for number in 0..256 {
            let mut writer = Writer::open(&caller).await;
            writer
                .send(&begin(&format!("r{number}"), b"content"))
                .await
                .unwrap();
        }
        let mut writer = Writer::open(&caller).await;
        let status = writer.send(&begin("more", b"content")).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    })
    .await;
}

#[tokio::test]
async fn a_few_blobs_are_written_at_a_time() {
    let directory = TempDir::new().unwrap();
    writing(&directory, async |caller| {
        let begun = Arc::new(AtomicUsize::new(0));
        let mut calls = JoinSet::new();
        for number in 0..60 {
            let (caller, begun) = (caller.clone(), Arc::clone(&begun));
            calls.spawn(async move {
                let mut writer = Writer::open(&caller).await;
                writer
                    .send(&begin(&format!("r{number}"), b"content"))
                    .await
                    .unwrap();
                begun.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>().await;
            });
        }
        assert_eq!(settled(&begun, 16).await, 16);
    })
    .await;
}
