//! A relay that records what a client sends to a daemon.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

/// A relay between a socket that it creates and the socket of a daemon. It runs as long as the test.
pub struct Recorder(Arc<Mutex<Vec<u8>>>);

impl Recorder {
    /// Starts a relay.
    pub fn start(near: &Path, daemon: PathBuf) -> Self {
        let listener = UnixListener::bind(near).expect("bound");
        let recorded = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Arc::clone(&recorded);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let daemon = UnixStream::connect(&daemon).expect("the daemon listens");
                let (sink, back) = (Arc::clone(&sink), daemon.try_clone().expect("a socket"));
                let answers = client.try_clone().expect("a socket");
                thread::spawn(move || {
                    relay(&client, &daemon, |bytes| {
                        sink.lock().expect("not poisoned").extend_from_slice(bytes);
                    });
                });
                thread::spawn(move || relay(&back, &answers, |_| {}));
            }
        });
        Self(recorded)
    }

    /// Returns whether a client sent a text, and forgets what was sent so far.
    pub fn has_seen(&self, text: &str) -> bool {
        let mut bytes = self.0.lock().expect("not poisoned");
        let is_seen = bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes());
        bytes.clear();
        is_seen
    }
}

fn relay(mut from: &UnixStream, mut to: &UnixStream, record: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        record(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
