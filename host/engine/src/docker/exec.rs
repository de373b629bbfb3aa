//! Commands in containers.

use std::time::Duration;

use bollard::models::ExecConfig;
use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{Method, Request};
use http_body_util::Full;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer::Bounds;
use super::demux::{Demux, Kind, Splitter};
use super::dialer::{Io, Prefixed};
use super::{DockerEngine, segment};
use crate::model::{ExecOutput, ExecSpec};
use crate::{EngineError, ExecConnection, ObjectKind, stderr};

/// First and longest pause between two looks at a command that is about to start or to end.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(200));

/// As much of the engine's words as an error repeats.
const WORDS: usize = 4096;

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
    // Stdout again, should it turn out to be the engine's words: those are not limited by `limit`.
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
                return Err(cannot_start(name, spec, code, &words));
            }
            // The streams end some moments before the engine has seen the process end, or much
            // earlier where the command closed them.
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
/// The engine takes the connection over before it starts the command, and writes why it could not
/// to where stdout would be. So this looks at the first output; where there is none yet (many
/// commands wait for input), at the engine's own record of the command.
async fn started(
    engine: &DockerEngine,
    name: &str,
    spec: &ExecSpec,
    id: &str,
    stream: &mut Demux<Prefixed<Io>>,
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
                // The words are there, or nearly; the engine closes the stream behind them.
                let rest = rest.read_to_end(&mut words);
                let _ = tokio::time::timeout(Duration::from_secs(2), rest).await;
                return Err(cannot_start(name, spec, code, &words));
            }
            State::Waiting if seen => sleep(&mut pause).await,
            State::Waiting => pause = (pause * 2).min(PAUSES.1),
        }
    }
}

/// The engine ends its words as a terminal wants it. A server's first frame does not look so, and
/// where a command's output does, a look at the engine's record costs little.
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
        reason: if words.is_empty() {
            format!("the engine gave up with exit code {code} and no further words")
        } else {
            words.to_owned()
        },
    }
}

/// Makes the command and starts it, with its streams attached.
async fn attach(
    engine: &DockerEngine,
    name: &str,
    spec: &ExecSpec,
    stdin: bool,
) -> Result<(String, Prefixed<Io>), EngineError> {
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
        .map_err(engine.failed(about))?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/exec/{}/start", segment(&created.id)))
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "tcp")
        .body(Full::new(Bytes::from_static(
            br#"{"Detach":false,"Tty":false}"#,
        )))
        .map_err(|e| EngineError::Protocol(format!("id of a command: {e}")))?;
    let io = engine
        .dialer
        .upgrade(request)
        .await
        .map_err(|e| super::errors::refine(e, about))?;
    Ok((created.id, io))
}

/// Where a command is.
enum State {
    /// About to start.
    Waiting,
    Running,
    Ended(i64),
    /// It will never run; with the exit code that stands for it.
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

/// `Running` turns true before the command is there; a process id only comes with it, and is kept
/// after its end by Docker.
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
