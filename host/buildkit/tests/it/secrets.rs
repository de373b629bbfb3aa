//! The secrets service, called by the fake daemon.

use std::fs;
use std::path::Path;
use std::process::Command;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use iechor_buildkit::session::secrets::{MAX_SECRET_SIZE, Secrets};
use iechor_buildkit::{Session, SolveRequest};
use prost::Message as _;
use tempfile::TempDir;
use tonic::{Code, Status};

use crate::caller::Caller;
use crate::calling::calling;

const GET_SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";

async fn get(caller: &Caller, id: &str) -> Result<Vec<u8>, Status> {
    let request = GetSecretRequest {
        id: id.into(),
        ..Default::default()
    };
    let response = caller.unary(GET_SECRET, &request).await?;
    Ok(GetSecretResponse::decode(response).unwrap().data)
}

/// Runs a build with these secrets, and calls its session.
async fn with(secrets: Secrets, test: impl AsyncFnOnce(Caller)) {
    let session = Session::builder().secrets(secrets).build();
    calling(session, SolveRequest::dockerfile(), test).await;
}

fn written(directory: &TempDir, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn files_and_values_are_given_by_id() {
    let directory = TempDir::new().unwrap();
    let path = written(&directory, "npmrc", b"from a file\xff\n");
    let secrets = Secrets::default()
        .file("npmrc", &path)
        .value("token", "from the environment")
        .value("empty", "");
    with(secrets, async |caller| {
        assert!(caller.announced.contains(&GET_SECRET.to_owned()));
        assert_eq!(get(&caller, "npmrc").await.unwrap(), b"from a file\xff\n");
        assert_eq!(
            get(&caller, "token").await.unwrap(),
            b"from the environment"
        );
        assert_eq!(get(&caller, "empty").await.unwrap(), b"");
        // The file is read for each request.
        fs::write(&path, "new").unwrap();
        assert_eq!(get(&caller, "npmrc").await.unwrap(), b"new");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_id_is_not_found() {
    with(Secrets::default().value("token", "x"), async |caller| {
        for id in ["other", "", "TOKEN", "/etc/passwd"] {
            assert_eq!(get(&caller, id).await.unwrap_err().code(), Code::NotFound);
        }
    })
    .await;
}

#[tokio::test]
async fn a_secret_has_at_most_500_kib() {
    let directory = TempDir::new().unwrap();
    let full = vec![b'x'; MAX_SECRET_SIZE];
    let more = vec![b'x'; MAX_SECRET_SIZE + 1];
    let secrets = Secrets::default()
        .value("full value", full.clone())
        .value("large value", more.clone())
        .file("full file", written(&directory, "full", &full))
        .file("large file", written(&directory, "large", &more))
        .file("endless file", "/dev/zero");
    with(secrets, async |caller| {
        assert!(get(&caller, "full value").await.unwrap() == full);
        assert!(get(&caller, "full file").await.unwrap() == full);
        for id in ["large value", "large file", "endless file"] {
            let status = get(&caller, id).await.unwrap_err();
            assert_eq!(status.code(), Code::Unknown, "{status}");
            assert!(status.message().contains(id), "{status}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_an_error_and_not_an_unknown_id() {
    let directory = TempDir::new().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let secrets = Secrets::default()
        .file("missing", directory.path().join("missing"))
        .file("directory", directory.path())
        .file("pipe", pipe);
    with(secrets, async |caller| {
        for (id, reason) in [
            ("missing", "No such file or directory"),
            ("directory", "not a regular file"),
            ("pipe", "not a regular file"),
        ] {
            let status = get(&caller, id).await.unwrap_err();
            assert_eq!(status.code(), Code::Unknown, "{status}");
            let start = format!("cannot read secret \"{id}\": ");
            assert!(status.message().starts_with(&start), "{status}");
            assert!(status.message().contains(reason), "{status}");
        }
    })
    .await;
}

#[test]
fn values_are_not_displayed() {
    let secrets = Secrets::default()
        .value("token", "hunter2")
        .file("npmrc", Path::new("/home/me/.npmrc"));
    let shown = format!(
        "{secrets:?} {:?}",
        Session::builder().secrets(secrets.clone()).build()
    );
    assert!(
        shown.contains("token") && !shown.contains("hunter2"),
        "{shown}"
    );
}
