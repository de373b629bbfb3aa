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

/// Maximum number of pending reports of an engine.
const EVENTS: usize = 64;

/// An image that an engine is loading.
pub(crate) struct Loading(JoinHandle<Result<(), BuildError>>);

impl Loading {
    /// Starts to load an archive under the given names. The caller writes the archive to the returned end
    /// of a pipe.
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

    /// Waits until the image is loaded.
    ///
    /// # Errors
    ///
    /// Returns the reason why the image was not loaded.
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
    // If the build fails first, there is nothing to load, and the engine gets no request.
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
    // If the archive was refused, the engine's error is only a consequence.
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
