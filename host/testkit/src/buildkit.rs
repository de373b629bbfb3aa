//! A BuildKit daemon in memory, as far as a driver can see it: it greets who connects.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use iechor_engine::BoxByteStream;
use iechor_engine::model::Platform;
use iechor_sandbox::{BuildKit, BuildKitClient, BuildKitVersion, BuildKitWorker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::tls;

/// The version that the daemon says it is.
pub const VERSION: &str = "v0.25.1";
/// What the daemon sends first. Another end of a connection does not, so a driver that dials the
/// wrong thing is found out.
const GREETING: &[u8] = b"simulated buildkit ";
/// What the client sends first, as every client of HTTP/2 does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes that a connection holds in each direction.
const PIPE: usize = 64 * 1024;

/// How long `buildctl` waits for an answer where nobody says otherwise.
const BUILDCTL_PATIENCE: Duration = Duration::from_secs(5);

/// When a BuildKit answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// At the first try.
    AtOnce,
    /// After so many connections that it closes.
    After(u32),
    /// It closes every connection.
    Never,
    /// It takes the connection and says nothing.
    Hangs,
    /// It answers and cannot build.
    WithoutWorkers,
}

/// A BuildKit daemon, and the client that knows it.
pub struct FakeBuildKit {
    answers: Mutex<Answers>,
    tries: AtomicU32,
}

/// What comes of a try to reach it.
enum Reached {
    /// It answers, and has this many workers.
    Workers(u8),
    Silence,
    Closed,
}

struct FakeClient {
    workers: bool,
    /// The daemon sees when the client goes.
    _stream: Mutex<BoxByteStream>,
}

impl FakeBuildKit {
    /// One that answers so.
    pub fn new(answers: Answers) -> Self {
        Self {
            answers: Mutex::new(answers),
            tries: AtomicU32::new(0),
        }
    }

    /// Changes when it answers, from the next connection on.
    pub fn set_answers(&self, answers: Answers) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    }

    /// Returns how many connections there were.
    pub fn tries(&self) -> u32 {
        self.tries.load(Ordering::SeqCst)
    }

    /// Returns what `buildctl debug workers` finds, which gives up on a daemon that says nothing: how many
    /// workers there are.
    ///
    /// # Errors
    ///
    /// What it says where it reaches none.
    pub async fn debug_workers(&self) -> Result<u8, &'static str> {
        match self.reached() {
            Reached::Workers(number) => Ok(number),
            Reached::Closed => Err("failed to list workers: connection refused"),
            Reached::Silence => {
                tokio::time::sleep(BUILDCTL_PATIENCE).await;
                Err("failed to list workers: context deadline exceeded")
            }
        }
    }

    /// One more try.
    fn reached(&self) -> Reached {
        let tries = self.tries.fetch_add(1, Ordering::SeqCst);
        let answers = *self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers {
            Answers::AtOnce => Reached::Workers(1),
            Answers::After(refusals) if tries >= refusals => Reached::Workers(1),
            Answers::WithoutWorkers => Reached::Workers(0),
            Answers::Hangs => Reached::Silence,
            Answers::After(_) | Answers::Never => Reached::Closed,
        }
    }

    /// Returns a new connection to the daemon.
    pub fn connection(self: &Arc<Self>) -> BoxByteStream {
        let (near, far) = tokio::io::duplex(PIPE);
        tokio::spawn(Arc::clone(self).serve(Box::new(far)));
        Box::new(near)
    }

    /// Returns the same over a network, where the daemon's machine has that name: TLS is answered.
    pub(crate) fn connection_at(self: &Arc<Self>, host: &str) -> BoxByteStream {
        let (near, far) = tokio::io::duplex(PIPE);
        let (daemon, host) = (Arc::clone(self), host.to_owned());
        tokio::spawn(async move {
            // Who does not trust it goes.
            if let Ok(stream) = tls::answer(host, Box::new(far)).await {
                daemon.serve(stream).await;
            }
        });
        Box::new(near)
    }

    /// Serves a connection until the other end goes.
    pub async fn serve(self: Arc<Self>, mut stream: BoxByteStream) {
        let workers: &[u8] = match self.reached() {
            Reached::Workers(0) => b"0",
            Reached::Workers(_) => b"1",
            Reached::Silence => b"",
            Reached::Closed => return,
        };
        if !workers.is_empty() {
            // Who hung up does not want it.
            let _ = stream.write_all(&[GREETING, workers].concat()).await;
            let _ = stream.flush().await;
        }
        let mut rest = [0; 1024];
        while let Ok(1..) = stream.read(&mut rest).await {}
    }
}

#[async_trait]
impl BuildKit for FakeBuildKit {
    async fn connect(&self, mut stream: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        let mut greeting = vec![0; GREETING.len() + 1];
        let exchange = async {
            stream.write_all(PREFACE).await?;
            stream.flush().await?;
            stream.read_exact(&mut greeting).await
        };
        if exchange.await.is_err() {
            return Err("connection refused".into());
        }
        match greeting.strip_prefix(GREETING) {
            Some(workers) => Ok(Box::new(FakeClient {
                workers: workers == b"1",
                _stream: Mutex::new(stream),
            })),
            None => Err("what answers is not BuildKit".into()),
        }
    }
}

#[async_trait]
impl BuildKitClient for FakeClient {
    async fn version(&self) -> Result<BuildKitVersion, String> {
        Ok(BuildKitVersion {
            version: VERSION.into(),
            revision: String::new(),
            package: "github.com/moby/buildkit".into(),
        })
    }

    async fn workers(&self) -> Result<Vec<BuildKitWorker>, String> {
        let worker = BuildKitWorker {
            id: "worker".into(),
            labels: Vec::new(),
            platforms: vec![Platform::new("linux", "amd64", "")],
        };
        Ok(self.workers.then_some(worker).into_iter().collect())
    }
}
