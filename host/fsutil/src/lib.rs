//! BuildKit's file transfer (diffcopy): sender, receiver and pattern matcher.
//!
//! The crate uses no network and no gRPC library, and prints nothing. The caller passes a stream of
//! incoming packets and a channel for outgoing frames, and decides how they are transported.
//!
//! - [`send`] walks a directory and offers it to a receiver (a build context).
//! - [`receive`] writes the entries of a sender below a directory (`--output type=local`).
//! - [`Filter`] selects the part of a directory that is sent; [`pattern`] has its rules.
//! - [`ignore`] finds the line of a `.dockerignore` that excludes a path.
//! - [`wire`] has the packets, and their framing as gRPC messages.
//!
//! The protocol is that of `github.com/tonistiigi/fsutil` and `github.com/moby/patternmatcher`, as
//! BuildKit uses them. Paths are bytes everywhere, because a file name need not be UTF-8.

mod beneath;
mod filter;
mod follow;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod glob;
mod name;
mod peer;
mod sizes;
mod table;

pub mod ignore;
pub mod mode;
pub mod pattern;
pub mod receive;
pub mod send;
pub mod walk;
pub mod wire;

pub use filter::{Filter, FilterError};
pub use follow::FollowError;
pub use peer::Blame;
pub use receive::{
    Kept, Limits, ReceiveError, ReceiveOptions, Received, RemoveError, receive, receive_and_keep,
};
pub use send::{Progress, SendError, SendOptions, Sent, send, send_observed};
pub use sizes::{DirectorySize, Offered};
pub use table::TableFull;
