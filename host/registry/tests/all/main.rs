//! Tests of fetching and pushing with servers that never finish.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends at its first failure, also in its helpers"
)]

mod pushing;
mod server;
mod slow;
mod tokens;
