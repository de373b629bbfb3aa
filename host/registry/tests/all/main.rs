//! Fetching and pushing, with servers that do not want it to end.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where it goes wrong, in its helpers too"
)]

mod pushing;
mod server;
mod slow;
