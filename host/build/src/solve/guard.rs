//! Ends a build whose BuildKit does not respond any more, and finds out why.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use iechor_builder::node::watch::{Incident, Watch};
use iechor_buildkit::{Client, Error};

use crate::error::BuildError;

/// Time without a response of BuildKit after which the engine is asked about its container. A slow
/// BuildKit may take longer; only what the engine says ends the build.
const UNANSWERED: Duration = Duration::from_millis(1500);

/// The failure of a guarded operation.
pub(super) struct Failure {
    /// The error of the operation, or the loss of the connection.
    pub(super) error: Error,
    /// What happened to BuildKit's container, if this is the cause.
    pub(super) incident: Option<Incident>,
}

impl From<Failure> for BuildError {
    fn from(failure: Failure) -> Self {
        match failure.incident {
            Some(incident) => Self::Lost { incident },
            None => Self::Solve(failure.error),
        }
    }
}

/// Runs an operation until it ends, or something happens to the container of BuildKit.
pub(super) async fn guarded<T>(
    client: &Client,
    watch: Option<&Watch>,
    operation: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    let ended = {
        let operation = pin!(operation);
        tokio::select! {
            biased;
            ended = operation => ended,
            incident = incident(client, watch) => {
                // Dropping the operation cancels it.
                return Err(Failure {
                    error: Error::ConnectionLost { reason: incident.to_string() },
                    incident: Some(incident),
                });
            }
        }
    };
    match ended {
        Ok(value) => Ok(value),
        Err(error) => {
            let incident = match (watch, &error) {
                (Some(watch), Error::ConnectionLost { .. }) => watch.reason_of_loss().await,
                (Some(watch), Error::Silent { limit }) => watch.reason_of_silence(*limit).await,
                _ => None,
            };
            Err(Failure { error, incident })
        }
    }
}

/// Waits until something happens to the container. Asks the engine only while BuildKit does not
/// respond.
async fn incident(client: &Client, watch: Option<&Watch>) -> Incident {
    let Some(watch) = watch else {
        return std::future::pending().await;
    };
    loop {
        client.unanswered(UNANSWERED).await;
        if let Some(incident) = watch.incident().await {
            return incident;
        }
    }
}
