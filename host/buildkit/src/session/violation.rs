//! What the daemon did against the protocol of a session.
//!
//! The daemon also gets the error as the status of its call, but a hostile one does not pass it on.

use tokio::sync::watch;

/// The first violation of the protocol, if there was one.
#[derive(Debug)]
pub(crate) struct Violation(watch::Sender<Option<String>>);

impl Default for Violation {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Violation {
    /// Records what the daemon did, unless it did something else before.
    pub(super) fn report(&self, what: String) {
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(what);
            is_first
        });
    }

    /// Waits for a violation and returns what the daemon did.
    pub(super) async fn happened(&self) -> String {
        let mut receiver = self.0.subscribe();
        let first = receiver.wait_for(Option::is_some).await;
        // The sender is in `self`, so there is a value.
        first
            .map_or_else(|_| None, |first| first.clone())
            .unwrap_or_default()
    }
}
