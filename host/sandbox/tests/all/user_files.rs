//! That no driver sees what is in the user's files, and that they arrive all the same.

use std::sync::{Arc, Mutex};

use iechor_engine::{EngineError, model};
use iechor_sandbox::contract::{Config, Error, File};
use iechor_sandbox::{Driver, DriverError, Observer};

use crate::support::{
    CONTAINER, NODE, Nodes, Stage, config, embedded_component, granting, guest, load, pairs, stage,
};

/// What is in the files, each with a word that is nowhere else.
const FILES: [(&str, u32, &str); 4] = [
    (
        "buildkitd.toml",
        0o644,
        "# toml-marker-5aef\ndebug = true\n",
    ),
    ("certs/r/ca.pem", 0o644, "# ca-marker-71c2\n"),
    ("certs/r/cert.pem", 0o644, "# cert-marker-93b0\n"),
    ("certs/r/key.pem", 0o600, "# key-marker-0d4f\n"),
];
const MARKERS: [&str; 5] = [
    "toml-marker-5aef",
    "ca-marker-71c2",
    "cert-marker-93b0",
    "key-marker-0d4f",
    "option-marker-e8a6",
];

fn files() -> Vec<File> {
    let file = |(path, mode, contents): &(&str, u32, &str)| File {
        path: (*path).into(),
        mode: *mode,
        contents: contents.as_bytes().to_vec(),
    };
    FILES.iter().map(file).collect()
}

fn told(behaviour: &str, value: &str) -> Config {
    Config {
        options: pairs(&[("behave", behaviour), ("value", value)]),
        files: files(),
        ..config()
    }
}

/// What the guest was told, with a file that an option names.
fn searching(behaviour: &str, text: &str, pem: &str) -> Config {
    let reversed: String = text.chars().rev().collect();
    let mut config = told(behaviour, &reversed);
    config.options.push(("pem".into(), pem.into()));
    config
}

async fn boot(bench: &Stage, config: Config) -> Result<(), DriverError> {
    let driver = load(guest()).await;
    bench.with_config(&driver, config).await.boot().await
}

fn words(error: &DriverError) -> String {
    match error {
        DriverError::Failed {
            error: Error::Other(words) | Error::InvalidArgument(words),
            ..
        } => words.clone(),
        DriverError::InvalidConfiguration { issues, .. } => issues[0].message.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn no_byte_of_a_users_file_is_in_the_memory_of_a_driver() {
    let place = tempfile::NamedTempFile::new().unwrap();
    let pem =
        "option-marker-e8a6\n-----BEGIN CERTIFICATE-----\nMAIwAA==\n-----END CERTIFICATE-----\n";
    std::fs::write(place.path(), pem).unwrap();
    let pem = place.path().to_str().unwrap();
    let driver = load(guest()).await;
    let search = async |text: &str| {
        let config = searching("search memory in validate", text, pem);
        let validated = words(&driver.validate(&config).await.unwrap_err());
        let config = searching("search memory", text, pem);
        let booted = words(&boot(&stage(), config).await.unwrap_err());
        [validated, booted]
    };
    for marker in MARKERS {
        assert_eq!(search(marker).await, ["not found"; 2], "{marker}");
    }
    // Nor does it learn where the option's file is.
    assert_eq!(search(pem).await, ["not found"; 2]);
    // What it does get is found by the same search.
    for text in [NODE, "certs/r/key.pem", "buildkitd.toml"] {
        assert_eq!(search(text).await, ["found"; 2], "{text}");
    }
}

#[derive(Default)]
struct Seen(Mutex<String>);

impl Seen {
    fn note(&self, text: &str) {
        let mut seen = self.0.lock().unwrap();
        *seen += text;
        *seen += "\n";
    }
}

impl Observer for Seen {
    fn begin(&self, _: &'static str) {}
    fn call(&self, function: &'static str, arguments: &str) {
        self.note(&format!("{function} {arguments}"));
    }
    fn answer(&self, answer: &str) {
        self.note(answer);
    }
    fn error(&self, error: &Error) {
        self.note(&format!("{error:?}"));
    }
    fn kept(&self, _: &'static str, _: usize) {}
    fn end(&self, _: &'static str, outcome: Result<(), &DriverError>) {
        self.note(&format!("{:?}", outcome.err()));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_printed_has_a_users_file_in_it() {
    let seen = Arc::new(Seen::default());
    let driver: Arc<Driver> = load(guest()).await.observed(seen.clone());
    for (value, arrives) in [
        ("/etc buildkit/certs/r/key.pem", true),
        ("/tmp certs/r/key.pem", false),
    ] {
        let bench = stage();
        let config = told("copy a file of the user", value);
        let (valid, _) = driver.validate(&config).await.unwrap();
        seen.note(&format!("{valid:?}"));
        let node = driver.node(valid, bench.context());
        assert_eq!(node.boot().await.is_ok(), arrives, "{value}");
        let shown = bench.watcher.shown();
        seen.note(&format!("{:?} {shown:?}", bench.engine.journal()));
    }
    let seen = seen.0.lock().unwrap();
    assert!(seen.contains("certs/r/key.pem"), "{seen}");
    for marker in MARKERS {
        assert!(!seen.contains(marker), "{seen}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_puts_the_users_file_where_it_belongs() {
    for value in [
        "/etc buildkit/certs/r/key.pem",
        "/ etc/buildkit/certs/r/key.pem",
    ] {
        let bench = stage();
        boot(&bench, told("copy a file of the user", value))
            .await
            .unwrap();
        let found = bench.engine.files(CONTAINER).unwrap();
        let (path, file) = found.iter().next().unwrap();
        assert_eq!(path, "/etc/buildkit/certs/r/key.pem");
        assert_eq!(file.contents, b"# key-marker-0d4f\n");
        // The guest asked for all permissions that there are.
        assert_eq!(file.mode, 0o600);
    }
}

#[tokio::test(start_paused = true)]
async fn the_users_files_go_nowhere_else() {
    for value in [
        "/tmp certs/r/key.pem",
        "/tmp x/certs/r/key.pem",
        "/ certs/r/key.pem",
        "/etc buildkitd.toml",
        "/etc/buildkit/certs buildkitd.toml",
        "/etc/buildkitd certs/r/key.pem",
    ] {
        // Not even where the driver may put files of its own anywhere.
        let bench = granting(load(guest()).await.as_ref(), &["container.command"]).await;
        let error = boot(&bench, told("copy a file of the user", value))
            .await
            .unwrap_err();
        let said = words(&error);
        assert!(
            said.contains("to /etc/buildkit/") && said.contains("only"),
            "{said}"
        );
        let journal = bench.engine.journal();
        assert!(
            !journal.iter().any(|line| line.starts_with("copy")),
            "{journal:?}"
        );
        assert_eq!(bench.objects().await, [""; 0]);
    }
    // Another path of the configuration directory is no file of the user.
    let bench = stage();
    boot(
        &bench,
        told("copy a file of the user", "/etc buildkit/other.toml"),
    )
    .await
    .unwrap();
    let found = bench.engine.files(CONTAINER).unwrap();
    let empty = found
        .values()
        .all(|file: &model::File| file.contents.is_empty());
    assert!(empty && found.len() == 1);
}

#[tokio::test(start_paused = true)]
async fn one_call_copies_a_users_file_once() {
    let bench = stage();
    let config = told("copy a file of the user many times", "certs/r/key.pem");
    let said = words(&boot(&bench, config).await.unwrap_err());
    assert!(said.contains("copied twice"), "{said}");
    assert_eq!(bench.objects().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn files_of_a_store_that_somebody_else_wrote_are_checked_before_the_driver_is_asked() {
    let driver = load(guest()).await;
    for (path, size) in [
        ("../../root/.ssh/authorized_keys", 1),
        ("/etc/passwd", 1),
        ("certs//x", 1),
        ("large", 5 << 20),
    ] {
        let mut config = told("panic in validate", "");
        config.files.push(File {
            path: path.into(),
            mode: 0o4755,
            contents: vec![0; size],
        });
        let said = words(&driver.validate(&config).await.unwrap_err());
        assert!(
            said.contains("does not stay below /etc/buildkit") || said.contains("a node may have"),
            "{said}"
        );
    }
}

/// A driver hears that there are no credentials, and not what keeps them or what went wrong with it.
#[tokio::test(start_paused = true)]
async fn what_a_credential_helper_said_stays_with_the_host() {
    let driver = load(guest()).await;
    let bench = granting(&driver, &["image.pull"]).await;
    bench.engine.fail_call(
        1,
        EngineError::Credentials {
            registry: "docker.io".into(),
            reason: "docker-credential-vault: token hvs.secret of /home/alice is over".into(),
        },
    );
    let error = boot(&bench, told("pull", "image")).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(
        said.contains("cannot get the credentials for docker.io"),
        "{said}"
    );
    assert!(
        !said.contains("hvs.secret") && !said.contains("alice"),
        "{said}"
    );
}

/// The drivers that come with the host copy the files as they are in the configuration.
#[tokio::test(start_paused = true)]
async fn a_driver_that_knows_nothing_of_this_still_configures_buildkit() {
    let driver = load(&embedded_component()).await;
    let bench = granting(
        &driver,
        &[
            "container.privileged",
            "image.pull",
            "container.cgroup-parent",
        ],
    )
    .await;
    bench.engine.add_image(crate::support::IMAGE);
    let config = Config {
        files: files(),
        ..config()
    };
    bench
        .with_config(&driver, config)
        .await
        .boot()
        .await
        .unwrap();
    let found = bench.engine.files(CONTAINER).unwrap();
    let found: Vec<_> = found
        .values()
        .map(|file| (file.mode, String::from_utf8(file.contents.clone()).unwrap()))
        .collect();
    let expected = FILES.map(|(_, mode, contents)| (mode, contents.to_owned()));
    assert_eq!(found, expected);
}
