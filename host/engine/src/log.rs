//! The newest part of a log.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::model::{LogChunk, LogStream};

/// The newest bytes of a log, up to a limit.
pub(crate) struct Log {
    chunks: VecDeque<LogChunk>,
    bytes: usize,
    limit: usize,
}

impl Log {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            limit,
        }
    }

    pub(crate) fn push(&mut self, stream: LogStream, data: Bytes) {
        if data.is_empty() {
            return;
        }
        self.bytes += data.len();
        // A copy: a slice would keep the whole read buffer in memory.
        let data = Bytes::copy_from_slice(&data);
        self.chunks.push_back(LogChunk { stream, data });
        while self.bytes > self.limit {
            let over = self.bytes - self.limit;
            match self.chunks.front_mut() {
                Some(oldest) if oldest.data.len() > over => {
                    let _ = oldest.data.split_to(over);
                    self.bytes -= over;
                }
                Some(oldest) => {
                    self.bytes -= oldest.data.len();
                    self.chunks.pop_front();
                }
                None => break,
            }
        }
    }

    pub(crate) fn chunks(self) -> Vec<LogChunk> {
        self.chunks.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_keep_the_newest() {
        let mut log = Log::new(5);
        log.push(LogStream::Stdout, Bytes::from_static(b"abcd"));
        log.push(LogStream::Stderr, Bytes::from_static(b"efg"));
        let kept = log.chunks();
        let kept: Vec<_> = kept.iter().map(|c| (c.stream, &c.data[..])).collect();
        assert_eq!(
            kept,
            [
                (LogStream::Stdout, &b"cd"[..]),
                (LogStream::Stderr, &b"efg"[..])
            ]
        );
        let mut log = Log::new(0);
        log.push(LogStream::Stdout, Bytes::from_static(b"abcd"));
        assert!(log.chunks().is_empty());
    }
}
