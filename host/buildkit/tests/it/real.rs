//! Builds on a real BuildKit.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use iechor_buildkit::session::secrets::{MAX_SECRET_SIZE, Secrets};
use iechor_buildkit::{
    Code, Credential, CredentialSource, Error, ExportTarget, Exporter, PruneRequest, Session,
    SessionBuilder, SolveRequest, new_id, source_snippet,
};
use tempfile::TempDir;
use tokio::io::AsyncWrite;
use tokio_util::sync::CancellationToken;

use crate::machine::{Machine, machine};
use crate::{solve, solve_until, vertexes};

/// Creates a build context with a Dockerfile.
fn context(dockerfile: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("Dockerfile"), dockerfile).unwrap();
    directory
}

/// Creates a build context whose Dockerfile can run commands. `dockerfile` follows `FROM` and the
/// shell.
fn context_with_shell(machine: &Machine, dockerfile: &str) -> TempDir {
    let directory = context(&format!("FROM scratch\nADD busybox.tar /\n{dockerfile}"));
    fs::copy(&machine.base, directory.path().join("busybox.tar")).unwrap();
    directory
}

fn offering(context: &Path) -> SessionBuilder {
    Session::builder()
        .shared_key(context.to_string_lossy())
        .directory("context", context)
        .directory("dockerfile", context)
}

fn session(context: &TempDir) -> Session {
    offering(context.path()).build()
}

fn to_directory(path: &Path) -> Exporter {
    Exporter {
        kind: "local".into(),
        target: ExportTarget::Directory(path.to_owned()),
        ..Exporter::default()
    }
}

async fn to_file(kind: &str, path: &Path) -> Exporter {
    Exporter {
        kind: kind.into(),
        target: ExportTarget::Stream(Box::new(tokio::fs::File::create(path).await.unwrap())),
        ..Exporter::default()
    }
}

fn dockerfile(exporters: Vec<Exporter>) -> SolveRequest {
    SolveRequest {
        exporters,
        ..SolveRequest::dockerfile()
    }
}

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
async fn version_and_workers() {
    let daemon = machine().dial().await;
    let version = daemon.client.version().await.unwrap().unwrap();
    assert!(version.version.starts_with('v'), "{version:?}");
    assert_eq!(version.package, "github.com/moby/buildkit");
    let workers = daemon.client.workers().await.unwrap();
    let worker = &workers[0];
    assert!(worker.id.len() > 10);
    assert!(
        worker
            .labels
            .contains_key("org.mobyproject.buildkit.worker.executor")
    );
    assert!(
        worker
            .platforms
            .iter()
            .any(|platform| platform.to_string() == "linux/amd64")
    );
    assert!(!worker.gc_policy.is_empty());
    eprintln!("{version:?} {worker:?}");
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
async fn a_syntax_error_names_its_place() {
    let context = context("FROM scratch\n\nFROB nicate\nCOPY a b\n");
    let daemon = machine().dial().await;
    let (result, _) = solve(&daemon.client, dockerfile(vec![]), session(&context)).await;
    let error = result.unwrap_err();
    assert!(
        error.to_string().starts_with(
            "failed to solve: dockerfile parse error on line 3: unknown instruction: FROB"
        ),
        "{error}"
    );
    assert_eq!(
        source_snippet(&error.sources()[0]).join("\n") + "\n",
        "Dockerfile:3\n--------------------\n   1 |     FROM scratch\n   2 |     \n   3 | >>> FROB nicate\n   4 |     COPY a b\n   5 |     \n--------------------\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_names_its_place_and_vertex() {
    let machine = machine();
    let context = context_with_shell(machine, "RUN echo out; echo err >&2; exit 7\n");
    let daemon = machine.dial().await;
    let (result, statuses) = solve(&daemon.client, dockerfile(vec![]), session(&context)).await;
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to solve: process \"/bin/sh -c echo out; echo err >&2; exit 7\" did not complete successfully: exit code: 7"
    );
    assert_eq!(error.code(), Some(Code::Unknown));
    assert!(
        source_snippet(&error.sources()[0])
            .join("\n")
            .contains("   3 | >>> RUN echo out")
    );
    let Error::Solve(error) = error else {
        panic!("{error}")
    };
    let vertexes = vertexes(&statuses);
    let failed = vertexes
        .iter()
        .find(|vertex| !vertex.error.is_empty())
        .unwrap();
    assert_eq!(error.vertex.as_ref(), Some(&failed.digest));
    let output = |stream| -> Vec<u8> {
        let logs = statuses.iter().flat_map(|status| &status.logs);
        logs.filter(|log| log.stream == stream && log.vertex == failed.digest)
            .flat_map(|log| log.data.to_vec())
            .collect()
    };
    assert_eq!(
        (output(1), output(2)),
        (b"out\n".to_vec(), b"err\n".to_vec())
    );
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

/// Waits until a command with this text runs in the container, or does not run any more.
async fn until_running(machine: &Machine, text: &str, running: bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    // The brackets keep the search from finding itself.
    let script = format!("ps | grep -c '[s]leep {text}' || true");
    while (machine.exec(&script).trim() != "0") != running {
        assert!(
            Instant::now() < deadline,
            "sleep {text}: running should be {running}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Returns a number of seconds to sleep that no other test uses.
fn sleep_text() -> String {
    rand::random_range(100_000..999_999).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_ends_the_build() {
    let machine = machine();
    let seconds = sleep_text();
    let context = context_with_shell(machine, &format!("RUN sleep {seconds}\n"));
    let mut daemon = machine.dial().await;
    let client = &daemon.client;
    let child = &mut daemon.child;
    let killing = async {
        until_running(machine, &seconds, true).await;
        child.kill().await.unwrap();
        Instant::now()
    };
    let ((result, _), killed) = tokio::join!(
        solve(client, dockerfile(vec![]), session(&context)),
        killing
    );
    assert!(
        killed.elapsed() < Duration::from_secs(3),
        "{:?}",
        killed.elapsed()
    );
    let error = result.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    until_running(machine, &seconds, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_build_stops_on_the_daemon() {
    let machine = machine();
    let seconds = sleep_text();
    let context = context_with_shell(machine, &format!("RUN sleep {seconds}\n"));
    let daemon = machine.dial().await;
    let cancel = CancellationToken::new();
    let cancelling = async {
        until_running(machine, &seconds, true).await;
        cancel.cancel();
        Instant::now()
    };
    let build = solve_until(
        &daemon.client,
        dockerfile(vec![]),
        session(&context),
        cancel.clone(),
    );
    let ((result, statuses), cancelled) = tokio::join!(build, cancelling);
    assert!(
        cancelled.elapsed() < Duration::from_secs(4),
        "{:?}",
        cancelled.elapsed()
    );
    eprintln!("returned {:?} after the cancellation", cancelled.elapsed());
    assert!(matches!(result.unwrap_err(), Error::Cancelled));
    let vertexes = vertexes(&statuses);
    let run = vertexes
        .iter()
        .find(|vertex| vertex.name.contains("RUN"))
        .unwrap();
    assert!(run.error.ends_with("context canceled"), "{run:?}");
    until_running(machine, &seconds, false).await;

    // The connection still works. A dropped build stops as well.
    let seconds = sleep_text();
    let context = context_with_shell(machine, &format!("RUN sleep {seconds}\n"));
    tokio::select! {
        (result, _) = solve(&daemon.client, dockerfile(vec![]), session(&context)) => panic!("{result:?}"),
        () = until_running(machine, &seconds, true) => {}
    }
    until_running(machine, &seconds, false).await;
    daemon.client.version().await.unwrap();
}

#[derive(Default)]
struct Asked(Mutex<Vec<String>>);

#[async_trait::async_trait]
impl CredentialSource for Asked {
    async fn credentials(&self, host: &str) -> Result<Option<Credential>, String> {
        self.0.lock().unwrap().push(host.to_owned());
        Ok(Some(Credential {
            username: "me".into(),
            secret: "hunter2".into(),
        }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_asked_for_and_used() {
    let machine = machine();
    // A registry that always requires a login, and records the credentials.
    machine.exec(
        r#"cat >/tmp/registry <<'END'
#!/bin/sh
while read -r line; do
  line=$(printf %s "$line" | tr -d '\r')
  [ -n "$line" ] || break
  case $line in Authorization:*|authorization:*) echo "$line" >>/tmp/asked;; esac
done
printf 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="test"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
END
chmod +x /tmp/registry"#,
    );
    machine.docker(&[
        "exec",
        "-d",
        &machine.container,
        "nc",
        "-ll",
        "-p",
        "5777",
        "-e",
        "/tmp/registry",
    ]);
    let context = context("FROM localhost:5777/some/image\n");
    let daemon = machine.dial().await;
    let asked = Arc::new(Asked::default());
    let session = offering(context.path())
        .credentials(Arc::clone(&asked) as _)
        .build();
    let (result, _) = solve(&daemon.client, dockerfile(vec![]), session).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("401 Unauthorized"), "{error}");
    assert_eq!(
        asked.0.lock().unwrap().first().map(String::as_str),
        Some("localhost:5777")
    );
    // me:hunter2
    let used = machine.exec("cat /tmp/asked");
    assert!(used.contains("Basic bWU6aHVudGVyMg=="), "{used}");

    struct Failing;
    #[async_trait::async_trait]
    impl CredentialSource for Failing {
        async fn credentials(&self, _: &str) -> Result<Option<Credential>, String> {
            Err("the helper is broken".into())
        }
    }
    let session = offering(context.path())
        .credentials(Arc::new(Failing))
        .build();
    let (result, _) = solve(&daemon.client, dockerfile(vec![]), session).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("the helper is broken"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_mounted_and_nothing_of_them_stays() {
    let machine = machine();
    let context = context_with_shell(
        machine,
        "RUN --mount=type=secret,id=token --mount=type=secret,id=npmrc,target=/root/.npmrc \\\n\
         \x20   cat /run/secrets/token /root/.npmrc | md5sum >/sum; wc -c </root/.npmrc >/size\n",
    );
    let (value, file) = (new_id(), vec![b'x'; MAX_SECRET_SIZE]);
    let (path, out) = (context.path().join("npmrc"), TempDir::new().unwrap());
    fs::write(&path, &file).unwrap();
    fs::write(context.path().join(".dockerignore"), "npmrc\n").unwrap();
    let daemon = machine.dial().await;
    let secrets = Secrets::default()
        .value("token", value.clone())
        .file("npmrc", &path);
    let session = offering(context.path()).secrets(secrets).build();
    let request = dockerfile(vec![to_directory(out.path())]);
    let (result, statuses) = solve(&daemon.client, request, session).await;
    result.unwrap();
    let size = fs::read_to_string(out.path().join("size")).unwrap();
    assert_eq!(size.trim(), MAX_SECRET_SIZE.to_string());
    let expected = machine.exec(&format!(
        "(printf {value}; head -c {MAX_SECRET_SIZE} /dev/zero | tr '\\0' x) | md5sum"
    ));
    let sum = fs::read_to_string(out.path().join("sum")).unwrap();
    assert_eq!(sum, expected);
    assert!(!format!("{statuses:?}").contains(&value));
    let left = fs::metadata(out.path().join("run/secrets/token"));
    assert!(left.is_err() || left.unwrap().len() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_given_fails_the_build_with_the_reason() {
    let machine = machine();
    let daemon = machine.dial().await;
    let build = async |mount: &str, secrets: Secrets| {
        let context =
            context_with_shell(machine, &format!("RUN --mount=type=secret,{mount} true\n"));
        let session = offering(context.path()).secrets(secrets).build();
        let (result, _) = solve(&daemon.client, dockerfile(vec![]), session).await;
        result.map_err(|error| error.to_string())
    };
    let other = || Secrets::default().value("other", "x");
    let error = build("id=absent,required=true", other()).await.unwrap_err();
    assert!(error.contains("secret absent: not found"), "{error}");
    build("id=absent", other()).await.unwrap();

    let unreadable = Secrets::default().file("gone", "/no/such/file");
    let error = build("id=gone", unreadable).await.unwrap_err();
    assert!(
        error.contains("cannot read secret \"gone\": No such file"),
        "{error}"
    );
    let large = Secrets::default().value("large", vec![b'x'; MAX_SECRET_SIZE + 1]);
    let error = build("id=large", large).await.unwrap_err();
    assert!(error.contains("cannot use secret \"large\""), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_is_listed_and_pruned() {
    // The daemon is shared, so a filter leaves out the records of other tests.
    let context = context("FROM scratch\nCOPY mark /\n");
    fs::write(context.path().join("mark"), new_id()).unwrap();
    let daemon = machine().dial().await;
    let (result, _) = solve(&daemon.client, dockerfile(vec![]), session(&context)).await;
    result.unwrap();
    let all = daemon.client.disk_usage(Vec::new()).await.unwrap();
    let copy = all
        .iter()
        .find(|record| record.description.contains("COPY mark"))
        .unwrap();
    assert_eq!(copy.record_type, "regular");
    assert!(copy.size > 0 && !copy.in_use);
    let filter = vec![format!("id=={}", copy.id)];
    assert_eq!(
        daemon.client.disk_usage(filter.clone()).await.unwrap(),
        std::slice::from_ref(copy)
    );

    let (sender, mut receiver) = tokio::sync::mpsc::channel(9);
    let request = PruneRequest {
        filters: filter.clone(),
        ..PruneRequest::default()
    };
    daemon.client.prune(request, sender).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().id, copy.id);
    assert!(receiver.recv().await.is_none());
    assert!(daemon.client.disk_usage(filter).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_share_a_connection() {
    let contexts: Vec<_> = (0..2)
        .map(|n| {
            let context = context("FROM scratch\nCOPY file /\n");
            fs::write(context.path().join("file"), format!("{n} {}", new_id())).unwrap();
            context
        })
        .collect();
    let daemon = machine().dial().await;
    let build = async |context: &TempDir| {
        let out = TempDir::new().unwrap();
        let request = dockerfile(vec![to_directory(out.path())]);
        let (result, statuses) = solve(&daemon.client, request, session(context)).await;
        result.unwrap();
        assert!(!statuses.is_empty());
        assert_eq!(
            fs::read(out.path().join("file")).unwrap(),
            fs::read(context.path().join("file")).unwrap()
        );
    };
    tokio::join!(build(&contexts[0]), build(&contexts[1]));
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
