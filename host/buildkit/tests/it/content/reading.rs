//! Reading blobs.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::messages::{
    Empty, Filters, Infos, OfDigest, OfInfo, OfRef, OfState, ReadRequest, ReadResponse,
    WriteRequest,
};
use super::*;
use crate::session::settled;

fn of(digest: &str) -> ReadRequest {
    ReadRequest {
        digest: digest.to_owned(),
        ..Default::default()
    }
}

async fn read(caller: &Caller, request: &ReadRequest) -> Result<Vec<u8>, Status> {
    let pieces: Vec<ReadResponse> = stream_of(caller, READ, request).await?;
    let mut content = Vec::new();
    for piece in pieces {
        let start = usize::try_from(request.offset).unwrap_or_default();
        assert_eq!(piece.offset, (start + content.len()) as i64);
        content.extend(piece.data);
    }
    Ok(content)
}

async fn size(caller: &Caller, digest: &str) -> Result<i64, Status> {
    let digest = digest.to_owned();
    let response: OfInfo = call(caller, INFO, &OfDigest { digest }).await?;
    Ok(response.info.unwrap().size)
}

#[tokio::test]
async fn blobs_are_read_in_pieces() {
    let directory = TempDir::new().unwrap();
    let content: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
    let (large, empty) = (blob(&directory, &content), blob(&directory, b""));
    with(
        ContentStore::read_only(&directory).unwrap(),
        async |caller| {
            assert_eq!(size(&caller, &large).await.unwrap(), 300_000);
            assert!(read(&caller, &of(&large)).await.unwrap() == content);
            assert!(read(&caller, &of(&empty)).await.unwrap().is_empty());
            for (offset, size, expected) in [
                (10, 20, &content[10..30]),
                (299_999, 100, &content[299_999..]),
                (300_000, 0, &[][..]),
                (-5, -1, &content[..]),
                (5, i64::MAX, &content[5..]),
            ] {
                let request = ReadRequest {
                    offset,
                    size,
                    ..of(&large)
                };
                assert!(
                    read(&caller, &request).await.unwrap() == expected,
                    "{offset}"
                );
            }
            let request = ReadRequest {
                offset: 300_001,
                ..of(&large)
            };
            let status = read(&caller, &request).await.unwrap_err();
            assert_eq!(status.code(), Code::OutOfRange);
            let missing = digest(b"missing");
            for status in [
                size(&caller, &missing).await.unwrap_err(),
                read(&caller, &of(&missing)).await.unwrap_err(),
            ] {
                assert_eq!(status.code(), Code::NotFound);
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_path_is_not_a_digest() {
    let directory = TempDir::new().unwrap();
    let known = blob(&directory, b"content");
    fs::write(directory.path().join("secret"), "secret").unwrap();
    let upper = known.to_uppercase().replace("SHA", "sha");
    writing(&directory, async |caller| {
        for text in [
            "",
            "sha256:",
            "sha256:../../secret",
            "sha256:..",
            "/etc/passwd",
            &known[7..],
            &known[..70],
            &format!("{known}0"),
            &format!("sha256:../{}", &known[10..]),
            &upper,
            "sha512:ab",
        ] {
            let write = WriteRequest {
                r#ref: "r".into(),
                expected: text.to_owned(),
                ..Default::default()
            };
            let statuses = [
                size(&caller, text).await.unwrap_err(),
                read(&caller, &of(text)).await.unwrap_err(),
            ];
            for status in statuses {
                assert_eq!(status.code(), Code::InvalidArgument, "{text:?}: {status}");
            }
            if !text.is_empty() {
                let status = Writer::open(&caller).await.send(&write).await.unwrap_err();
                assert_eq!(status.code(), Code::InvalidArgument, "{text:?}: {status}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_file_whose_content_is_not_the_blob_is_not_read() {
    let directory = TempDir::new().unwrap();
    let (linked, damaged, changed) = (
        blob(&directory, b"linked"),
        blob(&directory, b"damaged"),
        blob(&directory, b"changed"),
    );
    let secret = directory.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    fs::remove_file(path(&directory, &linked)).unwrap();
    symlink(&secret, path(&directory, &linked)).unwrap();
    fs::write(path(&directory, &damaged), "damage?").unwrap();
    with(
        ContentStore::read_only(&directory).unwrap(),
        async |caller| {
            assert_eq!(read(&caller, &of(&changed)).await.unwrap(), b"changed");
            fs::write(path(&directory, &changed), "after!!").unwrap();
            for digest in [linked, damaged, changed] {
                let status = read(&caller, &of(&digest)).await.unwrap_err();
                assert_eq!(status.code(), Code::DataLoss, "{status}");
                assert!(status.message().contains(&digest), "{status}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_link_to_the_right_content_is_read() {
    let directory = TempDir::new().unwrap();
    let linked = blob(&directory, b"linked");
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(path(&directory, &linked), &elsewhere).unwrap();
    symlink(&elsewhere, path(&directory, &linked)).unwrap();
    with(
        ContentStore::read_only(&directory).unwrap(),
        async |caller| {
            assert_eq!(read(&caller, &of(&linked)).await.unwrap(), b"linked");
        },
    )
    .await;
}

#[tokio::test]
async fn only_regular_files_are_blobs() {
    let directory = TempDir::new().unwrap();
    let (pipe, folder, device) = (
        blob(&directory, b"pipe"),
        blob(&directory, b"folder"),
        blob(&directory, b"device"),
    );
    for digest in [&pipe, &folder, &device] {
        fs::remove_file(path(&directory, digest)).unwrap();
    }
    let made = Command::new("mkfifo").arg(path(&directory, &pipe)).status();
    assert!(made.unwrap().success());
    fs::create_dir(path(&directory, &folder)).unwrap();
    symlink("/dev/zero", path(&directory, &device)).unwrap();
    let known = blob(&directory, b"known");
    fs::write(directory.path().join("blobs/sha256/notes"), "").unwrap();
    with(
        ContentStore::read_only(&directory).unwrap(),
        async |caller| {
            for digest in [pipe, folder, device] {
                for status in [
                    size(&caller, &digest).await.unwrap_err(),
                    read(&caller, &of(&digest)).await.unwrap_err(),
                ] {
                    let words = "it is not a regular file";
                    assert!(status.message().ends_with(words), "{status}");
                }
            }
            let lists: Vec<Infos> = stream_of(&caller, LIST, &Filters::default()).await.unwrap();
            let listed: Vec<_> = lists.iter().flat_map(|list| &list.info).collect();
            assert_eq!(listed.len(), 1);
            assert_eq!((&listed[0].digest, listed[0].size), (&known, 5));
            let filters = vec!["labels.x".to_owned()];
            let status = stream_of::<Infos>(&caller, LIST, &Filters { filters }).await;
            assert_eq!(status.unwrap_err().code(), Code::Unimplemented);
        },
    )
    .await;
}

#[tokio::test]
async fn a_call_names_its_store() {
    let directory = TempDir::new().unwrap();
    let known = blob(&directory, b"known");
    with(
        ContentStore::read_only(&directory).unwrap(),
        async |caller| {
            for method in [INFO, LIST, READ, WRITE, STATUS, LIST_STATUSES, ABORT] {
                let request = of(&known);
                let status = caller.call(method, &[], once(&request)).await.unwrap_err();
                assert_eq!(status.code(), Code::InvalidArgument, "{method}: {status}");
                for id in ["", "local:", "local:other", "local:cache/..", "export"] {
                    let headers = [(STORE.0, id)];
                    let call = caller.call(method, &headers, once(&request));
                    let status = call.await.unwrap_err();
                    assert_eq!(status.code(), Code::NotFound, "{method} {id}: {status}");
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_cache_to_import_is_read_only() {
    let directory = TempDir::new().unwrap();
    blob(&directory, b"known");
    let before = files(directory.path());
    with(
        ContentStore::read_only(&directory).unwrap(),
        async |caller| {
            let request = WriteRequest {
                action: messages::COMMIT,
                r#ref: "r".into(),
                data: b"new".to_vec(),
                ..Default::default()
            };
            let name = OfRef { r#ref: "r".into() };
            for status in [
                Writer::open(&caller)
                    .await
                    .send(&request)
                    .await
                    .unwrap_err(),
                call::<OfState>(&caller, STATUS, &name).await.unwrap_err(),
                call::<Empty>(&caller, ABORT, &name).await.unwrap_err(),
            ] {
                assert_eq!(status.code(), Code::PermissionDenied, "{status}");
            }
            let update = call::<Empty>(&caller, UPDATE, &OfInfo::default()).await;
            assert_eq!(update.unwrap_err().code(), Code::FailedPrecondition);
        },
    )
    .await;
    assert_eq!(files(directory.path()), before);
    assert!(!directory.path().join("ingest").exists());
}

#[tokio::test]
async fn a_few_blobs_are_read_at_a_time() {
    let directory = TempDir::new().unwrap();
    let large = blob(&directory, &vec![0; 4 << 20]);
    with(
        ContentStore::read_only(&directory).unwrap(),
        async |caller| {
            let begun = Arc::new(AtomicUsize::new(0));
            let mut calls = JoinSet::new();
            for _ in 0..60 {
                let (caller, begun, request) = (caller.clone(), Arc::clone(&begun), of(&large));
                calls.spawn(async move {
                    let response = caller.start(READ, &[STORE], once(&request)).await.unwrap();
                    let mut body = response.into_body();
                    while body.frame().await.is_some() {
                        begun.fetch_add(1, Ordering::Relaxed);
                        std::future::pending::<()>().await;
                    }
                });
            }
            assert_eq!(settled(&begun, 16).await, 16);
        },
    )
    .await;
}
