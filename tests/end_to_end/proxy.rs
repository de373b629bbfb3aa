//! A slow or restricted engine: the real one, behind a socket that delays removals and forbids requests.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::machine;

/// Maximum number of bytes that are forwarded at a time.
const BUFFER: usize = 64 << 10;
/// Interval of the checks whether a removal may continue.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// An engine that delays every removal.
pub struct SlowEngine {
    path: PathBuf,
    settings: Arc<Settings>,
}

struct Settings {
    /// Delay of a removal, in milliseconds.
    delay: AtomicU64,
    is_down: AtomicBool,
    /// Parts of the first lines of forbidden requests.
    forbidden: Mutex<Vec<String>>,
}

impl SlowEngine {
    /// Starts an engine that listens in a directory.
    pub fn start(directory: &Path, delay: Duration) -> Self {
        let path = directory.join("slow.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let settings = Arc::new(Settings {
            delay: AtomicU64::default(),
            is_down: AtomicBool::default(),
            forbidden: Mutex::default(),
        });
        let engine = Self {
            path,
            settings: Arc::clone(&settings),
        };
        engine.set_delay(delay);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if settings.is_down.load(Ordering::Relaxed) {
                    continue;
                }
                let settings = Arc::clone(&settings);
                // Ignore clients that disconnect.
                thread::spawn(move || serve(client, &settings).ok());
            }
        });
        engine
    }

    /// Returns the endpoint.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// Sets the delay of removals, also for pending ones.
    pub fn set_delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).expect("not that long");
        self.settings.delay.store(delay, Ordering::Relaxed);
    }

    /// Forbids requests whose first line contains one of these texts, as proxies in front of an engine do.
    pub fn forbid(&self, requests: &[&str]) {
        let requests = requests.iter().map(|request| (*request).to_owned());
        *self.settings.forbidden.lock().expect("unlocked") = requests.collect();
    }

    /// Makes the engine stop answering, or answer again.
    pub fn set_down(&self, is_down: bool) {
        self.settings.is_down.store(is_down, Ordering::Relaxed);
    }
}

fn serve(mut client: UnixStream, settings: &Settings) -> std::io::Result<()> {
    let host = &machine().docker_host;
    let socket = host.strip_prefix("unix://").expect("a local engine");
    let mut engine = UnixStream::connect(socket)?;
    let (mut from_engine, mut to_client) = (engine.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        // When one direction ends, the other ends as well.
        let _ = std::io::copy(&mut from_engine, &mut to_client);
        let _ = to_client.shutdown(std::net::Shutdown::Write);
    });
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = client.read(&mut buffer)?;
        if length == 0 {
            return engine.shutdown(std::net::Shutdown::Write);
        }
        // Requests do not overlap, so each request is at the beginning of a buffer.
        let line = String::from_utf8_lossy(&buffer[..length]);
        let line = line.lines().next().unwrap_or_default();
        let forbidden = settings.forbidden.lock().expect("unlocked").clone();
        if forbidden.iter().any(|request| line.contains(request)) {
            let answer =
                "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 9\r\n\r\nForbidden";
            return client.write_all(answer.as_bytes());
        }
        if buffer.starts_with(b"DELETE ") && !is_patient(&mut client, settings)? {
            return Ok(());
        }
        engine.write_all(&buffer[..length])?;
    }
}

/// Waits for the delay of a removal. Returns `false` if the client disconnects.
fn is_patient(client: &mut UnixStream, settings: &Settings) -> std::io::Result<bool> {
    let begun = Instant::now();
    client.set_read_timeout(Some(LOOK_AGAIN))?;
    while begun.elapsed() < Duration::from_millis(settings.delay.load(Ordering::Relaxed)) {
        match client.read(&mut [0]) {
            Ok(_) => return Ok(false),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    client.set_read_timeout(None)?;
    Ok(true)
}
