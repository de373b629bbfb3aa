//! A web server at a loopback port.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The content of a path.
pub enum Page {
    /// A file.
    File(Vec<u8>),
    /// Endless zeros without a content length.
    Endless,
    /// A content length above all limits.
    Promise(u64),
    /// A redirect.
    Moved(&'static str),
    /// A challenge with this header.
    Challenge(String),
    /// A file that requires this token.
    Guarded(&'static str, Vec<u8>),
    /// A beginning, followed by silence.
    Stalled,
}

/// A server that runs as long as the test.
pub struct WebServer {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl WebServer {
    /// Serves these pages.
    pub fn start(pages: impl IntoIterator<Item = (&'static str, Page)>) -> Self {
        let pages: Arc<HashMap<_, _>> = Arc::new(pages.into_iter().collect());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::Relaxed);
                let pages = Arc::clone(&pages);
                // Ignore clients that disconnect.
                thread::spawn(move || serve(&stream, &pages).ok());
            }
        });
        Self { address, requests }
    }

    /// Returns the number of clients.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns the address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn serve(mut stream: &TcpStream, pages: &HashMap<&str, Page>) -> std::io::Result<()> {
    let mut request = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut request)?;
    let mut line = String::new();
    let mut shown = String::new();
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("authorization")
        {
            shown = value.trim().to_owned();
        }
        line.clear();
    }
    // The query does not change the page.
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let may_have = |token: &str| shown == format!("Bearer {token}");
    match pages.get(path) {
        None => stream.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n"),
        Some(Page::Guarded(token, _)) if !may_have(token) => {
            stream.write_all(b"HTTP/1.0 401 Unauthorized\r\n\r\n")
        }
        Some(Page::File(bytes) | Page::Guarded(_, bytes)) => {
            write!(
                stream,
                "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n",
                bytes.len()
            )?;
            stream.write_all(bytes)
        }
        Some(Page::Challenge(wanted)) => {
            write!(
                stream,
                "HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: {wanted}\r\n\r\n"
            )
        }
        Some(Page::Promise(bytes)) => {
            write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {bytes}\r\n\r\n")
        }
        Some(Page::Moved(place)) => {
            write!(stream, "HTTP/1.0 302 Found\r\nLocation: {place}\r\n\r\n")
        }
        Some(Page::Stalled) => {
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n\0asm")?;
            // Until the client disconnects.
            stream.read(&mut [0]).map(drop)
        }
        Some(Page::Endless) => {
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(&[0; 64 << 10])?;
            }
        }
    }
}
