//! Detection of a daemon that does not respond any more.
//!
//! A build may be quiet for hours, so silence means nothing. The client therefore asks the daemon
//! all the time whether it is there, with a small call of its own: BuildKit answers HTTP/2 pings at
//! such a rate with the end of the connection.
//!
//! Any byte that arrives is a response. A transfer that fills the connection thus delays no verdict
//! and causes none: the daemon acknowledges what it receives (HTTP/2 window updates), and sends what
//! this side receives.

use std::pin::pin;
use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::time::Instant;

use crate::client::Client;
use crate::error::Error;
use crate::fields::{Undecoded, unready};
use crate::link::Quiet;

/// Time after a stop of this process in which a silent daemon is not given up: a machine that wakes up
/// has to find its network again.
const AFTER_STOP: Duration = Duration::from_secs(30);

/// Time before each question, in [`Quiet::TICK`]s.
const PAUSE: u32 = 2;

/// Maximum size of an answer, in bytes. The real one has 2 bytes.
const ANSWER_LIMIT: usize = 4 << 10;

impl Client {
    /// Waits until BuildKit has not responded for `limit`, although it was asked.
    ///
    /// Everything that arrives is a response. Time in which this process did not run does not count.
    /// Does not return while the connection is lost: see [`lost`](Self::lost).
    pub async fn unanswered(&self, limit: Duration) {
        let state = &self.link.state;
        let tick = Quiet::TICK.min(limit / 4);
        let mut quiet = Quiet::begin(state);
        loop {
            for _ in 0..PAUSE {
                tokio::time::sleep(Quiet::TICK).await;
                // Notices stops of this process.
                quiet.restart(state);
            }
            let mut question = pin!(self.ask());
            loop {
                tokio::select! {
                    () = &mut question => break,
                    () = tokio::time::sleep(tick) => {}
                }
                if quiet.since(state) >= limit {
                    return;
                }
            }
        }
    }

    /// Waits until BuildKit has not responded for the limit of this client.
    pub(crate) async fn unresponsive(&self) -> Error {
        let limit = self.silence_limit;
        loop {
            self.unanswered(limit).await;
            let lately = Instant::now().checked_sub(AFTER_STOP);
            let stopped = lately.and_then(|lately| self.link.state.stopped(lately));
            if stopped.is_none() {
                return Error::Silent { limit };
            }
        }
    }

    /// Asks for the health of the daemon. Any response will do: a daemon without the service says that
    /// it does not have it.
    async fn ask(&self) {
        const PATH: &str = "/grpc.health.v1.Health/Check";
        let mut grpc = self.undecoded(ANSWER_LIMIT);
        if grpc.ready().await.map_err(unready).is_err() {
            return;
        }
        // An empty message asks for the whole server.
        let request = tonic::Request::new(());
        let path = PathAndQuery::from_static(PATH);
        let _ = grpc.unary(request, path, Undecoded::<()>::new()).await;
    }
}
