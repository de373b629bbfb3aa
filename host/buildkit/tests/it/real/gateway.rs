//! The gateway of a real BuildKit.

use std::fs;

use iechor_buildkit::{
    Definition, Error, FrontendRequest, Gateway, Session, SolveRequest, SolveResponse,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{context, context_with_shell, session, to_directory};
use crate::machine::machine;

async fn build<F, W>(
    request: SolveRequest,
    session: Session,
    function: F,
) -> Result<SolveResponse, Error>
where
    F: FnOnce(Gateway) -> W,
    W: Future<Output = Result<Option<iechor_buildkit::FrontendResult>, Error>>,
{
    let daemon = machine().dial().await;
    let (status, _) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let build = daemon
        .client
        .build(request, session, status, cancel, function);
    build.await
}

fn dockerfile_request() -> FrontendRequest {
    SolveRequest::dockerfile().of_frontend()
}

#[tokio::test(flavor = "multi_thread")]
async fn capabilities_of_buildkit() {
    let daemon = machine().dial().await;
    let capabilities = daemon.client.capabilities().await.unwrap();
    assert!(capabilities.llb("exporter.image.attestations"));
    assert!(capabilities.llb("cache.gha"));
    assert!(capabilities.frontend("readfile"));
    assert!(!capabilities.llb("no such capability"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_result_is_read_up_to_the_limit() {
    let context = context("FROM scratch\nCOPY Dockerfile /copy\n");
    let read = async |gateway: Gateway| {
        let mut request = dockerfile_request();
        request.evaluate = true;
        let result = gateway.solve(request).await?;
        let reference = result.reference().unwrap();
        let whole = gateway.read_file(reference, "copy", 100).await?;
        assert_eq!(whole, "FROM scratch\nCOPY Dockerfile /copy\n");
        gateway.evaluate(reference).await?;
        gateway
            .read_file(reference, "copy", whole.len() - 1)
            .await?;
        Ok(None)
    };
    let error = build(SolveRequest::default(), session(&context), read).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::FileTooLarge { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_the_context_of_another_build() {
    let base = context("FROM scratch AS base\nCOPY Dockerfile /from-base\nFROM base2\n");
    let output = TempDir::new().unwrap();
    let link = async |gateway: Gateway| {
        let mut request = dockerfile_request();
        request.attributes.insert("target".into(), "base".into());
        let linked = gateway.solve(request).await?;
        let definition = linked.reference().unwrap().definition().unwrap();
        let mut request = dockerfile_request();
        request.inputs.insert("base".into(), definition);
        let attributes = [
            ("context:base2", "input:base"),
            ("frontend.caps", "moby.buildkit.frontend.contexts+forward"),
        ];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
        request.attributes.extend(attributes);
        gateway.solve(request).await.map(Some)
    };
    let request = SolveRequest {
        exporters: vec![to_directory(output.path())],
        ..SolveRequest::default()
    };
    build(request, session(&base), link).await.unwrap();
    let copied = fs::read_to_string(output.path().join("from-base")).unwrap();
    assert!(copied.starts_with("FROM scratch AS base"), "{copied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_answer_is_an_error_of_the_build() {
    let load = async |gateway: Gateway| {
        let url = "http://127.0.0.1:9/Dockerfile";
        let request = FrontendRequest {
            definition: Some(Definition::http(url, "Dockerfile", "[internal] load x")),
            evaluate: true,
            ..FrontendRequest::default()
        };
        gateway.solve(request).await?;
        Ok(None)
    };
    let session = Session::builder().build();
    let error = build(SolveRequest::default(), session, load).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:9"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_step_names_it_and_its_place() {
    let machine = machine();
    let context = context_with_shell(machine, "RUN exit 7\n");
    let daemon = machine.dial().await;
    let request = SolveRequest::dockerfile();
    let (result, _) = crate::solve(&daemon.client, request, session(&context)).await;
    let Error::Solve(error) = result.unwrap_err() else {
        panic!("another error")
    };
    assert!(error.vertex.is_some());
    assert_eq!(error.sources[0].ranges[0].start.line, 3);
}
