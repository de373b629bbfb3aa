//! Tests with servers that send slowly, endlessly, or not what they announce.

use std::time::Duration;

use iechor_registry::{Digest, RegistryError};

use crate::server::{Server, Step, drip, send};

const SECOND: Duration = Duration::from_secs(1);
const MANIFEST_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n";

/// Asserts that the error names the server and reports it as too slow.
#[track_caller]
fn assert_slow(server: &Server, error: &RegistryError, words: &str) {
    let RegistryError::Slow { host, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(*host, server.address);
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.is_unreachable());
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_is_not_waited_for() {
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let server = Server::start(move |_| vec![send(body), drip("x", SECOND)]).await;
    let error = server.fetch("/a.wasm", 64 << 20).await.unwrap_err();
    assert_slow(&server, &error, "bytes of http");
}

/// The answer is fast enough, and never ends.
#[tokio::test(start_paused = true)]
async fn a_steady_trickle_comes_to_an_end() {
    let kibibytes = "x".repeat(2 << 10);
    let server =
        Server::start(move |_| vec![send("HTTP/1.1 200 OK\r\n\r\n"), drip(&kibibytes, SECOND)])
            .await;
    let error = server.fetch("/a.wasm", 64 << 20).await.unwrap_err();
    assert_slow(&server, &error, "within 1800 s");
}

/// A slow answer above the minimum speed arrives.
#[tokio::test(start_paused = true)]
async fn a_slow_line_is_waited_for() {
    let piece = "x".repeat(2 << 10);
    let whole = piece.repeat(100);
    let pieces = std::iter::repeat_n(piece, 100).collect::<Vec<_>>();
    let server = Server::start(move |_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 204800\r\n\r\n";
        let mut steps = vec![send(head)];
        steps.extend(pieces.iter().map(|piece| send(piece)));
        steps
    })
    .await;
    let error = server.fetch("/a.wasm", 64 << 20).await.unwrap_err();
    let RegistryError::Mismatch { found, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(found, Digest::of(whole.as_bytes()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_begins_in_time_or_is_given_up() {
    for steps in [
        // The server sends nothing.
        vec![drip("", SECOND)],
        // The head never ends.
        vec![send("HTTP/1.1 200 OK\r\nX: "), drip("x", SECOND)],
        vec![send("HTTP/1.1 200 OK\r\n"), drip("X: y\r\n", SECOND)],
        // The server sends interim responses.
        vec![drip("HTTP/1.1 102 Processing\r\n\r\n", SECOND)],
    ] {
        let server = Server::start(move |_| steps.clone()).await;
        let error = server.fetch("/a.wasm", 64 << 20).await.unwrap_err();
        assert_slow(&server, &error, "within 30 s");
    }
}

/// The head of an answer is bounded, as is its body.
#[tokio::test(start_paused = true)]
async fn endless_headers_are_refused() {
    let server = Server::start(|_| {
        let line = format!("X: {}\r\n", "x".repeat(8 << 10));
        vec![send("HTTP/1.1 200 OK\r\n"), drip(&line, Duration::ZERO)]
    })
    .await;
    let error = server.fetch("/a.wasm", 64 << 20).await.unwrap_err();
    assert!(error.to_string().contains(&server.address), "{error}");
}

#[tokio::test(start_paused = true)]
async fn redirects_do_not_make_it_longer() {
    let server = Server::start(|_| vec![drip("HTTP/1.1 100 Continue\r\n\r\n", 20 * SECOND)]).await;
    let to = server.address.clone();
    let first = Server::start(move |_| {
        vec![send(&format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{to}/a.wasm\r\nContent-Length: 0\r\n\r\n"
        ))]
    })
    .await;
    let error = first.fetch("/a.wasm", 64 << 20).await.unwrap_err();
    assert_slow(&first, &error, "within 30 s");

    let around = Server::start(|what| {
        let next = format!("{}x", what.strip_prefix("GET ").unwrap());
        vec![send(&format!(
            "HTTP/1.1 302 Found\r\nLocation: {next}\r\nContent-Length: 0\r\n\r\n"
        ))]
    })
    .await;
    let error = around.fetch("/a.wasm", 64 << 20).await.unwrap_err();
    assert!(error.to_string().contains("too many redirects"), "{error}");
    assert!(around.requests().len() <= 6, "{:?}", around.requests());
}

#[tokio::test(start_paused = true)]
async fn a_length_that_is_not_true_is_no_component() {
    for (length, body) in [("9999", "component"), ("3", "component")] {
        let server = Server::start(move |_| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            vec![send(&head), Step::Close]
        })
        .await;
        let error = server.fetch("/a.wasm", 64 << 20).await.unwrap_err();
        let fits = matches!(
            error,
            RegistryError::Unreachable { .. }
                | RegistryError::Answer { .. }
                | RegistryError::Mismatch { .. }
        );
        assert!(fits, "{length}: {error:?}");
    }
    let server = Server::start(|_| {
        vec![
            send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            drip("400\r\n", Duration::ZERO),
        ]
    })
    .await;
    let error = server.fetch("/a.wasm", 512).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::TooLarge { .. } | RegistryError::Unreachable { .. }
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_not_read_to_its_end() {
    let server = Server::start(|_| {
        let body = Step::Send(vec![0; 2 << 20]);
        vec![send("HTTP/1.1 200 OK\r\n\r\n"), body, Step::Close]
    })
    .await;
    let error = server.fetch("/a.wasm", 1 << 20).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error:?}");
}

/// Answers are not decompressed: a kilobyte stays a kilobyte.
#[tokio::test(start_paused = true)]
async fn what_is_compressed_stays_so() {
    let server = Server::start(|_| {
        vec![
            send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"),
            Step::Send(b"\x1f\x8b\x08\x00".to_vec()),
        ]
    })
    .await;
    let error = server.fetch("/a.wasm", 64 << 20).await.unwrap_err();
    let RegistryError::Mismatch { found, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(found, Digest::of(b"\x1f\x8b\x08\x00"));
    let asked = server.requests().remove(0).to_ascii_lowercase();
    assert!(!asked.contains("accept-encoding"), "{asked}");
}

/// Each request for a component of a registry has its own time limit.
#[tokio::test(start_paused = true)]
async fn no_answer_of_a_registry_may_trickle() {
    let layer = Digest::of(b"component");
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"{layer}","size":9}},"layers":[{{"mediaType":"application/wasm","digest":"{layer}","size":9}}]}}"#
    );
    for slow in [
        "GET /v2/",
        "GET /token",
        "GET /v2/a/manifests/1",
        "GET /v2/a/blobs/",
        "",
    ] {
        let manifest = manifest.clone();
        let (tell, told) = std::sync::mpsc::channel::<String>();
        let address = std::sync::Mutex::new((told, String::new()));
        let server = Server::start(move |what| {
            let here = {
                let mut address = address.lock().unwrap();
                if let Ok(told) = address.0.try_recv() {
                    address.1 = told;
                }
                address.1.clone()
            };
            let path = what.split('?').next().unwrap();
            let is_slow = !slow.is_empty()
                && if slow == "GET /v2/" { path == slow } else { path.starts_with(slow) };
            if is_slow && slow == "GET /v2/" {
                return vec![send("HTTP/1.1 200 OK\r\nX: "), drip("x", SECOND)];
            }
            if is_slow {
                return vec![
                    send("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n"),
                    drip("x", SECOND),
                ];
            }
            let answer = match path {
                "GET /v2/" => format!(
                    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://{here}/token\",service=\"s\"\r\nContent-Length: 0\r\n\r\n"
                ),
                "GET /token" => "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"token\":\"t\"}".into(),
                "GET /v2/a/manifests/1" => {
                    format!("{MANIFEST_HEAD}Content-Length: {}\r\n\r\n{manifest}", manifest.len())
                }
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncomponent".into(),
            };
            vec![send(&answer)]
        })
        .await;
        tell.send(server.address.clone()).unwrap();
        match server.pull().await {
            Ok(fetched) => {
                assert_eq!(slow, "", "the client waited for it");
                assert_eq!(fetched, b"component");
            }
            Err(error) => assert_slow(&server, &error, ""),
        }
    }
}

/// The text of an error has a short time limit.
#[tokio::test(start_paused = true)]
async fn an_error_may_not_trickle_either() {
    let begun = tokio::time::Instant::now();
    let server = Server::start(|what| {
        if what == "GET /v2/" {
            return vec![send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")];
        }
        vec![
            send("HTTP/1.1 500 Internal Server Error\r\n\r\n"),
            drip("sorry ", SECOND),
        ]
    })
    .await;
    let error = server.pull().await.unwrap_err();
    assert!(
        error.to_string().contains("sorry"),
        "{error} {:?}",
        begun.elapsed()
    );
    assert!(begun.elapsed() < 10 * SECOND, "{:?}", begun.elapsed());
}
