//! gRPC below tonic: message framing, and bodies for calls with bulk data.
//!
//! tonic's codec decodes and encodes one message at a time. File transfer and the session's byte
//! stream pass whole buffers instead: an outgoing buffer may hold many messages, and an incoming
//! message is a slice of the received data.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

/// Default of the maximum size of an incoming message: 16 MiB, the limit of the daemon itself.
pub(crate) const MESSAGE_LIMIT: usize = 16 << 20;

/// Length of the prefix of a message: the compression flag and the length of the message.
pub(crate) const PREFIX: usize = 5;

/// Encodes a message with its gRPC prefix.
pub(crate) fn framed(message: &impl prost::Message) -> Bytes {
    let length = message.encoded_len();
    let mut buffer = BytesMut::with_capacity(PREFIX + length);
    buffer.put_u8(0);
    buffer.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    buffer.put_slice(&message.encode_to_vec());
    buffer.freeze()
}

/// Splits a body into the payloads of its messages.
///
/// Ends with the body, or with an error if the body breaks off or its trailers have a status other
/// than OK.
pub(crate) struct Messages<B> {
    body: B,
    /// The rest of the last frame.
    chunk: Bytes,
    /// The beginning of a message that spans several frames.
    partial: BytesMut,
    /// Maximum size of a message, in bytes.
    limit: usize,
    ended: bool,
}

impl<B> Messages<B> {
    pub(crate) fn new(body: B) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
            limit: MESSAGE_LIMIT,
            ended: false,
        }
    }

    /// Sets the maximum size of a message, in bytes, instead of 16 MiB.
    pub(crate) fn limited(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Takes one message out of the received data.
    fn pop(&mut self) -> io::Result<Option<Bytes>> {
        if self.partial.is_empty() {
            if let Some(total) = frame_length(&self.chunk, self.limit)?
                && self.chunk.len() >= total
            {
                let mut message = self.chunk.split_to(total);
                message.advance(PREFIX);
                return Ok(Some(message));
            }
            if self.chunk.is_empty() {
                return Ok(None);
            }
        }
        loop {
            let total = frame_length(&self.partial, self.limit)?;
            let want = total.unwrap_or(PREFIX);
            let missing = want.saturating_sub(self.partial.len());
            // The announced length is not trusted: memory is allocated for received data only.
            let taken = self.chunk.split_to(missing.min(self.chunk.len()));
            self.partial.put_slice(&taken);
            if self.partial.len() < want {
                return Ok(None);
            }
            if total.is_some() {
                let mut message = self.partial.split().freeze();
                message.advance(PREFIX);
                return Ok(Some(message));
            }
        }
    }
}

/// Returns the length of the first message, including its prefix, once the prefix has been
/// received.
fn frame_length(bytes: &[u8], limit: usize) -> io::Result<Option<usize>> {
    let Some((&[compressed, a, b, c, d], _)) = bytes.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if compressed != 0 {
        return Err(invalid(
            "a compressed gRPC message, but compression was not negotiated",
        ));
    }
    if length > limit {
        let what = format!("a gRPC message longer than {} KiB", limit >> 10);
        return Err(invalid(&what));
    }
    Ok(Some(PREFIX + length))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("received {what}"))
}

impl<B> futures_util::Stream for Messages<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.ended {
                return Poll::Ready(None);
            }
            match this.pop() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                Ok(None) => {}
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.chunk = data,
                    Err(frame) => {
                        let status = frame
                            .into_trailers()
                            .ok()
                            .and_then(|trailers| Status::from_header_map(&trailers));
                        if let Some(status) = status
                            && status.code() != tonic::Code::Ok
                        {
                            this.ended = true;
                            return Poll::Ready(Some(Err(io::Error::other(status))));
                        }
                    }
                },
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(io::Error::other(error))));
                }
                None => {
                    this.ended = true;
                    if !this.partial.is_empty() {
                        return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                    }
                }
            }
        }
    }
}

/// A request body of messages with their gRPC prefix. Ends when the sender is dropped.
pub(crate) struct Outgoing(pub(crate) mpsc::Receiver<Bytes>);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|message| message.map(|message| Ok(Frame::data(message))))
    }
}

/// A response body of messages with their gRPC prefix. Ends with the status that a task returns.
///
/// The task is aborted when the caller goes away.
struct Streamed {
    messages: mpsc::Receiver<Bytes>,
    task: Option<AbortOnDropHandle<Result<(), Status>>>,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(message) = ready!(self.messages.poll_recv(context)) {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        let outcome = ready!(Pin::new(task).poll(context));
        self.task = None;
        let status = match outcome {
            Ok(Ok(())) => Status::ok(""),
            Ok(Err(status)) => status,
            Err(error) => Status::internal(error.to_string()),
        };
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.task.is_none()
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // The message does not fit into a header, but the code does.
        trailers.insert("grpc-status", HeaderValue::from(status.code() as i32));
    }
    trailers
}

/// The response to a call of the daemon on a session.
pub(crate) type Reply = Response<tonic::body::Body>;

fn reply(body: tonic::body::Body) -> Reply {
    let mut response = Response::new(body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response
}

/// Responds with a status and no message.
pub(crate) fn refuse(status: Status) -> Reply {
    status.into_http()
}

/// Responds to a unary call.
pub(crate) fn answer(result: Result<Bytes, Status>) -> Reply {
    match result {
        Ok(message) => {
            let frames = [
                Ok::<_, Infallible>(Frame::data(message)),
                Ok(Frame::trailers(trailers(&Status::ok("")))),
            ];
            reply(tonic::body::Body::new(StreamBody::new(stream::iter(
                frames,
            ))))
        }
        Err(status) => refuse(status),
    }
}

/// Responds with the buffers that `task` sends, and ends with the status that it returns.
pub(crate) fn stream_reply(
    messages: mpsc::Receiver<Bytes>,
    task: impl Future<Output = Result<(), Status>> + Send + 'static,
) -> Reply {
    reply(tonic::body::Body::new(Streamed {
        messages,
        task: Some(AbortOnDropHandle::new(tokio::spawn(task))),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;

    fn body(chunks: Vec<Bytes>) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        StreamBody::new(stream::iter(
            chunks.into_iter().map(|chunk| Ok(Frame::data(chunk))),
        ))
    }

    fn message(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    async fn split(chunks: Vec<Bytes>) -> Vec<Result<Vec<u8>, io::ErrorKind>> {
        Messages::new(body(chunks))
            .map(|item| item.map(|item| item.to_vec()).map_err(|error| error.kind()))
            .collect()
            .await
    }

    #[tokio::test]
    async fn messages_are_the_same_however_they_are_cut() {
        let payloads: [&[u8]; 5] = [b"one", b"", b"a longer one", b"", b"x"];
        let whole: Vec<u8> = payloads.iter().flat_map(|p| message(p)).collect();
        for size in 1..=whole.len() {
            let chunks = whole.chunks(size).map(Bytes::copy_from_slice).collect();
            let got: Vec<_> = split(chunks)
                .await
                .into_iter()
                .map(Result::unwrap)
                .collect();
            assert_eq!(got, payloads, "in pieces of {size}");
        }
    }

    #[tokio::test]
    async fn bad_framing_is_an_error_and_the_end() {
        let mut cut = message(b"hello");
        cut.pop();
        assert_eq!(
            split(vec![cut.into()]).await,
            [Err(io::ErrorKind::UnexpectedEof)]
        );
        let mut compressed = message(b"hello");
        compressed[0] = 1;
        assert_eq!(
            split(vec![compressed.into()]).await,
            [Err(io::ErrorKind::InvalidData)]
        );
        let huge = Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(split(vec![huge]).await, [Err(io::ErrorKind::InvalidData)]);
    }
}
