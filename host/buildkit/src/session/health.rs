//! `grpc.health.v1.Health`: answers that the session is alive.
//!
//! The daemon calls it every few seconds and drops a session that does not answer in time.

use std::sync::Arc;

use bollard_buildkit_proto::health::HealthCheckResponse;
use bollard_buildkit_proto::health::health_check_response::ServingStatus;
use bytes::Bytes;
use tonic::Status;

use super::service::{Handler, Method, SMALL_MESSAGE, SessionService};
use crate::grpc::framed;

/// The health service, which every session has.
pub(super) struct Health;

impl SessionService for Health {
    const NAME: &'static str = "grpc.health.v1.Health";
    const METHODS: &'static [Method<Self>] = &[Method {
        name: "Check",
        calls_at_once: 8,
        message_limit: SMALL_MESSAGE,
        handler: Handler::Unary(|service, _| Box::pin(service.check())),
    }];
}

impl Health {
    async fn check(self: Arc<Self>) -> Result<Bytes, Status> {
        Ok(framed(&HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        }))
    }
}
