//! The BuildKit that lives in the engine.
//!
//! Both addresses have no version in them, as BuildKit's own client asks for them.

use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use http::{Method, Request};
use http_body_util::Full;

use super::DockerEngine;
use crate::{BoxByteStream, EngineError, Hijack};

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
        let value = HeaderValue::try_from(value).ok();
        let (Some(header), Some(value)) = (header, value) else {
            return Err(EngineError::Invalid(format!(
                "{name:?} cannot be sent as a header of a session"
            )));
        };
        // Several headers of one name: one for each method that the session serves.
        request.headers_mut().append(header, value);
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
