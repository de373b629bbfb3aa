//! Connections to the engine's own BuildKit.
//!
//! The paths contain no API version, like those of BuildKit's own client.

use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use http::{Method, Request};
use http_body_util::Full;

use super::client::DockerEngine;
use crate::engine::Hijack;
use crate::error::EngineError;
use crate::stream::BoxByteStream;

/// Beginning of the names of the headers that announce a session.
const SESSION_HEADERS: &str = "x-docker-expose-session-";

pub(super) async fn open(
    engine: &DockerEngine,
    what: &Hijack,
) -> Result<BoxByteStream, EngineError> {
    let (path, headers) = match what {
        Hijack::Control => ("/grpc", &[][..]),
        Hijack::Session(headers) => ("/session", headers.as_slice()),
    };
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(path);
    for (name, value) in headers {
        let header = HeaderName::try_from(name).ok();
        // Other headers could change the request itself: its length, its end, its credentials.
        let header = header.filter(|header| header.as_str().starts_with(SESSION_HEADERS));
        let value = HeaderValue::try_from(value).ok();
        let (Some(header), Some(value)) = (header, value) else {
            return Err(EngineError::Invalid(format!(
                "{name:?} cannot be sent as a header of a session"
            )));
        };
        // There are several headers of one name: one for each method that the session serves.
        request
            .headers_mut()
            .try_append(header, value)
            .map_err(|_| {
                EngineError::LimitExceeded(
                    "a session has more headers than a request can have".into(),
                )
            })?;
    }
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("h2c"));
    match engine.dialer.upgrade(request).await {
        Ok(io) => Ok(Box::new(io)),
        Err(EngineError::Refused { status, message }) if matches!(status, 404 | 405 | 501) => {
            Err(EngineError::NoBuildKit {
                request: format!("POST {path}"),
                status,
                message,
            })
        }
        Err(e) => Err(e),
    }
}
