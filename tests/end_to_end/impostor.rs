//! An engine and a BuildKit whose texts are all chosen by the test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use bollard_buildkit_proto::google::{protobuf::Any, protobuf::Timestamp, rpc};
use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bollard_buildkit_proto::moby::buildkit::v1::types;
use bollard_buildkit_proto::pb;
use futures_util::{StreamExt as _, stream};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tonic::Status;

use crate::control::{Daemon, Statuses, serve};

/// The answers of an engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Objects, with the text in every field.
    Objects,
    /// The text as an error.
    Errors,
    /// The text instead of an HTTP response.
    Garbage,
}

/// Starts an engine that listens on a socket as long as the test runs.
pub fn engine(socket: &Path, text: &'static str, answers: Answers) {
    let listener = UnixListener::bind(socket).expect("bound");
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // Ignore clients that disconnect.
            thread::spawn(move || answer(connection, text, answers).ok());
        }
    });
}

fn answer(mut connection: UnixStream, text: &str, answers: Answers) -> std::io::Result<()> {
    if answers == Answers::Garbage {
        return connection.write_all(text.as_bytes());
    }
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    let path = request.split(' ').nth(1).unwrap_or_default();
    let found = match answers {
        Answers::Objects if request.starts_with("GET") => object(path, text),
        _ => None,
    };
    let (status, body) = match found {
        Some(object) => ("200 OK", object),
        None => ("500 Internal Server Error", json!({ "message": text })),
    };
    let body = body.to_string();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nApi-Version: 1.41\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn object(path: &str, text: &str) -> Option<Value> {
    let path = path.split('?').next().unwrap_or_default();
    let labels = json!({ text: text });
    if path.ends_with("/version") {
        Some(json!({
            "Version": text, "ApiVersion": "1.41", "Os": text, "Arch": text,
            "Components": [{ "Name": text }],
        }))
    } else if path.ends_with("/info") {
        Some(json!({
            "ID": text, "Name": text, "KernelVersion": text, "CgroupDriver": text,
            "SecurityOptions": [text], "DriverStatus": [[text, text]], "Runtimes": { text: {} },
        }))
    } else if path.ends_with("/volumes") {
        let volume = json!({ "Name": text, "Driver": text, "Labels": labels, "Mountpoint": text,
            "Scope": "local", "Options": {} });
        Some(json!({ "Volumes": [volume], "Warnings": [text] }))
    } else if path.ends_with("/networks") {
        Some(
            json!([{ "Id": text, "Name": text, "Driver": text, "Scope": text,
            "Internal": false, "Labels": labels }]),
        )
    } else if path.contains("/containers/thing/json") {
        Some(
            json!({ "Id": text, "Name": text, "Config": { "Labels": labels, "Env": [text] },
            "State": { "Status": text, "Error": text } }),
        )
    } else {
        None
    }
}

/// A BuildKit with the text in every field, which runs as long as this value exists.
pub struct BuildKit(#[expect(dead_code, reason = "it runs the daemon")] Runtime);

impl BuildKit {
    /// Starts it on a socket. A build for the target `fails` fails.
    pub fn start(socket: &Path, text: &'static str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let inside = runtime.enter();
        let listener = tokio::net::UnixListener::bind(socket).expect("bound");
        drop(inside);
        runtime.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Impostor(text)));
            }
        });
        Self(runtime)
    }
}

struct Impostor(&'static str);

impl Impostor {
    fn text(&self) -> String {
        self.0.to_owned()
    }

    fn version(&self) -> types::BuildkitVersion {
        types::BuildkitVersion {
            package: self.text(),
            version: self.text(),
            revision: self.text(),
        }
    }

    fn statuses(&self) -> proto::StatusResponse {
        let time = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let vertex = |error: String| proto::Vertex {
            digest: self.text(),
            inputs: vec![self.text()],
            name: self.text(),
            started: time(1_000_000),
            completed: time(1_000_001),
            error,
            ..Default::default()
        };
        proto::StatusResponse {
            vertexes: vec![
                vertex(self.text()),
                proto::Vertex {
                    digest: "other".into(),
                    progress_group: Some(pb::ProgressGroup {
                        id: self.text(),
                        name: self.text(),
                        weak: false,
                    }),
                    ..vertex(String::new())
                },
            ],
            statuses: vec![proto::VertexStatus {
                id: self.text(),
                vertex: self.text(),
                name: self.text(),
                started: time(1_000_000),
                completed: time(1_000_001),
                timestamp: time(1_000_001),
                ..Default::default()
            }],
            logs: vec![proto::VertexLog {
                vertex: self.text(),
                stream: 1,
                msg: self
                    .0
                    .as_bytes()
                    .iter()
                    .chain(b"\xff\xfe")
                    .copied()
                    .collect(),
                timestamp: time(1_000_000),
            }],
            warnings: vec![proto::VertexWarning {
                vertex: self.text(),
                short: self.text().into(),
                detail: vec![self.text().into()],
                url: self.text(),
                info: Some(pb::SourceInfo {
                    filename: self.text(),
                    data: self.text().into(),
                    language: self.text(),
                    ..Default::default()
                }),
                ..Default::default()
            }],
        }
    }

    fn failure(&self) -> Status {
        use base64::Engine as _;
        let data = base64::engine::general_purpose::STANDARD.encode(self.0);
        let source = json!({
            "info": { "filename": self.0, "data": data, "language": self.0 },
            "ranges": [{ "start": { "line": 1 }, "end": { "line": 9 } }],
        });
        let detail = |name: &str, value: Value| Any {
            type_url: format!("github.com/moby/buildkit/errdefs.{name}+json"),
            value: value.to_string().into_bytes(),
        };
        let details = rpc::Status {
            code: 2,
            message: self.text(),
            details: vec![
                detail("Vertex", json!({ "digest": self.0 })),
                detail("Source", source),
            ],
        };
        let details = details.encode_to_vec().into();
        Status::with_details(tonic::Code::Unknown, self.text(), details)
    }
}

#[tonic::async_trait]
impl Daemon for Impostor {
    async fn info(&self) -> Result<proto::InfoResponse, Status> {
        Ok(proto::InfoResponse {
            buildkit_version: Some(self.version()),
        })
    }

    async fn workers(&self) -> Result<proto::ListWorkersResponse, Status> {
        let labels = [(self.text(), self.text())].into_iter().collect();
        let worker = types::WorkerRecord {
            id: self.text(),
            labels,
            platforms: vec![pb::Platform {
                architecture: self.text(),
                os: self.text(),
                variant: self.text(),
                os_version: self.text(),
                ..Default::default()
            }],
            gc_policy: vec![types::GcPolicy {
                filters: vec![self.text()],
                ..Default::default()
            }],
            buildkit_version: Some(self.version()),
            ..Default::default()
        };
        Ok(proto::ListWorkersResponse {
            record: vec![worker],
        })
    }

    async fn solve(
        &self,
        mut request: proto::SolveRequest,
    ) -> Result<proto::SolveResponse, Status> {
        let target = request.frontend_attrs.remove("target");
        if target.as_deref() == Some("fails") {
            return Err(self.failure());
        }
        let facts = [
            ("containerimage.digest".to_owned(), self.text()),
            (self.text(), self.text()),
        ];
        Ok(proto::SolveResponse {
            exporter_response: facts.into_iter().collect(),
        })
    }

    fn status(&self) -> Statuses {
        stream::iter([Ok(self.statuses()), Err(self.failure())]).boxed()
    }
}
