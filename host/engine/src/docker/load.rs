//! Loads images, like `docker load`.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::address::address;
use super::answer::Bounds;
use super::client::DockerEngine;
use super::lines::Lines;
use crate::error::EngineError;
use crate::model::LoadEvent;

pub(super) async fn load(
    engine: &DockerEngine,
    tar: BoxStream<'static, io::Result<Bytes>>,
    events: mpsc::Sender<LoadEvent>,
) -> Result<(), EngineError> {
    // A failure of the stream would be reported as a broken transfer; it is kept here, to be reported
    // as what it is.
    let failure = Arc::new(Mutex::new(None));
    let note = failure.clone();
    let body = StreamBody::new(tar.map(move |part| match part {
        Ok(data) => Ok(Frame::data(data)),
        Err(e) => {
            *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(e.to_string());
            Err(e)
        }
    }));
    let request = Request::builder()
        .method(Method::POST)
        .uri(address("/images/load", &[("quiet", "0")]))
        .header(CONTENT_TYPE, "application/x-tar")
        .body(body)
        .map_err(|e| EngineError::Invalid(format!("cannot send a request to load images: {e}")))?;
    let result = transfer(engine, request, &events).await;
    let failure = failure
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    match (result, failure) {
        (Err(_), Some(reason)) => Err(EngineError::Invalid(format!(
            "cannot read the images to load to their end: {reason}"
        ))),
        (Err(EngineError::Refused { status, message }), None) => Err(EngineError::Refused {
            status,
            message: format!("cannot load the images: {message}"),
        }),
        (result, _) => result,
    }
}

async fn transfer<B>(
    engine: &DockerEngine,
    request: Request<B>,
    events: &mpsc::Sender<LoadEvent>,
) -> Result<(), EngineError>
where
    B: hyper::body::Body<Data = Bytes, Error = io::Error> + Send + 'static,
{
    let response = engine.dialer.send(request, Bounds::REPORT).await?;
    let response = engine.successful(response, &[]).await?;
    let mut lines = Lines::new(&engine.dialer, response.into_body());
    while let Some(line) = lines.next().await? {
        let (current, total) = line.progress();
        let status = if line.status.is_empty() {
            line.stream.trim_end().to_owned()
        } else {
            line.status
        };
        let event = LoadEvent {
            id: line.id,
            status,
            current,
            total,
        };
        // The load continues without a listener.
        let _ = events.send(event).await;
    }
    Ok(())
}
