//! Answers that are a stream of JSON objects: of pulls, pushes and loads.

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use iechor_values::size;
use serde::Deserialize;

use super::dialer::Dialer;
use crate::error::EngineError;

/// Maximum size of a message, in bytes. The longest messages are those of failures.
const LIMIT: usize = 1 << 20;

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

/// Data for programs: the digest of a pushed image.
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
    /// Returns the transferred bytes and the total.
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

/// Reads the messages of an answer.
pub(super) struct Lines<'a> {
    dialer: &'a Dialer,
    body: Incoming,
    buffer: BytesMut,
    end: End,
}

impl<'a> Lines<'a> {
    pub(super) fn new(dialer: &'a Dialer, body: Incoming) -> Self {
        Self {
            dialer,
            body,
            buffer: BytesMut::new(),
            end: End::default(),
        }
    }

    /// Returns the next message. One that reports a failure is returned as an error.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, EngineError> {
        loop {
            if let Some(line) = take(&mut self.buffer, &mut self.end)? {
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
                Some(Err(e)) => return Err(self.dialer.broken(&e)),
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

/// Finds the end of a message. It examines no byte twice, because a message may arrive byte by byte.
#[derive(Debug, Default)]
struct End {
    /// Number of bytes that were examined.
    seen: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl End {
    /// Returns the length of the message at the beginning of the buffer, if it is complete.
    ///
    /// # Errors
    ///
    /// [`EngineError::Protocol`] if the buffer does not begin with an object.
    fn find(&mut self, buffer: &[u8]) -> Result<Option<usize>, EngineError> {
        while let Some(&byte) = buffer.get(self.seen) {
            self.seen += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' if self.depth > 0 => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' if self.depth > 0 || byte == b'{' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => {
                    let length = self.seen;
                    *self = Self::default();
                    return Ok(Some(length));
                }
                _ if self.depth > 0 || byte.is_ascii_whitespace() => {}
                _ => {
                    return Err(EngineError::Protocol(
                        "the engine's report is not made of JSON objects".into(),
                    ));
                }
            }
        }
        Ok(None)
    }
}

/// Takes one complete message out of the buffer. Messages need not be on separate lines.
fn take(buffer: &mut BytesMut, end: &mut End) -> Result<Option<Line>, EngineError> {
    match end.find(buffer)? {
        Some(length) => serde_json::from_slice(&buffer.split_to(length))
            .map(Some)
            .map_err(|e| EngineError::Protocol(format!("the engine's report: {e}"))),
        None if buffer.len() > LIMIT => Err(EngineError::Protocol(format!(
            "a message of the engine's report has more than {}",
            size::exact(LIMIT as u64)
        ))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_need_no_lines() {
        let wire = b"{\"status\":\"a\"}\r\n{\"status\":\"b\",\"progressDetail\":{}}{\"stream\":\"c\\n\",\"progressDetail\":{\"current\":3,\"total\":9}}";
        let (mut buffer, mut end) = (BytesMut::new(), End::default());
        let mut got = Vec::new();
        for byte in wire {
            buffer.extend_from_slice(&[*byte]);
            while let Some(line) = take(&mut buffer, &mut end).expect("good json") {
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
        let line = take(&mut buffer, &mut End::default())
            .expect("json")
            .expect("whole");
        let error = line.failure().expect("a failure");
        assert_eq!(error.to_string(), "the engine answered 500: no space");
        // Podman gives the short form only.
        let mut buffer = BytesMut::from(&b"{\"error\":\"denied\"}"[..]);
        let line = take(&mut buffer, &mut End::default())
            .expect("json")
            .expect("whole");
        assert!(
            line.failure()
                .expect("a failure")
                .to_string()
                .contains("denied")
        );
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        assert!(take(&mut BytesMut::from(&b"<html>"[..]), &mut End::default()).is_err());
    }

    #[test]
    fn a_message_ends_where_its_object_does() {
        let wire = br#"{"status":"} \" {","aux":{"a":[{}]}}  {"status":"b"}"#;
        let (mut buffer, mut end) = (BytesMut::from(&wire[..]), End::default());
        for expected in ["} \" {", "b"] {
            let line = take(&mut buffer, &mut end).expect("json").expect("whole");
            assert_eq!(line.status, expected);
        }
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_message_that_does_not_end_is_an_error() {
        let (mut buffer, mut end) = (BytesMut::from(&b"{\"status\":\""[..]), End::default());
        let mut result = Ok(None);
        while matches!(result, Ok(None)) && buffer.len() <= 2 * LIMIT {
            buffer.extend_from_slice(&[b'x'; 1000]);
            result = take(&mut buffer, &mut end);
        }
        let words = result.expect_err("it has no end").to_string();
        assert!(words.contains("more than 1 MiB"), "{words}");
        assert_eq!(end.seen, buffer.len(), "each byte is looked at once");
    }
}
