//! Sources of drivers: files, web servers, registries.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::components::{GRANTS, digest_of, listed, named_flags, variant};
use crate::registry::{PASSWORD, Registry, USER};
use crate::support::{Running, Sandbox, docker, machine, native_architecture, wait_until};
use crate::web::{Page, WebServer};

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Asserts that a source cannot be installed, and that the reason contains a text.
#[track_caller]
fn refused(sandbox: &Sandbox, source: &str, words: &str) {
    sandbox
        .iechor(&format!("driver install {source} --name team {GRANTS}"))
        .failure(1)
        .prints("")
        .says(words);
    assert!(listed(sandbox, "team").is_none());
    let components = fs::read_dir(sandbox.store().join("drivers/components"));
    assert_eq!(components.map_or(0, Iterator::count), 0);
}

/// Asserts that a source can be installed, and removes the driver again.
#[track_caller]
fn accepted(sandbox: &Sandbox, source: &str) -> Value {
    sandbox
        .iechor(&format!("driver install {source} --name team {GRANTS}"))
        .success()
        .prints("team\n");
    let driver = listed(sandbox, "team").expect("listed");
    assert_eq!(driver["Status"], "ok");
    sandbox.iechor("driver verify team").success();
    sandbox.iechor("driver rm team").success();
    driver
}

const OTHER: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn files_and_directories() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("dist")).expect("made");
    refused(&sandbox, "./dist", "the directory contains no .wasm file");
    refused(&sandbox, "./nowhere.wasm", "No such file");
    refused(&sandbox, "nowhere", "oci://");
    let file = sandbox.write("dist/a.wasm", variant(1));
    let digest = digest_of(&file);
    accepted(&sandbox, "./dist");
    accepted(&sandbox, "./dist/a.wasm");
    let driver = accepted(&sandbox, &format!("./dist@{digest}"));
    assert_eq!(driver["Digest"], digest.as_str());
    refused(&sandbox, &format!("./dist@{OTHER}"), &digest);
    refused(&sandbox, &format!("./dist@{OTHER}"), OTHER);
    sandbox.write("dist/b.wasm", variant(2));
    refused(&sandbox, "./dist", "name one of: a.wasm, b.wasm");
    sandbox.write("dist/driver.wasm", variant(3));
    accepted(&sandbox, "./dist");
    sandbox.write("dist/text.wasm", "hello");
    refused(&sandbox, "./dist/text.wasm", "it is not WebAssembly");
    refused(&sandbox, "ftp://host/a.wasm", "ftp:// is not supported");
}

#[test]
fn web_servers_are_believed_by_digest() {
    let sandbox = Sandbox::new();
    let component = variant(1);
    let digest = digest_of(&sandbox.write("same.wasm", &component));
    let server = WebServer::start([
        ("/a.wasm", Page::File(component)),
        ("/moved", Page::Moved("/a.wasm")),
        ("/loop", Page::Moved("/loop")),
        ("/endless", Page::Endless),
        ("/promise", Page::Promise(1 << 40)),
    ]);
    let at = |path: &str, digest: &str| format!("{}@{digest}", server.url(path));
    let driver = accepted(&sandbox, &at("/a.wasm", &digest));
    assert_eq!(driver["Digest"], digest.as_str());
    accepted(&sandbox, &at("/moved", &digest));
    refused(&sandbox, &at("/a.wasm", OTHER), &digest);
    refused(&sandbox, &server.url("/a.wasm"), "add @sha256:");
    refused(&sandbox, &at("/none", &digest), "does not exist");
    refused(&sandbox, &at("/loop", &digest), "too many redirects");
    refused(&sandbox, &at("/endless", &digest), "the maximum is 64 MiB");
    refused(&sandbox, &at("/promise", &digest), "the maximum is 64 MiB");
    refused(
        &sandbox,
        &format!("http://127.0.0.1:1/a.wasm@{digest}"),
        "cannot reach 127.0.0.1:1",
    );
    refused(
        &sandbox,
        &format!("https://nowhere.invalid/a.wasm@{digest}"),
        "unknown host",
    );
}

#[test]
fn a_download_that_is_given_up_leaves_nothing() {
    let sandbox = Sandbox::new();
    let server = WebServer::start([("/a.wasm", Page::Stalled)]);
    let url = server.url("/a.wasm");
    let running = sandbox
        .iechor(&format!("driver install {url}@{OTHER} --name team"))
        .start();
    wait_until("the download begins", || server.requests() > 0);
    running.interrupt();
    running.finish().failure(130).prints("");
    assert!(!sandbox.store().exists());
}

#[test]
fn a_server_with_tls_shows_a_certificate_that_somebody_vouches_for() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("team.wasm", variant(1));
    let run = |arguments: &str| {
        let mut command = Command::new("openssl");
        command
            .args(arguments.split(' '))
            .current_dir(sandbox.path(""));
        Running::start(command)
    };
    run(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout key.pem -out cert.pem \
         -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE",
    )
    .finish()
    .success();
    let serve = |how: &str| {
        let line = format!("s_server -accept 127.0.0.1:0 -cert cert.pem -key key.pem {how}");
        let mut server = run(&line);
        let port = server.wait_until_it_prints("ACCEPT 127.0.0.1:");
        let port = port.split_whitespace().next().expect("a port").to_owned();
        (server, port)
    };
    let (_files, port) = serve("-WWW");
    let install = format!(
        "driver install https://127.0.0.1:{port}/team.wasm@{} --name team {GRANTS}",
        digest_of(&file)
    );
    sandbox
        .iechor(&install)
        .failure(1)
        .says(&format!("cannot reach 127.0.0.1:{port}"))
        .says("certificate");
    sandbox
        .iechor(&install)
        .variable("SSL_CERT_FILE", sandbox.path("cert.pem"))
        .success();

    // A redirect to a server without TLS is refused.
    let plain = WebServer::start([("/team.wasm", Page::File(variant(2)))]);
    sandbox.write(
        "away",
        format!(
            "HTTP/1.0 302 Found\r\nLocation: {}\r\n\r\n",
            plain.url("/team.wasm")
        ),
    );
    let (_answers, port) = serve("-HTTP");
    sandbox
        .iechor(&format!(
            "driver install https://127.0.0.1:{port}/away@{OTHER}"
        ))
        .variable("SSL_CERT_FILE", sandbox.path("cert.pem"))
        .failure(1)
        .says("redirect from https to http");
    assert_eq!(plain.requests(), 0);
}

#[test]
fn what_is_on_this_machine_is_asked_directly_whatever_proxy_there_is() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("team.wasm", variant(1));
    let digest = digest_of(&file);
    let files = WebServer::start([("/team.wasm", Page::File(variant(1)))]);
    let registry = Registry::with_password();
    let source = format!("oci://{}/team:1", registry.address());
    let secret = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    sandbox.configure_docker(&json!({"auths": {registry.address(): {"auth": secret}}}));
    let proxy = WebServer::start([]);
    let run = |line: &str| {
        let command = sandbox.iechor(line);
        ["http_proxy", "HTTP_PROXY", "all_proxy"]
            .iter()
            .fold(command, |command, name| {
                command.variable(name, proxy.url(""))
            })
    };
    run(&format!("driver push ./team.wasm {source}")).success();
    run(&format!("driver install {source} --name a {GRANTS}")).success();
    let url = format!("{}@{digest}", files.url("/team.wasm"));
    run(&format!("driver install {url} --name b {GRANTS}")).success();
    assert_eq!(proxy.requests(), 0);
    // The other parts are requested interactively.
    run(&format!(
        "driver install http://nowhere.invalid/a.wasm@{OTHER}"
    ))
    .failure(1);
    assert_eq!(proxy.requests(), 1);
}

#[test]
fn a_registry_cannot_send_without_an_end() {
    let sandbox = Sandbox::new();
    let server = WebServer::start([
        ("/v2/", Page::File(Vec::new())),
        ("/v2/team/manifests/1", Page::Endless),
        ("/v2/team/manifests/2", Page::File(b"\x1b[2Jhello".to_vec())),
    ]);
    let registry = server.url("").replace("http://", "oci://");
    refused(
        &sandbox,
        &format!("{registry}/team:1"),
        "the maximum is 4 MiB",
    );
    sandbox
        .iechor(&format!("driver install {registry}/team:2"))
        .failure(1)
        .says("its manifest is invalid")
        .does_not_say("\x1b");
}

#[test]
fn a_registry_that_wants_a_token_of_an_authority() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("team.wasm", variant(1));
    let digest = digest_of(&file);
    let size = fs::metadata(&file).expect("there").len();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": OTHER, "size": 0},
        "layers": [{"mediaType": "application/wasm", "digest": digest, "size": size}],
    });
    let blob = format!("/v2/team/blobs/{digest}");
    let blob: &'static str = blob.leak();
    let authority = WebServer::start([
        (
            "/good",
            Page::File(br#"{"access_token": "letmein"}"#.to_vec()),
        ),
        ("/none", Page::File(b"{}".to_vec())),
        ("/endless", Page::Endless),
    ]);
    let registry = |realm: &str| {
        WebServer::start([
            (
                "/v2/",
                Page::Challenge(format!("Bearer realm=\"{realm}\",service=\"s\"")),
            ),
            (
                "/v2/team/manifests/1",
                Page::Guarded("letmein", manifest.to_string().into_bytes()),
            ),
            (blob, Page::Guarded("letmein", variant(1))),
        ])
    };
    let source = |registry: &WebServer| registry.url("/team:1").replace("http://", "oci://");
    let good = registry(&authority.url("/good"));
    sandbox
        .iechor(&format!(
            "driver install {} --name good {GRANTS}",
            source(&good)
        ))
        .success();
    let installed = listed(&sandbox, "good").expect("listed");
    assert_eq!(installed["Digest"], digest.as_str());
    sandbox.iechor("driver rm good").success();
    for (realm, words) in [
        (authority.url("/none"), "issued no token"),
        (authority.url("/endless"), "the maximum is 1 MiB"),
        (
            "http://registry.invalid/token".to_owned(),
            "does not use TLS",
        ),
        ("nonsense".to_owned(), "nonsense"),
    ] {
        let registry = registry(&realm);
        refused(&sandbox, &source(&registry), words);
    }
}

#[test]
fn what_is_pushed_lies_as_the_tools_of_webassembly_expect_it() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    let file = sandbox.write("team.wasm", variant(1));
    let digest = digest_of(&file);
    let pushed = sandbox
        .iechor(&format!(
            "driver push ./team.wasm oci://{}/acme/team:1",
            registry.address()
        ))
        .success()
        .says(&digest);

    let manifest = registry.manifest("acme/team", "1");
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["mediaType"], MANIFEST);
    assert_eq!(manifest["config"]["mediaType"], CONFIG);
    let size = fs::metadata(&file).expect("there").len();
    assert_eq!(
        manifest["layers"],
        json!([{"mediaType": "application/wasm", "digest": digest, "size": size}])
    );
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.title"],
        "iechor-container"
    );
    let config = manifest["config"]["digest"].as_str().expect("a digest");
    let config = registry.blob("acme/team", config);
    assert_eq!(config["architecture"], "wasm");
    assert_eq!(config["os"], "wasip2");
    assert_eq!(config["layerDigests"], json!([digest]));
    assert_eq!(
        config["component"]["exports"],
        json!(["iechor:driver/driver@0.2.1"])
    );
    let imports = config["component"]["imports"].as_array().expect("a list");
    assert!(imports.contains(&json!("iechor:driver/container@0.2.1")));
    let created = config["created"].as_str().expect("a time");
    assert!(created.ends_with('Z') && created.contains('T'), "{created}");

    // The printed source is permanent.
    let pinned = pushed.stdout.trim();
    let driver = accepted(&sandbox, pinned);
    assert_eq!(driver["Digest"], digest.as_str());
    sandbox
        .iechor(&format!("driver push ./team.wasm {pinned}"))
        .failure(1)
        .says("the digest is not known before");
    sandbox.write("text.wasm", "hello");
    sandbox
        .iechor(&format!(
            "driver push ./text.wasm oci://{}/a:1",
            registry.address()
        ))
        .failure(1)
        .says("it is not WebAssembly");
}

#[test]
fn the_package_tool_of_webassembly_pulls_what_is_pushed_and_pushes_what_is_installed() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    let address = registry.address();
    let file = sandbox.write("team.wasm", variant(1));
    let wkg = |line: &str| {
        let mut command = Command::new(&machine().wkg);
        command
            .arg("oci")
            .args(line.split(' '))
            .args(["--insecure", address])
            .current_dir(sandbox.path(""));
        Running::start(command).finish().success()
    };

    sandbox
        .iechor(&format!("driver push ./team.wasm oci://{address}/ours:1"))
        .success();
    wkg(&format!("pull {address}/ours:1 --output pulled.wasm"));
    assert_eq!(
        fs::read(sandbox.path("pulled.wasm")).expect("pulled"),
        variant(1)
    );

    let pushed = wkg(&format!("push {address}/theirs:1 team.wasm"));
    let driver = accepted(&sandbox, &format!("oci://{address}/theirs:1"));
    assert_eq!(driver["Digest"], digest_of(&file).as_str());
    // Both refer to the same digest of an artifact.
    let pinned = driver["Pinned"].as_str().expect("pinned");
    let manifest = pinned.split_once('@').expect("a digest").1;
    assert!(
        pushed.stdout.contains(manifest) || pushed.stderr.contains(manifest),
        "{pinned} {}",
        pushed.transcript()
    );
}

#[test]
fn a_tag_is_pinned_until_it_is_updated() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    let source = format!("oci://{}/team", registry.address());
    let push = |number| {
        sandbox.write("team.wasm", variant(number));
        let pushed = sandbox
            .iechor(&format!("driver push ./team.wasm {source}:1"))
            .success();
        pushed.stdout.trim().to_owned()
    };
    let first = push(1);
    let install = format!("driver install {source}:1 --name team");
    let flags = named_flags(&sandbox.iechor(&install).failure(1));
    sandbox.iechor(&install).words(&flags).success();
    let pinned = |driver: Value| driver["Pinned"].as_str().expect("pinned").to_owned();
    let old = listed(&sandbox, "team").expect("listed");
    assert_eq!(old["Source"], format!("{source}:1"));
    assert_eq!(pinned(old.clone()), first);

    let second = push(2);
    assert_ne!(first, second);
    // The tag moved; the installed driver did not change.
    sandbox.iechor("driver verify").success();
    assert_eq!(pinned(listed(&sandbox, "team").expect("listed")), first);
    sandbox
        .iechor("driver update")
        .success()
        .prints("team\n")
        .says(old["Digest"].as_str().expect("a digest"));
    assert_eq!(pinned(listed(&sandbox, "team").expect("listed")), second);
    sandbox
        .iechor("driver update team")
        .success()
        .says("team is up to date");
    sandbox.iechor("driver verify").success();

    let address = registry.address().to_owned();
    drop(registry);
    // The state of the source is unknown; the installed driver is intact.
    let verified = sandbox.iechor("driver verify").success().stdout;
    assert!(
        verified.contains(&format!("cannot reach {address}")),
        "{verified}"
    );
    sandbox.iechor("driver verify --offline").success();
    sandbox
        .iechor("driver update")
        .failure(1)
        .says(&format!("cannot reach {address}"));
}

#[test]
fn what_a_registry_gets_wrong_is_named() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    let at = |name: &str| format!("oci://{}/{name}", registry.address());
    let file = sandbox.write("team.wasm", variant(1));
    let digest = digest_of(&file);
    sandbox
        .iechor(&format!("driver push ./team.wasm {}", at("team:1")))
        .success();
    refused(&sandbox, &at("team:2"), "team:2 does not exist");
    refused(&sandbox, &at("nobody:1"), "nobody:1 does not exist");
    refused(&sandbox, &at(&format!("team:1@{OTHER}")), "does not exist");
    refused(
        &sandbox,
        "oci://127.0.0.1:1/team:1",
        "cannot reach 127.0.0.1:1",
    );
    refused(&sandbox, "oci://nowhere.invalid/team:1", "unknown host");

    let image = format!("{}/{}:1", registry.address(), sandbox.name("image"));
    let base = machine()
        .base
        .join(native_architecture())
        .join("busybox.tar");
    docker(&format!("import {} {image}", base.display())).success();
    docker(&format!("push {image}")).success();
    refused(
        &sandbox,
        &format!("oci://{image}"),
        "it is a container image, not a WebAssembly component",
    );

    registry.corrupt(&digest);
    refused(&sandbox, &at("team:1"), &format!("{digest} was requested"));
}

#[test]
fn a_registry_that_asks_for_a_password() {
    let sandbox = Sandbox::new();
    let registry = Registry::with_password();
    let source = format!("oci://{}/private/team:1", registry.address());
    sandbox.write("team.wasm", variant(1));
    let push = format!("driver push ./team.wasm {source}");
    let log_in = |password: &str| {
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
        sandbox.configure_docker(&json!({"auths": {registry.address(): {"auth": secret}}}));
    };
    let hint = format!("`docker login {}`", registry.address());
    sandbox
        .iechor(&push)
        .failure(1)
        .says("requires authentication")
        .says(&hint);
    refused(&sandbox, &source, "requires authentication");
    log_in("wrong-password");
    sandbox
        .iechor(&push)
        .failure(1)
        .says("refuses the credentials")
        .says(&hint)
        .does_not_say("wrong-password");
    log_in(PASSWORD);
    sandbox.iechor(&push).success().does_not_say(PASSWORD);
    accepted(&sandbox, &source);
    let install = format!("driver install {source} --name team {GRANTS}");
    sandbox.iechor(&install).success().does_not_say(PASSWORD);
    log_in("wrong-password");
    let verified = sandbox.iechor("driver verify").failure(1);
    assert!(
        verified.stdout.contains("refuses the credentials"),
        "{}",
        verified.stdout
    );
}
