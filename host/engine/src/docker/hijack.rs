//! The BuildKit that lives in the engine.
//!
//! Both addresses have no version in them, as BuildKit's own client asks for them.

use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use http::{Method, Request};
use http_body_util::Full;

use super::DockerEngine;
use crate::{BoxByteStream, EngineError, Hijack};

/// What the names of the headers that announce a session begin with.
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
        // Others would change the request itself: its length, its end, on whose behalf it is made.
        let header = header.filter(|header| header.as_str().starts_with(SESSION_HEADERS));
        let value = HeaderValue::try_from(value).ok();
        let (Some(header), Some(value)) = (header, value) else {
            return Err(EngineError::Invalid(format!(
                "{name:?} cannot be sent as a header of a session"
            )));
        };
        // Several headers of one name: one for each method that the session serves.
        request
            .headers_mut()
            .try_append(header, value)
            .map_err(|_| {
                EngineError::LimitExceeded("a session has more headers than can be sent".into())
            })?;
    }
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("h2c"));
    match engine.dialer.upgrade(request).await {
        Ok(io) => Ok(Box::new(io)),
        Err(EngineError::Refused { status, message }) if matches!(status, 404 | 405 | 501) => {
            Err(EngineError::Unsupported(format!(
                "BuildKit connections (POST {path}: {status} {message}); `iechor buildx create --use` \
                 makes a builder with a BuildKit of its own"
            )))
        }
        Err(e) => Err(e),
    }
}
