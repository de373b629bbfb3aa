//! `moby.upload.v1.Upload`: sends a stream to the daemon once, for example an archive with the context.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tonic::Status;

use super::service::{Handler, Method, SMALL_MESSAGE, SessionService, StreamingCall};
use super::{SessionBuilder, new_id};
use crate::grpc::framed;
use crate::wire::BytesMessage;

/// Host of the URLs under which the daemon requests a stream.
const HOST: &str = "http://buildkit-session/";

/// Maximum number of streams that are sent at the same time. A build has one.
const STREAMS_AT_ONCE: usize = 4;

/// Size of a message, in bytes.
const CHUNK: usize = 32 << 10;

/// A stream that is sent.
type Reader = Pin<Box<dyn AsyncRead + Send>>;

/// Streams that the daemon may request, each once.
#[derive(Default)]
pub struct Uploads(Mutex<BTreeMap<String, Reader>>);

/// Shows the names.
impl fmt::Debug for Uploads {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_set().entries(streams.keys()).finish()
    }
}

impl Uploads {
    /// Adds a stream. Returns the URL under which the daemon requests it.
    pub fn add(&mut self, reader: impl AsyncRead + Send + 'static) -> String {
        let id = new_id();
        let streams = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        streams.insert(id.clone(), Box::pin(reader));
        format!("{HOST}{id}")
    }

    /// Takes the stream of the last part of a path.
    fn take(&self, path: &str) -> Option<Reader> {
        let id = path.rsplit('/').next().unwrap_or_default();
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.remove(id)
    }

    /// Sends a stream. Messages of the daemon have no meaning and are not read.
    async fn pull(self: Arc<Self>, call: StreamingCall) -> Result<(), Status> {
        let path = call.headers.get("urlpath");
        let path = path.and_then(|path| path.to_str().ok()).unwrap_or_default();
        let Some(mut reader) = self.take(path) else {
            return Err(Status::not_found(format!(
                "no http response from session for {path}"
            )));
        };
        loop {
            let mut data = Vec::with_capacity(CHUNK);
            let mut chunk = (&mut reader).take(CHUNK as u64);
            while data.len() < CHUNK {
                let read = chunk.read_buf(&mut data).await;
                let read = read.map_err(|error| {
                    Status::unknown(format!("cannot read the uploaded stream: {error}"))
                })?;
                if read == 0 {
                    break;
                }
            }
            if data.is_empty() {
                return Ok(());
            }
            let message = framed(&BytesMessage {
                data: Bytes::from(data),
            });
            if call.outgoing.send(message).await.is_err() {
                // The daemon does not need the rest.
                return Ok(());
            }
        }
    }
}

impl SessionBuilder {
    /// Offers streams to the build. Replaces those of an earlier call.
    #[must_use]
    pub fn uploads(self, uploads: Uploads) -> Self {
        self.attach(uploads)
    }
}

impl SessionService for Uploads {
    const NAME: &'static str = "moby.upload.v1.Upload";
    const METHODS: &'static [Method<Self>] = &[Method {
        name: "Pull",
        calls_at_once: STREAMS_AT_ONCE,
        message_limit: SMALL_MESSAGE,
        handler: Handler::Streaming(|service, call| Box::pin(service.pull(call))),
    }];
}
