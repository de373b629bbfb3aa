//! A server at a loopback port that answers what a test says, as slowly as it says.
//!
//! Server and client share the virtual time of the test: what takes hours is over at once, and a client
//! that waits for ever makes the test fail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use iechor_registry::{Credential, Digest, Fetched, RegistryError, Request, Source};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a server does, one after the other, until the client goes away.
#[derive(Clone)]
pub enum Step {
    /// Sends this.
    Send(Vec<u8>),
    /// Sends this again and again, and waits so long after each.
    Repeat(Vec<u8>, Duration),
    /// Closes the connection.
    Close,
}

pub fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

pub fn drip(text: &str, pause: Duration) -> Step {
    Step::Repeat(text.as_bytes().to_vec(), pause)
}

/// The answer to a request: by its method and path.
pub type Answers = dyn Fn(&str) -> Vec<Step> + Send + Sync;

pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn start(answers: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answers: Arc<Answers> = Arc::new(answers);
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&seen)));
            }
        });
        Self { address, requests }
    }

    /// Every request that came: its head, and its body behind that.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Fetches from the web server.
    pub async fn fetch(&self, path: &str, limit: u64) -> Result<Fetched, RegistryError> {
        let digest = Digest::of(b"component");
        self.fetch_source(&format!("http://{}{path}@{digest}", self.address), limit)
            .await
    }

    /// Fetches from the registry.
    pub async fn pull(&self) -> Result<Fetched, RegistryError> {
        self.fetch_source(&format!("oci://{}/a:1", self.address), 64 << 20)
            .await
    }

    async fn fetch_source(&self, source: &str, limit: u64) -> Result<Fetched, RegistryError> {
        let source: Source = source.parse().unwrap();
        let request = Request {
            credential: Credential::Anonymous,
            limit,
            progress: &|_, _| {},
        };
        let fetching = iechor_registry::fetch(&source, &request);
        // A day of virtual time.
        tokio::time::timeout(Duration::from_secs(24 * 3600), fetching)
            .await
            .expect("it waits for ever")
    }
}

async fn serve(
    stream: TcpStream,
    answers: Arc<Answers>,
    requests: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    // The system would wait in real time for more to send with what little there is.
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        let mut body = vec![0; length.unwrap_or_default()];
        stream.read_exact(&mut body).await?;
        let first = head.lines().next().unwrap().to_owned();
        requests
            .lock()
            .unwrap()
            .push(format!("{head}{}", String::from_utf8_lossy(&body)));
        let what = first.rsplit_once(' ').unwrap().0.to_owned();
        for step in answers(&what) {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes).await?,
                Step::Close => return Ok(()),
                Step::Repeat(bytes, pause) => loop {
                    stream.write_all(&bytes).await?;
                    tokio::time::sleep(pause).await;
                },
            }
        }
    }
}
