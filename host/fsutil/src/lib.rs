//! BuildKit's file transfer (diffcopy): sender, receiver and pattern matcher.
//!
//! Pure: no network, no gRPC library, no printing. A caller gives a stream of packets that
//! arrive and a channel for frames that leave; which carrier brings them is its own business.
//!
//! - [`send`] walks a directory and offers it to a receiver (a build context).
//! - [`receive`] writes what a sender offers below a directory (`--output type=local`).
//! - [`Filter`] says which part of a directory is sent; [`pattern`] has its rules.
//! - [`wire`] has the packets, and their framing as gRPC messages.
//!
//! Source of the protocol: `github.com/tonistiigi/fsutil` and `github.com/moby/patternmatcher`
//! as BuildKit uses them. Paths are bytes everywhere: a file name need not be UTF-8.

mod beneath;
mod filter;
mod follow;
mod glob;
mod name;
mod peer;
mod table;

pub mod mode;
pub mod pattern;
pub mod receive;
pub mod send;
pub mod walk;
pub mod wire;

pub use filter::{Filter, FilterError};
pub use follow::FollowError;
pub use receive::{ReceiveError, ReceiveOptions, Received, receive};
pub use send::{Progress, SendError, SendOptions, Sent, send};
pub use table::TableFull;
