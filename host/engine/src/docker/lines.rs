//! Answers that are a stream of JSON values: pulls, pushes and loads.

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;

use super::dialer::Dialer;
use super::errors;
use crate::EngineError;

/// A value that does not end within this is no message.
const LIMIT: usize = 4 * 1024 * 1024;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) stream: String,
    pub(super) progress_detail: Option<Progress>,
    pub(super) aux: Option<Aux>,
    error: String,
    error_detail: Option<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    pub(super) current: i64,
    pub(super) total: i64,
}

/// What an engine adds for programs: the digest of what was pushed.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Aux {
    pub(super) digest: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    code: i64,
    message: String,
}

impl Line {
    /// Bytes done and in all.
    pub(super) fn progress(&self) -> (u64, Option<u64>) {
        let Some(progress) = &self.progress_detail else {
            return (0, None);
        };
        let total = u64::try_from(progress.total).ok().filter(|t| *t > 0);
        (u64::try_from(progress.current).unwrap_or(0), total)
    }

    fn failure(&self) -> Option<EngineError> {
        let detail = self.error_detail.as_ref();
        let message = detail
            .map(|d| d.message.as_str())
            .filter(|m| !m.is_empty())
            .unwrap_or(&self.error);
        if message.is_empty() {
            return None;
        }
        let status = detail.and_then(|d| u16::try_from(d.code).ok());
        Some(EngineError::Refused {
            status: status.filter(|s| *s >= 400).unwrap_or(500),
            message: message.to_owned(),
        })
    }
}

/// Reads the values of an answer.
pub(super) struct Lines<'a> {
    dialer: &'a Dialer,
    body: Incoming,
    buffer: BytesMut,
}

impl<'a> Lines<'a> {
    pub(super) fn new(dialer: &'a Dialer, body: Incoming) -> Self {
        Self {
            dialer,
            body,
            buffer: BytesMut::new(),
        }
    }

    /// The next value. One that reports a failure is an error here.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, EngineError> {
        loop {
            if let Some(line) = take(&mut self.buffer)? {
                return match line.failure() {
                    Some(e) => Err(e),
                    None => Ok(Some(line)),
                };
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(e)) => {
                    return Err(self.dialer.unreachable(errors::transfer_reason(&e)));
                }
                None if self.buffer.trim_ascii().is_empty() => return Ok(None),
                None => {
                    return Err(EngineError::Protocol(
                        "the engine's report ends in the middle of a message".into(),
                    ));
                }
            }
        }
    }
}

/// Takes one whole value out of the buffer; they need not be on lines of their own.
fn take(buffer: &mut BytesMut) -> Result<Option<Line>, EngineError> {
    let mut values = serde_json::Deserializer::from_slice(buffer).into_iter::<Line>();
    match values.next() {
        None => Ok(None),
        Some(Ok(line)) => {
            let end = values.byte_offset();
            let _ = buffer.split_to(end);
            Ok(Some(line))
        }
        Some(Err(e)) if e.is_eof() && buffer.len() < LIMIT => Ok(None),
        Some(Err(e)) => Err(EngineError::Protocol(format!("the engine's report: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_need_no_lines() {
        let wire = b"{\"status\":\"a\"}\r\n{\"status\":\"b\",\"progressDetail\":{}}{\"stream\":\"c\\n\",\"progressDetail\":{\"current\":3,\"total\":9}}";
        let mut buffer = BytesMut::new();
        let mut got = Vec::new();
        for byte in wire {
            buffer.extend_from_slice(&[*byte]);
            while let Some(line) = take(&mut buffer).expect("good json") {
                got.push((line.status.clone(), line.stream.clone(), line.progress()));
            }
        }
        assert_eq!(
            got,
            [
                ("a".into(), String::new(), (0, None)),
                ("b".into(), String::new(), (0, None)),
                (String::new(), "c\n".into(), (3, Some(9))),
            ]
        );
    }

    #[test]
    fn failures_have_the_engines_words() {
        let mut buffer = BytesMut::from(
            &b"{\"errorDetail\":{\"message\":\"no space\"},\"error\":\"no space\"}"[..],
        );
        let line = take(&mut buffer).expect("json").expect("whole");
        let error = line.failure().expect("a failure");
        assert_eq!(error.to_string(), "the engine answered 500: no space");
        // Podman gives the short form only.
        let mut buffer = BytesMut::from(&b"{\"error\":\"denied\"}"[..]);
        let line = take(&mut buffer).expect("json").expect("whole");
        assert!(
            line.failure()
                .expect("a failure")
                .to_string()
                .contains("denied")
        );
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        assert!(take(&mut BytesMut::from(&b"<html>"[..])).is_err());
    }
}
