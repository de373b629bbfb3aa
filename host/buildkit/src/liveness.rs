//! Detection of a daemon that does not respond any more.
//!
//! A build may be quiet for hours, so silence means nothing. The client therefore asks the daemon
//! every second whether it is there, with a small call of its own: BuildKit answers HTTP/2 pings at
//! such a rate with the end of the connection.

use std::pin::pin;
use std::time::Duration;

use http::uri::PathAndQuery;

use crate::client::Client;
use crate::error::Error;
use crate::fields::{Undecoded, unready};
use crate::link::Quiet;

/// Time between an answer and the next question.
const PAUSE: Duration = Duration::from_secs(1);

/// Maximum size of an answer, in bytes. The real one has 2 bytes.
const ANSWER_LIMIT: usize = 4 << 10;

impl Client {
    /// Waits until BuildKit has not responded for `limit`, although it was asked.
    ///
    /// Everything that arrives is a response. Time in which this process did not run does not count.
    /// Does not return while the connection is lost: see [`lost`](Self::lost).
    pub async fn unanswered(&self, limit: Duration) {
        loop {
            let mut question = pin!(self.ask());
            let mut quiet = Quiet::begin(&self.link.state);
            let tick = Quiet::TICK.min(limit / 4);
            while quiet.since(&self.link.state) < limit {
                tokio::select! {
                    () = &mut question => break,
                    () = tokio::time::sleep(tick) => {}
                }
            }
            if quiet.since(&self.link.state) >= limit {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until BuildKit has not responded for the limit of this client.
    pub(crate) async fn unresponsive(&self) -> Error {
        let limit = self.silence_limit;
        self.unanswered(limit).await;
        Error::Silent { limit }
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
