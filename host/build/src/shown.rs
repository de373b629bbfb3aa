//! The display of a build on one node.

use std::time::Duration;

use iechor_progress::relay::Sources;
use iechor_progress::vertex::{Forwarder, StatusSender};

/// Maximum time to wait until everything was passed on.
const END: Duration = Duration::from_secs(5);

/// Where the status of a build on a node is sent to.
pub(crate) struct Shown<'a> {
    sources: &'a Sources,
    /// Begins the names of vertexes.
    prefix: Option<&'a str>,
    /// The sender for what this program does itself.
    own: StatusSender,
    forwarder: Option<Forwarder>,
}

impl<'a> Shown<'a> {
    /// Returns a display of a build on no particular node.
    pub(crate) fn new(sources: &'a Sources, status: &StatusSender) -> Self {
        Self {
            sources,
            prefix: None,
            own: status.clone(),
            forwarder: None,
        }
    }

    /// Returns the display of a node. With a name, all vertexes begin with it.
    pub(crate) fn of_node<'b>(&self, name: Option<&'b str>) -> Shown<'b>
    where
        'a: 'b,
    {
        let opened = name.map(|name| self.sources.open_own(name)).unzip();
        let (own, forwarder) = opened;
        Shown {
            sources: self.sources,
            prefix: name,
            own: own.unwrap_or_else(|| self.own.clone()),
            forwarder,
        }
    }

    /// Returns the sender for what this program does itself.
    pub(crate) fn status(&self) -> &StatusSender {
        &self.own
    }

    /// Opens a source for the status of the daemon, whose clock may be another one.
    pub(crate) fn open(&self) -> (StatusSender, Forwarder) {
        self.sources.open(self.prefix)
    }

    /// Waits until everything was passed on, after the copies of the sender were dropped.
    pub(crate) async fn finish(self) {
        let Self { own, forwarder, .. } = self;
        drop(own);
        if let Some(forwarder) = forwarder {
            // A service of a session that has not ended yet may have a copy.
            let _ = tokio::time::timeout(END, forwarder.finish()).await;
        }
    }
}
