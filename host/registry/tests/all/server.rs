//! A server at a loopback port with answers and delays that a test defines.
//!
//! Server and client share the virtual time of the test. Hours pass immediately, and a client that waits
//! forever makes the test fail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use iechor_registry::manifest::{MANIFEST, Manifest};
use iechor_registry::{Access, Client, Credential, Digest, RegistryError, download};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A step of a server. Steps run in order until the client disconnects.
#[derive(Clone)]
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes repeatedly, with a pause after each time.
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

/// A function that returns the answer to a request, by its method and path.
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

    /// Returns all received requests, each with its head followed by its body.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Fetches from the web server.
    pub async fn fetch(&self, path: &str, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let digest = Digest::of(b"component");
        let url = format!("http://{}{path}", self.address);
        within_a_day(download(&url, Some(&digest), limit, &|_, _| {})).await
    }

    /// Fetches a manifest and its layer from the registry.
    pub async fn pull(&self) -> Result<Vec<u8>, RegistryError> {
        let artifact = format!("{}/a:1", self.address).parse().unwrap();
        within_a_day(async {
            let client = Client::connect(&artifact, &Credential::Anonymous, Access::Pull).await?;
            let manifest = client.manifest(None, &[MANIFEST]).await?;
            let manifest: Manifest = serde_json::from_slice(&manifest.bytes).unwrap();
            let layer = manifest.layers[0].digest.parse().unwrap();
            client.blob(&layer, "the layer", 64 << 20, &|_, _| {}).await
        })
        .await
    }
}

/// Waits for at most one day of virtual time.
async fn within_a_day<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(24 * 3600), work)
        .await
        .expect("it waits forever")
}

async fn serve(
    stream: TcpStream,
    answers: Arc<Answers>,
    requests: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    // Otherwise the system would delay small packets in real time.
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
