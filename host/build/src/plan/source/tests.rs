//! Tests of the files of a build.

use std::os::unix::fs::symlink;

use super::*;

async fn find(context: &Path, dockerfile: Option<&Path>) -> Result<Source, PlanError> {
    let mut spec = BuildSpec::new(Context::Directory(context.to_owned()));
    if let Some(path) = dockerfile {
        spec.dockerfile = Dockerfile::File(path.to_owned());
    }
    Source::find(&spec).await
}

fn local(source: &Source) -> (&Path, &str) {
    match &source.dockerfile {
        DockerfileSource::Local {
            directory, name, ..
        } => (directory, name),
        other => panic!("not local: {other:?}"),
    }
}

#[tokio::test]
async fn local_sources() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path();
    let error = find(path, None).await.expect_err("no Dockerfile");
    let said = format!(
        "cannot read Dockerfile {}: there is no such file",
        path.join("Dockerfile").display()
    );
    assert_eq!(error.to_string(), said);

    fs::write(path.join("dockerfile"), "FROM scratch\n").expect("written");
    let found = find(path, None).await.expect("found");
    assert_eq!(local(&found), (path, "dockerfile"));
    let found = find(path, Some(&path.join("Dockerfile"))).await;
    assert_eq!(local(&found.expect("found")), (path, "dockerfile"));

    fs::create_dir(path.join("sub")).expect("made");
    fs::write(path.join("sub/Build.file"), "FROM scratch\n").expect("written");
    let found = find(path, Some(&path.join("sub/Build.file"))).await;
    let found = found.expect("found");
    assert_eq!(local(&found), (path.join("sub").as_path(), "Build.file"));
    let names: Vec<_> = found.directories();
    assert_eq!(
        names,
        [
            ("context".to_owned(), path),
            ("dockerfile".to_owned(), path.join("sub").as_path())
        ]
    );

    let missing = PathBuf::from("/nonexistent/context");
    assert_eq!(
        find(&missing, None).await.expect_err("missing"),
        PlanError::ContextNotFound { path: missing }
    );
    let file = path.join("dockerfile");
    assert_eq!(
        find(&file, None).await.expect_err("a file"),
        PlanError::ContextNotDirectory { path: file }
    );
}

#[tokio::test]
async fn what_is_no_dockerfile_is_described() {
    let directory = tempfile::tempdir().expect("directory");
    let pipe = directory.path().join("Dockerfile");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("made");
    symlink("gone", directory.path().join("dangling")).expect("linked");
    let dangling = directory.path().join("dangling");
    for (file, words) in [
        (None, "a named pipe"),
        (Some(Path::new("/dev/zero")), "a device"),
        (Some(directory.path()), "a directory"),
        (
            Some(dangling.as_path()),
            "a symbolic link to gone, which does not exist",
        ),
        (
            Some(Path::new("git://example.com/Dockerfile")),
            "it is a URL, but only http:// and https:// are supported",
        ),
    ] {
        let error = find(directory.path(), file).await.expect_err(words);
        assert!(matches!(error, PlanError::Dockerfile { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_link_that_leaves_its_directory_is_followed_here() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path();
    for name in ["context", "common"] {
        fs::create_dir(path.join(name)).expect("made");
    }
    fs::write(path.join("common/Dockerfile"), "FROM common\n").expect("written");
    symlink("../common/Dockerfile", path.join("context/Build")).expect("linked");
    fs::write(path.join("context/Build.dockerignore"), "x\n").expect("written");
    let found = find(&path.join("context"), Some(&path.join("context/Build"))).await;
    let found = found.expect("found");
    let (place, name) = local(&found);
    let read = |name: &str| fs::read_to_string(place.join(name)).expect("copied");
    assert_eq!(read(name), "FROM common\n");
    assert_eq!(read(&format!("{name}.dockerignore")), "x\n");
    let place = place.to_owned();
    drop(found);
    assert!(!place.exists());

    // A link that stays in its directory is left to BuildKit.
    fs::write(path.join("context/real"), "FROM real\n").expect("written");
    symlink("real", path.join("context/inner")).expect("linked");
    let found = find(&path.join("context"), Some(&path.join("context/inner"))).await;
    let found = found.expect("found");
    assert_eq!(local(&found), (path.join("context").as_path(), "inner"));
}

#[tokio::test]
async fn names_need_not_be_unicode() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let directory = tempfile::tempdir().expect("directory");
    let context = directory.path().join(OsStr::from_bytes(b"con\xfftext"));
    fs::create_dir(&context).expect("made");
    let file = context.join(OsStr::from_bytes(b"Docker\xff"));
    fs::write(&file, "FROM odd\n").expect("written");
    let found = find(&context, Some(&file)).await.expect("found");
    let (place, name) = local(&found);
    let copied = fs::read_to_string(place.join(name)).expect("copied");
    assert_eq!(copied, "FROM odd\n");
}

#[tokio::test]
async fn urls_are_left_to_buildkit() {
    let url = "https://example.com/repo.git#main:sub";
    let mut spec = BuildSpec::new(Context::Remote(url.into()));
    spec.dockerfile = Dockerfile::File("a/Dockerfile".into());
    let found = Source::find(&spec).await.expect("found");
    assert!(matches!(&found.context, Files::Remote(found) if found == url));
    let name = match &found.dockerfile {
        DockerfileSource::InContext(name) => name.as_deref(),
        other => panic!("{other:?}"),
    };
    assert_eq!(name, Some("a/Dockerfile"));
    assert!(found.directories().is_empty());

    // An absolute path is a local file.
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("Dockerfile");
    spec.dockerfile = Dockerfile::File(file.clone());
    let error = Source::find(&spec).await.expect_err("missing");
    assert!(matches!(error, PlanError::Dockerfile { .. }), "{error}");
    fs::write(&file, "FROM scratch\n").expect("written");
    let found = Source::find(&spec).await.expect("found");
    let is_apart = matches!(
        found.dockerfile,
        DockerfileSource::Local { is_apart: true, .. }
    );
    assert!(is_apart, "{found:?}");
}

#[tokio::test]
async fn named_directories_have_to_exist() {
    let directory = tempfile::tempdir().expect("directory");
    fs::write(directory.path().join("Dockerfile"), "FROM scratch\n").expect("written");
    let mut spec = BuildSpec::new(Context::Directory(directory.path().to_owned()));
    for (path, words) in [
        ("/nonexistent", "no such file or directory"),
        ("/dev/null", "not a directory"),
    ] {
        spec.named_contexts = vec![NamedContext {
            name: "extra".into(),
            source: NamedSource::Directory(path.into()),
        }];
        let error = Source::find(&spec).await.expect_err(words).to_string();
        let said = format!("failed to get build context extra: stat {path}: {words}");
        assert_eq!(error, said);
    }
    for name in ["context", "extra"] {
        spec.named_contexts = vec![NamedContext {
            name: name.into(),
            source: NamedSource::Directory(directory.path().to_owned()),
        }];
        let found = Source::find(&spec).await.expect("found");
        let directories = found.directories();
        let (local, _) = directories.last().expect("named");
        assert_eq!(local, &local_name(name));
    }
    assert_eq!(local_name("context"), "_context");
}
