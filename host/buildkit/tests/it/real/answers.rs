//! Credentials and secrets that the daemon requests.

use std::fs;
use std::sync::{Arc, Mutex};

use iechor_buildkit::session::secrets::{MAX_SECRET_SIZE, Secrets};
use iechor_buildkit::{Credential, CredentialSource, new_id};
use tempfile::TempDir;

use super::{context, context_with_shell, dockerfile, offering, to_directory};
use crate::machine::machine;
use crate::solve;

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
