//! The log of a container.

use bytes::BytesMut;
use http::Method;
use http_body_util::BodyExt;

use super::super::address::segment;
use super::super::answer::Bounds;
use super::super::client::DockerEngine;
use super::super::demux::{Kind, Splitter};
use super::super::errors::WORDS;
use crate::error::{EngineError, ObjectKind};
use crate::log::Log;
use crate::model::{LogChunk, LogStream};

pub(in crate::docker) async fn logs(
    engine: &DockerEngine,
    name: &str,
    tail: Option<u32>,
    limit: usize,
) -> Result<Vec<LogChunk>, EngineError> {
    let path = format!("/containers/{}/logs", segment(name));
    let tail = tail.map_or_else(|| "all".to_owned(), |n| n.to_string());
    let query = [
        ("stdout", "true"),
        ("stderr", "true"),
        ("tail", tail.as_str()),
    ];
    let about = &[(ObjectKind::Container, name)];
    let response = engine
        .request(Method::GET, &path, &query, None, about, Bounds::LOG)
        .await?;
    let broken = |e: std::io::Error| engine.dialer.unreachable(e.to_string());
    let mut log = Log::new(limit);
    let mut splitter = Splitter::lenient();
    let mut buffer = BytesMut::new();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| engine.dialer.broken(&e))?;
        if let Ok(data) = frame.into_data() {
            buffer.extend_from_slice(&data);
        }
        while let Some((kind, piece)) = splitter.next(&mut buffer).map_err(broken)? {
            match kind {
                Kind::Stdout => log.push(LogStream::Stdout, piece),
                Kind::Stderr => log.push(LogStream::Stderr, piece),
                Kind::System => {
                    let words = &piece[..piece.len().min(WORDS)];
                    let words = String::from_utf8_lossy(words).trim().to_owned();
                    return Err(EngineError::Protocol(words));
                }
            }
        }
    }
    if let Some(rest) = splitter.finish(&mut buffer).map_err(broken)? {
        log.push(LogStream::Stdout, rest);
    }
    Ok(log.chunks())
}
