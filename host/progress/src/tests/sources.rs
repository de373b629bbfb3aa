//! Several builds in one display.

use tokio::sync::mpsc;

use super::*;
use crate::relay::Sources;
use crate::vertex::{Forwarder, StatusSender};

/// A display with its sources.
struct Joined {
    display: mpsc::Receiver<SolveStatus>,
    sources: Sources,
}

/// A source.
struct Opened(StatusSender, Forwarder);

impl Joined {
    fn new() -> Self {
        let (sender, display) = mpsc::channel(1);
        let sources = Sources::new(&sender);
        Self { display, sources }
    }

    fn open(&self, prefix: Option<&str>) -> Opened {
        let (sender, forwarder) = self.sources.open(prefix);
        Opened(sender, forwarder)
    }

    /// Returns the status as the display gets it.
    async fn pass(&mut self, source: &Opened, status: SolveStatus) -> SolveStatus {
        source.0.send(status).await.unwrap();
        self.display.recv().await.unwrap()
    }
}

fn logs(vertex: &str) -> SolveStatus {
    SolveStatus {
        logs: vec![VertexLog {
            vertex: vertex.into(),
            stream: 1,
            data: "x\n".into(),
            timestamp: at(0),
        }],
        ..SolveStatus::default()
    }
}

#[tokio::test]
async fn names_begin_with_the_source() {
    let mut joined = Joined::new();
    let (first, second, plain) = (
        joined.open(Some("n0")),
        joined.open(Some("n1")),
        joined.open(None),
    );
    let status = || SolveStatus {
        vertexes: vec![vertex("[internal] load", 0), vertex("exporting", 0)],
        ..SolveStatus::default()
    };
    for (source, expected) in [
        (&first, ["[n0 internal] load", "[n0] exporting"]),
        (&second, ["[n1 internal] load", "[n1] exporting"]),
        (&plain, ["[internal] load", "exporting"]),
    ] {
        let shown = joined.pass(source, status()).await;
        let names: Vec<_> = shown
            .vertexes
            .iter()
            .map(|vertex| vertex.name.as_str())
            .collect();
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn times_are_those_of_this_computer() {
    let mut joined = Joined::new();
    let before = SystemTime::now();
    let source = joined.open(None);
    // The clock of the daemon is years behind.
    let shown = joined
        .pass(
            &source,
            SolveStatus {
                vertexes: vec![done("a", 1000, 2500)],
                statuses: vec![worked("a", "s", 1, 0, 1000, 1250)],
                logs: logs("a").logs,
                ..SolveStatus::default()
            },
        )
        .await;
    let started = shown.vertexes[0].started.unwrap();
    assert!(started >= before && started <= SystemTime::now());
    let later = |milliseconds| Some(started + Duration::from_millis(milliseconds));
    assert_eq!(shown.vertexes[0].completed, later(1500));
    assert_eq!(shown.statuses[0].started, later(0));
    assert_eq!(shown.statuses[0].completed, later(250));
    assert_eq!(Some(shown.statuses[0].timestamp), later(250));
    assert_eq!(shown.logs[0].timestamp, started - Duration::from_secs(1));
    // All statuses of a source are moved alike.
    let shown = joined
        .pass(
            &source,
            SolveStatus {
                vertexes: vec![vertex("b", 4000)],
                ..SolveStatus::default()
            },
        )
        .await;
    assert_eq!(shown.vertexes[0].started, later(3000));
}

#[tokio::test]
async fn logs_of_a_shared_vertex_are_shown_once() {
    let mut joined = Joined::new();
    let (first, second) = (joined.open(None), joined.open(None));
    assert_eq!(joined.pass(&first, logs("a")).await.logs.len(), 1);
    assert_eq!(joined.pass(&second, logs("a")).await.logs.len(), 0);
    assert_eq!(joined.pass(&second, logs("b")).await.logs.len(), 1);
    assert_eq!(joined.pass(&first, logs("b")).await.logs.len(), 0);
    assert_eq!(joined.pass(&first, logs("a")).await.logs.len(), 1);
    // The other source takes over when the first one has ended.
    let Opened(sender, forwarder) = first;
    drop(sender);
    forwarder.finish().await;
    assert_eq!(joined.pass(&second, logs("a")).await.logs.len(), 1);
}

#[tokio::test]
async fn the_display_ends_with_its_sources() {
    let Joined {
        mut display,
        sources,
    } = Joined::new();
    let (sender, forwarder) = sources.open(None);
    sender.send(logs("a")).await.unwrap();
    drop((sender, sources));
    assert!(display.recv().await.is_some());
    forwarder.finish().await;
    assert!(display.recv().await.is_none());
}
