//! What happened to a container.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt as _;

use super::super::client::DockerEngine;
use crate::error::{EngineError, ObjectKind};
use crate::model::ContainerEvent;

/// Time without a further event after which the engine has reported the past ones. It reports them at
/// once, and then waits for new ones.
const PAST: Duration = Duration::from_millis(300);

/// Maximum number of events that are read. Docker remembers 256 of all objects.
const MOST: usize = 256;

pub(in crate::docker) async fn events(
    engine: &DockerEngine,
    name: &str,
    since: SystemTime,
) -> Result<Vec<ContainerEvent>, EngineError> {
    let since = since
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let since = format!("{}.{:09}", since.as_secs(), since.subsec_nanos());
    let filters = HashMap::from([("type", vec!["container"]), ("container", vec![name])]);
    let options = EventsOptionsBuilder::new()
        .since(&since)
        .filters(&filters)
        .build();
    let mut stream = std::pin::pin!(engine.docker.events(Some(options)));
    let mut found = Vec::new();
    while found.len() < MOST {
        let event = match tokio::time::timeout(PAST, stream.next()).await {
            Ok(Some(event)) => event.map_err(engine.failed(&[(ObjectKind::Container, name)]))?,
            Ok(None) | Err(_) => break,
        };
        let attributes = event.actor.and_then(|actor| actor.attributes);
        let attributes = attributes.unwrap_or_default();
        let number = |name: &str| attributes.get(name)?.parse::<i32>().ok();
        found.push(ContainerEvent {
            action: event.action.unwrap_or_default(),
            exit_code: number("exitCode").map(Into::into),
            signal: number("signal"),
            time: SystemTime::UNIX_EPOCH + nanoseconds(event.time_nano),
        });
    }
    Ok(found)
}

fn nanoseconds(time: Option<i64>) -> Duration {
    Duration::from_nanos(time.and_then(|time| u64::try_from(time).ok()).unwrap_or(0))
}
