//! Files and results that go between this side and the daemon.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use iechor_buildkit::{Error, ExportTarget, Exporter, Session};
use tempfile::TempDir;
use tokio::io::AsyncWrite;

use super::{context, dockerfile, session, to_directory, to_file};
use crate::machine::machine;
use crate::{solve, vertexes};

fn tar_names(path: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(fs::File::open(path).unwrap());
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_go_to_a_directory_and_to_files() {
    let context = context("FROM scratch\nCOPY hello sub/dir/\nLABEL a=b\n");
    fs::write(context.path().join("hello"), "hello\n").unwrap();
    let out = TempDir::new().unwrap();
    let directory = out.path().join("deep/er");
    let (tar, oci, docker) = (
        out.path().join("tar"),
        out.path().join("oci"),
        out.path().join("docker"),
    );
    let daemon = machine().dial().await;

    // All at once: each call of the daemon names its exporter.
    let request = dockerfile(vec![
        to_directory(&directory),
        to_file("tar", &tar).await,
        to_file("oci", &oci).await,
        to_file("docker", &docker).await,
    ]);
    let (result, statuses) = solve(&daemon.client, request, session(&context)).await;
    let result = result.unwrap();
    assert_eq!(result.status_failure, None);
    assert!(
        result.exporter_response["containerimage.digest"].starts_with("sha256:"),
        "{result:?}"
    );
    assert_eq!(
        fs::read_to_string(directory.join("sub/dir/hello")).unwrap(),
        "hello\n"
    );
    assert!(tar_names(&tar).contains(&"sub/dir/hello".into()));
    assert!(tar_names(&oci).contains(&"index.json".into()));
    assert!(tar_names(&docker).contains(&"manifest.json".into()));
    let vertexes = vertexes(&statuses);
    let copy = vertexes
        .iter()
        .find(|vertex| vertex.name.contains("COPY hello"))
        .unwrap();
    assert!(copy.completed.is_some() && copy.error.is_empty());

    // Other files of the directory stay.
    fs::write(directory.join("mine"), "mine").unwrap();
    let (result, _) = solve(
        &daemon.client,
        dockerfile(vec![to_directory(&directory)]),
        session(&context),
    )
    .await;
    result.unwrap();
    assert!(directory.join("mine").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_context_is_not_sent_again() {
    let context = context("FROM scratch\nCOPY . /\n");
    let bytes: Vec<u8> = (0..20 << 20).map(|_| rand::random()).collect();
    fs::write(context.path().join("big"), bytes).unwrap();
    let daemon = machine().dial().await;
    let mut sent = Vec::new();
    for _ in 0..2 {
        let before = daemon.written.load(Ordering::Relaxed);
        let start = Instant::now();
        let (result, statuses) = solve(&daemon.client, dockerfile(vec![]), session(&context)).await;
        result.unwrap();
        sent.push(daemon.written.load(Ordering::Relaxed) - before);
        eprintln!("{} bytes in {:?}", sent.last().unwrap(), start.elapsed());
        if sent.len() == 2 {
            let vertexes = vertexes(&statuses);
            let copy = vertexes
                .iter()
                .find(|vertex| vertex.name.contains("COPY"))
                .unwrap();
            assert!(copy.cached, "{copy:?}");
        }
    }
    assert!(sent[0] > 20 << 20);
    assert!(sent[1] < 64 << 10, "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_dockerignore_works() {
    let context = context("FROM scratch\nCOPY . /\n");
    let mut ignored: String = (0..1100)
        .map(|n| format!("some/directory/that/is/ignored/{n:04}/ö\n"))
        .collect();
    ignored.push_str("*.log\n!keep.log\n");
    assert!(ignored.len() > 40_000);
    fs::write(context.path().join(".dockerignore"), ignored).unwrap();
    let hidden = context.path().join("some/directory/that/is/ignored/0999/ö");
    fs::create_dir_all(&hidden).unwrap();
    for name in ["a.log", "keep.log", "b.txt"] {
        fs::write(context.path().join(name), name).unwrap();
    }
    fs::write(hidden.join("x"), "x").unwrap();
    let out = TempDir::new().unwrap();
    let daemon = machine().dial().await;
    let (result, _) = solve(
        &daemon.client,
        dockerfile(vec![to_directory(out.path())]),
        session(&context),
    )
    .await;
    result.unwrap();
    let has = |name: &str| out.path().join(name).exists();
    assert!(has("keep.log") && has("b.txt"));
    assert!(!has("a.log") && !has("some/directory/that/is/ignored/0999/ö"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_directory_is_an_error_of_the_build() {
    let context = context("FROM scratch\nCOPY a b\n");
    let daemon = machine().dial().await;
    let missing = context.path().join("not here");
    let session = Session::builder()
        .directory("dockerfile", context.path())
        .directory("context", &missing)
        .build();
    let (result, _) = solve(&daemon.client, dockerfile(vec![]), session).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("not here"), "{error}");

    let session = Session::builder()
        .directory("dockerfile", context.path())
        .build();
    let (result, _) = solve(&daemon.client, dockerfile(vec![]), session).await;
    let error = result.unwrap_err().to_string();
    assert!(
        error.contains("no access allowed to dir \"context\""),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_odd_names_survive_the_way_there_and_back() {
    let context = context("FROM scratch\nCOPY tree /\n");
    let tree = context.path().join("tree");
    fs::create_dir_all(tree.join("ö ä/sub")).unwrap();
    fs::create_dir_all(tree.join("empty")).unwrap();
    let names = [
        "plain",
        "with space",
        "ü",
        "日本語",
        "-dash",
        "a\nb",
        "qu\"ote",
        "*",
        "[x]",
        ".hidden",
        "back\\slash",
    ];
    for name in names {
        fs::write(tree.join(name), name).unwrap();
        fs::write(tree.join("ö ä/sub").join(name), name).unwrap();
    }
    fs::write(tree.join("script"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(tree.join("script"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(tree.join("nothing"), "").unwrap();
    symlink("plain", tree.join("link")).unwrap();
    symlink("../../..", tree.join("ö ä/up")).unwrap();
    symlink("/nowhere/at all", tree.join("dangling")).unwrap();
    fs::hard_link(tree.join("plain"), tree.join("hard")).unwrap();

    let out = TempDir::new().unwrap();
    let daemon = machine().dial().await;
    let (result, _) = solve(
        &daemon.client,
        dockerfile(vec![to_directory(out.path())]),
        session(&context),
    )
    .await;
    result.unwrap();
    assert_eq!(listed(out.path()), listed(&tree));
}

/// Returns every entry below a directory with its properties.
fn listed(root: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, directory: &Path, all: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let mode = metadata.permissions().mode();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            let what = if metadata.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if metadata.is_dir() {
                walk(root, &path, all);
                format!("{mode:o}")
            } else {
                format!("{mode:o} {:?}", fs::read(&path).unwrap())
            };
            all.insert(name, what);
        }
    }
    let mut all = BTreeMap::new();
    walk(root, root, &mut all);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_files() {
    const COUNT: usize = 5000;
    let context = context("FROM scratch\nCOPY . /\n");
    for n in 0..COUNT {
        let directory = context.path().join(format!("d{}", n % 50));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("f{n}")), n.to_string()).unwrap();
    }
    let out = TempDir::new().unwrap();
    let daemon = machine().dial().await;
    let start = Instant::now();
    let (result, _) = solve(
        &daemon.client,
        dockerfile(vec![to_directory(out.path())]),
        session(&context),
    )
    .await;
    result.unwrap();
    eprintln!("{COUNT} files there and back in {:?}", start.elapsed());
    let mut expected = listed(context.path());
    let mut got = listed(out.path());
    expected.retain(|name, _| name.contains('/'));
    got.retain(|name, _| name.contains('/'));
    assert!(got == expected);
    assert_eq!(got.len(), COUNT);
}

/// A disk that is full after some bytes.
struct Full(usize);

impl AsyncWrite for Full {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let length = bytes.len().min(self.0);
        self.0 -= length;
        Poll::Ready(if length == 0 {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(length)
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_cannot_be_written_is_an_error_of_the_export() {
    let context = context("FROM scratch\nCOPY . /\n");
    fs::write(context.path().join("big"), vec![1; 1 << 20]).unwrap();
    let daemon = machine().dial().await;
    let full = Exporter {
        kind: "tar".into(),
        target: ExportTarget::Stream(Box::new(Full(100_000))),
        ..Exporter::default()
    };
    let (result, _) = solve(&daemon.client, dockerfile(vec![full]), session(&context)).await;
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Export { index: 0, .. }), "{error}");
    assert_eq!(error.to_string(), "tar export: no storage space");

    let below_a_file = context.path().join("big/out");
    let request = dockerfile(vec![to_directory(&below_a_file)]);
    let (result, _) = solve(&daemon.client, request, session(&context)).await;
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Export { index: 0, .. }), "{error}");
    let error = error.to_string();
    assert!(
        error.starts_with("local export: ") && error.contains("big"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_result_comes_through() {
    const SIZE: usize = 64 << 20;
    let context = context("FROM scratch\nCOPY big /\n");
    let bytes: Vec<u8> = (0..SIZE).map(|_| rand::random()).collect();
    fs::write(context.path().join("big"), &bytes).unwrap();
    let out = TempDir::new().unwrap();
    let daemon = machine().dial().await;
    for exporter in [
        to_directory(out.path()),
        to_file("tar", &out.path().join("tar")).await,
    ] {
        let start = Instant::now();
        let kind = exporter.kind.clone();
        let (result, _) = solve(
            &daemon.client,
            dockerfile(vec![exporter]),
            session(&context),
        )
        .await;
        result.unwrap();
        eprintln!("{SIZE} bytes through {kind} in {:?}", start.elapsed());
    }
    assert!(fs::read(out.path().join("big")).unwrap() == bytes);
    assert!(fs::metadata(out.path().join("tar")).unwrap().len() > SIZE as u64);
}
