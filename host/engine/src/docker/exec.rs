//! Commands in containers.

use std::time::Duration;

use bollard::models::ExecConfig;
use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{Method, Request};
use http_body_util::Full;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::address::segment;
use super::answer::Bounds;
use super::client::DockerEngine;
use super::container;
use super::demux::{Demux, Kind, Splitter};
use super::errors::{WORDS, lacks_program, refine};
use super::stream::Prefixed;
use crate::error::{EngineError, ObjectKind};
use crate::model::{ContainerStatus, ExecOutput, ExecSpec};
use crate::stderr;
use crate::stream::{BoxByteStream, ExecConnection};

/// First and longest pause between two checks of a command that is about to start or to end.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(200));

/// Exit code that engines report for a program that the container does not have, as shells do.
const MISSING: i64 = 127;

pub(super) async fn run(
    engine: &DockerEngine,
    name: &str,
    spec: &ExecSpec,
    limit: usize,
) -> Result<ExecOutput, EngineError> {
    let (id, mut io) = attach(engine, name, spec, false).await?;
    let mut output = ExecOutput {
        exit_code: 0,
        stdout: Vec::new(),
        stderr: Vec::new(),
        truncated: false,
    };
    let mut splitter = Splitter::strict();
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let broken = |e: std::io::Error| engine.dialer.unreachable(e.to_string());
    // A copy of stdout, in case it is the engine's message, which `limit` does not apply to.
    let mut words = Vec::new();
    loop {
        while let Some((kind, piece)) = splitter.next(&mut buffer).map_err(broken)? {
            let kept = match kind {
                Kind::Stdout => {
                    let room = (WORDS - words.len()).min(piece.len());
                    words.extend_from_slice(&piece[..room]);
                    &mut output.stdout
                }
                Kind::Stderr => &mut output.stderr,
                Kind::System => {
                    let said = &piece[..piece.len().min(WORDS)];
                    return Err(EngineError::Protocol(
                        String::from_utf8_lossy(said).trim().to_owned(),
                    ));
                }
            };
            let room = limit.saturating_sub(kept.len()).min(piece.len());
            kept.extend_from_slice(&piece[..room]);
            output.truncated |= room < piece.len();
        }
        if io.read_buf(&mut buffer).await.map_err(broken)? == 0 {
            splitter.finish(&mut buffer).map_err(broken)?;
            break;
        }
    }
    let _ = io.shutdown().await;
    drop(io);
    let mut pause = PAUSES.0;
    loop {
        match state(engine, &id).await? {
            State::Ended(code) => {
                output.exit_code = code;
                return Ok(output);
            }
            State::NotStarted(code) => {
                // Docker writes its message to stdout, Podman to stderr.
                let words = if words.is_empty() {
                    &output.stderr
                } else {
                    &words
                };
                return Err(cannot_start(name, spec, code, words));
            }
            // The streams end shortly before the engine notices that the process has ended, or much
            // earlier if the command closed them.
            State::Waiting | State::Running => sleep(&mut pause).await,
        }
    }
}

pub(super) async fn dial(
    engine: &DockerEngine,
    name: &str,
    spec: &ExecSpec,
) -> Result<ExecConnection, EngineError> {
    let (id, io) = attach(engine, name, spec, true).await?;
    let (sink, stderr) = stderr::channel();
    let mut stream = Demux::new(io, sink);
    started(engine, name, spec, &id, &mut stream).await?;
    Ok(ExecConnection {
        stream: Box::new(stream),
        stderr,
    })
}

/// Waits until the command runs.
///
/// The engine takes the connection over before it starts the command, and writes the reason of a
/// failure to stdout. So this function checks the first output. If there is none yet (many commands
/// wait for input), it checks the engine's record of the command.
async fn started(
    engine: &DockerEngine,
    name: &str,
    spec: &ExecSpec,
    id: &str,
    stream: &mut Demux<Prefixed<BoxByteStream>>,
) -> Result<(), EngineError> {
    let broken = |e: std::io::Error| engine.dialer.unreachable(e.to_string());
    let mut pause = PAUSES.0;
    let mut seen = false;
    loop {
        if !seen {
            tokio::select! {
                biased;
                first = stream.peek() => {
                    let first = first.map_err(broken)?;
                    if !first.is_empty() && !looks_like_refusal(first) {
                        return Ok(());
                    }
                    seen = true;
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
        match state(engine, id).await? {
            State::Running | State::Ended(_) => return Ok(()),
            State::NotStarted(code) => {
                let mut words = Vec::new();
                let mut rest = stream.take(WORDS as u64);
                // The message has arrived or is about to; then the engine closes the stream.
                let rest = rest.read_to_end(&mut words);
                let _ = tokio::time::timeout(Duration::from_secs(2), rest).await;
                return Err(cannot_start(name, spec, code, &words));
            }
            State::Waiting if seen => sleep(&mut pause).await,
            State::Waiting => pause = (pause * 2).min(PAUSES.1),
        }
    }
}

/// Checks whether the first output may be the engine's message, which ends with a terminal's line
/// end. A server's first frame does not. For other commands the check of the engine's record is cheap.
fn looks_like_refusal(first: &[u8]) -> bool {
    first.ends_with(b"\r\n") || first.starts_with(b"OCI runtime")
}

fn cannot_start(name: &str, spec: &ExecSpec, code: i64, words: &[u8]) -> EngineError {
    let words = &words[..words.len().min(WORDS)];
    let words = String::from_utf8_lossy(words);
    let words = words.trim();
    EngineError::CannotStart {
        container: name.to_owned(),
        command: spec.command.first().cloned().unwrap_or_default(),
        reason: match words {
            "" if code == MISSING => "the container has no such program".to_owned(),
            "" => format!("the engine reports exit code {code} and no message"),
            words => words.to_owned(),
        },
        is_missing: code == MISSING || lacks_program(words),
    }
}

/// Creates the command and starts it with its streams attached.
async fn attach(
    engine: &DockerEngine,
    name: &str,
    spec: &ExecSpec,
    stdin: bool,
) -> Result<(String, Prefixed<BoxByteStream>), EngineError> {
    let env = spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let config = ExecConfig {
        attach_stdin: Some(stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        cmd: Some(spec.command.clone()),
        env: Some(env),
        user: spec.user.clone(),
        working_dir: spec.workdir.clone(),
        ..Default::default()
    };
    let about = &[(ObjectKind::Container, name)];
    let created = engine
        .docker
        .create_exec(&segment(name), config)
        .await
        .map_err(engine.failed(about));
    let created = match created {
        Ok(created) => created,
        Err(error) => return Err(by_state(engine, name, error).await),
    };
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/exec/{}/start", segment(&created.id)))
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "tcp")
        .body(Full::new(Bytes::from_static(
            br#"{"Detach":false,"Tty":false}"#,
        )))
        .map_err(|e| EngineError::Protocol(format!("ID of a command: {e}")))?;
    match engine.dialer.upgrade(request).await {
        Ok(io) => Ok((created.id, io)),
        Err(error) => Err(by_state(engine, name, refine(error, about)).await),
    }
}

/// Returns [`EngineError::Conflict`] for a refused command if the container does not run. Docker answers 409 in this
/// case and Podman 500, so the state of the container decides. Other refusals stay as they are.
async fn by_state(engine: &DockerEngine, name: &str, error: EngineError) -> EngineError {
    let EngineError::Refused { message, .. } = &error else {
        return error;
    };
    match container::inspect(engine, name).await {
        Ok(Some(found)) if !matches!(found.status, ContainerStatus::Running) => {
            EngineError::Conflict(message.clone())
        }
        Ok(_) | Err(_) => error,
    }
}

/// The state of a command.
enum State {
    /// About to start.
    Waiting,
    Running,
    Ended(i64),
    /// It will never run; with the exit code that the engine reports.
    NotStarted(i64),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspection {
    running: bool,
    exit_code: Option<i64>,
    pid: Option<i64>,
}

async fn state(engine: &DockerEngine, id: &str) -> Result<State, EngineError> {
    let path = format!("/exec/{}/json", segment(id));
    let seen: Inspection = engine
        .json(Method::GET, &path, &[], None, &[], Bounds::OBJECT)
        .await?;
    Ok(judge(&seen))
}

/// Returns the state of a command. `Running` becomes true before the command exists; the process ID is
/// set when it exists, and Docker keeps it after the command's end.
fn judge(seen: &Inspection) -> State {
    let process = seen.pid.is_some_and(|pid| pid > 0);
    match seen.exit_code {
        Some(code @ (126 | 127)) if !seen.running && !process => State::NotStarted(code),
        Some(code) if !seen.running => State::Ended(code),
        _ if process || (seen.running && seen.pid.is_none()) => State::Running,
        _ => State::Waiting,
    }
}

async fn sleep(pause: &mut Duration) {
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(PAUSES.1);
}
