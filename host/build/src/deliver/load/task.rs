//! The task in which an engine loads an image while BuildKit sends it.

use std::sync::Arc;

use futures_util::StreamExt as _;
use iechor_builder::BuilderError;
use iechor_engine::Engine;
use iechor_engine::model::LoadEvent;
use iechor_progress::vertex::{StatusSender, Vertex};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::io::ReaderStream;

use super::error::ArchiveError;
use super::filter::filter;
use crate::error::BuildError;

/// Size of the pipe between BuildKit's result and the engine, in bytes.
const PIPE: usize = 256 << 10;

/// Reports of an engine that wait to be shown.
const EVENTS: usize = 64;

/// An image that an engine loads.
pub(crate) struct Loading(JoinHandle<Result<(), BuildError>>);

impl Loading {
    /// Starts to load what is written to the returned end of a pipe, under these names.
    pub(crate) fn start(
        engine: Arc<dyn Engine>,
        names: Vec<String>,
        status: StatusSender,
    ) -> (DuplexStream, Self) {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let body = ReaderStream::with_capacity(theirs, PIPE);
        let task = tokio::spawn(load(engine, names, body, status));
        (ours, Self(task))
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// Why the image is not loaded.
    pub(crate) async fn finish(self) -> Result<(), BuildError> {
        self.0.await.unwrap_or_else(|panic| {
            Err(BuildError::Load {
                reason: panic.to_string(),
            })
        })
    }
}

async fn load(
    engine: Arc<dyn Engine>,
    names: Vec<String>,
    mut body: ReaderStream<DuplexStream>,
    status: StatusSender,
) -> Result<(), BuildError> {
    // There is nothing to load where the build fails first: the engine is not even asked.
    let Some(first) = body.next().await else {
        return Ok(());
    };
    let (vertex, forwarder) = Vertex::begin("importing to docker", status);
    let (sender, mut events) = mpsc::channel::<LoadEvent>(EVENTS);
    let body = futures_util::stream::once(async move { first }).chain(body);
    let refusal = Arc::default();
    let body = filter(body.boxed(), names, Arc::clone(&refusal));
    let show = async {
        while let Some(event) = events.recv().await {
            if !event.id.is_empty() && event.total.is_some() {
                let layer = format!("loading layer {}", event.id);
                vertex.count(&layer, event.current, event.total);
            }
        }
    };
    let (loaded, ()) = tokio::join!(engine.load_images(body, sender), show);
    // What the engine says about an archive that ends with an error is not the reason.
    let loaded: Result<(), BuildError> = match refusal.get() {
        Some(refusal) => Err(ArchiveError::clone(refusal).into()),
        None => loaded.map_err(|error| BuilderError::from(error).into()),
    };
    vertex.end(match &loaded {
        Ok(()) => Ok(()),
        Err(error) => Err(error.to_string()),
    });
    drop(vertex);
    forwarder.finish().await;
    loaded
}
