//! Tests with the real git. The end-to-end tests show what a build records.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;

/// A repository with one commit, whose context is `app`.
struct Repository {
    directory: TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self {
            directory: tempfile::tempdir().expect("directory"),
        };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.file("app/Dockerfile", "FROM scratch\n");
        repository.file(".gitignore", "ignored\n");
        repository.git(&["add", "."]);
        repository.git(&["commit", "--quiet", "--message=first"]);
        repository
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = std::process::Command::new("git")
            .arg("-C")
            .arg(self.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(arguments)
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout)
            .expect("text")
            .trim()
            .to_owned()
    }

    fn source(&self) -> Source {
        Source::of_directory(&self.path().join("app"))
    }
}

const EVERYTHING: VcsInfo = VcsInfo {
    in_provenance: true,
    as_labels: true,
    marks_dirty: true,
};

fn pairs(values: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    let values = values.iter();
    values
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[tokio::test]
async fn a_commit_a_remote_and_directories() {
    let repository = Repository::new();
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let url = "https://user:secret@example.com/a.git";
    repository.git(&["remote", "add", "origin", url]);
    let vcs = read(EVERYTHING, &repository.source()).await.expect("read");
    assert_eq!(
        pairs(&vcs.attributes),
        [
            ("vcs:localdir:context", "app"),
            ("vcs:localdir:dockerfile", "app"),
            ("vcs:revision", commit.as_str()),
            ("vcs:source", "https://example.com/a.git"),
        ]
    );
    assert_eq!(
        pairs(&vcs.labels),
        [
            (DOCKERFILE_LABEL, "app/Dockerfile"),
            (REVISION_LABEL, commit.as_str()),
            (SOURCE_LABEL, "https://example.com/a.git"),
        ]
    );

    let default = read(VcsInfo::default(), &repository.source()).await;
    let default = default.expect("read");
    assert_eq!(default.attributes, vcs.attributes);
    assert!(default.labels.is_empty());
    let nothing = VcsInfo {
        in_provenance: false,
        ..VcsInfo::default()
    };
    assert_eq!(
        read(nothing, &repository.source()).await,
        Ok(Vcs::default())
    );
}

#[tokio::test]
async fn changed_and_ignored_files_are_dirty() {
    let repository = Repository::new();
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let revision = async |wanted: VcsInfo| {
        let vcs = read(wanted, &repository.source()).await.expect("read");
        vcs.attributes["vcs:revision"].clone()
    };
    assert_eq!(revision(EVERYTHING).await, commit);
    for name in ["ignored", "app/Dockerfile", "new"] {
        repository.file(name, "changed\n");
        assert_eq!(
            revision(EVERYTHING).await,
            format!("{commit}-dirty"),
            "{name}"
        );
        assert_eq!(revision(VcsInfo::default()).await, commit);
        repository.git(&["stash", "--all", "--quiet"]);
    }
}

#[tokio::test]
async fn the_remote_of_the_branch_comes_first() {
    let repository = Repository::new();
    let remote = async || {
        let vcs = read(VcsInfo::default(), &repository.source()).await;
        vcs.expect("read").attributes.get("vcs:source").cloned()
    };
    assert_eq!(remote().await, None);
    for (name, url) in [
        ("upstream", "git@example.com:up/stream"),
        ("origin", "ssh://git@example.com/o"),
        ("fork", "https://example.com/fork.git?a=b@c"),
    ] {
        repository.git(&["remote", "add", name, url]);
    }
    assert_eq!(remote().await.as_deref(), Some("ssh://example.com/o"));
    repository.git(&["config", "branch.main.remote", "fork"]);
    repository.git(&["config", "branch.main.merge", "refs/heads/main"]);
    assert_eq!(
        remote().await.as_deref(),
        Some("https://example.com/fork.git?a=b@c")
    );
    repository.git(&["remote", "remove", "origin"]);
    repository.git(&["config", "--unset", "branch.main.remote"]);
    assert_eq!(remote().await.as_deref(), Some("git@example.com:up/stream"));
}

#[tokio::test]
async fn what_is_no_repository_has_no_information() {
    let directory = tempfile::tempdir().expect("directory");
    let plain = read(EVERYTHING, &Source::of_directory(directory.path())).await;
    assert_eq!(plain, Ok(Vcs::default()));
    // A broken one is reported.
    fs::create_dir(directory.path().join(".git")).expect("made");
    let broken = read(EVERYTHING, &Source::of_directory(directory.path())).await;
    let reason = broken.expect_err("broken");
    assert!(
        reason.contains("git rev-parse --is-inside-work-tree"),
        "{reason}"
    );
    // Without a commit, there is no revision.
    let empty = tempfile::tempdir().expect("directory");
    let git = ["init", "--quiet"];
    let status = std::process::Command::new("git")
        .arg("-C")
        .arg(empty.path())
        .args(git)
        .status();
    assert!(status.expect("runs").success());
    let vcs = read(EVERYTHING, &Source::of_directory(empty.path()))
        .await
        .expect("read");
    assert_eq!(pairs(&vcs.attributes)[0], ("vcs:localdir:context", "."));
    assert!(!vcs.attributes.contains_key("vcs:revision"));
}

#[tokio::test]
async fn a_missing_or_slow_git_does_not_matter_outside_of_a_repository() {
    let directory = tempfile::tempdir().expect("directory");
    let slow = directory.path().join("slow");
    fs::write(&slow, "#!/bin/sh\nexec sleep 1000\n").expect("written");
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).expect("executable");
    let run = async |program: &str| {
        let git = Git {
            program,
            directory: directory.path(),
            time: Duration::from_millis(200),
        };
        read_with(&git, EVERYTHING, &Source::of_directory(directory.path())).await
    };
    let slow = slow.to_str().expect("text");
    for program in ["/nonexistent/git", slow] {
        assert_eq!(run(program).await, Ok(Vcs::default()));
    }
    fs::create_dir(directory.path().join(".git")).expect("made");
    for (program, words) in [
        ("/nonexistent/git", "git was not found in the system"),
        (slow, "git did not end within"),
    ] {
        let reason = run(program).await.expect_err(words);
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_repository_cannot_make_git_run_a_program() {
    let repository = Repository::new();
    let trace = repository.path().join("ran");
    let program = repository.path().join("hook");
    let text = format!("#!/bin/sh\necho ran > {}\n", trace.display());
    fs::write(&program, text).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    let program = program.to_str().expect("text");
    repository.git(&["config", "core.fsmonitor", program]);
    read(EVERYTHING, &repository.source()).await.expect("read");
    assert!(!trace.exists(), "git ran a program of the repository");
}

#[test]
fn credentials_are_removed() {
    for (url, expected) in [
        (
            "https://u:p@example.com/a?b=c@d",
            "https://example.com/a?b=c@d",
        ),
        ("https://token@example.com", "https://example.com"),
        ("https://u:p@ss@example.com/a", "https://example.com/a"),
        ("https://example.com/a@b", "https://example.com/a@b"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("../other", "../other"),
    ] {
        assert_eq!(without_credentials(url), expected);
    }
}
