//! A network between a client and a server that can be interrupted: nothing arrives any more, not even the
//! end of a connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Maximum number of bytes that are forwarded at a time.
const BUFFER: usize = 64 << 10;

/// Interval of the checks whether the cable is plugged in.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A cable to a server. Dropping it lets everything through that waits.
pub struct Cable {
    /// Address of this end, as `tcp://HOST:PORT`.
    pub endpoint: String,
    is_cut: Arc<AtomicBool>,
}

impl Cable {
    /// Connects a new port to a server at `tcp://HOST:PORT`.
    pub fn to(server: &str) -> Self {
        let server = server.strip_prefix("tcp://").expect("TCP").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("tcp://{}", listener.local_addr().expect("bound"));
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&is_cut);
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.expect("a connection");
                let far = TcpStream::connect(&server).expect("the server listens");
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let from = from.try_clone().expect("cloned");
                    let to = to.try_clone().expect("cloned");
                    let cut = Arc::clone(&cut);
                    thread::spawn(move || forward(from, to, &cut));
                }
            }
        });
        Self { endpoint, is_cut }
    }

    /// Interrupts the connection, without a word to either side.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Ends the interruption.
    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.mend();
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = from.read(&mut buffer).unwrap_or(0);
        while is_cut.load(Ordering::Relaxed) {
            thread::sleep(LOOK_AGAIN);
        }
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            // The other side may be gone already.
            let _ = to.shutdown(Shutdown::Write);
            let _ = from.shutdown(Shutdown::Read);
            return;
        }
    }
}
