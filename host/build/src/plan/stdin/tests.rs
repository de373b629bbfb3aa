//! Tests of standard input.

use super::*;

fn tar_with(name: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(12);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, name, &b"FROM scratch"[..])
        .expect("added");
    builder.into_inner().expect("ended")
}

async fn read_all(archive: &Archive) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reader = archive.take().expect("a reader");
    reader.read_to_end(&mut bytes).await.expect("read");
    bytes
}

async fn archive(bytes: Vec<u8>) -> Archive {
    match classified(Cursor::new(bytes)).await.expect("read") {
        Input::Archive(archive) => archive,
        Input::Dockerfile(bytes) => panic!("a Dockerfile: {bytes:?}"),
    }
}

#[tokio::test]
async fn the_first_bytes_decide() {
    let tar = tar_with("Dockerfile");
    for magic in COMPRESSED {
        assert!(is_archive(magic));
        let rest: Vec<u8> = magic.iter().copied().chain(0..=255).collect();
        assert_eq!(read_all(&archive(rest.clone()).await).await, rest);
    }
    assert_eq!(read_all(&archive(tar.clone()).await).await, tar);

    let mut broken = tar.clone();
    broken[0] ^= 1;
    for bytes in [
        b"FROM scratch\n".to_vec(),
        b"BZ".to_vec(),
        tar[..511].to_vec(),
        broken,
        vec![0; 2048],
        vec![b'#'; 5000],
    ] {
        match classified(Cursor::new(bytes.clone())).await.expect("read") {
            Input::Dockerfile(read) => assert_eq!(read, bytes),
            Input::Archive(_) => panic!("{bytes:?} is an archive"),
        }
    }
}

#[tokio::test]
async fn an_archive_with_a_long_name_first_is_detected_by_buildkit() {
    let long = format!("{}/Dockerfile", "d".repeat(150));
    let tar = tar_with(&long);
    assert!(needs_entry_before(&tar));
    let sent = read_all(&archive(tar.clone()).await).await;
    assert_eq!(sent.len(), tar.len() + TAR_HEADER);
    assert!(is_tar(&sent) && !needs_entry_before(&sent));
    assert!(sent.ends_with(&tar));
}

#[tokio::test]
async fn input_is_bounded_and_not_empty() {
    let empty = classified(Cursor::new(Vec::new())).await;
    assert!(matches!(empty, Err(PlanError::StdinEmpty)));
    let endless = tokio::io::repeat(b'#');
    let error = match classified(endless).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("read"),
    };
    assert!(error.contains("more than 16 MiB"), "{error}");
}

#[tokio::test]
async fn several_nodes_read_the_same_archive() {
    let mut bytes = tar_with("Dockerfile");
    bytes.resize(1 << 20, 7);
    let shared = archive(bytes.clone()).await;
    shared.share(3);
    // One node ends early.
    let mut early = shared.take().expect("a reader");
    early.read_u8().await.expect("read");
    drop(early);
    let (left, right) = tokio::join!(read_all(&shared), read_all(&shared));
    assert!(left == bytes && right == bytes);
    assert!(shared.take().is_none());
}

#[tokio::test]
async fn one_node_reads_the_archive_directly() {
    let bytes = tar_with("Dockerfile");
    let shared = archive(bytes.clone()).await;
    shared.share(1);
    assert_eq!(read_all(&shared).await, bytes);
    assert!(shared.take().is_none());
}

#[tokio::test]
async fn an_archive_of_zstd_is_decompressed() {
    let tar = tar_with("Dockerfile");
    let path = tempfile::tempdir().expect("directory");
    let file = path.path().join("a.tar");
    std::fs::write(&file, &tar).expect("written");
    let output = std::process::Command::new("zstd")
        .args(["--quiet", "--stdout"])
        .arg(&file)
        .output()
        .expect("zstd is installed");
    assert!(is_archive(&output.stdout));
    assert_eq!(read_all(&archive(output.stdout).await).await, tar);
}

#[tokio::test]
async fn every_node_sees_that_the_archive_cannot_be_read() {
    let mut bytes = tar_with("Dockerfile");
    bytes.truncate(1024);
    let broken = Cursor::new(bytes).chain(tokio_util::io::StreamReader::new(
        futures_util::stream::iter([Err::<bytes::Bytes, _>(io::Error::other("it broke"))]),
    ));
    let shared = match classified(broken).await.expect("read") {
        Input::Archive(archive) => archive,
        Input::Dockerfile(_) => panic!("no archive"),
    };
    shared.share(2);
    for _ in 0..2 {
        let mut reader = shared.take().expect("a reader");
        let error = reader.read_to_end(&mut Vec::new()).await;
        assert_eq!(error.expect_err("broken").to_string(), "it broke");
    }
}
