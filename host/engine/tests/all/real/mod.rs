//! Behaviour that only a real engine shows.

mod commands;
mod connections;
mod containers;
mod images;

use iechor_engine::Engine;
use iechor_engine::docker::DockerEngine;
use iechor_engine::model::ExecSpec;

use crate::support::Names;

fn sh(script: &str) -> ExecSpec {
    ExecSpec {
        command: vec!["sh".into(), "-c".into(), script.into()],
        ..ExecSpec::default()
    }
}

async fn running(engine: &DockerEngine, names: &Names) -> String {
    let spec = names.container("c", &["sleep", "600"]);
    engine.create_container(&spec).await.expect("made");
    engine.start_container(&spec.name).await.expect("started");
    spec.name
}

async fn run(engine: &DockerEngine, name: &str, spec: &ExecSpec) -> String {
    let output = engine
        .run_in_container(name, spec, 10_000)
        .await
        .expect("run");
    assert_eq!(output.exit_code, 0, "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}
