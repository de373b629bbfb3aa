//! The gateway, on a fake daemon.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bollard_buildkit_proto::moby::buildkit::v1::apicaps::ApiCap;
use bollard_buildkit_proto::moby::buildkit::v1::frontend as bridge;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use iechor_buildkit::{
    CacheEntry, Client, Code, Definition, Error, FrontendRequest, FrontendResult, Gateway, Session,
    SolveRequest, SolveResponse,
};
use prost::Message as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::control::{Daemon, Statuses, serve};

/// A daemon whose builds end when the gateway returns.
#[derive(Clone)]
struct Bridged {
    /// The calls of the gateway: method, build, message.
    calls: Arc<Mutex<Vec<(String, String, Bytes)>>>,
    /// The requests to build.
    builds: Arc<Mutex<Vec<proto::SolveRequest>>>,
    returned: Arc<watch::Sender<Option<bridge::ReturnRequest>>>,
    /// How often the daemon does not know the build.
    unknown: Arc<Mutex<u32>>,
    solve: Arc<dyn Fn(bridge::SolveRequest) -> Result<bridge::Result, Status> + Send + Sync>,
    file: Vec<u8>,
    /// Whether builds end at all.
    ends: bool,
}

impl Default for Bridged {
    fn default() -> Self {
        Self {
            calls: Arc::default(),
            builds: Arc::default(),
            returned: Arc::new(watch::Sender::new(None)),
            unknown: Arc::default(),
            solve: Arc::new(|_| Ok(bridge::Result::default())),
            file: Vec::new(),
            ends: true,
        }
    }
}

#[tonic::async_trait]
impl Daemon for Bridged {
    async fn info(&self) -> Result<proto::InfoResponse, Status> {
        Ok(proto::InfoResponse::default())
    }

    async fn workers(&self) -> Result<proto::ListWorkersResponse, Status> {
        Ok(proto::ListWorkersResponse::default())
    }

    async fn solve(&self, request: proto::SolveRequest) -> Result<proto::SolveResponse, Status> {
        let refuses = request
            .entitlements
            .contains(&"security.insecure".to_owned());
        self.builds.lock().unwrap().push(request);
        if refuses {
            return Err(Status::unknown("security.insecure is not allowed"));
        }
        let mut returned = self.returned.subscribe();
        let returned = returned.wait_for(Option::is_some).await.unwrap().clone();
        if !self.ends {
            std::future::pending::<()>().await;
        }
        match returned.unwrap().error {
            Some(error) => Err(Status::with_details(
                tonic::Code::from(error.code),
                error.message.clone(),
                error.encode_to_vec().into(),
            )),
            None => Ok(proto::SolveResponse::default()),
        }
    }

    fn status(&self) -> Statuses {
        stream::empty().boxed()
    }

    async fn bridge(&self, method: &str, build: &str, message: Bytes) -> Result<Bytes, Status> {
        let call = (method.to_owned(), build.to_owned(), message.clone());
        self.calls.lock().unwrap().push(call);
        let answer = match method {
            "Ping" => {
                let mut unknown = self.unknown.lock().unwrap();
                if *unknown > 0 {
                    *unknown -= 1;
                    return Err(Status::unknown(format!("no such job {build}")));
                }
                let capability = |id: &str| ApiCap {
                    id: id.into(),
                    enabled: true,
                    ..ApiCap::default()
                };
                bridge::PongResponse {
                    frontend_api_caps: vec![capability("readfile")],
                    llb_caps: vec![capability("cache.gha")],
                    workers: Vec::new(),
                }
                .encode_to_vec()
            }
            "Solve" => {
                let request = bridge::SolveRequest::decode(message).unwrap();
                bridge::SolveResponse {
                    r#ref: String::new(),
                    result: Some((self.solve)(request)?),
                }
                .encode_to_vec()
            }
            "ReadFile" => bridge::ReadFileResponse {
                data: self.file.clone(),
            }
            .encode_to_vec(),
            "Return" => {
                let returned = bridge::ReturnRequest::decode(message).unwrap();
                self.returned.send_replace(Some(returned));
                Vec::new()
            }
            _ => Vec::new(),
        };
        Ok(answer.into())
    }
}

impl Bridged {
    async fn connect(&self) -> Client {
        let (near, far) = tokio::io::duplex(64 << 10);
        tokio::spawn(serve(far, self.clone()));
        let limit = Duration::from_secs(20);
        Client::connect_within(near, limit).await.unwrap()
    }

    async fn build<F, W>(&self, function: F) -> Result<SolveResponse, Error>
    where
        F: FnOnce(Gateway) -> W,
        W: Future<Output = Result<Option<FrontendResult>, Error>>,
    {
        let client = self.connect().await;
        let (status, _) = tokio::sync::mpsc::channel(1);
        let session = Session::builder().build();
        let request = SolveRequest::default();
        let cancel = CancellationToken::new();
        client
            .build(request, session, status, cancel, function)
            .await
    }

    fn methods(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|(method, ..)| method.clone()).collect()
    }

    /// Returns the requests to the gateway to solve.
    fn solved(&self) -> Vec<bridge::SolveRequest> {
        let calls = self.calls.lock().unwrap();
        let solved = calls.iter().filter(|(method, ..)| method == "Solve");
        solved
            .map(|(.., message)| bridge::SolveRequest::decode(message.clone()).unwrap())
            .collect()
    }

    fn returned(&self) -> bridge::ReturnRequest {
        self.returned.borrow().clone().unwrap()
    }
}

fn result(id: &str) -> bridge::Result {
    bridge::Result {
        metadata: HashMap::from([("result.json".to_owned(), b"{}".to_vec())]),
        result: Some(bridge::result::Result::Ref(bridge::Ref {
            id: id.into(),
            def: Some(bollard_buildkit_proto::pb::Definition {
                def: vec![b"graph".to_vec()],
                ..Default::default()
            }),
        })),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_build_runs_its_frontend_through_the_gateway() {
    let daemon = Bridged {
        solve: Arc::new(|_| Ok(result("a"))),
        ..Bridged::default()
    };
    let client = daemon.connect().await;
    let mut request = SolveRequest::dockerfile();
    request.reference = "build1".into();
    request.frontend_attrs.insert("target".into(), "x".into());
    request.cache_imports.push(CacheEntry {
        kind: "inline".into(),
        ..CacheEntry::default()
    });
    let session = Session::builder().build();
    let (solved, _) = crate::solve(&client, request, session).await;
    let solved = solved.unwrap();
    assert_eq!(solved.result.unwrap().metadata()["result.json"], "{}");

    let of_daemon = daemon.builds.lock().unwrap().pop().unwrap();
    assert_eq!(of_daemon.frontend, "");
    assert_eq!(of_daemon.frontend_attrs["target"], "x");
    let of_frontend = daemon.solved().pop().unwrap();
    assert_eq!(of_frontend.frontend, "dockerfile.v0");
    assert_eq!(of_frontend.frontend_opt["target"], "x");
    assert_eq!(
        of_frontend.frontend_opt["cache-imports"],
        r#"[{"Type":"inline","Attrs":{}}]"#
    );
    assert!(!of_frontend.evaluate);
    assert_eq!(daemon.methods(), ["Ping", "Solve", "Return"]);
    let calls = daemon.calls.lock().unwrap();
    assert!(calls.iter().all(|(_, build, _)| build == "build1"));
}

#[tokio::test]
async fn a_result_is_returned_as_it_came() {
    let expected = result("a");
    let daemon = Bridged {
        solve: Arc::new(|_| Ok(result("a"))),
        ..Bridged::default()
    };
    let solve = async |gateway: Gateway| {
        let result = gateway.solve(FrontendRequest::default()).await?;
        Ok(Some(result))
    };
    daemon.build(solve).await.unwrap();
    assert_eq!(daemon.returned().result, Some(expected));
}

#[tokio::test]
async fn a_result_is_an_input_of_another_frontend() {
    let daemon = Bridged {
        solve: Arc::new(|_| Ok(result("a"))),
        ..Bridged::default()
    };
    let link = async |gateway: Gateway| {
        let base = gateway.solve(FrontendRequest::default()).await?;
        let definition = base.reference().unwrap().definition().unwrap();
        let mut request = FrontendRequest::default();
        request.inputs.insert("base".into(), definition);
        gateway.solve(request).await.map(Some)
    };
    daemon.build(link).await.unwrap();
    let second = daemon.solved().pop().unwrap();
    assert_eq!(second.frontend_inputs["base"].def, [b"graph"]);
}

#[tokio::test]
async fn an_error_keeps_its_details_on_its_way_through_the_client() {
    let detail = bollard_buildkit_proto::google::protobuf::Any {
        type_url: "github.com/moby/buildkit/errdefs.Subrequest+json".into(),
        value: br#"{"name":"frontend.lint"}"#.to_vec(),
    };
    let status = rpc::Status {
        code: 2,
        message: "no".into(),
        details: vec![detail],
    };
    let sent = status.clone();
    let daemon = Bridged {
        solve: Arc::new(move |_| {
            let details = sent.encode_to_vec().into();
            Err(Status::with_details(tonic::Code::Unknown, "no", details))
        }),
        ..Bridged::default()
    };
    let solve = async |gateway: Gateway| {
        let error = gateway.solve(FrontendRequest::default()).await.unwrap_err();
        let Error::Solve(solve) = &error else {
            panic!("{error}")
        };
        assert_eq!(solve.unsupported_request.as_deref(), Some("frontend.lint"));
        Err(error)
    };
    let error = daemon.build(solve).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to solve: no");
    assert_eq!(daemon.returned().error, Some(status));
}

#[tokio::test]
async fn an_error_of_this_side_is_the_error_of_the_build() {
    let daemon = Bridged {
        file: vec![b'x'; 11],
        solve: Arc::new(|_| Ok(result("a"))),
        ..Bridged::default()
    };
    let read = async |gateway: Gateway| {
        let definition = Definition::http("http://example.com/x", "Dockerfile", "load");
        let request = FrontendRequest {
            definition: Some(definition),
            ..FrontendRequest::default()
        };
        let result = gateway.solve(request).await?;
        let reference = result.reference().unwrap();
        let whole = gateway.read_file(reference, "Dockerfile", 11).await?;
        assert_eq!(whole.len(), 11);
        gateway.read_file(reference, "Dockerfile", 10).await?;
        Ok(None)
    };
    let error = daemon.build(read).await.unwrap_err();
    assert!(
        matches!(error, Error::FileTooLarge { limit: 10, .. }),
        "{error}"
    );
    let told = daemon.returned().error.unwrap().message;
    assert_eq!(told, "Dockerfile is larger than 10 bytes");
}

#[tokio::test]
async fn a_file_without_end_is_not_read() {
    let daemon = Bridged {
        file: vec![b'x'; 8 << 20],
        solve: Arc::new(|_| Ok(result("a"))),
        ..Bridged::default()
    };
    let read = async |gateway: Gateway| {
        let result = gateway.solve(FrontendRequest::default()).await?;
        let reference = result.reference().unwrap();
        gateway.read_file(reference, "Dockerfile", 1000).await?;
        Ok(None)
    };
    let error = daemon.build(read).await.unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
}

#[tokio::test]
async fn a_build_that_begins_late_is_waited_for() {
    let daemon = Bridged {
        unknown: Arc::new(Mutex::new(3)),
        ..Bridged::default()
    };
    daemon.build(async |_| Ok(None)).await.unwrap();
    let methods = daemon.methods();
    assert_eq!(methods, ["Ping", "Ping", "Ping", "Ping", "Return"]);
}

#[tokio::test]
async fn a_build_that_goes_on_without_its_gateway_is_left_after_five_seconds() {
    let daemon = Bridged {
        ends: false,
        ..Bridged::default()
    };
    let start = Instant::now();
    let fail = async |_| Err(Error::Request("no such target".into()));
    let error = daemon.build(fail).await.unwrap_err();
    // The call that returned the error was answered: the daemon has it.
    assert!(matches!(error, Error::Request(_)), "{error}");
    let seconds = start.elapsed().as_secs_f32();
    assert!((4.0..9.0).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn capabilities_are_asked_for_once() {
    let daemon = Bridged::default();
    let client = daemon.connect().await;
    for _ in 0..2 {
        let capabilities = client.capabilities().await.unwrap();
        assert!(capabilities.llb("cache.gha") && capabilities.frontend("readfile"));
        assert!(!capabilities.llb("cache.s3"));
    }
    let builds = daemon.builds.lock().unwrap();
    assert_eq!(builds.len(), 1);
    assert!(builds[0].internal);
}

#[tokio::test]
async fn an_entitlement_that_the_daemon_refuses_is_found_without_a_build() {
    let daemon = Bridged::default();
    let client = daemon.connect().await;
    client.probe(vec!["network.host".into()]).await.unwrap();
    let error = client.probe(vec!["security.insecure".into()]).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Some(Code::Unknown));
    assert_eq!(
        error.to_string(),
        "failed to solve: security.insecure is not allowed"
    );
}
